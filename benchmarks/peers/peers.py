"""skdistill beside other ways to a small model: same rows, same seeds, same time.

- Data: magic, letter, adult and satimage; training rows are capped (`--rows`), test
  rows are what is left.
- Peers: AutoGluon's `distill()` (its own ensemble), TabTune, imodels and
  deepbridge-distillation, a script of thirty lines as tutorials have it, and a single
  tuned LightGBM, which is not distilled. All but AutoGluon, LightGBM and "all
  defaults" distil the same ensemble, a soft vote of LightGBM, a random forest, extra
  trees and a network. `tools/` has a file for each.
- Each has an environment of its own in the folder `--envs`, made when it is missing
  (AutoGluon, TabTune and deepbridge take gigabytes). One that can't be made is left
  out, and the reason printed.
- `--seconds` is the time for one peer's fit by the clock, where it has such a limit;
  the CPU seconds that it took are in the table, from the training rows to the student,
  its teacher included.
- All run on one core, the last that the process may use; `taskset` gives two pieces
  that run at the same time different ones. Nothing else should run beside them, since
  it cuts what is done within the limit.
- A probability outside of [0, 1] is counted, then cut and normalised for the log
  loss. "one row" is the median CPU time of a call of the student's own
  `predict_proba` in Python, one thread; for skdistill also of ONNX Runtime on the same
  student. Peers that take numbers alone are given encoded rows, and the encoding is not
  timed.
- "ahead" and "behind" are by more than a standard error of the paired difference over
  the seeds.

    python -m benchmarks.peers.peers                                    # hours
    python -m benchmarks.peers.peers --data magic --seeds 0 --peers skdistill
    taskset -c 0 python -m benchmarks.peers.peers --data letter         # beside -c 1
    python -m benchmarks.peers.peers --smoke
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

from .._data import DATA, split_data
from ._report import print_report
from ._run import Benchmark, Rows, name_columns, run
from .tools import PEERS

DATA_NAMES = ("magic", "letter", "adult", "satimage")


def load_rows(data: str, seed: int, rows: int) -> Rows:
    """Labels are 0, 1, ..."""
    X_train, X_test, y_train, y_test = split_data(data, seed, rows)
    classes = np.unique(y_train)
    codes = (np.searchsorted(classes, y) for y in (y_train, y_test))
    return name_columns(X_train), name_columns(X_test), *codes


def draw_rows(rows: int) -> Rows:
    """Two classes."""
    X, y = make_classification(2 * rows, 12, n_informative=6, random_state=0)
    return train_test_split(
        name_columns(X), y, test_size=0.5, stratify=y, random_state=0
    )


if __name__ == "__main__":
    run(
        Benchmark(
            __doc__,
            results=Path(__file__).with_suffix(".csv"),
            regression=False,
            peers=PEERS,
            tables={name: DATA[name] for name in DATA_NAMES},
            load=load_rows,
            draw=draw_rows,
            print_report=print_report,
        )
    )
