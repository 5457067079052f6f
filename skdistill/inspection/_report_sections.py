"""The sections of a report: tables and sentences, for text and HTML alike."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._fit_figures import FIGURE_NAMES, describe_confidence
from .._progress import name_shares
from ._evaluation_rows import BASELINE, FEWEST_ROWS, STUDENT, TEACHER

#: Key, words, format; in the order of the table.
QUALITY = (
    ("accuracy", "accuracy", ".4f"),
    ("balanced_accuracy", "macro recall", ".4f"),
    ("roc_auc", "area under the ROC curve", ".4f"),
    ("average_precision", "average precision", ".4f"),
    ("recall_at_one_percent_fpr", "recall at 1% false positives", ".4f"),
    ("recall_in_top_half_percent", "recall in the top 0.5%", ".4f"),
    ("mean_probability", "mean probability", ".4f"),
    ("rate", "rate of the class", ".4f"),
    ("top_5_accuracy", "top-5 accuracy", ".4f"),
    ("log_loss", "log loss (less is better)", ".4f"),
    ("brier_score", "Brier score (less is better)", ".4f"),
    ("calibration_error", "calibration error, ECE (less)", ".4f"),
    ("agreement", "agreement with the teacher", ".4f"),
    ("kl_divergence", "KL from the teacher, nats (less)", ".4f"),
    ("agreement_where_teacher_wrong", "agreement where teacher is wrong", ".4f"),
)
#: Settings and figures of a pilot, and their formats.
_PILOTS = {"temperature": "g", "alpha": "g", "accuracy": ".4f", "log_loss": ".4f"}
_COSTS = (
    ("bytes", "bytes", ",d"),
    ("parameters", "parameters", ",d"),
    ("latency_p50_us", "one row, median, microseconds", ",.0f"),
    ("latency_p99_us", "one row, 99th percentile", ",.0f"),
    ("rows_per_second", "rows a second, in batches", ",.0f"),
)
#: They are known for the student alone.
_ONNX_COSTS = (
    ("onnx_bytes", "bytes as ONNX", ",d"),
    ("onnx_latency_p50_us", "one row as ONNX, median", ",.0f"),
    ("onnx_latency_p99_us", "one row as ONNX, 99th percentile", ",.0f"),
    ("onnx_rows_per_second", "rows a second as ONNX, in batches", ",.0f"),
)
_RATIOS = (
    ("smaller", ("smaller", "larger"), ""),
    ("faster_one_row", ("faster", "slower"), " on one row"),
    ("faster_batch", ("faster", "slower"), " on many rows at once"),
)
#: Unknown where there are too few rows or positives.
_NEEDS_ROWS = "recall_at_one_percent_fpr", "recall_in_top_half_percent"
#: Titles. The pictures follow the table of models.
WARNINGS, IN_SHORT, SIDE_BY_SIDE = "Warnings", "In short", "Side by side"


@dataclass(frozen=True)
class Section:
    """A table, or lines, or both; a line break in a header breaks it in two."""

    title: str
    header: list[str] = field(default_factory=list)
    table: list[list[str]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def escape_controls(value: Any) -> str:
    """Return a name in which control characters and the like are escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode()
        for char in str(value)
    )


def make_sections(report: Any, max_parts: int | None = None) -> list[Section]:
    """Return all sections, the warnings first."""
    findings = list_findings(report, FIGURE_NAMES, _describe_difference)
    sections = [
        Section(WARNINGS, lines=report.warnings),
        Section(IN_SHORT, lines=[*findings]),
        compare_models(report, QUALITY),
        _show_parts("class", report.by_class, report, max_parts),
        _show_parts("group", report.by_group, report, max_parts),
        _show_positives(report, max_parts),
        show_pilots(report, _PILOTS, "log_loss"),
        Section("How the student learned", lines=[*_describe_candidate(report)]),
    ]
    return [section for section in sections if section.table or section.lines]


def format_figure(value: Any, spec: str) -> str:
    return "-" if value is None or value != value else format(value, spec)


