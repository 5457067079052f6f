"""The warnings of a report: what its figures alone do not show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from .._fit_figures import FIGURE_NAMES, find_loss, find_memorized
from ._evaluation_rows import FEWEST_ROWS, STUDENT, TEACHER, ClassRows

_MIN_ROWS = 200
_MAX_PARTS = 5
#: Smaller differences in calibration error can come from the bins.
_MIN_MISCALIBRATION = 0.02
ALWAYS_RIGHT = (
    "The teacher is right on every row. If it was fitted on these rows, the figures do "
    "not hold for new ones: pass rows that no model was fitted on."
)


def describe_few(n_rows: int) -> str:
    """Say that rows are too few, as their number or as their weights have it."""
    only = "is only 1 row" if n_rows == 1 else f"are only {n_rows} rows"
    if n_rows >= FEWEST_ROWS:
        only = f"are {n_rows:,} rows, of which few have nearly all of the weight"
    return (
        f"There {only}: with fewer than {FEWEST_ROWS} any difference may be chance, "
        "and this report says of none that it is not."
    )


def describe_no_advantage(scores: str) -> str:
    return (
        "The teacher is no better than the student trained directly (the baseline) in "
        f"{scores}: there is no advantage to hand on."
    )


def list_warnings(report: Any, rows: ClassRows, distilled: Any) -> list[str]:
    """Return the warnings; first those about the comparison itself."""
    first = [*_check_rows(report, rows), *list_dropped(distilled)]
    if rows.are_few:
        # What the figures show may be chance, all of it.
        return [*first, *_check_memorization(report, distilled)]
    return [
        *first,
        *_check_baseline(report),
        *_check_student(report),
        *_check_costs(report),
        *_check_parts("class", report.by_class),
        *_check_parts("group", report.by_group),
        *_check_memorization(report, distilled),
    ]


def list_dropped(distilled: Any) -> Iterator[str]:
    """Say that the student learned nothing of the teacher, with the pilots' figures."""
    if distilled.distilled_:
        return
    taught = [pilot for pilot in distilled.pilots_ if pilot["alpha"] > 0]
    chosen = [pilot for pilot in distilled.pilots_ if pilot["chosen"]]
    said = "The student learned nothing of the teacher, only the true labels"
    if not taught or not chosen:
        yield f"{said}."
        return
    key = find_loss(chosen[0])
    best = min(taught, key=lambda pilot: float(pilot[key]))
    chance = best[key] < chosen[0][key]
    yield (
        f"{said}: on held-out training rows its pilot has {FIGURE_NAMES[key]} "
        f"{chosen[0][key]:.4g} with these, and at best {best[key]:.4g} with the "
        f"teacher's labels ({best['learns from']})"
        f"{', which is no better beyond chance' if chance else ''}."
    )


def _check_rows(report: Any, rows: ClassRows) -> Iterator[str]:
    if rows.are_few:
        yield describe_few(report.n_rows)
    elif report.n_rows < _MIN_ROWS:
        yield (
            f"There are only {report.n_rows} rows: one row is "
            f"{1 / report.n_rows:.1%} of the accuracy, and calibration errors are "
            "biased upwards."
        )
    absent = np.setdiff1d(np.arange(len(rows.classes)), rows.codes)
    if len(absent):
        names = _join([repr(label) for label in rows.classes[absent].tolist()])
        yield f"No row is of class {names}, so it is not evaluated."
    if report.models[TEACHER]["accuracy"] == 1.0 and not rows.are_few:
        yield ALWAYS_RIGHT


