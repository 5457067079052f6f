"""Votes and means of members that have graphs of their own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from sklearn.pipeline import make_pipeline

from ..._nested import find_deployed
from .._reading._inputs import Inputs
from ._graph import Graph
from ._targets import Target


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


def join_members(
    inputs: Inputs, vote: Any, found: list[list[Any]], target: Target
) -> Iterator[Any]:
    """Make the models of a soft vote, or of a mean.

    The members' first candidates are joined, which are the fastest, then the second
    ones; the last of a member stands for those that it lacks.
    """
    weights = _read_weights(vote)
    for k in range(max(map(len, found))):
        graph, parts = Graph(inputs, target.dtype), []
        for models, weight in zip(found, weights, strict=True):
            model = copy.deepcopy(models[min(k, len(models) - 1)])
            result = graph.make_name()
            names = {name: name for name in inputs.parts} | {target.output: result}
            graph.append(model, names)
            if target.dtype is not np.float32:
                result = graph.cast(result, target.dtype)
            parts.append(graph.add("Mul", [result, graph.hold(weight)]))
        graph.add("Sum", parts, target.output)
        target.emit_label(graph)
        yield target.to_model(graph)


def _read_weights(vote: Any) -> Any:
    """Return the weights of the members that were not dropped; their sum is 1."""
    kept = [member != "drop" for _, member in vote.estimators]
    weights = np.ones(len(kept)) if vote.weights is None else np.array(vote.weights)
    weights = weights[kept].astype(np.float64)
    return weights / weights.sum()
