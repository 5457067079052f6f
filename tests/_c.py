"""C sources as loaded libraries."""

import pytest

from skdistill.export._c_library import compile_library, find_compiler

_STRICT = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


def compile_strictly(text, folder):
    """Compile a source without a warning, and load it.

    The test is skipped without a compiler.
    """
    if find_compiler() is None:
        pytest.skip("no C compiler is installed, or none is on the PATH")
    return compile_library(text, folder, _STRICT)