def compare_models(report: Any, quality: Iterable[tuple[str, str, str]]) -> Section:
    """Return a table of all models: key, words and format of their quality, costs."""
    names = list(report.models)
    table = [["", *(report.descriptions[name] for name in names)]]
    table += list_rows(report, (*quality, *_COSTS))
    student = report.models[STUDENT]
    if student["onnx_bytes"] is not None:
        blank = ["" for _ in names[:-1]]
        table += [
            [words, *blank, format_figure(student[key], spec)]
            for key, words, spec in _ONNX_COSTS
        ]
    lines = []
    if BASELINE in names:
        lines.append("The baseline is a student trained without the teacher.")
    return Section(SIDE_BY_SIDE, lines=lines, header=["", *names], table=table)


def list_rows(
    report: Any, figures: Iterable[tuple[str, str, str]]
) -> Iterator[list[str]]:
    """Return words and a cell a model of each figure that the report has."""
    for key, words, spec in figures:
        if key not in report.models[STUDENT]:
            continue
        found = [model[key] for model in report.models.values()]
        if key in _NEEDS_ROWS and None in found:
            yield [words, *("too few" for _ in found)]
        else:
            yield [words, *(format_figure(value, spec) for value in found)]


def list_findings(
    report: Any,
    names: Mapping[str, str],
    describe: Callable[[str, str, dict[str, float]], str],
) -> Iterator[str]:
    """Gains, shares and ratios; `describe` takes a model, a name and its gain."""
    for kind, words in names.items():
        for other in (TEACHER, BASELINE):
            gain = getattr(report, f"against_{other}").get(kind)
            if gain:
                yield describe(other, words, gain)
        if kind in report.share_recovered:
            yield describe_share(words, report.share_recovered[kind])
    ratios = describe_ratios(report.ratios)
    if ratios:
        yield f"Student against teacher: {ratios}."


def _describe_difference(other: str, words: str, gain: dict[str, float]) -> str:
    """The difference of the scores: negative where the student's loss is lower."""
    sign = 1 if words == "accuracy" else -1
    low, high = sorted((sign * gain["low"], sign * gain["high"]))
    return (
        f"Student minus {other}, {words}: {sign * gain['gain']:+.4f} "
        f"{describe_interval(low, high, '+.4f')}."
    )


def describe_interval(low: float, high: float, spec: str) -> str:
    """Return the interval in brackets; an infinite one is unknown."""
    if math.isinf(low):
        return f"(fewer than {FEWEST_ROWS} rows give no interval)"
    return f"(95% interval {low:{spec}} to {high:{spec}})"


def describe_ratios(ratios: dict[str, float | None]) -> str:
    """Return those known: "12 times smaller, 3.0 times faster on one row"."""
    return ", ".join(
        _format_ratio(ratio, *pair) + where
        for name, pair, where in _RATIOS
        if (ratio := ratios[name]) is not None
    )


def describe_share(words: str, share: dict[str, Any]) -> str:
    text, advantage = "Share of the teacher's advantage recovered", share["advantage"]
    if share["share"] is None:
        reason = "the advantage is within chance" if advantage > 0 else "there is none"
        if share["advantage_low"] > 0:
            reason = "the advantage is below 1% of the baseline's error"
        if math.isinf(share["advantage_low"]):
            reason = f"fewer than {FEWEST_ROWS} rows tell nothing of the advantage"
        return f"{text}, {words}: undefined, {reason} ({advantage:+.4g})."
    # An end is infinite where some draws of the rows leave no advantage.
    middle, low, high = (
        f"{share[key]:z.0%}".replace("inf%", "∞") for key in ("share", "low", "high")
    )
    return f"{text}, {words}: {middle} (95% interval {low} to {high})."


def _format_ratio(ratio: float, more: str, less: str) -> str:
    """Return "12 times smaller", or "3.0 times larger" for a ratio below 1."""
    word = more if ratio >= 1 else less
    ratio = max(ratio, 1 / ratio)
    return f"{ratio:,.0f} times {word}" if ratio >= 10 else f"{ratio:.1f} times {word}"


