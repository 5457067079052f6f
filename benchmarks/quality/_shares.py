"""Shares of the advantage, wins and losses, out of the records of quality.py."""

from __future__ import annotations

from itertools import product

import numpy as np

from .._tables import group
from ._models import STUDENTS, TEACHERS

#: Figures in which an advantage is shared, and the sign that makes more of it better.
SIGNS = {"log_loss": -1, "accuracy": 1}
#: An advantage that is no larger is too small to be shared.
LEAST = {"log_loss": 0.002, "accuracy": 0.003}
#: Metric and reference of each share.
SHARES = {
    "log loss": ("log_loss", "uncalibrated"),
    "log loss, calibrated": ("log_loss", "calibrated"),
    "accuracy": ("accuracy", "uncalibrated"),
}
RESULTS = ("win", "tie", "loss")

#: Records of all seeds, by data set.
ByData = dict[str, list[dict]]


def group_records(records: list[dict]) -> dict[tuple[str, str], ByData]:
    """By teacher and student, then by data set."""
    groups = group(records, "teacher", "student")
    return {
        key: {data: some for (data,), some in group(groups[key], "data").items()}
        for key in product(TEACHERS, STUDENTS)
        if key in groups
    }


def read_values(records: list[dict], model: str, metric: str) -> np.ndarray:
    """One figure of one model, a seed each."""
    return np.array([record[model][metric] for record in records])


def read_hard(records: list[dict], metric: str, of: str | None = None) -> np.ndarray:
    """A figure of the best way to learn hard labels, by its mean of `of`."""
    of = of or metric

    def mean(way):
        return np.mean([record["hard"][way][of] for record in records])

    # Ways that some records lack were added to the benchmark after their run.
    ways = [w for w in records[0]["hard"] if all(w in r["hard"] for r in records)]
    best = max(ways, key=lambda way: SIGNS[of] * mean(way))
    return np.array([record["hard"][best][metric] for record in records])


def compare(values: np.ndarray, metric: str, hard: np.ndarray) -> tuple[float, float]:
    """Mean lead over hard labels, and its standard error over the seeds."""
    lead = SIGNS[metric] * (values - hard)
    error = lead.std(ddof=1) / len(lead) ** 0.5 if len(lead) > 1 else 0.0
    return float(lead.mean()), float(error)


def name_result(lead: float, error: float) -> str:
    if abs(lead) <= error:
        return "tie"
    return "win" if lead > 0 else "loss"


def measure_leads(records: list[dict], share: str, model: str) -> dict:
    """Advantage of the reference and gain of the model, on one data set."""
    metric, reference = SHARES[share]
    hard = read_hard(records, metric)
    advantage, noise = compare(read_values(records, reference, metric), metric, hard)
    gain, error = compare(read_values(records, model, metric), metric, hard)
    return {
        "advantage": advantage,
        "gain": gain,
        "has_advantage": advantage > max(noise, LEAST[metric]),
        "result": name_result(gain, error),
    }


def share_advantage(leads: dict[str, dict], n_resamples: int) -> dict:
    """Ratio of sums over the sets with an advantage, resampled over those sets."""
    sets = [lead for lead in leads.values() if lead["has_advantage"]]
    share, interval = float("nan"), [float("nan")] * 2
    if sets:
        gain = np.array([lead["gain"] for lead in sets])
        advantage = np.array([lead["advantage"] for lead in sets])
        share = float(gain.sum() / advantage.sum())
    if len(sets) > 1:
        rng = np.random.default_rng(0)
        draws = rng.integers(len(sets), size=(n_resamples, len(sets)))
        ratios = gain[draws].sum(axis=1) / advantage[draws].sum(axis=1)
        interval = np.percentile(ratios, [2.5, 97.5]).tolist()
    without = [data for data, lead in leads.items() if not lead["has_advantage"]]
    return {"share": share, "interval": interval, "n": len(sets), "without": without}


def read_ratios(records: list[dict]) -> list[float]:
    """Time ratios, of the runs that have one."""
    return [r["times"]["ratio"] for r in records if "ratio" in r["times"]]


def summarise(by_data: ByData, model: str, n_resamples: int) -> dict:
    """Summarise one teacher, student and way to teach it."""
    leads = {
        title: {
            data: measure_leads(records, title, model)
            for data, records in by_data.items()
        }
        for title in SHARES
    }
    results = {
        title: {
            result: [d for d, lead in leads[title].items() if lead["result"] == result]
            for result in RESULTS
        }
        for title in ("log loss", "accuracy")
    }
    excess = [
        read_values(records, model, "ece").mean()
        - read_values(records, "calibrated", "ece").mean()
        for records in by_data.values()
    ]
    ratios = [read_ratios(records) for records in by_data.values()]
    return {
        "shares": {t: share_advantage(leads[t], n_resamples) for t in SHARES},
        "results": results,
        "ece above calibrated": excess,
        "ratios": [np.mean(found) for found in ratios if found],
        "leads": leads,
    }
