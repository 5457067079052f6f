"""DistillationReport: the figures of a comparison, and how they are shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ._evaluation_rows import EvaluationRows
from ._figures import Figures
from ._report_pictures import list_pictures
from ._report_sections import make_sections, make_title
from ._shown_report import ShownReport


@dataclass(eq=False, repr=False)
class DistillationReport(ShownReport):
    """A student beside its teacher and a baseline; made by `distillation_report`.

    ``str(report)`` is the report in plain text, at most 100 columns wide; a notebook
    shows tables.

    Attributes
    ----------
    n_rows : int
        Rows with a weight above 0.
    classes : list
        The labels.
    weighted : bool
        Whether `sample_weight` was given.
    models : dict of str to dict
        By model ("teacher", "baseline" where there is one, "student"): `accuracy`,
        `balanced_accuracy` (the macro recall, over the classes that have rows),
        `roc_auc` (of more than two classes: the mean of each against the rest),
        `log_loss`, `brier_score` (of more than two classes: up to 2),
        `calibration_error` (in 15 bins). Of two classes, for the second:
        `average_precision`, `recall_at_one_percent_fpr` and
        `recall_in_top_half_percent` (None with fewer than 1000 rows or 20 positives),
        `mean_probability` and the true `rate`. Of more than five classes:
        `top_5_accuracy`. With the teacher: `agreement`, `kl_divergence` (nats) and
        `agreement_where_teacher_wrong`. Costs: `bytes`
        (pickle of what `slim` returns), `parameters` (weights, thresholds and leaf
        values), `latency_p50_us`, `latency_p99_us` (one row, over `timed_calls`
        calls) and `rows_per_second` (in batches of up to 1000 rows). The student as
        ONNX: `onnx_bytes`, `onnx_latency_p50_us`, `onnx_latency_p99_us`,
        `onnx_rows_per_second`, and `onnx_error`, why there are none. Unknown figures
        are None or NaN.
    descriptions : dict of str to str
        The class of each model.
    against_teacher, against_baseline : dict of str to dict
        For "accuracy" and "log_loss" what the student gains on the other (`gain`,
        above 0 when it is better) with a 95 % interval (`low`, `high`). Empty
        without a baseline.
    share_recovered : dict of str to dict
        For "accuracy" and "log_loss" the `share` of the teacher's advantage over the
        baseline that the student recovers, its interval (`low`, `high`), and the
        advantage with its own (`advantage`, `advantage_low`, `advantage_high`). Share
        and interval are None where the advantage is within chance (its interval
        reaches 0). Empty without a baseline.
    ratios : dict of str to float
        `smaller`, `faster_one_row` and `faster_batch`: the student against the
        teacher.
    by_class, by_group : list of dict
        `name`, `n_rows`; for each model `accuracy`, `log_loss` and `agreement`, of
        two classes also `recall`, `false_positive_rate` and `mean_probability` of the
        second, whose true `rate` stands beside; and `behind`: whether the student is
        right less often than the teacher by more than chance (one-sided at 5 %, with
        Holm's correction for the number of parts).
    candidate : dict
        `temperature`, `alpha`, `calibration` and `augmenter` of the fit.
    memorization : dict or None
        `memorization_` of the estimator.
    labels_asked : dict of str to int
        `labels_asked_` of the estimator.
    pilots : list of dict
        `pilots_` of the estimator.
    warnings : list of str
        What the figures alone do not show.

    See Also
    --------
    distillation_report : Makes one.
    """

    n_rows: int
    classes: list[Any]
    weighted: bool
    models: dict[str, Figures]
    descriptions: dict[str, str]
    against_teacher: dict[str, Any]
    against_baseline: dict[str, Any]
    share_recovered: dict[str, Any]
    ratios: dict[str, float | None]
    by_class: list[dict[str, Any]]
    by_group: list[dict[str, Any]]
    candidate: dict[str, Any]
    memorization: dict[str, float] | None
    labels_asked: dict[str, int]
    pilots: list[dict[str, Any]]
    _rows: EvaluationRows
    _baseline: Any = None
    warnings: list[str] = field(default_factory=list)

    def _title(self):
        return make_title(self)

    def _sections(self, max_parts=None):
        return make_sections(self, max_parts)

    def _pictures(self):
        return list_pictures(self)

    def __repr__(self):
        return (
            f"<DistillationReport of {self.n_rows} rows, {', '.join(self.models)}, "
            f"{len(self.warnings)} warnings>"
        )

    def to_frame(self, by=None):
        """Return a table of figures.

        Parameters
        ----------
        by : {"class", "group"} or None, default=None
            None: one row a model and one column a figure. Otherwise one row for
            each class or group and model.

        Returns
        -------
        frame : pandas.DataFrame
            Indexed by model, or by class or group and model.

        Raises
        ------
        ImportError
            pandas can't be imported.
        ValueError
            There is no such table.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                "to_frame makes a pandas.DataFrame, and pandas can't be imported: "
                f"{error}. Run pip install pandas, or use to_dict()."
            ) from error
        if by is None:
            frame = pd.DataFrame.from_dict(self.models, orient="index")
            return frame.rename_axis(index="model")
        tables = {"class": self.by_class, "group": self.by_group}
        if by not in tables or not tables[by]:
            raise ValueError(
                f'by must be None, "class", or "group" in a report with groups; got '
                f"{by!r}. Pass groups= to distillation_report for figures by group."
            )
        records = [
            {by: part["name"], "model": name, "n_rows": part["n_rows"], **part[name]}
            for part in tables[by]
            for name in self.models
        ]
        return pd.DataFrame.from_records(records).set_index([by, "model"])
