"""C sources as loaded libraries, and what they answer."""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..._typing import FloatArray
from .._reading._inputs import Inputs
from ._source import encode_text, fill_in

#: Calls the function of a model row by row.
_LOOP = """
void @function_rows(size_t n_rows, const double *numbers, const char *const *texts,
                    double *answers)
{
    (void)texts;
    for (size_t i = 0; i < n_rows; i++) {
        @function(numbers + i * @n_numbers, @texts answers + i * @n_outputs);
    }
}
"""
#: What any compiler of C99 takes.
_LEAST = "#include <math.h>\n#include <string.h>\nint answer(void) { return 0; }\n"
#: Lines that an error shows of what the compiler says.
_MOST_LINES = 3


class NoCompilerError(Exception):
    """No compiler makes libraries that load here."""


def find_compiler() -> list[str] | None:
    """Return the command of a C compiler, that of ``CC`` if it is set; None: no one."""
    named = shlex.split(os.environ.get("CC", ""))
    names = [named[0]] if named else ["cc", "gcc", "clang"]
    found = next(filter(None, map(shutil.which, names)), None)
    return None if found is None else [found, *named[1:]]


def compile_library(text: str, folder: Any, flags: Sequence[str] = ()) -> ctypes.CDLL:
    """Compile a source as C99 in a folder, and load it.

    Raise a NoCompilerError without a compiler for this machine, and a ValueError where
    it refuses the source.
    """
    compiler = find_compiler()
    if compiler is None:
        raise NoCompilerError("CC, cc, gcc and clang name none")
    try:
        return _compile(compiler, text, folder, flags)
    except (subprocess.CalledProcessError, OSError) as error:
        # A compiler without headers, or for another machine, fails on any source.
        try:
            _compile(compiler, _LEAST, folder, ())
        except (subprocess.CalledProcessError, OSError):
            raise NoCompilerError(f"{compiler[0]} makes none that load") from error
        message = getattr(error, "stderr", None) or str(error)
        lines = message.strip().splitlines()[:_MOST_LINES]
        raise ValueError(f"{compiler[0]} refuses it: {' '.join(lines)}") from error


def _compile(
    compiler: list[str], text: str, folder: Any, flags: Sequence[str]
) -> ctypes.CDLL:
    n_files = len(os.listdir(folder))
    # Another name for each, for a name that is loaded is not loaded again.
    source = Path(folder, f"model_{n_files}.c")
    library = source.with_suffix(".so")
    source.write_text(text, encoding="ascii")
    made = ["-fPIC", "-shared", str(source), "-o", str(library), "-lm"]
    command = [*compiler, "-std=c99", *flags, *made]
    subprocess.run(command, capture_output=True, text=True, check=True)
    return ctypes.CDLL(str(library))


def load_model(
    text: str, function: str, inputs: Inputs, n_outputs: int, folder: Any
) -> Callable[[Any], FloatArray]:
    """Return what a function of a source of `to_c` answers on rows of a table.

    Raise as `compile_library`.
    """
    n_texts = len(inputs.texts)
    names = {
        "function": function,
        "n_numbers": len(inputs.numbers),
        "texts": f"texts + i * {n_texts}," if n_texts else "",
        "n_outputs": n_outputs,
    }
    loop = fill_in(_LOOP, names)
    answer = compile_library(text + loop, folder)[f"{function}_rows"]
    answer.restype = None

    def serve(X: Any) -> FloatArray:
        numbers, texts = split_columns(X, inputs)
        found = np.empty((len(numbers), n_outputs))
        doubles = ctypes.POINTER(ctypes.c_double)
        answer(
            ctypes.c_size_t(len(numbers)),
            numbers.ctypes.data_as(doubles),
            (ctypes.c_char_p * max(1, len(texts)))(*texts),
            found.ctypes.data_as(doubles),
        )
        return found

    return serve


def split_columns(X: Any, inputs: Inputs) -> tuple[FloatArray, list[bytes | None]]:
    """Return the columns of numbers, and the strings row by row, as C takes them."""
    columns = inputs.read_columns(X)
    numbers = [columns[k] for k in inputs.numbers]
    texts = [columns[k] for k in sorted(inputs.texts)]
    stacked = np.column_stack(numbers) if numbers else np.empty((len(columns[0]), 0))
    words = [text for row in zip(*texts, strict=True) for text in row]
    encoded = [None if text is None else encode_text(text) for text in words]
    return np.ascontiguousarray(stacked, dtype=float), encoded
