"""What a hurried reader of the figures would miss, in sentences."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._measure import STUDENT, TEACHER, Rows

_MIN_ROWS = 200
_MAX_PARTS = 5
#: The teacher nearly certain of rows it was fitted on, and right more often there.
_MEMORIZATION_ACCURACY, _MEMORIZATION_ENTROPY = 0.03, 0.5
#: In calibration error: below it, bins alone explain a difference.
_MIN_MISCALIBRATION = 0.02
_KINDS = {"accuracy": "accuracy", "log_loss": "log loss"}


def list_warnings(report: Any, rows: Rows, distilled: Any) -> list[str]:
    """Sentences, those that question the comparison itself first."""
    return [
        *_doubt_rows(report, rows),
        *_judge_baseline(report),
        *_judge_student(report),
        *_judge_costs(report),
        *_judge_parts("class", report.by_class),
        *_judge_parts("group", report.by_group),
        *_judge_memorization(report, distilled),
    ]


def _doubt_rows(report: Any, rows: Rows) -> list[str]:
    lines = []
    if report.n_rows < _MIN_ROWS:
        lines.append(
            f"There are only {report.n_rows} rows: one row is "
            f"{1 / report.n_rows:.1%} of the accuracy, and calibration errors are "
            "biased upwards."
        )
    absent = np.setdiff1d(np.arange(len(rows.classes)), rows.codes)
    if len(absent):
        names = _join([repr(label) for label in rows.classes[absent].tolist()])
        lines.append(f"No row is of class {names}: nothing is known of it.")
    if report.models[TEACHER]["accuracy"] == 1.0:
        lines.append(
            "The teacher is right on every row. If it was fitted on these rows, the "
            "report says nothing of new ones: pass rows that nothing was fitted on."
        )
    return lines


def _judge_baseline(report: Any) -> list[str]:
    shares = report.share_recovered
    lines = []
    without = [_KINDS[kind] for kind, s in shares.items() if s["advantage"] <= 0]
    if without:
        lines.append(
            "The teacher is no better than the student trained directly (the "
            f"baseline) in {' and '.join(without)}: there is no advantage to hand on."
            + _excuse_calibration(report, without)
        )
    unsure = [
        f"{_KINDS[kind]} ({s['advantage']:+.4f}, 95% interval "
        f"{s['advantage_low']:+.4f} to {s['advantage_high']:+.4f})"
        for kind, s in shares.items()
        if s["share"] is None and s["advantage"] > 0
    ]
    if unsure:
        lines.append(
            "The teacher's advantage over the baseline is within chance in "
            f"{' and '.join(unsure)}: no share of it can be given."
        )
    worse = _list_losses(report.against_baseline)
    if worse:
        lines.append(
            "The student is worse than the student trained directly (the baseline), "
            f"beyond chance: {worse}. Here the distillation did harm."
        )
    return lines


def _excuse_calibration(report: Any, without: list[str]) -> str:
    if "log loss" not in without or report.candidate["calibration"] is None:
        return ""
    return (
        " The teacher is measured as it is; the student learned its probabilities "
        "after calibration."
    )


def _judge_student(report: Any) -> list[str]:
    teacher, student = report.models[TEACHER], report.models[STUDENT]
    lines = []
    behind = _list_losses(report.against_teacher)
    if behind:
        lines.append(f"The student is behind the teacher beyond chance: {behind}.")
    excess = student["calibration_error"] - teacher["calibration_error"]
    if excess > _MIN_MISCALIBRATION:
        lines.append(
            "The student's probabilities can be trusted less than the teacher's: "
            f"calibration error {student['calibration_error']:.3f} against "
            f"{teacher['calibration_error']:.3f}."
        )
    return lines


def _list_losses(gains: dict[str, Any]) -> str:
    """Where the whole interval of the gain lies below 0."""
    return " and ".join(
        f"{_KINDS[kind]} by {-gain['gain']:.4f} (95% interval {-gain['high']:.4f} to "
        f"{-gain['low']:.4f})"
        for kind, gain in gains.items()
        if gain["high"] < 0
    )


def _judge_costs(report: Any) -> list[str]:
    lines = [
        f"The {name} can't be pickled, so its size is not known."
        for name, figures in report.models.items()
        if figures["bytes"] is None and figures["timed_calls"] is not None
    ]
    words = {
        "smaller": "larger than the teacher",
        "faster_one_row": "slower than the teacher on one row",
        "faster_batch": "slower than the teacher on many rows at once",
    }
    slower = [
        text
        for name, text in words.items()
        if report.ratios[name] is not None and report.ratios[name] < 1
    ]
    if slower:
        lines.append(f"The student is {' and '.join(slower)}.")
    return lines


def _judge_parts(kind: str, parts: list[dict[str, Any]]) -> list[str]:
    behind = [part for part in parts if part["behind"]]
    lines = [
        f"The student is right less often than the teacher on {kind} "
        f"{part['name']!r}, beyond chance: {part[STUDENT]['accuracy']:.3f} against "
        f"{part[TEACHER]['accuracy']:.3f} on {part['n_rows']:,} rows."
        for part in behind[:_MAX_PARTS]
    ]
    if len(behind) > _MAX_PARTS:
        names = _join([repr(part["name"]) for part in behind[_MAX_PARTS:]])
        lines.append(f"The same holds for {kind} {names}.")
    return lines


def _judge_memorization(report: Any, distilled: Any) -> list[str]:
    """Only where the student learned labels of rows that the teacher had seen."""
    memorization = report.memorization
    if (
        memorization is None
        or distilled.cv is not None
        or distilled.augmenter_ is not None
    ):
        return []
    gap = memorization["accuracy_in_sample"] - memorization["accuracy_out_of_fold"]
    certain = (
        memorization["entropy_in_sample"]
        < _MEMORIZATION_ENTROPY * memorization["entropy_out_of_fold"]
    )
    if gap < _MEMORIZATION_ACCURACY or not certain or report.candidate["alpha"] == 0:
        return []
    return [
        "The teacher knows the rows that it was fitted on by heart (right on "
        f"{memorization['accuracy_in_sample']:.1%} of them, on "
        f"{memorization['accuracy_out_of_fold']:.1%} of others), and the student "
        "learned its labels of those rows: they say little that the true labels do "
        "not. cv=5 or an augmenter makes labels that say more."
    ]


def _join(names: list[str]) -> str:
    shown = ", ".join(names[:10])
    return shown + (f" and {len(names) - 10} more" if len(names) > 10 else "")
