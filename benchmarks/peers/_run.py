"""Each peer in an environment and a process of its own, on the same rows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from .._data import Table, find_readable
from .._results import Results, find_missing, make_runs, read_arguments
from ._worker import write_rows
from .tools import open_peer

KEYS = ("peer", "data", "seed", "rows", "seconds")
ENVS = Path.home() / ".cache" / "skdistill-peers"
#: A peer is stopped after so many times its time, and these seconds.
PATIENCE, GRACE = 20, 240

#: X_train, X_test, y_train, y_test.
Rows = tuple[Any, Any, Any, Any]


@dataclass(frozen=True)
class Benchmark:
    """What differs between the benchmark of classes and that of values."""

    description: str
    results: Path
    regression: bool
    peers: tuple[str, ...]
    tables: dict[str, Callable[[], Table]]
    #: Rows of a data set, a seed and at most so many training rows.
    load: Callable[[str, int, int], Rows]
    #: So many rows for the smoke test, which has no network.
    draw: Callable[[int], Rows]
    print_report: Callable[[list[dict]], None]
    #: For one peer's fit.
    seconds: float = 60


def name_columns(X) -> pd.DataFrame:
    """A frame with names that no column of labels has."""
    frame = pd.DataFrame(X).rename(columns=lambda name: f"c_{name}")
    return frame.reset_index(drop=True)


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


def run_peer(
    peer: str,
    data: str,
    seed: int,
    rows: int,
    seconds: float,
    *,
    benchmark: Benchmark,
    pythons: dict[str, str],
) -> list[dict]:
    """The peer's students, in a process of one thread."""
    with TemporaryDirectory() as folder:
        task, result = Path(folder) / "rows.npz", Path(folder) / "students.json"
        small = data == "drawn"
        parts = benchmark.draw(rows) if small else benchmark.load(data, seed, rows)
        # In a file that every environment can read.
        write_rows(task, *parts)
        settings = {"seed": seed, "seconds": seconds, "small": small}
        settings["regression"] = benchmark.regression
        command = [pythons[peer], "-m", "benchmarks.peers._worker", peer, str(task)]
        command += [str(result), json.dumps(settings)]
        failed = run_worker(command, folder, PATIENCE * seconds + GRACE)
        students = json.loads(result.read_text()) if result.exists() else {}
    if failed:
        students["as a whole"] = {"failed": failed}
    keys = dict(zip(KEYS, (peer, data, seed, rows, seconds), strict=True))
    return [{**keys, "student": name, **of} for name, of in students.items()]


def run_worker(command: list[str], folder: str, limit: float) -> str:
    """Return what went wrong."""
    one = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
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


def run_smoke(benchmark: Benchmark) -> None:
    """Peers that are at hand, on few drawn rows, without a network."""
    pythons = find_peers(list(benchmark.peers), None)
    results = Results(None, KEYS)
    drawn = {"data": "drawn", "seed": 0, "rows": 200, "seconds": 1}
    make_runs(
        results,
        [{"peer": peer, **drawn} for peer in pythons],
        run_peer,
        benchmark=benchmark,
        pythons=pythons,
    )
    benchmark.print_report(results.records)
    failed = [r["failed"] for r in results.records if r["student"] == "as a whole"]
    if failed:
        sys.exit(f"failed: {failed}")


def run(benchmark: Benchmark) -> None:
    names, tables = list(benchmark.peers), list(benchmark.tables)
    args = read_arguments(
        benchmark.description,
        peers={"nargs": "+", "choices": names, "default": names},
        data={"nargs": "+", "choices": tables, "default": tables},
        seeds={"nargs": "+", "type": int, "default": list(range(5))},
        rows={"type": int, "default": 4000, "help": "most training rows"},
        seconds={
            "type": float,
            "default": benchmark.seconds,
            "help": "for one peer's fit",
        },
        envs={"type": Path, "default": ENVS, "help": "folder of the environments"},
    )
    if args.smoke:
        run_smoke(benchmark)
        return
    results = Results(benchmark.results, KEYS)
    limits = {"rows": args.rows, "seconds": args.seconds}
    # By seeds: an unfinished run has seen every data set.
    runs = [
        {"peer": peer, "data": data, "seed": seed, **limits}
        for seed, data, peer in product(args.seeds, args.data, args.peers)
    ]
    missing = find_missing(results, runs, args)
    wanted = {r["peer"] for r in missing}
    pythons = find_peers([name for name in names if name in wanted], args.envs)
    data = dict.fromkeys(r["data"] for r in missing)
    readable = find_readable(data, benchmark.tables)
    jobs = [r for r in missing if r["peer"] in pythons and r["data"] in readable]
    keep_one_core()
    make_runs(results, jobs, run_peer, benchmark=benchmark, pythons=pythons)
    records = [r for r in results.records if limits.items() <= r.items()]
    benchmark.print_report(records)
