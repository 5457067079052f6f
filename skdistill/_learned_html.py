"""What a fitted meta-estimator learned from: HTML for a notebook, and one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from ._fit_figures import find_memorized


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


def describe_dropped(fitted: Any) -> str | None:
    """Say that the student learned nothing of the teacher, with the pilots' figures."""
    if fitted.distilled_:
        return None
    taught = [pilot for pilot in fitted.pilots_ if pilot["alpha"] > 0]
    chosen = [pilot for pilot in fitted.pilots_ if pilot["chosen"]]
    said = "The student learned nothing of the teacher, only the true labels"
    if not taught or not chosen:
        return f"{said}."
    key = _find_loss(chosen[0])
    best = min(taught, key=lambda pilot: float(pilot[key]))
    chance = best[key] < chosen[0][key]
    return (
        f"{said}: on held-out training rows its pilot has {_name(key)} "
        f"{chosen[0][key]:.4g} with these, and at best {best[key]:.4g} with the "
        f"teacher's labels ({best['learns from']})"
        f"{', which is no better beyond chance' if chance else ''}."
    )


def _list_facts(fitted: Any) -> Iterator[tuple[str, str]]:
    yield "candidate", _describe_candidate(fitted)
    calibration = getattr(fitted, "calibration_", None)
    if calibration is not None:
        kind = "under" if calibration < 1 else "over"
        yield (
            "calibration",
            f"the teacher's log probabilities divided by {calibration:.3g} "
            f"(it is {kind}confident)",
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
            f"on held-out rows the {_name(key)} is {abs(gain):.4g} {better} than that "
            "of a pilot of the true labels",
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
    key = _find_loss(pilot)
    chosen = ", chosen" if pilot["chosen"] else ""
    return f"{pilot['learns from']} ({_name(key)} {pilot[key]:.4g}{chosen})"


def _find_loss(pilot: dict[str, Any]) -> str:
    return next(key for key in ("log_loss", "rmse", "pinball") if key in pilot)


def _name(key: str) -> str:
    names = {"log_loss": "log loss", "rmse": "RMSE", "pinball": "pinball loss"}
    return (names | {"r2": "R²"}).get(key, key)


def _measure_advantage(pilots: list[dict[str, Any]]) -> tuple[str, float] | None:
    """Return the loss that the chosen pilot spares, where true labels were tried."""
    chosen = [pilot for pilot in pilots if pilot["chosen"]]
    direct = [p for p in pilots if p["learns from"].startswith("true labels")]
    if not chosen or not direct:
        return None
    key = _find_loss(chosen[0])
    return key, min(pilot[key] for pilot in direct) - chosen[0][key]


def _list_warnings(fitted: Any) -> Iterator[tuple[str, str]]:
    if not fitted.distilled_ and fitted.pilots_:
        yield "warning", "the teacher's labels did not help this student"
    memorized = find_memorized(fitted.memorization_)
    if memorized is not None:
        figure, own, others = memorized
        yield (
            "warning",
            f"the teacher has memorised its own rows: {_name(figure)} {own:.3g} on "
            f"them, {others:.3g} on others",
        )
