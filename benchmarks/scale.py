"""What a fit costs as the transfer set grows: time, memory, workers, serving.

- Growth: a transfer set of 10^4 to 10^7 rows of 20 columns, half of it read from a
  Parquet folder, half made by MUNGE on blocks of it, labelled by a fixed teacher (a
  random forest of 50 trees on 4,000 rows, cheap for a teacher) and learned by a network
  64-32 in one pass. CPU seconds of each stage, slopes on doubly logarithmic axes from
  10^5 rows up, and the peak of resident memory, each size in a process of its own. The
  folder is made of satimage: the first 20 columns of a row, moved by a tenth of their
  standard deviations.
- Workers: a forest of 300 trees labels a table with one and two workers of joblib's
  loky, and with two of Dask, where that is installed. Wall-clock seconds, fastest of
  three. Dask's nanny has its workers give memory back at every turn
  (`MALLOC_TRIM_THRESHOLD_`), and a forest makes an array a tree: both as it comes, and
  with workers that keep up to 128 MB, for which the target is.
- Match: log loss on held-out rows of magic and letter, learned whole and by chunks,
  with buffers of 4,096 rows, so that there are many; and what it costs to seek
  neighbours within 2,000 rows, and not within the 32,768 or more that MUNGE is given.
- Serving: rows a second on one core, by the student, its ONNX file and both in
  `dask.dataframe.map_partitions`.
- Cost: hours of one core, and their price, for 10^8 and 10^9 rows, from the slopes.

The targets: a slope of at most 1.05; memory at 10^7 rows at most 1.2 times that at
10^6, and under 1.5 GB beyond the teacher; two workers at least 1.6 times one; Dask at
most 1.15 times the seconds of loky; chunks within 0.005 of the whole.

    python benchmarks/scale.py                    # all but 10^7 rows; see --only
    python benchmarks/scale.py --only 10000000    # adds one piece to scale.json
    python benchmarks/scale.py --smoke            # seconds; writes nothing

Every piece is merged into scale.json, and scale.png is drawn of what is there.
"""

from __future__ import annotations

from _common import FOLDER, print_table, read_arguments, score, write_json

# isort: split
import json
import os
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from _data import CACHE, Offline, split_data
from _scale_meter import STAGES, measure_stages, read_megabytes, time_best
from _scale_serving import OnnxRows, export_student, list_dask_runs
from joblib import parallel_config
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier
from skdistill._labels import _teacher
from skdistill._outofcore import _source, _spill
from skdistill._tasks import Tasks

SIZES = (10_000, 100_000, 1_000_000)
LARGEST = 10_000_000
N_COLUMNS, N_TRAIN, FILE_ROWS = 20, 4000, 2**17
#: Environment of workers that keep what memory they were given, as any process does
#: for which nobody has set the first of these.
KEEPING = "dask, memory kept"
KEEP_MEMORY = dict.fromkeys(
    ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"), str(2**27)
)
#: Rows from which slopes are fitted, and what is paid for an hour of a core.
FROM_ROWS, PRICE = 100_000, 0.05
LIMITS = {
    **{"slope": 1.05, "growth": 1.2, "megabytes": 1500.0, "speed-up": 1.6},
    **{"Dask / loky": 1.15, "match": 0.005},
}


def load_rows(smoke: bool) -> tuple[np.ndarray, np.ndarray]:
    """Real rows and their labels."""
    if smoke:
        return make_classification(1000, N_COLUMNS, n_informative=9, random_state=0)
    X, _, y, _ = split_data("satimage", 0, N_TRAIN)
    return X[:, :N_COLUMNS], y


def write_rows(X: np.ndarray, n_rows: int, folder: Path) -> None:
    """A Parquet folder of moved copies of real rows."""
    names = [f"x{j}" for j in range(X.shape[1])]
    for number, start in enumerate(range(0, n_rows, FILE_ROWS)):
        rng = np.random.default_rng(number)
        rows = X[rng.integers(len(X), size=min(FILE_ROWS, n_rows - start))]
        rows = rows + 0.1 * X.std(axis=0) * rng.standard_normal(rows.shape)
        table = pd.DataFrame(rows, columns=names)
        table.to_parquet(folder / f"{number:04}.parquet", row_group_size=2**15)


def fit_teacher(X: np.ndarray, y: np.ndarray, n_trees: int = 50) -> Any:
    forest = RandomForestClassifier(n_trees, min_samples_leaf=5, random_state=0)
    return FrozenEstimator(forest.fit(X, y))


