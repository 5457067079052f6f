"""What it takes to serve: a vote, the vote compiled, and the student distilled from it.

The vote is LightGBM (200 rounds), a random forest, extra trees (100 trees each) and
an `MLPClassifier((128, 64))`; the student is `MLPClassifier((64, 32))` behind a
`StandardScaler`, by `DistilledClassifier` as it comes; 4,000 training rows, seed 0.
Served are the vote by scikit-learn, with its members' own settings and with
n_jobs=1; what a user would otherwise compile (the whole vote by skl2onnx for ONNX
Runtime; its members one by one, averaged; its LightGBM member alone by lleaves); a
single LightGBM of 100 trees; the student by scikit-learn, by `slim`, and by ONNX
Runtime in float32 (100,000 rows also in blocks), int8, and pruned. Two floors: an ONNX
graph of one Identity, and NumPy's matrix products of the student's shapes.

A process each for one thread and for two (OpenMP, BLAS, ONNX Runtime and lleaves).
In it all models take turns of 50 ms in rotating order, so a busy machine is busy
for all: read the ratios, not the microseconds. Each call is timed by the wall
clock; processor time, of which the price is, is that of a turn. A ratio is of the
smaller of the two, which other programs disturb least. ONNX Runtime and the products
take float32 rows, the others float64, cast beforehand. Calls of many seconds are few,
and left out with two threads. How far apart the turns of a model are is printed.

Needs the extras `bench` and `onnx`. Of its 15 minutes 6 build the models, for which the
machine need not be idle:

    python benchmarks/latency.py            # writes latency.json, latency.png
    python benchmarks/latency.py --keep FOLDER --build    # builds, and stops
    python benchmarks/latency.py --keep FOLDER            # uses what was built
    python benchmarks/latency.py --smoke    # seconds; writes nothing
    python benchmarks/latency.py --price-per-core-hour 0.03
"""

from __future__ import annotations

from _common import print_table, read_arguments, write_json

# isort: split
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from _common import FOLDER
from _data import load_tutorial, split_data
from _latency_models import (
    BLOCKS,
    DISTILLED,
    IDENTITY,
    INT8,
    INT8_DYNAMIC,
    INT8_WEIGHTS,
    MATMULS,
    MATMULS_BLOCKS,
    MEMBERS_ONNX,
    ONNX,
    SMOKE,
    STUDENT,
    VOTE,
    VOTE_1,
    VOTE_ONNX,
    Size,
    build_folder,
    list_missing,
)

DATA = ("magic", "letter")
THREADS = (1, 2)
N_STARTS = 3
N_TRAIN = 4000


def run_clock(threads: int, mode: str, folder: Path, *rest: str) -> dict:
    """Run `_latency_clock.py` in a process of so many threads."""
    count = str(threads)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    # LightGBM asks joblib for the cores there are.
    pinned = dict.fromkeys((*names, "LOKY_MAX_CPU_COUNT"), count)
    script = FOLDER / "_latency_clock.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script, mode, folder, count, *rest],
        env=os.environ | pinned,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure_starts(folder: Path, names: list[str], repeats: int) -> dict:
    """Medians over fresh processes of one thread."""
    results: dict[str, list[dict]] = {name: [] for name in names}
    for _ in range(repeats):
        for name in names:
            results[name].append(run_clock(1, "start", folder, name))
    return {
        name: {
            key: None if None in values else float(np.median(values))
            for key in runs[0]
            for values in [[run[key] for run in runs]]
        }
        for name, runs in results.items()
    }


def price_million(microseconds: float, rows: int, per_core_hour: float) -> float:
    """Of a million predictions, from the processor time of a call."""
    return microseconds / rows / 3600 * per_core_hour


def measure(folder: Path, smoke: bool, per_core_hour: float) -> dict:
    """Times, prices, start-up and memory of one data set's models."""
    threads, repeats = ((1,), 1) if smoke else (THREADS, N_STARTS)
    manifest = json.loads((folder / "manifest.json").read_text())
    models = {entry.pop("name"): entry for entry in manifest.pop("models")}
    times = {str(k): run_clock(k, "rounds", folder) for k in threads}
    prices = {
        name: {
            rows: price_million(of_rows[name]["cpu"], int(rows), per_core_hour)
            for rows, of_rows in times["1"].items()
            if name in of_rows
        }
        for name in models
    }
    # Blocks are no other file, and the products no model.
    asked = [n for n in models if n not in (BLOCKS, MATMULS, MATMULS_BLOCKS)]
    started = [STUDENT] if smoke else asked
    starts = measure_starts(folder, started, repeats)
    return {
        **manifest,
        "models": models,
        "microseconds": times,
        "price_of_a_million": prices,
        "start": starts,
    }


# --- What must be shown ------------------------------------------------------------


