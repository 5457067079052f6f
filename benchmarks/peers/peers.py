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
- `--seconds` is the time for one peer's fit, where it has such a limit; what it
  took is in the table, from the training rows to the student, its teacher included.
- All run on one core, the last that the process may use; `taskset` gives two pieces
  that run at the same time different ones. Nothing else should run beside them, since
  the time of some is the clock's.
- A probability outside of [0, 1] is counted, then cut and normalised for the log
  loss. "one row" is the median of a call of the student's own `predict_proba` in
  Python, one thread; for skdistill also of ONNX Runtime on the same student. Peers
  that take numbers alone are given encoded rows, and the encoding is not timed.
- "ahead" and "behind" are by more than a standard error of the paired difference over
  the seeds.

    python -m benchmarks.peers.peers                                    # hours
    python -m benchmarks.peers.peers --data magic --seeds 0 --peers skdistill
    taskset -c 0 python -m benchmarks.peers.peers --data letter         # beside -c 1
    python -m benchmarks.peers.peers --smoke
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

from .._data import find_readable, split_data
from .._results import Results, find_missing, make_runs, read_arguments
from ._report import print_report
from ._worker import write_rows
from .tools import PEERS, open_peer

FOLDER = Path(__file__).parent
KEYS = ("peer", "data", "seed", "rows", "seconds")
DATA_NAMES = ("magic", "letter", "adult", "satimage")
ENVS = Path.home() / ".cache" / "skdistill-peers"
#: A peer is stopped after so many times its time, and these seconds.
PATIENCE, GRACE = 8, 240


