"""What an estimator's own `fit` refuses, said before any teacher is fitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sklearn.base import clone
from sklearn.model_selection import ParameterGrid, ParameterSampler

from .._nested import can_refit, list_held, list_own_settings
from .._sklearn import BaseSearchCV, validate_parameters


def check_settings(estimator: Any) -> None:
    """Raise for parameters that the estimator, or one inside it, does not take.

    What a search tries is checked one grid at a time: what its estimator is set to,
    the grid may replace.
    """
    if not can_refit(estimator):
        return
    validate_parameters(estimator)
    if isinstance(estimator, BaseSearchCV):
        _check_search(estimator)
        return
    for _, value in list_own_settings(estimator):
        for part in list_held(value):
            check_settings(part)


def _check_search(search: Any) -> None:
    for first in _list_firsts(search):
        given = {name: clone(value, safe=False) for name, value in first.items()}
        clone(search.estimator).set_params(**given)
    scoring, refit = search.scoring, search.refit
    several = isinstance(scoring, list | tuple | set | Mapping)
    if several and refit and not callable(refit) and refit not in scoring:
        raise ValueError(
            "A search by several scores must name the one that decides; received "
            f"refit={refit!r}. Set refit to one of {list(scoring)}."
        )


def _list_firsts(search: Any) -> Iterator[dict[str, Any]]:
    """Yield the first candidate of each grid, or one that is drawn."""
    if (grids := getattr(search, "param_grid", None)) is not None:
        for grid in [grids] if isinstance(grids, Mapping) else grids:
            yield ParameterGrid(grid)[0]
    elif (drawn := getattr(search, "param_distributions", None)) is not None:
        yield from ParameterSampler(drawn, 1, random_state=0)
