"""Tables of peers.py, and who wins: where skdistill loses comes first."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from .._tables import print_table
from .tools import PEERS

OURS = "skdistill: best of MLP and LightGBM"
#: Metric, and the sign that makes more of it better.
SIGNS = {"log_loss": -1, "accuracy": 1}
WORDS = {"log_loss": "log loss", "accuracy": "accuracy"}
RIVAL_IN_SPEED = "autogluon"

#: Records by seed of each student of one data set.
Students = dict[str, dict[int, dict]]


def group_students(records: list[dict]) -> dict[str, Students]:
    """By data set, then by "peer: student"; a peer that failed is a student alike."""
    grouped: dict[str, Students] = defaultdict(lambda: defaultdict(dict))
    for record in sorted(records, key=lambda record: PEERS.index(record["peer"])):
        name = f"{record['peer']}: {record['student']}"
        grouped[record["data"]][name][record["seed"]] = record
    return grouped


def read_values(records: dict[int, dict], name: str) -> dict[int, float]:
    """A figure by seed, where the student did not fail."""
    return {s: r[name] for s, r in records.items() if "failed" not in r}


def show_mean(values: dict[int, float], digits: int = 4) -> str:
    """Mean ± standard error over the seeds."""
    array = np.array(list(values.values()))
    text = f"{array.mean():.{digits}f}"
    if len(array) > 1:
        text += f" ± {array.std(ddof=1) / len(array) ** 0.5:.{digits}f}"
    return text


def show_median(values: list[float]) -> str:
    return f"{np.median(values):,.0f}" if values else "-"


def print_data(data: str, students: Students) -> None:
    """The table of one data set, and what failed."""
    rows, failures = [], []
    for name, records in students.items():
        good = [record for record in records.values() if "failed" not in record]
        for seed, record in records.items():
            if "failed" in record:
                failures.append(f"  {name}, seed {seed}: {record['failed']}")
        if not good:
            continue
        onnx = [record["onnx_us"] for record in good if "onnx_us" in record]
        rows.append(
            [
                name,
                show_mean(read_values(records, "accuracy")),
                show_mean(read_values(records, "log_loss")),
                sum(record["rows_outside"] for record in good),
                show_median([record["p50_us"] for record in good]),
                show_median(onnx),
                show_median([record["bytes"] for record in good]),
                show_median([record["fit_seconds"] for record in good]),
                len(good),
            ]
        )
    header = ["peer: student", "accuracy", "log loss", "rows outside [0, 1]"]
    header += ["one row, µs", "ONNX, µs", "bytes", "seconds", "seeds"]
    print_table(data, header, rows)
    # One line for the same failure in all seeds.
    for line in dict.fromkeys(line.partition(", seed")[0] for line in failures):
        first = next(text for text in failures if text.startswith(f"{line}, seed"))
        count = sum(text.startswith(f"{line}, seed") for text in failures)
        print(f"  failed on {count} seed(s):{first.removeprefix(' ')}")


def compare(
    ours: dict[int, float], theirs: dict[int, float], sign: int
) -> tuple[float, float]:
    """Our mean lead over the seeds that both have, and its standard error."""
    lead = sign * np.array([ours[s] - theirs[s] for s in sorted({*ours} & {*theirs})])
    error = lead.std(ddof=1) / len(lead) ** 0.5 if len(lead) > 1 else 0.0
    return float(lead.mean()), float(error)


def compare_to_rivals(students: Students, metric: str) -> dict | None:
    """Our student against the best of the rivals' by its mean."""
    ours = read_values(students.get(OURS, {}), metric)
    rivals = {
        name: values
        for name, records in students.items()
        if not name.startswith("skdistill")
        and {*(values := read_values(records, metric))} & {*ours}
    }
    if not ours or not rivals:
        return None
    sign = SIGNS[metric]
    best = max(rivals, key=lambda name: sign * np.mean(list(rivals[name].values())))
    lead, error = compare(ours, rivals[best], sign)
    result = "tie" if abs(lead) <= error else "ahead" if lead > 0 else "behind"
    # Of one seed there is no error to give.
    error_text = f" ± {error:.4f}" if error else " (one seed)"
    return {"rival": best, "lead": lead, "error": error_text, "result": result}


def compare_speed(students: Students) -> list[str]:
    """How many times faster one row is than with each student of the slow rival."""
    good = [r for r in students.get(OURS, {}).values() if "failed" not in r]
    ours = {
        "in Python": [r["p50_us"] for r in good],
        "by ONNX Runtime": [r["onnx_us"] for r in good if "onnx_us" in r],
    }
    lines = []
    for name, records in students.items():
        theirs = list(read_values(records, "p50_us").values())
        if theirs and name.startswith(RIVAL_IN_SPEED):
            ratios = [
                f"{np.median(theirs) / np.median(times):,.1f} times as fast {how}"
                for how, times in ours.items()
                if times
            ]
            if ratios:
                lines.append(f"one row against {name}: {', '.join(ratios)}")
    return lines


def print_report(records: list[dict]) -> None:
    losses, others = [], []
    for data, students in group_students(records).items():
        print_data(data, students)
        for metric in SIGNS:
            verdict = compare_to_rivals(students, metric)
            if verdict is None:
                continue
            line = (
                f"  {data}, {WORDS[metric]}: {verdict['result']}, by "
                f"{verdict['lead']:+.4f}{verdict['error']} against "
                f"{verdict['rival']}"
            )
            (losses if verdict["result"] == "behind" else others).append(line)
        others += [f"  {data}: {line}" for line in compare_speed(students)]
    print(f'\nWhere "{OURS}" loses to the best rival:')
    print("\n".join(losses or ["  nowhere in these runs"]))
    print("Elsewhere:")
    print("\n".join(others or ["  nothing to compare"]))
