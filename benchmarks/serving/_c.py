"""The C file of a student, compiled and called in a loop."""

from __future__ import annotations

import ctypes
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from skdistill.export import to_c

from .._private import compile_library, find_compiler

#: Calls a model for some rows in turn, as a program in C does.
_LOOP = """
void repeat(int n_calls, int n_rows, const double *numbers, int n_numbers,
            const char *const *texts, int n_texts, double *proba)
{
    for (int i = 0; i < n_calls; i++) {
        const double *row = numbers + (i % n_rows) * n_numbers;
        const char *const *words = texts + (i % n_rows) * n_texts;
        (void)words;
        @call
    }
}
"""
N_CALLS = 2000


def time_c(model: Any, X: Any, n_turns: int) -> dict[str, float] | None:
    """Microseconds of a row in the fastest turn, and bytes of code and tables."""
    if find_compiler() is None:
        return None
    frame = pd.DataFrame(X)
    texts = [c for c in frame if frame[c].dtype.kind not in "biuf"]
    numbers = np.ascontiguousarray(frame.drop(columns=texts), dtype=float)
    words = [str(w).encode() for row in frame[texts].to_numpy() for w in row]
    given = "row, words" if texts else "row"
    call = f"model_predict_proba({given}, proba);"
    return time_source(to_c(model, X), call, numbers, n_turns, words, len(texts))[0]


def time_source(
    text: str,
    call: str,
    numbers: Any,
    n_turns: int,
    words: Sequence[bytes] = (),
    n_texts: int = 0,
    flags: Sequence[str] = (),
    n_outputs: int = 0,
) -> tuple[dict[str, float], np.ndarray]:
    """Time C statements that make `proba` of `row` and `words`, and return answers."""
    with TemporaryDirectory() as folder:
        text += _LOOP.replace("@call", call)
        repeat = compile_library(text, folder, ["-O2", *flags]).repeat
        shape = [len(numbers), numbers, numbers.shape[1], words, n_texts]
        found = np.zeros((len(numbers), n_outputs))
        for k in range(len(numbers) if n_outputs else 0):
            found[k] = _call(repeat, 1, [1, numbers[k:], *shape[2:]])[:n_outputs]
        best = _run(repeat, shape, n_turns)
        n_bytes = _count_bytes(text, folder, flags)
    return {"us": best, "bytes": n_bytes}, found


def _run(repeat: Any, shape: list[Any], n_turns: int) -> float:
    best = np.inf
    for _ in range(n_turns):
        start = time.perf_counter_ns()
        _call(repeat, N_CALLS, shape)
        best = min(best, (time.perf_counter_ns() - start) / N_CALLS)
    return best / 1e3


def _call(repeat: Any, n_calls: int, shape: list[Any]) -> np.ndarray:
    n_rows, numbers, n_numbers, words, n_texts = shape
    proba = np.zeros(1000)
    doubles = ctypes.POINTER(ctypes.c_double)
    held = (ctypes.c_char_p * max(1, len(words)))(*words)
    repeat(
        *(n_calls, n_rows, numbers.ctypes.data_as(doubles), n_numbers),
        *(held, n_texts, proba.ctypes.data_as(doubles)),
    )
    return proba


def _count_bytes(text: str, folder: str, flags: Sequence[str]) -> float:
    """Code and constants, as `size` counts them."""
    source, made = Path(folder, "sized.c"), Path(folder, "sized.o")
    source.write_text(text, encoding="ascii")
    given = ["-std=c99", "-O2", *flags, "-c", source, "-o", made]
    subprocess.run([*(find_compiler() or ["cc"]), *given], check=True)
    done = subprocess.run(["size", made], capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[1].split()[3])
