"""The C file of a student, compiled and called in a loop."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from skdistill.export import to_c

#: Calls `model_predict_proba` for some rows in turn, as a program in C does.
_LOOP = """
void repeat(int n_calls, int n_rows, const double *numbers, int n_numbers,
            const char *const *texts, int n_texts, double *proba)
{
    for (int i = 0; i < n_calls; i++) {
        const double *row = numbers + (i % n_rows) * n_numbers;
        const char *const *words = texts + (i % n_rows) * n_texts;
        (void)words;
        model_predict_proba(@given, proba);
    }
}
"""
N_CALLS = 2000


def time_c(model: Any, X: Any, n_turns: int) -> dict[str, float] | None:
    """Microseconds of a row in the fastest turn, and bytes of code and tables."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    frame = pd.DataFrame(X)
    texts = [c for c in frame if frame[c].dtype.kind not in "biuf"]
    numbers = np.ascontiguousarray(frame.drop(columns=texts), dtype=float)
    words = [str(w).encode() for row in frame[texts].to_numpy() for w in row]
    given = "row, words" if texts else "row"
    with TemporaryDirectory() as folder:
        source, library = Path(folder, "model.c"), Path(folder, "model.so")
        loop = _LOOP.replace("@given", given)
        source.write_text(to_c(model, X) + loop, encoding="ascii")
        flags = ["-std=c99", "-O2", "-fPIC", "-shared"]
        subprocess.run(
            [compiler, *flags, source, "-o", library, "-lm"], check=True, cwd=folder
        )
        shape = [len(frame), numbers, numbers.shape[1], words, len(texts)]
        best = _run(ctypes.CDLL(str(library)).repeat, shape, n_turns)
        subprocess.run([compiler, *flags[:2], "-c", source], check=True, cwd=folder)
        n_bytes = _count_bytes(Path(folder, "model.o"))
    return {"us": best, "bytes": n_bytes}


def _run(repeat: Any, shape: list[Any], n_turns: int) -> float:
    n_rows, numbers, n_numbers, words, n_texts = shape
    proba = np.zeros(1000)
    doubles = ctypes.POINTER(ctypes.c_double)
    held = (ctypes.c_char_p * max(1, len(words)))(*words)
    best = np.inf
    for _ in range(n_turns):
        start = time.perf_counter_ns()
        repeat(
            *(N_CALLS, n_rows, numbers.ctypes.data_as(doubles), n_numbers),
            *(held, n_texts, proba.ctypes.data_as(doubles)),
        )
        best = min(best, (time.perf_counter_ns() - start) / N_CALLS)
    return best / 1e3


def _count_bytes(path: Path) -> float:
    """Code and constants, as `size` counts them."""
    done = subprocess.run(
        ["size", path], capture_output=True, text=True, check=True
    ).stdout
    return float(done.splitlines()[1].split()[3])
