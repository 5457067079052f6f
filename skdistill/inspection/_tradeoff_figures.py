"""The figures of a trade-off: as given, of a search, or of reports."""

from __future__ import annotations

import numpy as np

#: Words and direction of the scores that a report has of its models.
_SCORES = {
    "accuracy": ("accuracy", True),
    "balanced_accuracy": ("balanced accuracy", True),
    "roc_auc": ("area under the ROC curve", True),
    "log_loss": ("log loss (less is better)", False),
    "brier_score": ("Brier score (less is better)", False),
    "calibration_error": ("calibration error (less is better)", False),
}
REPORT_COSTS = {"latency": "latency_p50_us", "bytes": "bytes"}


def check_figures(names, scores, costs, teacher, baseline):
    """Scores and costs as float arrays of shape (n_models,), or a ValueError."""
    scores, costs = np.asarray(scores, dtype=float), np.asarray(costs, dtype=float)
    if not (scores.shape == costs.shape == (len(names),)) or not names:
        raise ValueError(
            "There must be one name, one score and one cost for each model; got "
            f"{len(names)} names and shapes {scores.shape} and {costs.shape}. Pass "
            "sequences of one length, with at least one model."
        )
    pairs = {name: (s, c) for name, s, c in zip(names, scores, costs, strict=True)}
    for name, pair in [*pairs.items(), ("teacher", teacher), ("baseline", baseline)]:
        if pair is None:
            continue
        score, cost = pair
        if not (np.isfinite(score) and np.isfinite(cost) and cost > 0):
            raise ValueError(
                "A score must be finite, and a cost finite and above 0 for its "
                f"logarithmic axis; got score {score:g} and cost {cost:g} of {name!r}. "
                "Pass costs without the minus of their scorers, and leave out models "
                "without a score."
            )
    return scores, costs


def name_candidates(params):
    """Names such as "max_depth=3, alpha=1.0", of the parameters that vary."""
    varying = [
        key
        for key in dict.fromkeys(key for given in params for key in given)
        if len({repr(given.get(key)) for given in params}) > 1
    ]
    last = [key.rpartition("__")[2] for key in varying]
    # Two parts of the estimator may have a parameter of the same name.
    short = [b if last.count(b) == 1 else a for a, b in zip(varying, last, strict=True)]
    return [
        ", ".join(
            f"{name}={_describe(given[key])}"
            for name, key in zip(short, varying, strict=True)
            if key in given
        )
        for given in params
    ]


def _describe(value):
    """A value, or the class of an estimator."""
    return type(value).__name__ if hasattr(value, "get_params") else str(value)


def read_reports(reports, score, cost):
    """Scores and costs of the students, and of the first teacher and baseline."""
    for name, value, known in (("score", score, _SCORES), ("cost", cost, REPORT_COSTS)):
        if value not in known:
            raise ValueError(
                f"{name} must be one of {list(known)}; got {value!r}. For other "
                "figures, pass them to TradeoffDisplay."
            )
    sizes = sorted({report.n_rows for report in reports.values()})
    if len(sizes) != 1:
        raise ValueError(
            "The reports must be of the same rows, and there must be one at least; got "
            f"{len(reports)} of {sizes} rows. Make all of them with one X and y."
        )

    def read(report, model):
        figures = report.models.get(model, {})
        pair = figures.get(score), figures.get(REPORT_COSTS[cost])
        return None if None in pair else pair

    students = {name: read(report, "student") for name, report in reports.items()}
    missing = [name for name, pair in students.items() if pair is None]
    if missing:
        raise ValueError(
            f"Each student must have the figures {score} and {cost}; {missing} have "
            "not. A model that can't be pickled has no size, and a report of values "
            "none of these scores: leave it out."
        )
    first = next(iter(reports.values()))
    words, greater_is_better = _SCORES[score]
    return {
        "scores": [pair[0] for pair in students.values()],
        "costs": [pair[1] for pair in students.values()],
        "teacher": read(first, "teacher"),
        "baseline": read(first, "baseline"),
        "score_name": words,
        "greater_is_better": greater_is_better,
    }
