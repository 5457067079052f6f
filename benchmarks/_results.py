"""Results as CSV files: one row a run, from which a benchmark resumes."""

from __future__ import annotations

import argparse
import csv
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from math import isnan
from pathlib import Path
from typing import Any

import sklearn
from joblib import Parallel, delayed

#: Significant digits of what is written; the tables show fewer.
DIGITS = 9
VERSION = "scikit-learn"

Record = dict[str, Any]


class Results:
    """The records of one benchmark; those of one run share their `keys`.

    A record may be nested: `{"teacher": {"accuracy": .9}}` is stored in the column
    `teacher.accuracy`. Without a path nothing is read or written.
    """

    def __init__(self, path: Path | None, keys: tuple[str, ...]):
        self.path, self.keys = path, keys
        self._runs: dict[tuple, list[Record]] = {}
        self._read()

    @property
    def records(self) -> list[Record]:
        """All records, sorted by their keys."""
        return [nest(row) for row in self._list_rows()]

    def has(self, run: Record) -> bool:
        return self._identify(run) in self._runs

    def add(self, records: list[Record]) -> None:
        """Store the records of some runs, in place of what is there of these runs."""
        # Another process may have written meanwhile.
        self._read()
        rows = [dict(flatten(record)) for record in records]
        for row in rows:
            self._runs.pop(self._identify(row), None)
        for row in rows:
            row = {name: parse(show(value)) for name, value in row.items()}
            row[VERSION] = sklearn.__version__
            self._runs.setdefault(self._identify(row), []).append(row)
        self._write()

    def _identify(self, row: Record) -> tuple:
        return tuple(parse(show(row[name])) for name in self.keys)

    def _list_rows(self) -> list[Record]:
        def order(key: tuple) -> list[tuple]:
            return [(isinstance(part, str), part) for part in key]

        return [row for key in sorted(self._runs, key=order) for row in self._runs[key]]

    def _read(self) -> None:
        if self.path is None or not self.path.exists():
            return
        self._runs = {}
        with self.path.open(newline="") as file:
            for line in csv.DictReader(file):
                row = {name: parse(text) for name, text in line.items() if text != ""}
                self._runs.setdefault(self._identify(row), []).append(row)

    def _write(self) -> None:
        """Replace the file at once: an interrupted benchmark leaves it whole."""
        if self.path is None:
            return
        rows = self._list_rows()
        names = dict.fromkeys(name for row in rows for name in row)
        names = [*self.keys, *(n for n in names if n not in (*self.keys, VERSION))]
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        with part.open("w", newline="") as file:
            writer = csv.DictWriter(file, [*names, VERSION], lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow({name: show(value) for name, value in row.items()})
        os.replace(part, self.path)


def flatten(record: Record, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Columns and values; what is None or NaN has no cell."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{name}.")
        elif value is not None and not (isinstance(value, float) and isnan(value)):
            yield f"{prefix}{name}", value


def nest(row: Record) -> Record:
    """Invert `flatten`."""
    record: Record = {}
    for name, value in row.items():
        *groups, last = name.split(".")
        part = record
        for group in groups:
            part = part.setdefault(group, {})
        part[last] = value
    return record


def show(value: Any) -> str:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)


def parse(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def read_arguments(description: str, **options: dict) -> argparse.Namespace:
    """Return the options of every benchmark, and those of this one."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="tiny, writes nothing")
    parser.add_argument("--report", action="store_true", help="run nothing")
    parser.add_argument("--again", action="store_true", help="repeat what is there")
    for name, settings in options.items():
        parser.add_argument(f"--{name}", **settings)
    args = parser.parse_args()
    if args.smoke:
        # Where there is no network, that is found out at once.
        os.environ.setdefault("PIP_RETRIES", "0")
    return args


def find_missing(results: Results, runs: list[Record], args) -> list[Record]:
    """Return the runs that are still to be made."""
    if args.report:
        return []
    return [run for run in runs if args.again or not results.has(run)]


def make_runs(
    results: Results,
    jobs: list[Record],
    function: Callable[..., list[Record]],
    n_jobs: int = 1,
    **settings: Any,
) -> bool:
    """Call `function(**job, **settings)` for each job, and store what each returns.

    The jobs that fail are named at the end, since one failure must not cost a
    benchmark of hours, and the exit status is 1. Return whether anything was run.
    """
    failures = []
    calls = (delayed(_attempt)(function, job, settings) for job in jobs)
    made = Parallel(n_jobs, return_as="generator_unordered")(calls)
    for number, (job, records, failure) in enumerate(made, 1):
        name = ", ".join(str(part) for part in job.values())
        print(f"{number} of {len(jobs)}: {name}{' failed' * bool(failure)}", flush=True)
        if failure:
            failures.append(f"{name}\n{failure}")
        else:
            results.add(records)
    if failures:
        sys.exit("\n".join([f"{len(failures)} of {len(jobs)} runs failed:", *failures]))
    return bool(jobs)


def _attempt(function, job, settings) -> tuple[Record, list[Record], str]:
    try:
        return job, function(**job, **settings), ""
    except Exception:
        return job, [], traceback.format_exc()
