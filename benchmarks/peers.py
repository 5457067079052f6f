"""skdistill beside other ways to a small model: same rows, same seeds, same time.

- Data: magic, letter, adult and satimage; training rows are capped (`--rows`), test
  rows are what is left.
- Peers: AutoGluon's `distill()` (its own ensemble), TabTune, imodels and
  deepbridge-distillation, a script of thirty lines as tutorials have it, and a single
  tuned LightGBM, which is not distilled. All but AutoGluon, LightGBM and "all
  defaults" distil the same ensemble, a soft vote of LightGBM, a random forest, extra
  trees and a network. `_peers/` has a file for each.
- Each has an environment of its own in the folder `--envs`, made when it is missing
  (AutoGluon, TabTune and deepbridge take gigabytes). One that can't be made is left
  out, and the reason printed.
- `--seconds` is the time for one peer's fit, as far as it knows such a limit; what it
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

Results are merged into peers.json run by run, and what is there is not repeated.

    python benchmarks/peers.py                                    # hours
    python benchmarks/peers.py --data magic --seeds 0 --peers skdistill autogluon
    taskset -c 0 python benchmarks/peers.py --data letter         # beside -c 1
    python benchmarks/peers.py --smoke                            # writes nothing
"""

from __future__ import annotations

from _common import FOLDER, read_arguments, write_json

# isort: split
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
from _data import Offline, split_data
from _peer_report import print_report
from _peer_worker import write_rows
from _peers import PEERS, open_peer
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

DATA_NAMES = ("magic", "letter", "adult", "satimage")
ENVS = Path.home() / ".cache" / "skdistill-peers"
#: A peer is stopped after so many times its time, and these seconds.
PATIENCE, GRACE = 8, 240


def make_key(peer: str, data: str, seed: int, rows: int, seconds: float) -> str:
    return f"{peer}/{data}/{seed}/{rows}/{seconds:g}"


def read_runs() -> dict[str, dict]:
    """The runs made before."""
    path = FOLDER / "peers.json"
    return json.loads(path.read_text())["runs"] if path.exists() else {}


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


def run_peer(
    peer: str, python: str, rows: Path, settings: dict[str, Any], limit: float
) -> dict[str, Any]:
    """The peer's students, in a process of one thread; `failed` if that dies."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
    with TemporaryDirectory() as folder:
        result = Path(folder) / "students.json"
        command = [python, str(FOLDER / "_peer_worker.py"), peer, str(rows)]
        command += [str(result), json.dumps(settings)]
        failed = ""
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
            if done.returncode:
                lines = done.stderr.strip().splitlines()
                failed = lines[-1][:300] if lines else f"exit {done.returncode}"
        except subprocess.TimeoutExpired:
            failed = f"stopped after {limit:.0f} seconds"
        students = json.loads(result.read_text()) if result.exists() else {}
    return {"students": students, **({"failed": failed} if failed else {})}


def keep_one_core() -> None:
    """For all peers: some start threads whatever they are told."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def plan_jobs(args, peers: dict[str, str], runs: dict[str, dict]) -> list[tuple]:
    """Data set by data set within a seed, so that an unfinished run has all of them."""
    jobs = product(args.seeds, args.data, peers)
    return [
        (peer, data, seed)
        for seed, data, peer in jobs
        if args.again or make_key(peer, data, seed, args.rows, args.seconds) not in runs
    ]


def run_jobs(args, peers: dict[str, str], runs: dict[str, dict]) -> None:
    """One after the other, for they are timed; each is merged into peers.json."""
    jobs = plan_jobs(args, peers, runs)
    limit = PATIENCE * args.seconds + GRACE
    keep_one_core()
    for done, (peer, data, seed) in enumerate(jobs, 1):
        with TemporaryDirectory() as folder:
            rows = Path(folder) / "rows.npz"
            try:
                write_rows(rows, *load_rows(data, seed, args.rows))
            except Offline as reason:
                print(f"{data} is left out: {reason}")
                continue
            settings = {"seed": seed, "seconds": args.seconds, "small": False}
            run = run_peer(peer, peers[peer], rows, settings, limit)
        parts = {"peer": peer, "data": data, "seed": seed}
        run["of"] = {**parts, "rows": args.rows, "seconds": args.seconds}
        print(f"{done} of {len(jobs)}: {peer}, {data}, seed {seed}", flush=True)
        key = make_key(peer, data, seed, args.rows, args.seconds)
        # Another piece may have been written meanwhile.
        runs.update({**read_runs(), key: run})
        write_json("peers.json", {"runs": dict(sorted(runs.items()))})


def run_smoke() -> None:
    """Peers that are at hand, on few drawn rows, without a network."""
    peers = find_peers(list(PEERS), None)
    settings = {"seed": 0, "seconds": 1, "small": True}
    runs = {}
    with TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npz"
        write_rows(rows, *draw_rows(200))
        for peer, python in peers.items():
            run = run_peer(peer, python, rows, settings, limit=300)
            run["of"] = {"peer": peer, "data": "drawn", "seed": 0}
            runs[peer] = run
    print_report(runs)
    failed = {peer: run["failed"] for peer, run in runs.items() if "failed" in run}
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
        again={"action": "store_true", "help": "repeat what is in peers.json"},
        report={"action": "store_true", "help": "print what is there, run nothing"},
    )
    if args.smoke:
        run_smoke()
        return
    runs = read_runs()
    if not args.report:
        run_jobs(args, find_peers(args.peers, args.envs), runs)
    print_report(
        {
            key: run
            for key, run in runs.items()
            if (run["of"]["rows"], run["of"]["seconds"]) == (args.rows, args.seconds)
        }
    )


if __name__ == "__main__":
    main()
