"""C sources as loaded libraries."""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import pytest

_STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


def compile_strictly(text, folder):
    """Compile a source without a warning, and load it.

    The test is skipped without a compiler.
    """
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        pytest.skip("no C compiler is installed, or none is on the PATH")
    source = Path(folder, f"strict_{len(os.listdir(folder))}.c")
    source.write_text(text, encoding="ascii")
    library = str(source.with_suffix(".so"))
    made = ["-fPIC", "-shared", str(source), "-o", library, "-lm"]
    subprocess.run([compiler, *_STRICT, *made], check=True)
    return ctypes.CDLL(library)