def find_python(peer: str, envs: Path | None) -> tuple[str, str]:
    """The Python that has the peer, or why there is none; None: this one or none."""
    module = open_peer(peer)
    python = sys.executable
    if envs is not None and module.REQUIREMENTS:
        python = str(envs / peer / "bin" / "python")
        if not Path(python).exists():
            reason = make_environment(envs / peer, module.REQUIREMENTS)
            if reason:
                return "", reason
    names = ", ".join(module.NEEDS)
    done = subprocess.run(
        [python, "-c", f"import {names}"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return "", done.stderr.strip().splitlines()[-1]
    return python, ""


def make_environment(folder: Path, requirements: tuple[str, ...]) -> str:
    """Make it; return what went wrong."""
    print(f"Making {folder}: {', '.join(requirements)}", flush=True)
    python = str(folder / "bin" / "python")
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", "-q", *requirements],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no reason given"]
            return f"can't be installed: {lines[-1][:300]}"
    return ""


def find_peers(names: list[str], envs: Path | None) -> dict[str, str]:
    """Peers that can run, with their Python; the others are named with the reason."""
    found = {}
    for name in names:
        python, reason = find_python(name, envs)
        if reason:
            print(f"{name} is skipped: {reason}")
        else:
            found[name] = python
    return found


def load_rows(data: str, seed: int, rows: int) -> tuple[Any, Any, Any, Any]:
    """Frames with names that no column of labels has, and labels 0, 1, ..."""
    X_train, X_test, y_train, y_test = split_data(data, seed, rows)
    X_train, X_test = (
        pd.DataFrame(X).rename(columns=lambda name: f"c_{name}").reset_index(drop=True)
        for X in (X_train, X_test)
    )
    classes = np.unique(y_train)
    codes = (np.searchsorted(classes, y) for y in (y_train, y_test))
    return X_train, X_test, *codes


def draw_rows(rows: int) -> tuple[Any, Any, Any, Any]:
    """Two classes, for the smoke test, which has no network."""
    X, y = make_classification(2 * rows, 12, n_informative=6, random_state=0)
    frame = pd.DataFrame(X).rename(columns=lambda name: f"c_{name}")
    return train_test_split(frame, y, test_size=0.5, stratify=y, random_state=0)


def write_task(path: Path, data: str, seed: int, rows: int) -> None:
    """The rows of a run, in a file that every environment can read."""
    parts = draw_rows(rows) if data == "drawn" else load_rows(data, seed, rows)
    write_rows(path, *parts)


def run_peer(
    peer: str, data: str, seed: int, rows: int, seconds: float, pythons: dict[str, str]
) -> list[dict]:
    """The peer's students, in a process of one thread."""
    with TemporaryDirectory() as folder:
        task, result = Path(folder) / "rows.npz", Path(folder) / "students.json"
        write_task(task, data, seed, rows)
        settings = {"seed": seed, "seconds": seconds, "small": data == "drawn"}
        command = [pythons[peer], "-m", "benchmarks.peers._worker", peer, str(task)]
        command += [str(result), json.dumps(settings)]
        failed = run_worker(command, folder, PATIENCE * seconds + GRACE)
        students = json.loads(result.read_text()) if result.exists() else {}
    if failed:
        students["as a whole"] = {"failed": failed}
    parts = {"peer": peer, "data": data, "seed": seed, "rows": rows, "seconds": seconds}
    return [{**parts, "student": name, **of} for name, of in students.items()]


def run_worker(command: list[str], folder: str, limit: float) -> str:
    """Return what went wrong."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
    paths = [str(FOLDER.parents[1]), os.environ.get("PYTHONPATH", "")]
    one["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
            # Weights that a peer would fetch are not part of the comparison.
            env={**os.environ, **one, "HF_HUB_OFFLINE": "1", "TMPDIR": folder},
            cwd=folder,
        )
    except subprocess.TimeoutExpired:
        return f"stopped after {limit:.0f} seconds"
    if not done.returncode:
        return ""
    lines = done.stderr.strip().splitlines()
    return lines[-1][:300] if lines else f"exit {done.returncode}"


def keep_one_core() -> None:
    """For all peers: some start threads whatever they are told."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def run_smoke() -> None:
    """Peers that are at hand, on few drawn rows, without a network."""
    pythons = find_peers(list(PEERS), None)
    results = Results(None, KEYS)
    drawn = {"data": "drawn", "seed": 0, "rows": 200, "seconds": 1}
    make_runs(
        results,
        [{"peer": peer, **drawn} for peer in pythons],
        run_peer,
        pythons=pythons,
    )
    print_report(results.records)
    failed = [r["failed"] for r in results.records if r["student"] == "as a whole"]
    if failed:
        sys.exit(f"failed: {failed}")


def main() -> None:
    args = read_arguments(
        __doc__,
        peers={"nargs": "+", "choices": PEERS, "default": list(PEERS)},
        data={"nargs": "+", "choices": DATA_NAMES, "default": list(DATA_NAMES)},
        seeds={"nargs": "+", "type": int, "default": list(range(5))},
        rows={"type": int, "default": 4000, "help": "most training rows"},
        seconds={"type": float, "default": 60, "help": "for one peer's fit"},
        envs={"type": Path, "default": ENVS, "help": "folder of the environments"},
    )
    if args.smoke:
        run_smoke()
        return
    results = Results(FOLDER / "peers.csv", KEYS)
    limits = {"rows": args.rows, "seconds": args.seconds}
    # By seeds: an unfinished run has seen every data set.
    runs = [
        {"peer": peer, "data": data, "seed": seed, **limits}
        for seed, data, peer in product(args.seeds, args.data, args.peers)
    ]
    missing = find_missing(results, runs, args)
    names = {run["peer"] for run in missing}
    pythons = find_peers([name for name in PEERS if name in names], args.envs)
    readable = find_readable(dict.fromkeys(run["data"] for run in missing))
    jobs = [r for r in missing if r["peer"] in pythons and r["data"] in readable]
    keep_one_core()
    make_runs(results, jobs, run_peer, pythons=pythons)
    print_report([r for r in results.records if limits.items() <= r.items()])


if __name__ == "__main__":
    main()
