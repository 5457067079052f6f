"""skdistill beside other ways to a small model of values: same rows, same time.

- Data: diamonds, which has columns of text, and compactiv, which has none; training
  rows are capped (`--rows`), test rows are what is left, at most 20,000.
- Peers: AutoGluon's `distill()` (its own ensemble), TabTune, and a single tuned
  LightGBM, which is not distilled. TabTune and skdistill, but for "all defaults",
  distil the same ensemble, the mean of LightGBM, a random forest, extra trees and a
  network. deepbridge-distillation takes classes alone; imodels and the script of a
  tutorial are measured there alone.
- Environments, cores and seeds are as in `peers.py`. `--seconds` is twice as much as
  there, for a machine that does other work.
- A lead is the mean difference in RMSE from the best student of a peer, chosen by the
  test rows, over the seeds that both have, with the standard error of the paired
  difference; "ahead" and "behind" are by more than one.

    python -m benchmarks.peers.regression                               # an hour
    python -m benchmarks.peers.regression --data diamonds --seeds 0 --peers skdistill
    python -m benchmarks.peers.regression --smoke
"""

from __future__ import annotations

from functools import partial
from math import floor, log10
from pathlib import Path

import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.model_selection import train_test_split

from .._tables import print_table
from ..quality._values import TABLES, split_values
from ._report import (
    Students,
    compare,
    find_best,
    group_students,
    print_data,
    read_values,
    show_mean,
)
from ._run import Benchmark, Rows, name_columns, run

PEERS = ("skdistill", "lightgbm", "autogluon", "tabtune")
DATA_NAMES = ("diamonds", "compactiv")
#: Significant digits of an RMSE.
DIGITS = 4


def load_rows(data: str, seed: int, rows: int) -> Rows:
    X_train, X_test, *values = split_values(data, seed, rows)
    return name_columns(X_train), name_columns(X_test), *values


def draw_rows(rows: int) -> Rows:
    X, y = make_friedman1(2 * rows, noise=1.0, random_state=0)
    return train_test_split(name_columns(X), y, test_size=0.5, random_state=0)


def count_decimals(students: Students) -> int:
    """Decimals that give the smallest RMSE so many significant digits."""
    values = [
        value
        for records in students.values()
        for value in read_values(records, "rmse").values()
    ]
    return max(0, DIGITS - 1 - floor(log10(min(values)))) if values else DIGITS


def divide(theirs: dict[int, dict], ours: dict[int, dict], name: str) -> str:
    """How many times as long their call takes as ours, by `name`."""
    times = list(read_values(theirs, "p50_us").values())
    own = [r[name] for r in ours.values() if name in r]
    return f"{np.median(times) / np.median(own):,.1f}" if own else "-"


def list_leads(data: str, students: Students) -> list[list]:
    """Each of our students against the best one of each peer."""
    rows, decimals = [], count_decimals(students)
    errors = {
        name: values
        for name, records in students.items()
        if (values := read_values(records, "rmse"))
    }
    for own in (name for name in errors if name.startswith("skdistill")):
        for peer in PEERS[1:]:
            best = find_best(students, (peer,), "rmse", -1, {*errors[own]})
            if best is None:
                continue
            lead, result = compare(errors[own], errors[best], -1, decimals)
            rows.append(
                [
                    data,
                    own,
                    best,
                    lead,
                    result,
                    divide(students[best], students[own], "p50_us"),
                    divide(students[best], students[own], "onnx_us"),
                    len({*errors[own]} & {*errors[best]}),
                ]
            )
    return rows


def print_report(records: list[dict]) -> None:
    leads = []
    for data, students in group_students(records).items():
        rmse = partial(show_mean, name="rmse", digits=count_decimals(students))
        columns = {"RMSE": rmse, "R²": partial(show_mean, name="r2")}
        print_data(data, students, columns)
        leads += list_leads(data, students)
    header = ["data", "student", "best of a peer", "lead in RMSE", "result"]
    header += ["times as fast", "by ONNX Runtime", "seeds"]
    print_table("Leads over other tools", header, leads)


if __name__ == "__main__":
    run(
        Benchmark(
            __doc__,
            results=Path(__file__).with_suffix(".csv"),
            regression=True,
            peers=PEERS,
            tables={name: TABLES[name] for name in DATA_NAMES},
            load=load_rows,
            draw=draw_rows,
            print_report=print_report,
            seconds=120,
        )
    )
