"""What is written: one of the two students, as joblib and as ONNX, and the page."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..export._answers import ask
from ..inspection._costs import compare_costs, export_measured
from ..inspection._evaluation_rows import BASELINE, STUDENT
from ..inspection._report_html import format_page
from ..metrics._costs import dump_deployed, open_deployed
from ._errors import Refusal, one_line
from ._read_data import Rows

#: Costs that are those of the ONNX file where it is served, not of the pickle.
_COSTS = "bytes", "latency_p50_us", "rows_per_second"


@dataclass(frozen=True)
class Deployed:
    """The model that is written.

    `name` is "student", or "baseline" where true labels gave the better student;
    `figures` are the report's with those of the ONNX file; `onnx` is that, or None, and
    `no_onnx` why.
    """

    name: str
    model: Any
    figures: dict[str, Any]
    onnx: bytes | None = None
    no_onnx: str = ""

    def compare(self, teacher: dict[str, Any]) -> dict[str, float | None]:
        """Return how many times what is served is smaller and faster."""
        served = self.figures
        if self.onnx is not None:
            served = {key: self.figures[f"onnx_{key}"] for key in _COSTS}
        return compare_costs(teacher, served)


def choose_deployed(
    options: Namespace, distilled: Any, report: Any, rows: Rows
) -> Deployed:
    """Choose the student of the lower loss; `--distilled` keeps the distilled.

    So do test rows so few that the lower loss may be chance.
    """
    figures, measured = report.models, report._measured
    loss = rows.task.loss
    better = figures[BASELINE][loss] < figures[STUDENT][loss]
    better = better and not measured.rows.are_few
    name, model = STUDENT, distilled.student_
    if better and not options.distilled:
        name, model = BASELINE, measured.baseline
    found = dict(figures[name])
    if options.no_onnx:
        return Deployed(name, model, found)
    content = measured.onnx
    if name == BASELINE:
        content, costs = export_measured(model, rows.X_test)
        found |= costs
    if content:
        found |= _score_onnx(model, content, rows)
    # A converter's own; or the file is not equal to the model, and not written.
    reason = "" if content else one_line(found["onnx_error"])
    if reason and options.deployment == "onnx":
        raise Refusal(reason)
    return Deployed(name, model, found, content, reason)


def _score_onnx(model: Any, content: bytes, rows: Rows) -> dict[str, float]:
    """Return the quality of what the file itself answers on the test rows."""
    served = open_deployed(model, "onnx", rows.X_test, content)
    try:
        scores = ask(served, rows.X_test).score(rows.y_test)
    except ValueError:
        # The file refuses rows on which it may differ from the model.
        return {}
    return {f"onnx_{key}": score for key, score in scores.items()}


def write_contents(
    options: Namespace, deployed: Deployed, report: Any
) -> tuple[dict[Path, bytes], list[str]]:
    """Return the contents of the files by name, and why others are missing."""
    contents, missing = {options.pickle: dump_deployed(deployed.model)}, []
    if deployed.onnx is not None:
        contents[options.onnx] = deployed.onnx
    elif deployed.no_onnx:
        missing.append(f"No ONNX file: {deployed.no_onnx}")
    if not options.no_report:
        try:
            contents[options.report] = format_page(report).encode()
        except ImportError as error:
            missing.append(f"No page of the report: {one_line(error)}")
    return contents, missing
