"""C sources as loaded libraries."""

import ctypes
import shutil
import subprocess

import pytest

_STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]


def compile_library(text, source):
    """Write a source, compile it without a warning, and load it.

    The test is skipped without a compiler.
    """
    compiler = next(filter(None, map(shutil.which, ["cc", "gcc", "clang"])), None)
    if compiler is None:
        pytest.skip("no C compiler is installed, or none is on the PATH")
    source.write_text(text, encoding="ascii")
    library = source.with_suffix(".so")
    command = [compiler, *_STRICT, "-fPIC", "-shared", source, "-o", library, "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))
