"""The sections of a report on values or quantiles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._evaluation_rows import BASELINE, TEACHER
from ._quantile_figures import list_off, list_quality
from ._report_sections import (
    IN_SHORT,
    PILOTS,
    WARNINGS,
    Section,
    compare_models,
    describe_ratios,
)

#: Quality in the table: key, words, format.
_QUALITY = (
    ("r2", "R²", ".4f"),
    ("rmse", "RMSE (less is better)", ".5g"),
    ("mae", "MAE (less is better)", ".5g"),
    ("rmse_to_teacher", "RMSE to the teacher", ".5g"),
)

#: What models are compared by.
_NAMES = {"rmse": "RMSE", "mae": "MAE", "pinball": "pinball loss"}


def make_sections(report: Any) -> list[Section]:
    """Return all sections, the warnings first."""
    quality = list_quality(report.quantiles) if report.quantiles else _QUALITY
    sections = [
        Section(WARNINGS, lines=report.warnings),
        Section(IN_SHORT, lines=[*_list_findings(report)]),
        compare_models(report, quality),
        _show_groups(report),
        _show_pilots(report),
    ]
    return [section for section in sections if section.table or section.lines]


def _list_findings(report: Any) -> Iterator[str]:
    for kind, words in _NAMES.items():
        for other in (TEACHER, BASELINE):
            gain = getattr(report, f"against_{other}").get(kind)
            if gain:
                yield (
                    f"Student's {words} against the {other}'s: "
                    f"{-gain['gain']:+.4g} (95% interval {-gain['high']:+.4g} to "
                    f"{-gain['low']:+.4g})."
                )
        share = report.share_recovered.get(kind, {})
        if share.get("share") is not None:
            yield (
                f"Share of the teacher's advantage in {words} recovered: "
                f"{share['share']:.0%} (95% interval {share['low']:.0%} to "
                f"{share['high']:.0%})."
            )
    ratios = describe_ratios(report.ratios)
    if ratios:
        yield f"Student against teacher: {ratios}."


def _show_groups(report: Any) -> Section:
    names, key = list(report.models), "pinball" if report.quantiles else "rmse"
    table = [
        [
            str(part["name"]),
            f"{part['n_rows']:,}",
            *(f"{part[name][key]:.5g}" for name in names),
        ]
        for part in report.by_group
    ]
    return Section(
        f"{_NAMES[key]} by group", header=["group", "rows", *names], table=table
    )


def _show_pilots(report: Any) -> Section:
    keys = ["pinball"] if report.quantiles else ["r2", "rmse"]
    table = [
        [
            pilot["learns from"],
            f"{pilot['alpha']:g}",
            *(f"{pilot[key]:.5g}" for key in keys),
            "chosen" if pilot["chosen"] else "",
        ]
        for pilot in report.pilots
    ]
    words = ["pinball loss"] if report.quantiles else ["R²", "RMSE"]
    header = ["learns from", "alpha", *words, ""]
    return Section(PILOTS, header=header, table=table)


def list_warnings(report: Any) -> Iterator[str]:
    """Name what the figures alone do not show."""
    for kind, share in report.share_recovered.items():
        if share["advantage"] <= 0:
            yield (
                "The teacher is no better than the student trained directly (the "
                f"baseline) in {_NAMES[kind]}: there is no advantage to hand on."
            )
        elif share["share"] is None:
            yield (
                f"The teacher's advantage over the baseline in {_NAMES[kind]} is "
                "within chance: no share of it can be given."
            )
    for kind, gain in report.against_baseline.items():
        if gain["high"] < 0:
            yield (
                "The student is worse than the student trained directly (the baseline) "
                f"in {_NAMES[kind]}, beyond chance. Distillation harmed it."
            )
    if report.quantiles:
        yield from list_off(report._rows, report.models)
    elif report.models[TEACHER]["rmse"] == 0:
        yield (
            "The teacher is right on every row. If it was fitted on these rows, the "
            "figures do not hold for new ones: pass rows that no model was fitted on."
        )
