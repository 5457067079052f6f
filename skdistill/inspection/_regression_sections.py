"""The sections of a report on values or quantiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .._fit_figures import FIGURE_NAMES
from ._evaluation_rows import STUDENT, TEACHER, count_equal
from ._report_sections import (
    IN_SHORT,
    WARNINGS,
    Section,
    compare_models,
    describe_interval,
    escape_controls,
    format_figure,
    list_findings,
    show_pilots,
)
from ._report_warnings import (
    ALWAYS_RIGHT,
    describe_behind,
    describe_few,
    describe_no_advantage,
    list_dropped,
)

#: Figures in a table: key, words, format.
_Figures = Sequence[tuple[str, str, str]]

_QUALITY = (
    ("r2", "R²", ".4f"),
    ("rmse", "RMSE (less is better)", ".5g"),
    ("mae", "MAE (less is better)", ".5g"),
    ("rmse_to_teacher", "RMSE to the teacher", ".5g"),
)

#: Settings and figures of a pilot, and their formats.
_PILOTS = {"alpha": "g", "r2": ".5g", "rmse": ".5g"}
_QUANTILE_PILOTS = {"alpha": "g", "pinball": ".5g"}

#: A quantile is said to be off by more than this, and so many standard errors.
_OFF, _ERRORS = 0.03, 2

#: For several outputs together.
_SHARED_WORDS = (
    "For all outputs together, errors are in standard deviations of each on these "
    "rows, and R² is the mean."
)
_SHARED = {k: f"{FIGURE_NAMES[k]} in standard deviations" for k in ("rmse", "mae")}


def make_sections(report: Any) -> list[Section]:
    """Return all sections, the warnings first."""
    quality: _Figures = _QUALITY
    pilots, figure = _PILOTS, "rmse"
    if report.quantiles:
        quality, pilots, figure = _list_quality(report), _QUANTILE_PILOTS, "pinball"
    names = _name_scores(report)
    sections = [
        Section(WARNINGS, lines=report.warnings),
        Section(IN_SHORT, lines=[*list_findings(report, names, _describe_gain)]),
        compare_models(report, quality),
        _show_outputs(report),
        _show_groups(report, figure),
        show_pilots(report, pilots, figure),
    ]
    return [section for section in sections if section.table or section.lines]


def _name_scores(report: Any) -> dict[str, str]:
    return _SHARED if report.by_output else FIGURE_NAMES


def _describe_gain(other: str, words: str, gain: dict[str, float]) -> str:
    return (
        f"Student's {words} against the {other}'s: {-gain['gain']:+.4g} "
        f"{describe_interval(-gain['high'], -gain['low'], '+.4g')}."
    )


def _show_outputs(report: Any) -> Section:
    """Return a table of several outputs, each in its own units."""
    names, keys = list(report.models), {"r2": ".4f", "rmse": ".5g", "mae": ".5g"}
    table = [
        [
            escape_controls(part["name"]),
            *(
                format(part[name][key], spec)
                for key, spec in keys.items()
                for name in names
            ),
        ]
        for part in report.by_output
    ]
    header = [
        "output",
        *(f"{words}\n{name}" for words in ("R²", "RMSE", "MAE") for name in names),
    ]
    lines = [_SHARED_WORDS] if table else []
    return Section("By output", header, table, lines)


def _show_groups(report: Any, key: str) -> Section:
    names = list(report.models)
    table = [
        [
            escape_controls(part["name"]),
            f"{part['n_rows']:,}",
            *(format_figure(part[name][key], ".5g") for name in names),
        ]
        for part in report.by_group
    ]
    return Section(
        f"{_name_scores(report)[key]} by group",
        header=["group", "rows", *names],
        table=table,
    )


def list_warnings(report: Any, distilled: Any) -> Iterator[str]:
    """Name what the figures alone do not show."""
    names = _name_scores(report)
    rows = report._measured.rows
    if rows.are_few:
        yield describe_few(report.n_rows)
    yield from list_dropped(distilled)
    if rows.are_few:
        return
    for kind, share in report.share_recovered.items():
        if share["advantage"] <= 0:
            yield describe_no_advantage(names[kind])
        elif share["share"] is None:
            small = share["advantage_low"] > 0
            reason = "below 1% of the baseline's" if small else "within chance"
            yield (
                f"The teacher's advantage over the baseline in {names[kind]} is "
                f"{reason}: no share of it can be given."
            )
    for kind, gain in report.against_baseline.items():
        if gain["high"] < 0:
            yield (
                "The student is worse than the student trained directly (the baseline) "
                f"in {names[kind]}, beyond chance. Distillation harmed it."
            )
    yield from describe_behind(report, names, ".4g")
    if report.quantiles:
        yield from _list_off(rows, report.models)
    elif report.models[TEACHER]["rmse"] == 0:
        yield ALWAYS_RIGHT


def _list_quality(report: Any) -> list[tuple[str, str, str]]:
    """Return key, words and format of the figures of quantiles."""
    quantiles: list[float] = report.quantiles
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


def _list_off(rows: Any, models: dict[str, Any]) -> Iterator[str]:
    """Name the quantiles of the student that cover other rows than they say."""
    n_rows = count_equal(rows.weight)
    for level in rows.quantiles.tolist():
        found = models[STUDENT][f"below_{level:g}"]
        off = abs(found - level)
        if off > max(_OFF, _ERRORS * (level * (1 - level) / n_rows) ** 0.5):
            yield (
                f"The student's quantile {level:g} has {found:.1%} of the rows below "
                "it. It was set on other rows: see whether these are of the same kind."
            )
