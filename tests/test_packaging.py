"""What is shipped: the contents of the archives, and an import from the wheel alone.

Nothing here reaches the network: the builds use the installed setuptools, and the
wheel is installed without its dependencies.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = PROJECT["project"]["version"]
#: What is no module.
DATA = {
    "skdistill/py.typed",
    "skdistill/datasets/LICENSE",
    "skdistill/datasets/data/letter.npz",
}
HEAVY = ["torch", "lightgbm", "matplotlib", "onnx", "skorch", "polars"]
HEAVY += ["dask", "distributed", "pyarrow", "ray"]


def _run(*command, cwd):
    # Coverage would follow into the subprocess and measure the copy.
    env = {
        k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE"))
    }
    result = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=env | {"PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Build in a copy, for setuptools writes next to the sources."""
    folder = tmp_path_factory.mktemp("packaging")
    source = folder / "source"
    source.mkdir()
    for name in ["pyproject.toml", "setup.cfg", "README.md", "LICENSE", "CHANGELOG.md"]:
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ["skdistill", "tests", "benchmarks"]:
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    result = _run("-m", "build", "--no-isolation", "--outdir", folder, cwd=source)
    return folder, result.stdout + result.stderr


@pytest.fixture(scope="module")
def wheel(build):
    return build[0] / f"skdistill-{VERSION}-py3-none-any.whl"


def _list_modules():
    return {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "skdistill").rglob("*.py")
    }


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    metadata = f"skdistill-{VERSION}.dist-info"

    assert {name for name in names if not name.startswith(metadata)} == (
        _list_modules() | DATA
    )
    assert f"{metadata}/licenses/LICENSE" in names
    assert f"{metadata}/licenses/skdistill/datasets/LICENSE" in names


@pytest.mark.slow
def test_wheel_metadata(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"skdistill-{VERSION}.dist-info/METADATA").decode()
        scripts = archive.read(f"skdistill-{VERSION}.dist-info/entry_points.txt")
    assert b"skdistill = skdistill._cli:main" in scripts
    assert "License-Expression: BSD-3-Clause AND CC-BY-4.0" in metadata
    assert "Requires-Python: >=3.11" in metadata
    for requirement in PROJECT["project"]["dependencies"]:
        assert f"Requires-Dist: {requirement}\n" in metadata


@pytest.mark.slow
def test_sdist_holds_what_a_build_needs(build):
    with tarfile.open(build[0] / f"skdistill-{VERSION}.tar.gz") as archive:
        members = archive.getmembers()
    names = {member.name.partition("/")[2] for member in members}
    needed = {"pyproject.toml", "setup.cfg", "README.md", "LICENSE"}

    assert names >= needed | _list_modules() | DATA
    assert not any(name.startswith("benchmarks") for name in names)
    # setup.cfg is read: the archive does not name its builder.
    assert {member.uname for member in members} == {"root"}


@pytest.mark.slow
def test_build_warns_of_nothing_deprecated(build):
    assert "deprecat" not in build[1].lower()


@pytest.mark.slow
def test_import_from_the_wheel_is_light(wheel, tmp_path):
    _run(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
        *("--target", tmp_path / "site", wheel),
        cwd=tmp_path,
    )
    # scikit-learn imports pandas where it is installed; with pandas out of reach, an
    # import of our own is an ImportError.
    code = (
        "import json, sys\n"
        "sys.modules['pandas'] = None\n"
        f"sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        "import skdistill\n"
        "import skdistill.metrics\n"
        f"heavy = [name for name in {HEAVY} if name in sys.modules]\n"
        "print(json.dumps([skdistill.__file__, heavy]))"
    )
    # -I: neither PYTHONPATH nor the current folder can supply the package.
    file, heavy = json.loads(_run("-I", "-c", code, cwd=tmp_path).stdout)
    assert Path(file).is_relative_to(tmp_path / "site")
    assert heavy == []


#: What a user's program may rely on, line by line.
CONSUMER = """
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from skdistill import DistilledClassifier, DistilledRegressor, FunctionClassifier

Floats = NDArray[np.float64]

def use(X: Any, y: Any) -> None:
    distilled = DistilledClassifier(cv=5, n_synthetic="auto", random_state=0)
    assert_type(distilled.fit(X, y, X_val=X, y_val=y), DistilledClassifier)
    assert_type(distilled.predict_proba(X), Floats)
    assert_type(distilled.predict_log_proba(X), Floats)
    assert_type(distilled.predict(X), NDArray[Any])
    assert_type(DistilledRegressor(alpha=0.5).fit(X, y), DistilledRegressor)
    assert_type(DistilledRegressor().predict(X), NDArray[Any])
    assert_type(FunctionClassifier(len, [0, 1]).predict_proba(X), Floats)
"""
#: Each line holds one error.
MISTAKEN = """
from skdistill import DistilledClassifier, FunctionClassifier

DistilledClassifier(temprature=2)  # call-arg
DistilledClassifier(n_jobs="two")  # arg-type
DistilledClassifier().fit([[0.0]])  # call-arg
FunctionClassifier("f", [0, 1])  # arg-type
"""


@pytest.mark.slow
def test_the_wheel_type_checks_what_uses_it(wheel, tmp_path):
    site = tmp_path / "site"
    _run(
        *("-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
        *("--target", site, wheel),
        cwd=tmp_path,
    )
    (tmp_path / "consumer.py").write_text(CONSUMER)
    (tmp_path / "mistaken.py").write_text(MISTAKEN)
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nignore_missing_imports = True\nfollow_imports = silent\n"
        "[mypy-sklearn.*,scipy.*,lightgbm.*,torch.*,pandas.*,narwhals.*]\n"
        "follow_imports = skip\n"
    )
    command = [sys.executable, "-m", "mypy", "--no-error-summary"]
    env = {**os.environ, "MYPYPATH": str(site)}
    results = [
        subprocess.run(
            [*command, name], cwd=tmp_path, env=env, capture_output=True, text=True
        ).stdout
        for name in ("consumer.py", "mistaken.py")
    ]
    assert results[0] == ""
    expected = [
        (str(number), f"[{line.split('# ')[1]}]")
        for number, line in enumerate(MISTAKEN.split("\n"), 1)
        if "# " in line
    ]
    errors = [line for line in results[1].splitlines() if ": error: " in line]
    found = [(line.split(":")[1], line.split()[-1]) for line in errors]
    assert found == expected
