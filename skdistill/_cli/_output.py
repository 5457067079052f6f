"""The results of a run: what is printed, and the record for `--json`."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict
from typing import Any

import numpy as np

from .._classifier import DistilledClassifier
from .._files import list_versions
from .._version import __version__
from ..inspection import DistillationReport
from ..inspection._report_sections import IN_SHORT, SIDE_BY_SIDE, WARNINGS
from ..inspection._report_text import format_text
from ._budget_search import Candidate, format_candidates, name_deployment
from ._read_data import Rows

_WIDTH = 80
_SECTIONS = WARNINGS, IN_SHORT, SIDE_BY_SIDE
_PACKAGES = "scikit-learn", "numpy", "scipy", "joblib", "lightgbm", "pandas"


def format_output(
    options: Namespace,
    rows: Rows,
    report: DistillationReport,
    candidates: list[Candidate],
) -> str:
    """Return the report in short, the candidates of a search, and what was written."""
    lines = [
        "",
        f"{rows.source}: {len(rows.y):,} rows to learn from, {len(rows.y_test):,} to "
        f"test on, seed {options.seed}",
    ]
    if options.teacher is not None:
        lines.append(
            "The teacher came already fitted. If it was fitted on the test rows, its "
            "scores\nare optimistic: pass rows that it was not fitted on with --test."
        )
    lines += [
        "",
        format_text(report, _WIDTH, _SECTIONS),
        *format_candidates(candidates, options, report),
        "",
        f"Wrote the distilled student to {options.out}.",
        *_tell_use(options, rows),
    ]
    if options.json is not None:
        lines.append(f"Wrote every figure to {options.json}.")
    return "\n".join(lines)


def _tell_use(options: Namespace, rows: Rows) -> list[str]:
    """Return how the file is served."""
    named = options.data is not None and isinstance(rows.X, np.ndarray)
    order = "  # an array, columns in the order of the file" if named else ""
    predict = f"  model.predict_proba(rows){order}"
    if name_deployment(options) == "onnx":
        return [
            "To use it, by ONNX Runtime:",
            "  from skdistill.export import OnnxClassifier",
            f"  model = OnnxClassifier({str(options.out)!r})",
            predict,
        ]
    library = "LightGBM" if "lightgbm" in options.student else "scikit-learn"
    return [
        f"To use it, with {library} alone:",
        "  import joblib",
        f"  model = joblib.load({str(options.out)!r})",
        predict,
    ]


def describe_run(
    options: Namespace,
    rows: Rows,
    distilled: DistilledClassifier,
    report: DistillationReport,
    candidates: list[Candidate],
) -> dict[str, Any]:
    """Return what `--json` writes: the run, and the report under "report"."""
    return {
        "data": rows.source,
        "test": None if options.test is None else str(options.test),
        "test_size": None if options.test is not None else options.test_size,
        "target": options.target,
        "n_rows": len(rows.y),
        "notes": rows.notes,
        "n_features": distilled.n_features_in_,
        "seed": options.seed,
        "teacher_file": None if options.teacher is None else str(options.teacher),
        "student": options.student,
        "student_file": str(options.out),
        "parameters": distilled.get_params(deep=False),
        "student_parameters": _select_plain(distilled.student_.get_params()),
        "candidates": [asdict(candidate) for candidate in candidates],
        "report": report.to_dict(),
        "versions": {"skdistill": __version__, **list_versions(_PACKAGES)},
    }


def _select_plain(parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters without estimators, whose own parameters are listed as well."""
    plain = (str, int, float, tuple, type(None))
    return {name: v for name, v in parameters.items() if isinstance(v, plain)}
