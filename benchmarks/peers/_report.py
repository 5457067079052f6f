"""Tables of peers.py and regression.py, and who wins: for classes losses come first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from .._results import Results
from .._tables import print_table
from .tools import PEERS

OURS = "skdistill: best of MLP and LightGBM"
DEFAULTS = "skdistill: all defaults"
RIVALS = tuple(peer for peer in PEERS if peer != "skdistill")
#: Metric, and the sign that makes more of it better.
SIGNS = {"log_loss": -1, "accuracy": 1}
WORDS = {"log_loss": "log loss", "accuracy": "accuracy"}
RIVAL_IN_SPEED = "autogluon"

#: Records by seed of each student of one data set.
Students = dict[str, dict[int, dict]]

#: Columns of a table: what is shown of a student's records.
Columns = dict[str, Callable[[dict[int, dict]], object]]


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


def show_mean(records: dict[int, dict], name: str, digits: int = 4) -> str:
    """Mean ± standard error over the seeds."""
    array = np.array(list(read_values(records, name).values()))
    text = f"{array.mean():,.{digits}f}"
    if len(array) > 1:
        text += f" ± {array.std(ddof=1) / len(array) ** 0.5:,.{digits}f}"
    return text


def show_median(records: dict[int, dict], name: str) -> str:
    values = [record[name] for record in records.values() if name in record]
    return f"{np.median(values):,.0f}" if values else "-"


def print_data(data: str, students: Students, columns: Columns) -> None:
    """The table of one data set, and what failed."""
    rows, failures = [], []
    for name, records in students.items():
        good = {s: r for s, r in records.items() if "failed" not in r}
        for seed, record in records.items():
            if "failed" in record:
                failures.append(f"  {name}, seed {seed}: {record['failed']}")
        if not good:
            continue
        figures = ("p50_us", "onnx_us", "bytes", "fit_seconds")
        rows.append(
            [
                name,
                *(show(good) for show in columns.values()),
                *(show_median(good, figure) for figure in figures),
                len(good),
            ]
        )
    header = ["peer: student", *columns]
    header += ["one row, µs", "ONNX, µs", "bytes", "seconds", "seeds"]
    print_table(data, header, rows)
    # One line for the same failure in all seeds.
    for line in dict.fromkeys(line.partition(", seed")[0] for line in failures):
        first = next(text for text in failures if text.startswith(f"{line}, seed"))
        count = sum(text.startswith(f"{line}, seed") for text in failures)
        print(f"  failed on {count} seed(s):{first.removeprefix(' ')}")


def measure_lead(
    ours: dict[int, float], theirs: dict[int, float], sign: int
) -> tuple[float, float]:
    """Our mean lead over the seeds that both have, and its error, 0 of one seed."""
    leads = sign * np.array([ours[s] - theirs[s] for s in sorted({*ours} & {*theirs})])
    error = leads.std(ddof=1) / len(leads) ** 0.5 if len(leads) > 1 else 0.0
    return leads.mean(), error


def compare(
    ours: dict[int, float], theirs: dict[int, float], sign: int, digits: int = 4
) -> tuple[str, str]:
    """Our mean lead over the seeds that both have with its standard error; who wins."""
    lead, error = measure_lead(ours, theirs, sign)
    result = "tie" if abs(lead) <= error else "ahead" if lead > 0 else "behind"
    # Of one seed there is no error to give.
    text = f" ± {error:,.{digits}f}" if error else " (one seed)"
    return f"{lead:+,.{digits}f}{text}", result


def choose_best(values: dict[str, dict[int, float]], sign: int) -> str:
    """The student that is best by its mean."""
    return max(values, key=lambda name: sign * np.mean(list(values[name].values())))


def find_best(
    students: Students, prefixes: tuple[str, ...], metric: str, sign: int, ours: set
) -> str | None:
    """The student that is best by its mean, of those whose names begin so.

    It must have one of our seeds.
    """
    values = {
        name: found
        for name, records in students.items()
        if name.startswith(prefixes)
        and {*(found := read_values(records, metric))} & ours
    }
    return choose_best(values, sign) if values else None


def compare_to_rivals(students: Students, metric: str) -> dict | None:
    """Our student against the best of the rivals' by its mean."""
    ours, sign = read_values(students.get(OURS, {}), metric), SIGNS[metric]
    best = find_best(students, RIVALS, metric, sign, {*ours})
    if best is None:
        return None
    lead, result = compare(ours, read_values(students[best], metric), sign)
    return {"rival": best, "lead": lead, "result": result}


