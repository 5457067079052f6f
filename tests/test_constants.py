"""The constants of the package are those that the released results were measured with.

Tests see which ones matter; whether a share is .2 or .25 the benchmarks have decided.
"""

import ast
import csv
import importlib
import pkgutil
from pathlib import Path

import pytest

import skdistill

FILE = Path(__file__).resolve().parents[1] / "benchmarks" / "constants.csv"


def is_number(value):
    """Whether a value is a number, or a collection of such alone."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return bool(value) and all(map(is_number, value))
    return isinstance(value, int | float)


def read_constants(name):
    """Yield the numbers of a module by name, as its text says: fixtures change some."""
    module = importlib.import_module(name)
    for node in ast.parse(Path(module.__file__).read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.Assign):
            continue
        target = node.targets[0]
        names = [getattr(n, "id", "") for n in getattr(target, "elts", [target])]
        if not all(name.isupper() for name in names):
            continue
        value = eval(ast.unparse(node.value), dict(vars(module)))
        values = value if isinstance(target, ast.Tuple) else (value,)
        yield from ((n, v) for n, v in zip(names, values, strict=True) if is_number(v))


def list_modules():
    found = pkgutil.walk_packages(skdistill.__path__, "skdistill.")
    return [info.name for info in found if not info.name.endswith("__main__")]


def read_file():
    with open(FILE, encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file)
    return {(module, name): value for module, name, value in rows}


def test_constants_are_those_of_the_results():
    """After a change, repeat the runs that it affects, and write it to the file."""
    for library in ("torch", "onnx", "skl2onnx", "matplotlib", "pandas"):
        pytest.importorskip(library)
    found = {
        (module.removeprefix("skdistill."), name): repr(value)
        for module in list_modules()
        for name, value in read_constants(module)
    }
    written = read_file()
    new = [",".join((*key, v)) for key, v in found.items() if written.get(key) != v]
    old = [",".join((*key, v)) for key, v in written.items() if found.get(key) != v]
    assert (new, old) == ([], []), f"write {new} to {FILE.name}, in place of {old}"