def find_time(times: dict[str, float]) -> float:
    """Microseconds of a call that nothing disturbs, as near as a busy machine shows.

    Other programs lengthen the wall clock's times of long calls, and a few slow calls
    the processor's mean of short ones: the smaller is the nearer.
    """
    return min(times["median"], times["cpu"])


def check_goals(result: dict) -> dict[str, dict]:
    """The goals, each with the figures measured in one thread."""
    models, times = result["models"], result["microseconds"]["1"]
    goals: dict[str, dict] = {}

    def compare(name: str, goal: str, rows: str, above: list[str], below: str) -> None:
        # Against the fastest of the alternatives.
        at = times.get(rows, {})
        above = [other for other in above if other in at]
        if above and below in at:
            ratios = [find_time(at[other]) / find_time(at[below]) for other in above]
            goals[name] = {"goal": goal, "value": min(ratios)}

    if ONNX in models:
        student = models[ONNX]
        smaller = models[VOTE]["bytes"] / student["bytes"]
        goals["vote's pickle / float32"] = {"goal": ">= 2000", "value": smaller}
        goals["bytes of float32"] = {"goal": "<= 20000", "value": student["bytes"]}
        for name in (INT8, INT8_DYNAMIC, INT8_WEIGHTS):
            small, kind = models[name], name.split()[-1]
            lost = student["accuracy"] - small["accuracy"]
            goals[f"bytes of {kind}"] = {"goal": "<= 10000", "value": small["bytes"]}
            goals[f"accuracy lost by {kind}"] = {"goal": "<= 0.002", "value": lost}
        votes = [VOTE, VOTE_1]
        compiled = [VOTE_ONNX, MEMBERS_ONNX]
        compare("one row: student / Identity", "<= 1.5", "1", [ONNX], IDENTITY)
        compare("one row: vote / student", ">= 1000", "1", votes, ONNX)
        compare("one row: compiled vote / student", ">= 20", "1", compiled, ONNX)
        many = "100,000 rows: vote / student"
        compare(many, ">= 500", "100000", votes, ONNX)
        compare(f"{many} in blocks", ">= 500", "100000", votes, BLOCKS)
    compare("one row: wrapped / bare", "<= 1.15", "1", [DISTILLED], STUDENT)
    for entry in goals.values():
        sign, limit = entry["goal"].split()
        value = entry["value"]
        met = value <= float(limit) if sign == "<=" else value >= float(limit)
        entry["met"] = bool(met)
    return goals


def find_limits(times: dict[str, dict]) -> dict[str, float]:
    """What no file can pass: the alternatives, against the floors of serving."""
    pairs = {
        "one row: compiled vote / Identity": ("1", [VOTE_ONNX, MEMBERS_ONNX], IDENTITY),
        "100,000 rows: vote / the better of the NumPy matmuls": (
            *("100000", [VOTE, VOTE_1]),
            *(MATMULS, MATMULS_BLOCKS),
        ),
    }
    limits = {}
    for name, (rows, above, *floors) in pairs.items():
        at = {n: find_time(t) for n, t in times.get(rows, {}).items()}
        tops, bottoms = ([at[n] for n in ns if n in at] for ns in (above, floors))
        if tops and bottoms:
            limits[name] = min(tops) / min(bottoms)
    return limits


# --- Tables and picture ------------------------------------------------------------


