"""The C file of a student, compiled and called in a loop."""

from __future__ import annotations

import ctypes
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from skdistill.export import to_c

from .._private import compile_library, find_compiler

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
    compiler = find_compiler()
    if compiler is None:
        return None
    frame = pd.DataFrame(X)
    texts = [c for c in frame if frame[c].dtype.kind not in "biuf"]
    numbers = np.ascontiguousarray(frame.drop(columns=texts), dtype=float)
    words = [str(w).encode() for row in frame[texts].to_numpy() for w in row]
    given = "row, words" if texts else "row"
    with TemporaryDirectory() as folder:
        text = to_c(model, X) + _LOOP.replace("@given", given)
        repeat = compile_library(text, folder, ["-O2"]).repeat
        shape = [len(frame), numbers, numbers.shape[1], words, len(texts)]
        best = _run(repeat, shape, n_turns)
        n_bytes = _count_bytes(compiler, text, folder)
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


def _count_bytes(compiler: list[str], text: str, folder: str) -> float:
    """Code and constants, as `size` counts them."""
    source, made = Path(folder, "sized.c"), Path(folder, "sized.o")
    source.write_text(text, encoding="ascii")
    flags = ["-std=c99", "-O2", "-c", source, "-o", made]
    subprocess.run([*compiler, *flags], check=True)
    done = subprocess.run(["size", made], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[1].split()[3])