def _check_baseline(report: Any) -> Iterator[str]:
    shares = report.share_recovered
    without = [FIGURE_NAMES[kind] for kind, s in shares.items() if s["advantage"] <= 0]
    if without:
        more = ""
        if report.candidate["calibration"] is not None and "log loss" in without:
            more = (
                " The teacher is measured without calibration; the student learned its "
                "calibrated probabilities."
            )
        yield describe_no_advantage(" and ".join(without)) + more
    unsure = [
        f"{FIGURE_NAMES[kind]} ({s['advantage']:+.4f}, 95% interval "
        f"{s['advantage_low']:+.4f} to {s['advantage_high']:+.4f})"
        for kind, s in shares.items()
        if s["share"] is None and s["advantage"] > 0
    ]
    if unsure:
        yield (
            "The teacher's advantage over the baseline is within chance in "
            f"{' and '.join(unsure)}: no share of it can be given."
        )
    worse = list_losses(report.against_baseline, FIGURE_NAMES, ".4f")
    if worse:
        yield (
            "The student is worse than the student trained directly (the baseline), "
            f"beyond chance: {worse}. Distillation harmed it."
        )


def _check_student(report: Any) -> Iterator[str]:
    teacher, student = report.models[TEACHER], report.models[STUDENT]
    yield from describe_behind(report, FIGURE_NAMES, ".4f")
    excess = student["calibration_error"] - teacher["calibration_error"]
    if excess > _MIN_MISCALIBRATION:
        yield (
            "The student's probabilities are less calibrated than the teacher's: "
            f"calibration error {student['calibration_error']:.3f} against "
            f"{teacher['calibration_error']:.3f}."
        )


def describe_behind(report: Any, names: dict[str, str], spec: str) -> Iterator[str]:
    behind = list_losses(report.against_teacher, names, spec)
    if behind:
        yield f"The student is behind the teacher beyond chance: {behind}."


def list_losses(gains: dict[str, Any], names: dict[str, str], spec: str) -> str:
    """The scores whose gain has its whole interval below 0."""
    return " and ".join(
        f"{names[kind]} by {-gain['gain']:{spec}} (95% interval {-gain['high']:{spec}} "
        f"to {-gain['low']:{spec}})"
        for kind, gain in gains.items()
        if gain["high"] < 0
    )


def _check_costs(report: Any) -> Iterator[str]:
    for name, figures in report.models.items():
        if figures["bytes"] is None and figures["timed_calls"] is not None:
            yield f"The {name} can't be pickled, so its size is unknown."
    words = {
        "smaller": "larger than the teacher",
        "faster_one_row": "slower than the teacher on one row",
        "faster_batch": "slower than the teacher on many rows at once",
    }
    ratios = report.ratios.items()
    slower = [words[name] for name, ratio in ratios if ratio is not None and ratio < 1]
    if slower:
        yield f"The student is {' and '.join(slower)}."


def _check_parts(kind: str, parts: list[dict[str, Any]]) -> Iterator[str]:
    behind = [part for part in parts if part["behind"]]
    for part in behind[:_MAX_PARTS]:
        yield (
            f"The student is right less often than the teacher on {kind} "
            f"{part['name']!r}, beyond chance: {part[STUDENT]['accuracy']:.3f} against "
            f"{part[TEACHER]['accuracy']:.3f} on {part['n_rows']:,} rows."
        )
    if len(behind) > _MAX_PARTS:
        names = _join([repr(part["name"]) for part in behind[_MAX_PARTS:]])
        yield f"The same holds for {kind} {names}."


def _check_memorization(report: Any, distilled: Any) -> Iterator[str]:
    """Warn where the student learned labels of rows that the teacher memorised."""
    found = find_memorized(report.memorization)
    in_sample = distilled.cv is None and distilled.augmenter_ is None
    if found is None or not in_sample or report.candidate["alpha"] == 0:
        return
    _, own, others = found
    yield (
        f"The teacher memorised the rows that it was fitted on (accuracy {own:.1%} on "
        f"them, {others:.1%} on others), and the student learned its labels of those "
        "rows, which add little to the true labels. Set cv=5 or an augmenter."
    )


def _join(names: list[str]) -> str:
    shown = ", ".join(names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")