def show_number(value: float | None) -> str:
    """Three digits, or all of what is large."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def model_rows(result: dict) -> list[list]:
    return [
        [
            name,
            f"{entry['bytes']:,}",
            f"{entry['accuracy']:.4f}" if "accuracy" in entry else "",
            f"{entry['log_loss']:.4f}" if "log_loss" in entry else "",
            *(
                show_number(result["start"].get(name, {}).get(key))
                for key in ("seconds", "added_mb", "resident_mb")
            ),
            show_number(result["price_of_a_million"][name].get("1")),
            show_number(result["price_of_a_million"][name].get("1024")),
        ]
        for name, entry in result["models"].items()
    ]


def time_rows(models: dict[str, dict], times: dict[str, dict]) -> list[list]:
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


def goal_rows(goals: dict[str, dict]) -> list[list]:
    return [
        [
            name,
            entry["goal"],
            show_number(entry["value"]),
            "yes" if entry["met"] else "NO",
        ]
        for name, entry in goals.items()
    ]


def print_noise(microseconds: dict[str, dict]) -> None:
    """How far apart the turns of one model are, over all that is timed."""
    for threads, times in microseconds.items():
        noise = [t["noise"] for at in times.values() for t in at.values()]
        print(
            f"\nNoise, threads: {threads}; the middle half of a model's turns spans "
            f"{np.median(noise):.0%} of its median (nine times in ten at most "
            f"{np.percentile(noise, 90):.0%})"
        )


def print_result(name: str, result: dict, price: float) -> None:
    million = f"a million at {price:g} a core-hour"
    print_table(
        f"{name}: {result['n_test']:,} held-out rows, {result['n_features']} features, "
        f"{result['n_classes']} classes",
        [
            *("model", "bytes", "accuracy", "log loss", "start s", "MB added"),
            *("resident MB", f"{million}: by 1", "by 1,024"),
        ],
        model_rows(result),
    )
    for threads, times in result["microseconds"].items():
        header = ["model"]
        for rows in times:
            header += [f"{int(rows):,}: median (p99)", "ratio"]
        title = f"{name}, threads: {threads}; µs a call"
        print_table(title, header, time_rows(result["models"], times))
    print_table(
        f"{name}: goals, one thread",
        ["", "goal", "measured", "met"],
        goal_rows(result["goals"]),
    )
    print_table(
        f"{name}: what no file could pass, one thread",
        ["", "ratio"],
        [[limit, show_number(value)] for limit, value in result["limits"].items()],
    )
    print_noise(result["microseconds"])


def draw(results: dict[str, dict], path: Path) -> None:
    """Latency of one row against size, with accuracy as colour."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(
        *(1, len(results)),
        figsize=(6.5 * len(results), 5.5),
        squeeze=False,
        layout="constrained",
    )
    for ax, (data, result) in zip(axes[0], results.items(), strict=True):
        draw_panel(ax, data, result)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def draw_panel(ax, data: str, result: dict) -> None:
    from matplotlib.patheffects import withStroke

    times = result["microseconds"]["1"]["1"]
    # Each would lie on top of another.
    hidden = (DISTILLED, VOTE_1, MEMBERS_ONNX, BLOCKS, INT8_DYNAMIC)
    drawn = {
        name: entry
        for name, entry in result["models"].items()
        if "accuracy" in entry and name not in hidden
    }
    points = ax.scatter(
        [entry["bytes"] for entry in drawn.values()],
        [times[name]["median"] for name in drawn],
        c=[entry["accuracy"] for entry in drawn.values()],
        cmap="viridis",
        s=190,
        edgecolors="black",
        zorder=3,
    )
    for number, (name, entry) in enumerate(drawn.items(), 1):
        at = (entry["bytes"], times[name]["median"])
        # Readable on the dark end of the colours and on the bright one.
        style = {
            "color": "white",
            "path_effects": [withStroke(linewidth=2, foreground="black")],
        }
        ax.annotate(str(number), at, ha="center", va="center", fontsize=8, **style)
        ax.plot([], [], " ", label=f"{number}  {name}: {entry['accuracy']:.3f}")
    if IDENTITY in times:
        floor = times[IDENTITY]["median"]
        ax.axhline(floor, color="grey", linestyle="--", label=IDENTITY)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="bytes on disk",
        ylabel="median µs of one row, one thread",
        title=data,
    )
    ax.grid(which="major", alpha=0.3)
    ax.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, -0.12),
        ncols=2,
        fontsize=8,
        handlelength=1.5,
        frameon=False,
    )
    ax.figure.colorbar(points, ax=ax, label="held-out accuracy")


@contextmanager
def print_seconds(what: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    print(f"{what} took {time.perf_counter() - start:.0f} s", flush=True)


def main() -> None:
    args = read_arguments(
        __doc__,
        keep={"metavar": "FOLDER", "help": "keep the models, and use those in it"},
        build={"action": "store_true", "help": "build the models, and stop"},
        **{"price-per-core-hour": {"type": float, "default": 0.05}},
    )
    price = args.price_per_core_hour
    for kind, packages in list_missing().items():
        print(f"skipped: {kind}, for {', '.join(packages)} is not installed")
    if args.smoke:
        X, y = load_tutorial()
        splits = {"smoke": (X[:400], X[400:600], y[:400], y[400:600])}
    else:
        splits = {name: split_data(name, 0, N_TRAIN) for name in DATA}
    size = SMOKE if args.smoke else Size()
    results = {}
    with TemporaryDirectory() as temporary:
        parent = Path(args.keep or temporary)
        for name, split in splits.items():
            with print_seconds(f"{name}: models"):
                build_folder(parent / name, split, size)
        if args.build:
            return
        for name in splits:
            with print_seconds(f"{name}: times"):
                results[name] = measure(parent / name, args.smoke, price)
            results[name]["goals"] = check_goals(results[name])
            results[name]["limits"] = find_limits(results[name]["microseconds"]["1"])
            print_result(name, results[name], price)
    if args.smoke:
        print("\nskipped: latency.json and latency.png, for this is a smoke run")
        return
    load = {"cores": os.cpu_count(), "load_average": os.getloadavg()}
    settings = {"price_per_core_hour": price, "n_train": N_TRAIN, **load}
    write_json("latency.json", {**settings, "data": results})
    draw(results, FOLDER / "latency.png")
    print("Written: latency.png")


if __name__ == "__main__":
    main()
