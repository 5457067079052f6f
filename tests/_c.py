"""C sources as loaded libraries."""

import ctypes
import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


#: A function, loops over trees and their nodes, and what a node does.
_DEEPEST = 5


#: The constants of sigmoids and clipped probabilities.
_CONSTANTS = {"0.0", "1.0", "2.0", "1e-30"}


def check_plain(text):
    """Assert that a source includes little, and is tables and loops.

    Numbers of the model are integers or hexadecimal floats, which no rounding changes,
    and nothing is nested deep.
    """
    included = re.findall(r"^\s*#\s*include\s*(.+)$", text, re.MULTILINE)
    assert included == ["<math.h>", "<string.h>"]
    code = re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\])*"', " ", text, flags=re.DOTALL)
    numbers = re.findall(r"(?<![\w.])\.?\d(?:[eEpP][+-]|[\w.])*", code)
    exact = re.compile(r"\d+|0x\d\.[\da-f]+p[+-]\d+")
    assert {n for n in numbers if not exact.fullmatch(n)} <= _CONSTANTS
    depths = itertools.accumulate((c == "{") - (c == "}") for c in code)
    assert max(depths) <= _DEEPEST


def compile_strictly(text, folder):
    """Check and compile a source without a warning, and load it.

    The test is skipped without a compiler.
    """
    check_plain(text)
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.skip("no C compiler is installed, or none is on the PATH")
    source = Path(folder, f"strict_{len(os.listdir(folder))}.c")
    source.write_text(text, encoding="ascii")
    library = str(source.with_suffix(".so"))
    made = ["-fPIC", "-shared", str(source), "-o", library, "-lm"]
    subprocess.run([compiler, *_STRICT, *made], check=True)
    return ctypes.CDLL(library)
