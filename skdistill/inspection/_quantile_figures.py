"""The figures of quantiles: pinball loss, coverage, and the width of the interval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._labels._quantiles import rate_quantiles
from .._typing import FloatArray, IndexArray
from ._evaluation_rows import STUDENT, TEACHER, Kind, ValueRows

#: A quantile is said to be off by more than this, and so many standard errors.
_OFF, _ERRORS = 0.03, 2


@dataclass(frozen=True)
class QuantileRows(ValueRows):
    """The rows of a report on quantiles; `served` has a column each."""

    quantiles: FloatArray

    def losses(self, name: str) -> FloatArray:
        losses = rate_quantiles(self.served[name], self.y, self.quantiles)
        return losses.mean(axis=1)

    def kinds(self) -> dict[str, Kind]:
        return {"pinball": (-1.0, self.losses, np.asarray)}

    def measure(self, name: str, members: IndexArray) -> dict[str, float]:
        y, served = self.y[members, None], self.served[name][members]
        weight, said = self.weight[members], self.served[TEACHER][members]

        def average(values: FloatArray) -> float:
            return float(np.average(values, weights=weight))

        losses = rate_quantiles(served, y, self.quantiles)
        below = (y <= served).astype(float)
        figures = {"pinball": average(losses.mean(axis=1))}
        for k, level in enumerate(self.quantiles):
            figures[f"pinball_{level:g}"] = average(losses[:, k])
            figures[f"below_{level:g}"] = average(below[:, k])
        if len(self.quantiles) > 1:
            figures["inside"] = average(below[:, -1] - below[:, 0])
            figures["width"] = average(served[:, -1] - served[:, 0])
        squares = ((served - said) ** 2).mean(axis=1)
        return figures | {"rmse_to_teacher": average(squares) ** 0.5}


def list_quality(quantiles: list[float]) -> list[tuple[str, str, str]]:
    """Return key, words and format of the figures."""
    shown = [("pinball", "pinball loss (less is better)", ".5g")]
    for level in quantiles:
        shown += [
            (f"pinball_{level:g}", f"pinball loss of quantile {level:g}", ".5g"),
            (f"below_{level:g}", f"share of rows below quantile {level:g}", ".4f"),
        ]
    if len(quantiles) > 1:
        ends = f"{quantiles[0]:g} to {quantiles[-1]:g}"
        shown += [
            ("inside", f"share of rows in {ends}", ".4f"),
            ("width", f"mean width of {ends}", ".5g"),
        ]
    return [*shown, ("rmse_to_teacher", "RMSE to the teacher", ".5g")]


def list_off(rows: Any, models: dict[str, Any]) -> Iterator[str]:
    """Name the quantiles of the student that cover other rows than they say."""
    weight = rows.weight
    n_rows = weight.sum() ** 2 / (weight**2).sum()
    for level in rows.quantiles.tolist():
        found = models[STUDENT][f"below_{level:g}"]
        off = abs(found - level)
        if off > max(_OFF, _ERRORS * (level * (1 - level) / n_rows) ** 0.5):
            yield (
                f"The student's quantile {level:g} has {found:.1%} of the rows below "
                "it. It was set on other rows: see whether these are of the same kind."
            )
