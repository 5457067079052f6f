"""Every code block of the documentation runs; every public name has its reference."""

import importlib
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import types
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier

from skdistill._cli import main
from skdistill.export import OnnxClassifier

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = [
    path
    for folder in ("", "guide", "howto")
    for path in sorted((DOCS / folder).glob("*.md"))
]
MODULES = ("", ".transfer", ".metrics", ".inspection", ".export", ".datasets")

#: Pages whose blocks take a second; the others wait for the slow tests.
FAST = {"method", "autogluon"}


def read_blocks(page, language):
    """Code of one language, with the modules that a comment before it names."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"(<!-- needs: \w+ -->\n)?```{language}\n(.*?)```", text, re.S)
    return [(re.findall(r"needs: (\w+)", needs), code) for needs, code in found]


def list_pages(language):
    # The command's page serves what a run has written: `test_cli_columns.py` runs it.
    own = [page for page in PAGES if page.stem != "command"]
    pages = [page for page in own if read_blocks(page, language)]
    return [
        pytest.param(
            page,
            id=page.stem,
            marks=() if page.stem in FAST else pytest.mark.slow,
        )
        for page in pages
    ]


class StandInPredictor:
    """The calls of AutoGluon's predictor that a page makes."""

    def __init__(self, label, eval_metric):
        self.label = label

    def fit(self, table, time_limit):
        X = table.drop(columns=self.label)
        self.model_ = ExtraTreesClassifier(30).fit(X, table[self.label])
        self.class_labels = self.model_.classes_.tolist()
        return self

    def predict_proba(self, X):
        import pandas as pd

        return pd.DataFrame(
            self.model_.predict_proba(X), columns=self.class_labels, index=X.index
        )


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty folder, no screen, and AutoGluon's name."""
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")
    package = types.ModuleType("autogluon")
    package.tabular = types.ModuleType("autogluon.tabular")
    package.tabular.TabularPredictor = StandInPredictor
    monkeypatch.setitem(sys.modules, "autogluon", package)
    monkeypatch.setitem(sys.modules, "autogluon.tabular", package.tabular)
    with sklearn.config_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield tmp_path
    importlib.import_module("matplotlib.pyplot").close("all")


@pytest.mark.parametrize("page", list_pages("python"))
def test_python_blocks_run(page, desk, monkeypatch):
    pytest.importorskip("skl2onnx")
    script = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", script)
    scope = vars(script)
    for needed, code in read_blocks(page, "python"):
        if all(importlib.util.find_spec(n) for n in needed if n not in sys.modules):
            exec(compile(code, str(page), "exec"), scope)
    assert "distilled" in scope or "frozen" in scope


@pytest.mark.engines
def test_the_page_of_autogluon_runs_with_the_tool_itself(tmp_path, monkeypatch):
    reason = "needs AutoGluon: pip install autogluon.tabular[lightgbm]"
    pytest.importorskip("autogluon.tabular", reason=reason)
    pytest.importorskip("skl2onnx")
    monkeypatch.chdir(tmp_path)
    ((_, code),) = read_blocks(DOCS / "howto" / "autogluon.md", "python")
    scope = {}
    exec(code.replace("time_limit=60", "time_limit=15, num_cpus=1"), scope)
    distilled, predictor, X_val = (
        scope[name] for name in ("distilled", "predictor", "X_val")
    )
    answer = predictor.predict_proba(X_val)
    assert list(answer) == distilled.classes_.tolist()
    np.testing.assert_allclose(distilled.teacher_.predict_proba(X_val), answer)
    assert sum(distilled.labels_asked_.values()) > 1000
    served = distilled.predict_proba(X_val)
    onnx = OnnxClassifier("student.onnx").predict_proba(X_val)
    np.testing.assert_allclose(onnx, served, atol=1e-5)
    hard = clone(distilled.student).fit(scope["X_train"], scope["y_train"])
    X, y = scope["X"].drop(X_val.index), scope["y"].drop(X_val.index)
    X, y = X.drop(scope["X_train"].index), y.drop(scope["y_train"].index)
    assert distilled.score(X, y) > hard.score(X, y)


@pytest.mark.engines
@pytest.mark.parametrize("engine", ["pyspark", "ray"])
def test_tables_of_engines_are_learned_and_served(engine, tmp_path, monkeypatch):
    pytest.importorskip(engine, reason="needs pyspark and Java, or ray[data]")
    monkeypatch.chdir(tmp_path)
    # Workers read neither this file nor the page: what is of `__main__` travels.
    script = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", script)
    scope = vars(script)
    blocks = read_blocks(DOCS / "guide" / "scale.md", "python")
    for code in (blocks[0][1], *(code for needed, code in blocks if engine in needed)):
        exec(code, scope)
    found, table = scope["distilled"], scope["unlabelled"]
    alone = clone(found).fit(scope["X"], scope["y"], X_unlabeled=[table])
    expected = alone.predict_proba(table)
    np.testing.assert_array_equal(found.predict_proba(table), expected)
    scored = scope["scored"]
    scored = scored.toPandas() if engine == "pyspark" else scored.to_pandas()
    served = np.stack(scored["proba"].to_list())
    np.testing.assert_allclose(served, expected, rtol=1e-12)


@pytest.mark.slow
def test_the_program_in_c_prints_the_probabilities(desk):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    page, scope = DOCS / "howto" / "c.md", {}
    for _, code in read_blocks(page, "python"):
        exec(code, scope)
    Path("main.c").write_text(read_blocks(page, "c")[0][1])
    command = re.search(r"`(cc [^`]+)`", page.read_text(encoding="utf-8"))[1]
    subprocess.run(shlex.split(command), check=True)
    printed = subprocess.run("./a.out", check=True, capture_output=True, text=True)
    found = [float(number) for number in printed.stdout.split()]
    expected = scope["distilled"].predict_proba(scope["X"][:1])[0]
    np.testing.assert_allclose(found, expected, atol=5e-4)


def test_options_of_the_shell_exist(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"--[\w-]+", capsys.readouterr().out))
    text = (DOCS / "howto" / "command.md").read_text(encoding="utf-8")
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]+", text)) <= known


def test_every_public_name_has_its_reference():
    parts = re.split(r"currentmodule:: ", (DOCS / "api.md").read_text(encoding="utf-8"))
    listed = {
        part.split()[0]: set(re.findall(r"^   (\w+)$", part, re.M))
        for part in parts[1:]
    }
    expected = {}
    for name in MODULES:
        module = importlib.import_module(f"skdistill{name}")
        expected[module.__name__] = {n for n in module.__all__ if n[0] != "_"}
    assert {name: listed.get(name) for name in expected} == expected