def list_leads(data: str, students: Students) -> list[list]:
    """The student of all defaults against the best of each peer, metric by metric."""
    rows = []
    for peer in RIVALS:
        cells, seeds = [], set()
        for metric, sign in SIGNS.items():
            ours = read_values(students.get(DEFAULTS, {}), metric)
            best = find_best(students, (peer,), metric, sign, {*ours})
            if best is None:
                continue
            theirs = read_values(students[best], metric)
            lead, error = measure_lead(ours, theirs, sign)
            of_error = f"{lead / error:+.1f}" if error else "-"
            cells += [best, compare(ours, theirs, sign)[0], of_error]
            seeds |= {*ours} & {*theirs}
        if cells:
            rows.append([data, *cells, len(seeds)])
    return rows


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


def list_ensembles(runs: dict[str, int]) -> list[list]:
    """The vote itself on each data set and number of rows, as other benchmarks found.

    It is that of `make_vote`, on the same rows by the same seeds.
    """
    folder, rows = Path(__file__).parents[1], []
    scores = Results(folder / "quality" / "quality.csv", ("data", "seed")).records
    times = Results(folder / "serving" / "latency.csv", ("data", "threads")).records
    for data, n_rows in runs.items():
        key = {"teacher": "vote", "student": "mlp", "data": data, "rows": n_rows}
        found = {
            r["seed"]: r["uncalibrated"] for r in scores if r.items() >= key.items()
        }
        key = {"model": "vote", "threads": 1, "data": data, "rows": 1}
        median = [f"{r['median']:,.0f}" for r in times if r.items() >= key.items()]
        if found:
            means = [show_mean(found, metric) for metric in ("accuracy", "log_loss")]
            rows.append([data, *means, *(median or ["-"]), len(found)])
    return rows


COLUMNS: Columns = {
    "accuracy": partial(show_mean, name="accuracy"),
    "log loss": partial(show_mean, name="log_loss"),
    "rows outside [0, 1]": lambda good: sum(r["rows_outside"] for r in good.values()),
}


def print_report(records: list[dict]) -> None:
    losses, others, leads = [], [], []
    for data, students in group_students(records).items():
        print_data(data, students, COLUMNS)
        for metric in SIGNS:
            verdict = compare_to_rivals(students, metric)
            if verdict is None:
                continue
            line = (
                f"  {data}, {WORDS[metric]}: {verdict['result']}, by "
                f"{verdict['lead']} against {verdict['rival']}"
            )
            (losses if verdict["result"] == "behind" else others).append(line)
        others += [f"  {data}: {line}" for line in compare_speed(students)]
        leads += list_leads(data, students)
    print(f'\nWhere "{OURS}" loses to the best rival:')
    print("\n".join(losses or ["  nowhere in these runs"]))
    print("Elsewhere:")
    print("\n".join(others or ["  nothing to compare"]))
    header = ["data"]
    for word in WORDS.values():
        header += [f"best in {word}", "lead", "errors"]
    print_table("Leads of all defaults over other tools", [*header, "seeds"], leads)
    header = ["data", "accuracy", "log loss", "one row, µs", "seeds"]
    runs = {record["data"]: record["rows"] for record in records}
    print_table("The vote that is distilled, itself", header, list_ensembles(runs))
