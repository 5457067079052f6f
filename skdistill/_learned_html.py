"""What a fitted meta-estimator learned from: HTML for a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from ._fit_figures import (
    FIGURE_NAMES,
    describe_confidence,
    find_loss,
    find_memorized,
)


def format_learned(fitted: Any) -> str:
    """Return a block of facts and warnings, from fitted attributes alone."""
    rows = "".join(
        f"<tr><th scope='row' style='text-align: left'>{escape(name)}</th>"
        f"<td style='text-align: left'>{escape(text)}</td></tr>"
        for name, text in (*_list_facts(fitted), *_list_warnings(fitted))
    )
    return (
        "<details open class='skdistill-learned'><summary>What the student learned from"
        f"</summary><table>{rows}</table></details>"
    )


def _list_facts(fitted: Any) -> Iterator[tuple[str, str]]:
    yield "candidate", _describe_candidate(fitted)
    calibration = getattr(fitted, "calibration_", None)
    if calibration is not None:
        yield (
            "calibration",
            f"the teacher's log probabilities divided by {calibration:.3g} "
            f"(it is {describe_confidence(calibration)})",
        )
    elif hasattr(fitted, "calibration_"):
        yield "calibration", "none"
    if fitted.pilots_:
        yield "pilots", "; ".join(map(_describe_pilot, fitted.pilots_))
    advantage = _measure_advantage(fitted.pilots_)
    if advantage is not None:
        key, gain = advantage
        better = "better" if gain >= 0 else "worse"
        yield (
            "advantage",
            f"on held-out rows the {FIGURE_NAMES[key]} is {abs(gain):.4g} {better} "
            "than that of a pilot of the true labels",
        )
    if fitted.fine_tune_ is not None:
        kept = "kept" if fitted.fine_tune_["kept"] else "not kept"
        yield "fine tuning", kept


def _describe_candidate(fitted: Any) -> str:
    if not fitted.distilled_:
        return "the true labels alone"
    sampler = fitted.augmenter_
    rows = "training rows" if sampler is None else f"rows of {sampler!r}"
    settings = f"alpha {fitted.alpha_:g}"
    if hasattr(fitted, "temperature_"):
        settings += f", temperature {fitted.temperature_:g}"
    return f"the teacher's labels of {rows}, {settings}"


def _describe_pilot(pilot: dict[str, Any]) -> str:
    key = find_loss(pilot)
    chosen = ", chosen" if pilot["chosen"] else ""
    return f"{pilot['learns from']} ({FIGURE_NAMES[key]} {pilot[key]:.4g}{chosen})"


def _measure_advantage(pilots: list[dict[str, Any]]) -> tuple[str, float] | None:
    """Return the loss that the chosen pilot spares, where true labels were tried."""
    chosen = [pilot for pilot in pilots if pilot["chosen"]]
    direct = [p for p in pilots if p["learns from"].startswith("true labels")]
    if not chosen or not direct:
        return None
    key = find_loss(chosen[0])
    return key, min(pilot[key] for pilot in direct) - chosen[0][key]


def _list_warnings(fitted: Any) -> Iterator[tuple[str, str]]:
    if not fitted.distilled_ and fitted.pilots_:
        yield "warning", "the teacher's labels did not help this student"
    memorized = find_memorized(fitted.memorization_)
    if memorized is not None:
        figure, own, others = memorized
        yield (
            "warning",
            f"the teacher has memorised its own rows: {FIGURE_NAMES[figure]} "
            f"{own:.3g} on them, {others:.3g} on others",
        )