def distil(X: Any, y: Any, X_unlabeled: Any, teacher: Any, **params: Any) -> Any:
    """A network of a fixed number of passes, one unless told."""
    n_passes = params.pop("passes", 1)
    network = MLPClassifier((64, 32), max_iter=n_passes)
    given = {"temperature": 1.0, "calibrate": False, "random_state": 0, **params}
    student = make_pipeline(StandardScaler(), network)
    distilled = DistilledClassifier(teacher, student, **given)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return distilled.fit(X, y, X_unlabeled=X_unlabeled)


# Growth -------------------------------------------------------------------------------


def measure_size(n_rows: int, smoke: bool) -> dict:
    """One fit; to be called in a fresh process."""
    import pyarrow

    pyarrow.set_cpu_count(1)
    pyarrow.set_io_thread_count(1)
    X, y = load_rows(smoke)
    teacher = fit_teacher(X, y)
    scratch = None if smoke else CACHE
    if scratch is not None:
        scratch.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        write_rows(X, n_rows // 2, folder)
        # A small fit loads what is loaded late; the sizes are compared beyond that.
        distil(X, y, [X[:500], X[500:1000]], teacher, augmenter=None)
        before, start = read_megabytes("VmRSS"), perf_counter()
        with measure_stages() as meter:
            made = {"augmenter": "munge", "n_synthetic": n_rows // 2}
            distil(X, y, folder, teacher, **made)
    return {
        "rows": n_rows,
        "wall": perf_counter() - start,
        "cpu": sum(meter.seconds.values()),
        "seconds": meter.seconds,
        "peak_MB": meter.peaks,
        "before_MB": before,
        "beyond_MB": max(meter.peaks.values()) - before,
    }


def fit_slopes(records: list[dict]) -> dict[str, float]:
    """Slopes of log seconds on log rows, from FROM_ROWS up; NaN of too few sizes."""
    large = [r for r in records if r["rows"] >= FROM_ROWS]
    if len(large) < 2:
        return dict.fromkeys(("total", *STAGES), float("nan"))
    rows = np.log([r["rows"] for r in large])
    series = {"total": [r["cpu"] for r in large]}
    series |= {stage: [r["seconds"][stage] for r in large] for stage in STAGES}
    return {
        name: float(np.polyfit(rows, np.log(np.maximum(s, 1e-9)), 1)[0])
        for name, s in series.items()
    }


def show_growth(records: list[dict]) -> dict:
    records = sorted(records, key=lambda r: r["rows"])
    rows = [
        [
            f"{r['rows']:,}",
            *(f"{r['seconds'][stage]:.1f}" for stage in (*STAGES, "rest")),
            f"{r['cpu']:.1f}",
            f"{r['wall']:.1f}",
            *(f"{r['peak_MB'][stage]:.0f}" for stage in STAGES),
            f"{r['beyond_MB']:.0f}",
        ]
        for r in records
    ]
    slopes = fit_slopes(records)
    slope_cells = [f"{slopes[stage]:.2f}" for stage in STAGES]
    rows.append(["slope", *slope_cells, "", f"{slopes['total']:.2f}"] + [""] * 7)
    peaks = [f"MB {stage}" for stage in STAGES]
    print_table(
        "CPU seconds and peak memory by stage; half the rows read, half made",
        ["rows", *STAGES, "rest", "CPU", "wall", *peaks, "MB beyond the teacher"],
        rows,
    )
    verdicts = [judge("slope", slopes["total"])]
    held = {r["rows"]: r["beyond_MB"] for r in records}
    if LARGEST in held:
        totals = {r["rows"]: max(r["peak_MB"].values()) for r in records}
        if LARGEST // 10 in totals:
            verdicts.append(judge("growth", totals[LARGEST] / totals[LARGEST // 10]))
        verdicts.append(judge("megabytes", held[LARGEST]))
    print("\n" + "\n".join(verdicts))
    return slopes


def show_cost(records: list[dict], slopes: dict[str, float]) -> list[dict]:
    """Extrapolate from the largest size, stage by stage."""
    last = max(records, key=lambda r: r["rows"])
    costs = []
    for n_rows in (10**8, 10**9):
        factor = n_rows / last["rows"]
        hours = sum(
            last["seconds"][stage] * factor ** slopes[stage] for stage in STAGES
        )
        hours = (hours + last["seconds"]["rest"] * factor) / 3600
        costs.append({"rows": n_rows, "core_hours": hours, "price": PRICE * hours})
    print_table(
        f"Cost by the slopes, at {PRICE} an hour of a core",
        ["rows", "core-hours", "price"],
        [
            [f"{c['rows']:,}", f"{c['core_hours']:.1f}", f"{c['price']:.2f}"]
            for c in costs
        ],
    )
    return costs


def judge(name: str, value: float, least: bool = False) -> str:
    limit = LIMITS[name]
    if np.isnan(value):
        return f"{name}: not measured"
    met = value >= limit if least else value <= limit
    return f"{name}: {value:.3f} {'meets' if met else 'MISSES'} {limit:g}"


# Workers ------------------------------------------------------------------------------


def measure_workers(smoke: bool) -> dict:
    """Seconds in which a table is labelled, by workers."""
    X, y = load_rows(smoke)
    teacher = fit_teacher(X, y, n_trees=5 if smoke else 300)
    n_rows, repeats = (5_000, 1) if smoke else (400_000, 3)
    table = X[np.random.default_rng(0).integers(len(X), size=n_rows)]

    def label(n_jobs: int) -> float:
        def run() -> Any:
            return _teacher.label_rows(teacher, table, work=Tasks(n_jobs=n_jobs))

        run()  # starts the workers
        return time_best(run, repeats)

    seconds = {"one": label(1)}
    with parallel_config(backend="loky"):
        seconds["loky"] = label(2)
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        print("\nDask is not installed, and takes no part.")
    else:
        for name, environment in {"dask": {}, KEEPING: KEEP_MEMORY}.items():
            with (
                patch.dict(os.environ, environment),
                LocalCluster(2, threads_per_worker=1, dashboard_address=None) as two,
                Client(two),
                parallel_config(backend="dask"),
            ):
                seconds[name] = label(2)
    print_table(
        f"Labelling {n_rows:,} rows, wall-clock seconds, two workers or one",
        list(seconds),
        [[f"{s:.2f}" for s in seconds.values()]],
    )
    print("\n" + judge("speed-up", seconds["one"] / seconds["loky"], least=True))
    if KEEPING in seconds:
        print(judge("Dask / loky", seconds[KEEPING] / seconds["loky"]))
    return {"rows": n_rows, "seconds": seconds}


# Match --------------------------------------------------------------------------------


LEARNED = ("whole", "chunks", "small blocks")


def compare_fits(smoke: bool) -> list[dict]:
    """Log loss of the same student, learned whole and by chunks."""
    records = []
    n_seeds, passes = (1, 2) if smoke else (5, 30)
    for data in ("tutorial",) if smoke else ("magic", "letter"):
        for seed in range(n_seeds):
            X, X_test, y, y_test = split_data(data, seed)
            given, others, y_given, _ = train_test_split(
                X, y, train_size=4000 if not smoke else 300, random_state=seed
            )
            others = others if not smoke else others[:3000]
            forest = RandomForestClassifier(100, min_samples_leaf=2, random_state=seed)
            teacher = FrozenEstimator(forest.fit(given, y_given))
            made = {"augmenter": "munge", "n_synthetic": 2 * len(others)}
            made |= {"passes": passes, "random_state": seed}
            parts = np.array_split(others, 3)
            whole = distil(given, y_given, others, teacher, **made)
            with patch.object(_spill, "_BOUNDS", (4096, 4096)):
                chunked = distil(given, y_given, parts, teacher, **made)
                with patch.object(_source, "_BOUNDS", (2000, 2000)):
                    blocked = distil(given, y_given, parts, teacher, **made)
            losses = [
                score(model, X_test, y_test)["log_loss"]
                for model in (whole, chunked, blocked)
            ]
            named = dict(zip(LEARNED, losses, strict=True))
            records.append({"data": data, "seed": seed, **named})
    show_match(records)
    return records


def show_match(records: list[dict]) -> None:
    rows, verdicts = [], []
    for data in dict.fromkeys(r["data"] for r in records):
        some = [r for r in records if r["data"] == data]
        pairs = np.array([[r[how] for how in LEARNED] for r in some])
        gaps = pairs[:, 1] - pairs[:, 0]
        spread = gaps.std(ddof=1) if len(gaps) > 1 else 0.0
        means = [f"{mean:.4f}" for mean in pairs.mean(axis=0)]
        rows.append([data, *means, f"{gaps.mean():+.4f} ± {spread:.4f}"])
        verdicts.append(f"{data}, " + judge("match", abs(gaps.mean())))
    print_table(
        "Held-out log loss, learned whole and by chunks (mean over seeds)",
        ["data", *LEARNED, "chunks less whole"],
        rows,
    )
    print("\n" + "\n".join(verdicts))


# Serving ------------------------------------------------------------------------------


def measure_serving(smoke: bool) -> dict:
    """Rows a second of CPU time, on one thread."""
    X, y = load_rows(smoke)
    student = distil(X, y, None, fit_teacher(X, y), augmenter=None).student_
    n_rows = 5_000 if smoke else 400_000
    table = X[np.random.default_rng(0).integers(len(X), size=n_rows)]
    serve = {"student_": student.predict_proba}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "student.onnx"
        export_student(student, X, file)
        if file.exists():
            serve["ONNX"] = OnnxRows(file)
        rates = {}
        for name, function in serve.items():
            rates[name] = _rate(lambda f=function: _in_blocks(f, table), n_rows)
            for kind, run in list_dask_runs(function, table):
                rates[f"{name}, {kind}"] = _rate(run, n_rows)
    print_table(
        "Serving: rows a second a core",
        ["how", "rows a second"],
        [[name, f"{rate:,.0f}"] for name, rate in rates.items()],
    )
    return {"rows": n_rows, "rates": rates}


def _in_blocks(function: Any, table: np.ndarray) -> None:
    for start in range(0, len(table), 2**14):
        function(table[start : start + 2**14])


def _rate(run: Any, n_rows: int) -> float:
    run()
    times = []
    for _ in range(3):
        start = process_time()
        run()
        times.append(process_time() - start)
    return n_rows / min(times)


# The whole ----------------------------------------------------------------------------


def draw(records: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    records = sorted(records, key=lambda r: r["rows"])
    rows = [r["rows"] for r in records]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    left.plot(rows, [r["cpu"] for r in records], "ko-", label="all")
    # Told apart by shape, so that grey is enough.
    for stage, mark in zip(STAGES, "s^vDX", strict=True):
        seconds = [r["seconds"][stage] for r in records]
        left.plot(rows, seconds, f"{mark}-", label=stage)
    left.set(xscale="log", yscale="log", xlabel="rows", ylabel="CPU seconds")
    left.legend(fontsize=8)
    right.plot(rows, [r["beyond_MB"] for r in records], "ko-")
    limit = LIMITS["megabytes"]
    right.axhline(limit, color="black", linestyle=":")
    right.text(rows[0], limit, f"limit: {limit:,.0f} MB", va="bottom", fontsize=8)
    right.set(xscale="log", xlabel="rows", ylabel="peak MB beyond the teacher")
    right.set_ylim(0, 1.1 * limit)
    figure.savefig(path, dpi=120)


def run_fresh(function: Any, *args: Any) -> Any:
    """Call a function in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


PARTS = {"workers": measure_workers, "match": compare_fits, "serving": measure_serving}


def main() -> None:
    only = {"nargs": "*", "help": "numbers of rows, workers, match, serving"}
    args = read_arguments(__doc__, only=only)
    smoke, path = args.smoke, FOLDER / "scale.json"
    sizes: tuple[int, ...] = (2_000, 4_000) if smoke else SIZES
    wanted = args.only or [*map(str, sizes), *PARTS]
    if smoke:
        os.environ.setdefault("PIP_RETRIES", "0")
    result = json.loads(path.read_text()) if path.exists() and not smoke else {}
    result.pop("versions", None)
    records = {r["rows"]: r for r in result.get("growth", [])}
    for part in wanted:
        if part in PARTS:
            try:
                result[part] = PARTS[part](smoke)
            except Offline as error:
                print(f"\n{part} takes no part: {error}")
            continue
        # Fresh, for memory that was held before would not show.
        records[int(part)] = run_fresh(measure_size, int(part), smoke)
        print(f"\n{part} rows: {records[int(part)]['wall']:.0f} s", flush=True)
    if records:
        result["growth"] = list(records.values())
        result["slopes"] = show_growth(result["growth"])
        if not np.isnan(result["slopes"]["total"]):
            result["cost"] = show_cost(result["growth"], result["slopes"])
    if smoke:
        return
    write_json("scale.json", result)
    if records:
        draw(result["growth"], FOLDER / "scale.png")


if __name__ == "__main__":
    main()
