"""Time and memory of a fit as the transfer set grows, and what 10^9 rows would cost.

A transfer set of 10^4 to 10^7 rows of 20 columns, half of it read from a Parquet
folder, half made by MUNGE on blocks of it, labelled by a fixed teacher (a random forest
of 50 trees on 4,000 rows, cheap for a teacher) and learned by a network 64-32 in one
epoch. CPU seconds of each stage, slopes on doubly logarithmic axes from 10^5 rows up,
and the peak of resident memory, each size in a process of its own. The folder is made
of satimage: the first 20 columns of a row, moved by a tenth of their standard
deviations. Hours of one core, and their price, for 10^8 and 10^9 rows follow from the
slopes.

The targets: a slope of at most 1.05; memory at 10^7 rows at most 1.2 times that at
10^6, and under 1.5 GB beyond the teacher.

    python -m benchmarks.scale.growth                    # up to 10^6 rows
    python -m benchmarks.scale.growth --sizes 10000000   # adds one
    python -m benchmarks.scale.growth --smoke
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import pandas as pd

from .._data import CACHE
from .._measure import read_megabytes, run_fresh
from .._private import STAGES
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import print_table
from ._meter import measure_stages
from ._rows import check_limit, distil, fit_teacher, load_rows

FOLDER = Path(__file__).parent
KEYS = ("rows",)
SIZES, SMOKE_SIZES = (10_000, 100_000, 1_000_000), (2_000, 4_000)
LARGEST, FILE_ROWS = 10_000_000, 2**17
SLOPE_LIMIT, GROWTH_LIMIT, MEGABYTES_LIMIT = 1.05, 1.2, 1500.0
#: Rows from which slopes are fitted, and what is paid for an hour of a core.
FROM_ROWS, PRICE = 100_000, 0.05


def write_rows(X: np.ndarray, n_rows: int, folder: Path) -> None:
    """A Parquet folder of moved copies of real rows."""
    names = [f"x{j}" for j in range(X.shape[1])]
    for number, start in enumerate(range(0, n_rows, FILE_ROWS)):
        rng = np.random.default_rng(number)
        rows = X[rng.integers(len(X), size=min(FILE_ROWS, n_rows - start))]
        rows = rows + 0.1 * X.std(axis=0) * rng.standard_normal(rows.shape)
        table = pd.DataFrame(rows, columns=names)
        table.to_parquet(folder / f"{number:04}.parquet", row_group_size=2**15)


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
        "beyond_MB": max(meter.peaks.values()) - before,
    }


def measure(rows: int, smoke: bool) -> list[dict]:
    return [run_fresh(measure_size, rows, smoke)]


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


def print_growth(records: list[dict], slopes: dict[str, float]) -> None:
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
    slope_cells = [f"{slopes[stage]:.2f}" for stage in STAGES]
    rows.append(["slope", *slope_cells, "", f"{slopes['total']:.2f}"] + [""] * 7)
    peaks = [f"MB {stage}" for stage in STAGES]
    print_table(
        "CPU seconds and peak memory by stage; half the rows read, half made",
        ["rows", *STAGES, "rest", "CPU", "wall", *peaks, "MB beyond the teacher"],
        rows,
    )


def print_limits(records: list[dict], slopes: dict[str, float]) -> None:
    lines = [check_limit("slope", slopes["total"], SLOPE_LIMIT)]
    held = {r["rows"]: r["beyond_MB"] for r in records}
    totals = {r["rows"]: max(r["peak_MB"].values()) for r in records}
    if LARGEST in held:
        if LARGEST // 10 in totals:
            growth = totals[LARGEST] / totals[LARGEST // 10]
            lines.append(check_limit("growth", growth, GROWTH_LIMIT))
        lines.append(check_limit("megabytes", held[LARGEST], MEGABYTES_LIMIT))
    print("\n" + "\n".join(lines))


def print_cost(last: dict, slopes: dict[str, float]) -> None:
    """Extrapolate from the largest size, stage by stage."""
    rows = []
    for n_rows in (10**8, 10**9):
        factor = n_rows / last["rows"]
        seconds = sum(
            last["seconds"][stage] * factor ** slopes[stage] for stage in STAGES
        )
        hours = (seconds + last["seconds"]["rest"] * factor) / 3600
        rows.append([f"{n_rows:,}", f"{hours:.1f}", f"{PRICE * hours:.2f}"])
    title = f"Cost by the slopes, at {PRICE} an hour of a core"
    print_table(title, ["rows", "core-hours", "price"], rows)


def draw(records: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

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
    limit = MEGABYTES_LIMIT
    right.axhline(limit, color="black", linestyle=":")
    right.text(rows[0], limit, f"limit: {limit:,.0f} MB", va="bottom", fontsize=8)
    right.set(xscale="log", xlabel="rows", ylabel="peak MB beyond the teacher")
    right.set_ylim(0, 1.1 * limit)
    figure.savefig(path, dpi=120)
    print(f"Written: {path.name}")


def main() -> None:
    args = read_arguments(
        __doc__, sizes={"nargs": "+", "type": int, "default": list(SIZES)}
    )
    results = Results(None if args.smoke else FOLDER / "growth.csv", KEYS)
    sizes = SMOKE_SIZES if args.smoke else args.sizes
    missing = find_missing(results, [{"rows": size} for size in sizes], args)
    changed = make_runs(results, missing, measure, smoke=args.smoke)
    records = results.records
    slopes = fit_slopes(records)
    print_growth(records, slopes)
    print_limits(records, slopes)
    if not np.isnan(slopes["total"]):
        print_cost(records[-1], slopes)
    if changed and not args.smoke:
        draw(records, FOLDER / "growth.png")


if __name__ == "__main__":
    main()
