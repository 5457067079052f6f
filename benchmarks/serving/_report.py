"""Goals and tables of latency.py."""

from __future__ import annotations

import numpy as np

from .._tables import print_table
from ._models import (
    BLOCKS,
    DISTILLED,
    IDENTITY,
    MATMULS,
    MATMULS_BLOCKS,
    MEMBERS_ONNX,
    ONNX,
    STUDENT,
    VOTE,
    VOTE_1,
    VOTE_ONNX,
)

#: Of one data set: models by name; times by batch size, then by name.
Models = dict[str, dict]
Times = dict[int, dict[str, dict]]


def select_models(data: str, records: list[dict]) -> Models:
    return {r["model"]: r for r in records if r["data"] == data}


def select_times(data: str, records: list[dict]) -> dict[int, Times]:
    """The times of one data set, by the number of threads."""
    selected: dict[int, Times] = {}
    for r in records:
        if r["data"] == data:
            at = selected.setdefault(r["threads"], {}).setdefault(r["rows"], {})
            at[r["model"]] = r
    return selected


def find_time(times: dict[str, float]) -> float:
    """Microseconds of a call that nothing disturbs, as near as a busy machine shows.

    Other programs lengthen the wall clock's times of long calls, and a few slow calls
    the processor's mean of short ones: the smaller is the nearer.
    """
    return min(times["median"], times["cpu"])


def list_sizes(models: Models) -> list[tuple[str, str, float]]:
    """Goals of bytes and accuracy, with what was measured."""
    if ONNX not in models:
        return []
    student = models[ONNX]
    smaller = models[VOTE]["bytes"] / student["bytes"]
    goals = [
        ("vote's pickle / float32", ">= 2000", smaller),
        ("bytes of float32", "<= 20000", student["bytes"]),
    ]
    for name in models:
        if name.startswith(f"{ONNX} int8"):
            small, kind = models[name], name.split()[-1]
            lost = student["accuracy"] - small["accuracy"]
            goals.append((f"bytes of {kind}", "<= 10000", small["bytes"]))
            goals.append((f"accuracy lost by {kind}", "<= 0.002", lost))
    return goals


VOTES, COMPILED = (VOTE, VOTE_1), (VOTE_ONNX, MEMBERS_ONNX)
#: Name, goal, rows, alternatives of which the fastest counts, and what is set against.
SPEEDS = (
    ("one row: student / Identity", "<= 1.5", 1, (ONNX,), IDENTITY),
    ("one row: vote / student", ">= 1000", 1, VOTES, ONNX),
    ("one row: compiled vote / student", ">= 20", 1, COMPILED, ONNX),
    ("100,000 rows: vote / student", ">= 500", 100_000, VOTES, ONNX),
    ("100,000 rows: vote / student in blocks", ">= 500", 100_000, VOTES, BLOCKS),
    ("one row: wrapped / bare", "<= 1.15", 1, (DISTILLED,), STUDENT),
)
#: What no file can pass: the alternatives, against the floors of serving.
FLOORS = (
    ("one row: compiled vote / Identity", 1, COMPILED, (IDENTITY,)),
    (
        "100,000 rows: vote / the better of the NumPy matmuls",
        *(100_000, VOTES, (MATMULS, MATMULS_BLOCKS)),
    ),
)


def compare(times: Times, rows: int, above, below) -> float | None:
    """The fastest of some models over the fastest of others."""
    at = {name: find_time(figures) for name, figures in times.get(rows, {}).items()}
    tops, bottoms = ([at[n] for n in names if n in at] for names in (above, below))
    return min(tops) / min(bottoms) if tops and bottoms else None


def goal_rows(models: Models, times: Times) -> list[list]:
    """Each goal with the figure measured in one thread."""
    goals = list_sizes(models)
    for name, goal, rows, above, below in SPEEDS:
        ratio = compare(times, rows, above, (below,))
        if ratio is not None:
            goals.append((name, goal, ratio))
    table = []
    for name, goal, value in goals:
        sign, limit = goal.split()
        met = value <= float(limit) if sign == "<=" else value >= float(limit)
        table.append([name, goal, show_number(value), "yes" if met else "NO"])
    return table


def limit_rows(times: Times) -> list[list]:
    ratios = {name: compare(times, *settings) for name, *settings in FLOORS}
    return [[name, show_number(r)] for name, r in ratios.items() if r is not None]


def show_number(value: float | None) -> str:
    """Three digits, or all of what is large."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def price_million(figures: dict | None, per_core_hour: float) -> float | None:
    """Of a million predictions, from the processor time of a call."""
    if figures is None:
        return None
    return figures["cpu"] / figures["rows"] / 3600 * per_core_hour


def model_rows(models: Models, times: Times, price: float) -> list[list]:
    return [
        [
            name,
            f"{record['bytes']:,}",
            f"{record['accuracy']:.4f}" if "accuracy" in record else "",
            f"{record['log_loss']:.4f}" if "log_loss" in record else "",
            *(
                show_number(record.get("start", {}).get(key))
                for key in ("seconds", "added_mb", "resident_mb")
            ),
            *(
                show_number(price_million(times.get(rows, {}).get(name), price))
                for rows in (1, 1024)
            ),
        ]
        for name, record in models.items()
    ]


def time_rows(models: Models, times: Times) -> list[list]:
    """Median and 99th percentile a call, and the ratio to the student's ONNX file."""
    rows = []
    for name in models:
        row = [name]
        for at in times.values():
            if name not in at:
                row += ["", ""]
                continue
            here, base = at[name], at.get(ONNX, at[STUDENT])
            row.append(f"{show_number(here['median'])} ({show_number(here['p99'])})")
            row.append(show_number(find_time(here) / find_time(base)))
        rows.append(row)
    return rows


def print_noise(by_threads: dict[int, Times]) -> None:
    """How far apart the turns of one model are, over all that is timed."""
    for threads, times in by_threads.items():
        noise = [t["noise"] for at in times.values() for t in at.values()]
        print(
            f"\nNoise, threads: {threads}; the middle half of a model's turns spans "
            f"{np.median(noise):.0%} of its median (nine times in ten at most "
            f"{np.percentile(noise, 90):.0%})"
        )


def print_data(data: str, models: list[dict], times: list[dict], price: float) -> None:
    """All tables of one data set."""
    own, by_threads = select_models(data, models), select_times(data, times)
    if not own or 1 not in by_threads:
        print(f"\n{data}: nothing was measured yet.")
        return
    shape = next(iter(own.values()))
    million = f"a million at {price:g} a core-hour"
    print_table(
        f"{data}: {shape['n_test']:,} held-out rows, {shape['n_features']} features, "
        f"{shape['n_classes']} classes",
        [
            *("model", "bytes", "accuracy", "log loss", "start s", "MB added"),
            *("resident MB", f"{million}: by 1", "by 1,024"),
        ],
        model_rows(own, by_threads[1], price),
    )
    for threads, of_rows in by_threads.items():
        header = ["model"]
        for rows in of_rows:
            header += [f"{rows:,}: median (p99)", "ratio"]
        title = f"{data}, threads: {threads}; µs a call"
        print_table(title, header, time_rows(own, of_rows))
    print_table(
        f"{data}: goals, one thread",
        ["", "goal", "measured", "met"],
        goal_rows(own, by_threads[1]),
    )
    title = f"{data}: what no file could pass, one thread"
    print_table(title, ["", "ratio"], limit_rows(by_threads[1]))
    print_noise(by_threads)
