"""The report on a student; `skdistill.inspection` makes it public."""

from ._report import DistillationReport, distillation_report

__all__ = ["DistillationReport", "distillation_report"]
