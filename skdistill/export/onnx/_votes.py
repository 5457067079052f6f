"""Votes and means of members that have graphs of their own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline

from ..._nested import find_deployed
from .._reading._inputs import Inputs
from ._emit_dense import emit_label
from ._graph import VALUES, Graph


def build_members(
    steps: list[Any], vote: Any, build: Callable[[Any], Iterable[Any]]
) -> list[list[Any]] | None:
    """Return the candidates of each member behind the steps; None: one has none."""
    try:
        return [
            list(build(make_pipeline(*steps, find_deployed(member))))
            for member in vote.estimators_
        ]
    except TypeError:
        return None


def join_classifiers(
    inputs: Inputs, vote: Any, found: list[list[Any]], classes: Any
) -> Iterator[Any]:
    """Make the graphs of a soft vote."""
    for graph, parts in _weigh(inputs, vote, found, "probabilities", np.float32):
        graph.add("Sum", parts, "probabilities")
        emit_label(graph, "probabilities", classes)
        yield graph.to_classifier(classes)


def join_regressors(
    inputs: Inputs, vote: Any, found: list[list[Any]], dtype: Any
) -> Iterator[Any]:
    """Make the graphs of a mean."""
    for graph, parts in _weigh(inputs, vote, found, VALUES, dtype):
        graph.add("Sum", parts, VALUES)
        yield graph.to_regressor(1, dtype)


def _weigh(
    inputs: Inputs, vote: Any, found: list[list[Any]], output: str, dtype: Any
) -> Iterator[tuple[Graph, list[str]]]:
    """Yield graphs of all members, with each one's share of the output.

    The members' first candidates are joined, which are the fastest, then the second
    ones; the last of a member stands for those that it lacks.
    """
    weights = _read_weights(vote)
    for k in range(max(map(len, found))):
        graph, parts = Graph(inputs, dtype), []
        for models, weight in zip(found, weights, strict=True):
            model = copy.deepcopy(models[min(k, len(models) - 1)])
            names = {name: name for name in inputs.parts} | {output: graph.make_name()}
            graph.append(model, names)
            result = names[output]
            if dtype is not np.float32:
                result = graph.cast(result, dtype)
            parts.append(graph.add("Mul", [result, graph.hold(weight)]))
        yield graph, parts


def _read_weights(vote: Any) -> Any:
    """Return the weights of the members that were not dropped; their sum is 1."""
    kept = [member != "drop" for _, member in vote.estimators]
    weights = np.ones(len(kept)) if vote.weights is None else np.array(vote.weights)
    weights = weights[kept].astype(np.float64)
    return weights / weights.sum()
