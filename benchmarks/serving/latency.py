"""What it takes to serve: a vote, the vote compiled, and the student distilled from it.

The vote is LightGBM (200 rounds), a random forest, extra trees (100 trees each) and
an `MLPClassifier((128, 64))`; the student is `MLPClassifier((64, 32))` behind a
`StandardScaler`, by `DistilledClassifier` as it comes; 4,000 training rows, seed 0.
Served are the vote by scikit-learn, with its members' own settings and with
n_jobs=1; what a user would otherwise compile (the whole vote by skl2onnx for ONNX
Runtime; its members one by one, averaged; its LightGBM member alone by lleaves); a
single LightGBM of 100 trees; the student by scikit-learn, by `slim`, and by ONNX
Runtime in float32 (100,000 rows also in blocks), with weights in int8, and pruned. Two
floors: an ONNX graph of one Identity, and NumPy's matrix products of the student's
shapes.

A process each for one thread and for two (OpenMP, BLAS, ONNX Runtime and lleaves).
In it all models take turns of 50 ms in rotating order, so a busy machine is busy
for all: read the ratios, not the microseconds. Each call is timed by the wall
clock; processor time, which decides the price, is that of a turn. A ratio is of the
smaller of the two, which other programs disturb least. ONNX Runtime and the products
take float32 rows, the others float64, cast beforehand. Calls of many seconds are few,
and left out with two threads. How far apart the turns of a model are is printed.

Needs the extras `bench` and `onnx`. Of its 15 minutes 6 build the models, for which the
machine need not be idle:

    python -m benchmarks.serving.latency
    python -m benchmarks.serving.latency --keep FOLDER --build    # builds, and stops
    python -m benchmarks.serving.latency --keep FOLDER            # uses what was built
    python -m benchmarks.serving.latency --smoke
    python -m benchmarks.serving.latency --report --price-per-core-hour 0.03
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from .._data import load_tutorial, split_data
from .._results import Results, find_missing, make_runs, read_arguments
from ._models import (
    NO_MODELS,
    SMOKE,
    STUDENT,
    Size,
    build_folder,
    list_missing,
)
from ._plot import draw
from ._report import print_data

FOLDER = Path(__file__).parent
MODEL_KEYS, TIME_KEYS = ("data",), ("data", "threads")
DATA = ("magic", "letter")
THREADS = (1, 2)
N_STARTS = 3
N_TRAIN = 4000


def load_rows(data: str):
    """Training and test rows; few where `data` is that of the smoke test."""
    if data == "smoke":
        X, y = load_tutorial()
        return X[:400], X[400:600], y[:400], y[400:600]
    return split_data(data, 0, N_TRAIN)


def run_clock(threads: int, mode: str, folder: Path, *rest: str) -> dict:
    """Run `_clock.py` in a process of so many threads."""
    count = str(threads)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    # LightGBM asks joblib for the cores there are.
    pinned = dict.fromkeys((*names, "LOKY_MAX_CPU_COUNT"), count)
    done = subprocess.run(
        [
            *(sys.executable, "-W", "ignore", FOLDER / "_clock.py"),
            *(mode, folder, count, *rest),
        ],
        env=os.environ | pinned,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def measure_start(folder: Path, name: str, repeats: int) -> dict[str, float]:
    """Medians over fresh processes of one thread."""
    runs = [run_clock(1, "start", folder, name) for _ in range(repeats)]
    return {
        key: float(np.median([run[key] for run in runs]))
        for key in runs[0]
        if runs[0][key] is not None
    }


def describe_models(data: str, parent: Path) -> list[dict]:
    """Size, scores, start-up and memory of one data set's models."""
    manifest = json.loads((parent / data / "manifest.json").read_text())
    shape = {key: manifest[key] for key in ("n_test", "n_features", "n_classes")}
    records = []
    for entry in manifest["models"]:
        name = entry["name"]
        figures = {key: entry.get(key) for key in ("bytes", "accuracy", "log_loss")}
        # A smoke test starts one model; what is no file of its own starts like another.
        asked = name == STUDENT if data == "smoke" else name not in NO_MODELS
        if asked:
            repeats = 1 if data == "smoke" else N_STARTS
            figures["start"] = measure_start(parent / data, name, repeats)
        records.append({"data": data, "model": name, **figures, **shape})
    return records


def time_models(data: str, threads: int, parent: Path) -> list[dict]:
    """Times of all models of one data set, by batch size."""
    times = run_clock(threads, "rounds", parent / data)
    return [
        {"data": data, "threads": threads, "rows": int(rows), "model": name, **figures}
        for rows, at in times.items()
        for name, figures in at.items()
    ]


def main() -> None:
    args = read_arguments(
        __doc__,
        keep={"metavar": "FOLDER", "help": "keep the models, and use those in it"},
        build={"action": "store_true", "help": "build the models, and stop"},
        **{"price-per-core-hour": {"type": float, "default": 0.05}},
    )
    for kind, packages in list_missing().items():
        print(f"skipped: {kind}, for {', '.join(packages)} is not installed")
    path = None if args.smoke else FOLDER
    models = Results(path and path / "models.csv", MODEL_KEYS)
    times = Results(path and path / "latency.csv", TIME_KEYS)
    data, threads = (("smoke",), (1,)) if args.smoke else (DATA, THREADS)
    described = find_missing(models, [{"data": name} for name in data], args)
    runs = [{"data": name, "threads": k} for name in data for k in threads]
    timed = find_missing(times, runs, args)
    with TemporaryDirectory() as temporary:
        parent = Path(args.keep or temporary)
        for name in dict.fromkeys(run["data"] for run in [*described, *timed]):
            size = SMOKE if args.smoke else Size()
            build_folder(parent / name, load_rows(name), size)
        if args.build:
            return
        changed = make_runs(times, timed, time_models, parent=parent)
        changed |= make_runs(models, described, describe_models, parent=parent)
    for name in data:
        print_data(name, models.records, times.records, args.price_per_core_hour)
    if not args.smoke and changed:
        draw(models.records, times.records, FOLDER / "latency.png")


if __name__ == "__main__":
    main()
