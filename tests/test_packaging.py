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
HEAVY += ["dask", "distributed", "pyarrow", "ray", "xgboost", "catboost"]


def _run(*command, cwd):
    result = subprocess.run(
        [sys.executable, *command],
        cwd=cwd,
        env=os.environ | {"PIP_NO_INDEX": "1"},
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


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """The folder of a package that is installed from the wheel."""
    folder = tmp_path_factory.mktemp("installed") / "site"
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index")
    _run(*install, "--target", folder, wheel, cwd=folder.parent)
    return folder


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


#: What is loaded after each step, in one process: most of its time is scikit-learn's
#: own import. scikit-learn imports pandas where it is installed; with pandas out of
#: reach, an import of our own is an ImportError.
STEPS = """
import json, sys

sys.path.insert(0, sys.argv[1])
out_of_reach = ["onnx", "skl2onnx", "onnxruntime", "onnxmltools"]
heavy = [*json.loads(sys.argv[2]), *out_of_reach]
loaded = {}

def note(step):
    loaded[step] = [name for name in heavy if sys.modules.get(name)]

sys.modules["pandas"] = None
import skdistill
loaded["file"] = skdistill.__file__
loaded["exporters"] = "skdistill.export" in sys.modules
import skdistill.inspection, skdistill.metrics
note("import")
sys.modules.update(dict.fromkeys(out_of_reach))
import skdistill.export
loaded["names"] = skdistill.export.__all__
note("export")

del sys.modules["pandas"]  # scikit-learn asks for it by this name in a fit
from sklearn.linear_model import LogisticRegression
rows = [[float(number)] for number in range(20)]
logistic = LogisticRegression()
skdistill.DistilledClassifier(logistic, logistic).fit(rows, [0] * 10 + [1] * 10)
note("fit")
print(json.dumps(loaded))
"""


@pytest.mark.slow
def test_the_installed_package_loads_no_more_than_it_needs(site, tmp_path):
    # -I: neither PYTHONPATH nor the current folder can supply the package.
    steps = ("-I", "-c", STEPS, site, json.dumps(HEAVY))
    loaded = json.loads(_run(*steps, cwd=tmp_path).stdout)
    assert Path(loaded.pop("file")).is_relative_to(site)
    expected = ["OnnxClassifier", "OnnxRegressor", "Pruned", "prune"]
    expected += ["register_with_skl2onnx", "slim", "to_c", "to_onnx"]
    assert loaded == {
        "exporters": False,
        "import": [],
        "names": expected,
        "export": [],
        "fit": [],
    }


#: What a user's program may rely on, line by line.
CONSUMER = """
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from skdistill import DistilledClassifier, DistilledRegressor
from skdistill import FunctionClassifier, FunctionRegressor
from skdistill.datasets import load_letter
from skdistill.export import OnnxClassifier, OnnxRegressor, Pruned
from skdistill.export import prune, register_with_skl2onnx, slim, to_c, to_onnx
from skdistill.inspection import DistillationReport, distillation_report
from skdistill.inspection import FidelityDisplay, ReliabilityDisplay, TradeoffDisplay
from skdistill.inspection import RegressionReport, regression_report
from skdistill.metrics import agreement_score, expected_calibration_error
from skdistill.metrics import gap_recovered, kl_divergence
from skdistill.metrics import latency_scorer, size_scorer, within_budget
from skdistill.transfer import GaussianCopula, Munge, Spunge

Floats = NDArray[np.float64]
Anything = NDArray[Any]
Figures = dict[str, Any]

def distil(X: Any, y: Any) -> None:
    distilled = DistilledClassifier(cv=5, n_synthetic="auto", random_state=0)
    assert_type(distilled.fit(X, y, X_val=X, y_val=y), DistilledClassifier)
    assert_type(distilled.predict_proba(X), Floats)
    assert_type(distilled.predict_log_proba(X), Floats)
    assert_type(distilled.predict(X), Anything)
    assert_type(DistilledRegressor(alpha=0.5).fit(X, y), DistilledRegressor)
    assert_type(DistilledRegressor().predict(X), Anything)
    assert_type(FunctionClassifier(len, [0, 1]).fit(X, y), FunctionClassifier)
    assert_type(FunctionClassifier(len, [0, 1]).predict_proba(X), Floats)
    assert_type(FunctionClassifier(len, [0, 1]).predict(X), Anything)
    assert_type(FunctionRegressor(len, batch_size=9).fit(), FunctionRegressor)
    assert_type(FunctionRegressor(len).predict(X), Anything)
    assert_type(load_letter(return_X_y=True), tuple[Any, Any])
    assert_type(load_letter(as_frame=True), Any)

def sample(X: Any) -> None:
    assert_type(Munge(p=[0.1, 0.5], n_neighbors=3).fit(X), Munge)
    assert_type(Spunge(p=0.1).fit(X), Spunge)
    copula = GaussianCopula(width=0.2, categorical_features=[0])
    assert_type(copula.fit(X, sample_weight=X), GaussianCopula)
    assert_type(copula.sample(5, random_state=0), Any)
    assert_type(copula.sample_with_parents(5), tuple[Any, NDArray[np.intp]])

def deploy(model: Any, X: Any, y: Any) -> None:
    assert_type(slim(model), Any)
    assert_type(to_onnx(model, X, path="m.onnx"), Any)
    assert_type(to_c(model, X, name="m"), str)
    assert_type(prune(model, X, y), Pruned)
    assert_type(prune(model, X).after, dict[str, float])
    served = OnnxClassifier(b"", n_threads=2)
    assert_type(served.fit(), OnnxClassifier)
    assert_type(served.predict_proba(X), NDArray[np.float32])
    assert_type(served.predict(X), Anything)
    assert_type(served.classes_, Anything)
    assert_type(served.n_features_in_, int)
    assert_type(OnnxRegressor("m.onnx").fit(X, y), OnnxRegressor)
    assert_type(OnnxRegressor("m.onnx").predict(X), Anything)
    register_with_skl2onnx()

def score(model: Any, X: Any, y: Any) -> None:
    assert_type(agreement_score(X, X), float)
    assert_type(kl_divergence(X, X), float)
    assert_type(gap_recovered(0.9, 0.8, 0.85), float)
    assert_type(expected_calibration_error(y, X, n_bins=5), float)
    assert_type(latency_scorer(95)(model, X), float)
    assert_type(size_scorer(deployment="onnx")(model), float)
    assert_type(within_budget(max_bytes=1e5)({}), int)

def inspect(model: Any, X: Any, y: Any) -> None:
    report = distillation_report(model, X, y, baseline="fit", train=(X, y))
    assert_type(report, DistillationReport)
    assert_type(report.models, dict[str, Figures])
    assert_type(report.warnings, list[str])
    assert_type(report.to_frame(by="class"), Any)
    assert_type(report.to_html("report.html"), None)
    assert_type(report.to_dict(), Figures)
    assert_type(report.to_json(), str)
    values = regression_report(model, X, y, n_bootstrap=10)
    assert_type(values, RegressionReport)
    assert_type(values.to_dict(), Figures)
    assert_type(FidelityDisplay.from_estimator(model, X), FidelityDisplay)
    assert_type(FidelityDisplay.from_predictions(X, X).plot(), FidelityDisplay)
    assert_type(ReliabilityDisplay.from_estimator(model, X, y), ReliabilityDisplay)
    assert_type(ReliabilityDisplay.from_predictions(y, X, X), ReliabilityDisplay)
    assert_type(TradeoffDisplay.from_search(model, cost="bytes"), TradeoffDisplay)
    assert_type(TradeoffDisplay.from_reports({"a": report}), TradeoffDisplay)
    assert_type(TradeoffDisplay(["a"], [0.9], [1.0]).plot(), TradeoffDisplay)
"""
#: Each line holds one error.
MISTAKEN = """
from skdistill import DistilledClassifier, FunctionClassifier, FunctionRegressor
from skdistill.datasets import load_letter
from skdistill.export import OnnxClassifier, prune, slim, to_c
from skdistill.inspection import FidelityDisplay, TradeoffDisplay
from skdistill.inspection import distillation_report, regression_report
from skdistill.metrics import agreement_score, latency_scorer, within_budget
from skdistill.transfer import GaussianCopula, Munge

DistilledClassifier(temprature=2)  # call-arg
DistilledClassifier(n_jobs="two")  # arg-type
DistilledClassifier().fit([[0.0]])  # call-arg
FunctionClassifier("f", [0, 1])  # arg-type
FunctionRegressor(len, batch=10)  # call-arg
load_letter(True)  # call-overload
slim()  # call-arg
prune(None, None, steps="many")  # arg-type
to_c(None, None, name=3)  # arg-type
OnnxClassifier("model.onnx", 2)  # call-arg
Munge(p="small")  # arg-type
GaussianCopula(width=0.2).sample("ten")  # arg-type
agreement_score([0.5])  # call-arg
latency_scorer(percentile="p50")  # arg-type
within_budget(max_byte=1)  # call-arg
distillation_report(None, [[0.0]])  # call-arg
distillation_report(None, [[0.0]], [0]).to_frame(3)  # arg-type
regression_report(None, [[0.0]], [0], n_bootstrap="all")  # arg-type
regression_report(None, [[0.0]], [0]).to_html()  # call-arg
FidelityDisplay.from_estimator(None, [[0.0]], kind=1)  # arg-type
TradeoffDisplay(["a"], [0.9], [1.0], teacher=0.9)  # arg-type
"""


@pytest.mark.slow
def test_the_wheel_type_checks_what_uses_it(site, tmp_path):
    (tmp_path / "consumer.py").write_text(CONSUMER)
    (tmp_path / "mistaken.py").write_text(MISTAKEN)
    (tmp_path / "mypy.ini").write_text(
        "[mypy]\nignore_missing_imports = True\nfollow_imports = silent\n"
        "[mypy-sklearn.*,scipy.*,lightgbm.*,torch.*,pandas.*,narwhals.*]\n"
        "follow_imports = skip\n"
    )
    names = ("consumer.py", "mistaken.py")
    printed = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", *names],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(site)},
        capture_output=True,
        text=True,
    ).stdout
    expected = [
        ("mistaken.py", str(number), f"[{line.split('# ')[1]}]")
        for number, line in enumerate(MISTAKEN.split("\n"), 1)
        if "# " in line
    ]
    assert "consumer.py" not in printed
    errors = [line for line in printed.splitlines() if ": error: " in line]
    found = [(*line.split(":")[:2], line.split()[-1]) for line in errors]
    assert found == expected