def _show_parts(
    kind: str, parts: list[dict[str, Any]], report: Any, limit: int | None
) -> Section:
    names = list(report.models)
    shown, lines = _choose_parts(parts, limit), []
    if len(shown) < len(parts):
        lines.append(
            f"The {len(shown)} of {len(parts)} on which the student loses most "
            f'accuracy; for all: to_frame(by="{kind}").'
        )
    table = [
        [
            escape_controls(part["name"]),
            f"{part['n_rows']:,}",
            *(format_figure(part[name]["accuracy"], ".3f") for name in names),
            *(format_figure(part[name]["log_loss"], ".3f") for name in names),
            format_figure(part[STUDENT]["agreement"], ".3f"),
            "behind" if part["behind"] else "",
        ]
        for part in shown
    ]
    header = [
        kind,
        "rows",
        *(f"accuracy\n{name}" for name in names),
        *(f"log loss\n{name}" for name in names),
        "agree-\nment",
        "",
    ]
    return Section(f"By {kind}", header=header, table=table, lines=lines)


def _show_positives(report: Any, limit: int | None) -> Section:
    """Recall, false positives and calibration of the second of two classes."""
    title = f"By group, of class {report.classes[-1]!r}"
    if len(report.classes) != 2 or not report.by_group:
        return Section(title)
    keys = {
        "recall": "recall",
        "false_positive_rate": "false pos.",
        "mean_probability": "mean proba.",
    }
    names = TEACHER, STUDENT
    table = [
        [
            escape_controls(part["name"]),
            format_figure(part["rate"], ".3f"),
            *(format_figure(part[name][key], ".3f") for key in keys for name in names),
        ]
        for part in _choose_parts(report.by_group, limit)
    ]
    heads = [f"{words}\n{name}" for words in keys.values() for name in names]
    return Section(title, header=["group", "rate", *heads], table=table)


def _choose_parts(
    parts: list[dict[str, Any]], limit: int | None
) -> list[dict[str, Any]]:
    """All in their own order, or as many as may be shown, the worst first."""
    if limit is None or len(parts) <= limit:
        return parts

    def gain(part: dict[str, Any]) -> float:
        if not part["n_rows"]:
            return 0.0
        return float(part[STUDENT]["accuracy"] - part[TEACHER]["accuracy"])

    return sorted(parts, key=gain)[:limit]


def show_pilots(report: Any, quality: Mapping[str, str], figure: str) -> Section:
    """Return a table of the pilots: settings and figures, with their formats.

    The forecast of `figure` is compared with what became of it.
    """
    table = [
        [
            pilot["learns from"],
            *(format(pilot[key], spec) for key, spec in quality.items()),
            "chosen" if pilot["chosen"] else "",
        ]
        for pilot in report.pilots
    ]
    header = ["learns from", *(FIGURE_NAMES.get(key, key) for key in quality), ""]
    lines = ["Short pilots on held-out training rows."] if table else []
    spec, found = quality[figure], report.models[STUDENT][figure]
    lines += [
        f"The {FIGURE_NAMES[figure]} that the pilot forecast is "
        f"{pilot[figure]:{spec}}; the student's is {found:{spec}} on the rows of this "
        "report."
        for pilot in report.pilots
        if pilot["chosen"]
    ]
    return Section("Pilots before the fit", header, table, lines)


def _describe_candidate(report: Any) -> Iterator[str]:
    candidate, memorization = report.candidate, report.memorization
    calibration = candidate["calibration"]
    yield (
        f"Temperature {candidate['temperature']:g}, alpha {candidate['alpha']:g}, "
        f"synthetic rows: {candidate['augmenter'] or 'none'}."
    )
    if any(report.labels_asked.values()):
        shares = name_shares(report.labels_asked)
        yield f"Labels that teachers were asked for: {shares}."
    if calibration is not None:
        yield (
            f"The teacher was {describe_confidence(calibration)}, and the student "
            f"learned its calibrated probabilities (temperature {calibration:.3g})."
        )
    if memorization is not None:
        yield (
            "The teacher in-sample: accuracy "
            f"{memorization['accuracy_in_sample']:.3f}, entropy "
            f"{memorization['entropy_in_sample']:.3f} nats; out-of-fold: "
            f"{memorization['accuracy_out_of_fold']:.3f} and "
            f"{memorization['entropy_out_of_fold']:.3f}."
        )
