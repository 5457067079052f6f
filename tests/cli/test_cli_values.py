"""The command line on a target of values."""

import copy
import os

import joblib
import numpy as np
import pandas as pd
import pytest
from _command import WITHOUT, keep_candidates, read_report, refuse, run
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skdistill import DistilledRegressor
from skdistill._cli._students import VALUE_CANDIDATES
from skdistill.export import OnnxRegressor, to_onnx

N_ROWS = 160


def make_values(seed=0, n_rows=N_ROWS):
    rng = np.random.RandomState(seed)
    frame = pd.DataFrame(rng.rand(n_rows, 3), columns=list("abc"))
    frame["kind"] = rng.choice(["new", "used"], n_rows)
    step = np.where(frame["a"] > 0.5, 300.0, 100) + 50 * (frame["kind"] == "new")
    return frame.assign(price=step + rng.normal(0, 5, n_rows))


@pytest.fixture
def table():
    make_values().to_csv("data.csv", index=False)
    return make_values()


@pytest.fixture
def forest(table):
    """A teacher fitted on other rows."""
    frame = make_values(seed=1)
    kind = make_column_transformer((OneHotEncoder(), ["kind"]))
    model = make_pipeline(kind, RandomForestRegressor(5, random_state=0))
    joblib.dump(model.fit(frame.drop(columns="price"), frame["price"]), "forest.joblib")


@pytest.fixture
def numeric_forest(table):
    """One that takes the numbers alone, and the options that give it them."""
    frame = make_values(seed=1)
    model = RandomForestRegressor(10, random_state=0)
    joblib.dump(model.fit(frame[list("abc")], frame["price"]), "forest.joblib")
    return "--teacher", "forest.joblib", "--drop", "kind"


def split_test(table):
    """Return the columns and the values of the rows that the command tests on."""
    _, test = train_test_split(table, test_size=0.25, random_state=0)
    return test.drop(columns="price"), test["price"]


def run_values(*arguments):
    return run("data.csv", "--target", "price", *arguments)


def write_target(values, header="y"):
    rows = "".join(f"{k % 7 + 0.5},{value}\n" for k, value in enumerate(values))
    with open("target.csv", "w") as file:
        file.write(f"a,{header}\n{rows}")


def test_files_and_screen(capsys, table, numeric_forest):
    options = *numeric_forest, "--student", "tree", "--distilled"
    assert run_values(*options, "--json", "report.json") == 0
    out = capsys.readouterr().out
    heads = [line.split() for line in out.splitlines()]
    assert ["teacher", "true", "values", "student", "as", "ONNX"] in heads
    assert max(map(len, out.splitlines())) <= 80
    assert "Wrote student.joblib, student.onnx, report.html." in out
    assert "model.predict(rows)" in out
    record = read_report()
    assert record["task"] == "regression"
    assert record["test_size"] == 0.25
    # The figures are scikit-learn's, of the student in the file.
    X, y = split_test(table.drop(columns="kind"))
    served = joblib.load("student.joblib").predict(X)
    figures = record["report"]["models"]["student"]
    assert figures["r2"] == pytest.approx(r2_score(y, served))
    assert figures["rmse"] == pytest.approx(root_mean_squared_error(y, served))
    assert figures["bytes"] == os.path.getsize("student.joblib")
    assert figures["onnx_bytes"] == os.path.getsize("student.onnx")
    onnx = OnnxRegressor("student.onnx").predict(X)
    np.testing.assert_allclose(onnx, served, rtol=1e-5)
    for key, spec in {"r2": ".4f", "rmse": ".5g", "bytes": ",d"}.items():
        for model in record["report"]["models"].values():
            assert format(model[key], spec) in out.split()
    with open("report.html") as file:
        assert file.read().count("<figure>") == 4


@pytest.mark.usefixtures("forest")
def test_figures_of_the_onnx_file_are_its_own(capsys, table, monkeypatch):
    """A file that differs from the pickle shows in its column."""

    def export(model, X, **settings):
        worse = copy.deepcopy(model)
        worse[-1].intercept_ += 20
        return to_onnx(worse, X, **settings)

    monkeypatch.setattr("skdistill.metrics._costs.to_onnx", export)
    arguments = "--teacher", "forest.joblib", "--student", "linear", "--no-report"
    assert run_values(*arguments, "--distilled") == 0
    X, y = split_test(table)
    rmse = [
        format(root_mean_squared_error(y, model.predict(X)), ".5g")
        for model in (joblib.load("student.joblib"), OnnxRegressor("student.onnx"))
    ]
    assert rmse[0] != rmse[1]
    lines = capsys.readouterr().out.splitlines()
    (figures,) = [line.split() for line in lines if line.startswith("RMSE")]
    assert figures[-2:] == rmse


@pytest.mark.usefixtures("forest")
def test_better_student_on_true_values_is_written(capsys, table, monkeypatch):
    """The teacher knows one column of two; `auto` would not learn from it alone."""
    fit = DistilledRegressor.fit

    def fit_on_teacher(self, X, y):
        return fit(self.set_params(alpha=1.0, augmenter=None), X, y)

    monkeypatch.setattr(DistilledRegressor, "fit", fit_on_teacher)
    arguments = "--teacher", "forest.joblib", "--student", "linear", "--no-report"
    assert run_values(*arguments, "--json", "report.json") == 0
    words = " ".join(capsys.readouterr().out.split())
    record = read_report()
    rmse = {name: m["rmse"] for name, m in record["report"]["models"].items()}
    assert rmse["baseline"] < rmse["student"]
    assert record["written"] == "baseline"
    figures = f"{rmse['baseline']:.5g} against {rmse['student']:.5g}"
    assert f"student on true values has the lower RMSE ({figures})" in words
    X, y = split_test(table)
    for model in (joblib.load("student.joblib"), OnnxRegressor("student.onnx")):
        error = root_mean_squared_error(y, model.predict(X))
        assert error == pytest.approx(rmse["baseline"])
    # The figures are those of the file that is written.
    ratio = record["report"]["models"]["teacher"]["bytes"]
    ratio /= os.path.getsize("student.onnx")
    assert f"{ratio:.1f} times smaller" in words


WHOLE = "different whole numbers, which are learned as"


@pytest.mark.parametrize(
    ("target", "options", "task", "note"),
    [
        (np.arange(60) % 30 + 0.5, (), "regression", None),
        ([0.5, 1.5] * 30, (), "regression", None),
        (np.arange(60), (), "regression", f"60 {WHOLE} values; --task class"),
        (np.arange(60.0), (), "regression", f"60 {WHOLE} values"),
        ([3, 4, 5] * 20, (), "classification", f"3 {WHOLE} classes; --task regr"),
        ([3, 4, 5] * 20, ("--task", "regression"), "regression", None),
        ([3, 4, 5] * 20, ("--task", "classification"), "classification", None),
        ([0, 1] * 30, (), "classification", None),
        ([0, 1] * 30, ("--task", "regression"), "regression", None),
        ([True, False] * 30, (), "classification", None),
        (["007", "012", "013"] * 20, (), "classification", None),
    ],
)
def test_what_is_learned(target, options, task, note, capsys):
    """A teacher that is an unfitted regressor ends either run before any fit."""
    write_target(target)
    joblib.dump(Ridge(), "teacher.joblib")
    arguments = "--target", "y", "--teacher", "teacher.joblib", *options
    assert run("target.csv", *arguments) == 2
    err = capsys.readouterr().err
    end = {"regression": "can't predict rows", "classification": "is no classifier"}
    assert end[task] in err
    words = " ".join(err.split())
    assert words.count("whole numbers") == (note is not None)
    assert note is None or note in words


@pytest.mark.parametrize(
    ("target", "options", "said"),
    [
        (["low", "high"] * 30, ("--task", "regression"), "no numbers, such as low;"),
        ([True, False] * 30, ("--task", "regression"), "holds no numbers"),
        (
            np.arange(60) / 7,
            ("--task", "classification"),
            "is continuous (60 values), and --task classification needs classes",
        ),
        ([1.5] * 40, (), "every value of the target of target.csv is 1.5"),
        (np.arange(20) / 7, (), "leaves 15 rows to learn from; values need at least"),
        ([1.5, 1e39] * 30, (), "beyond 3.4e+38 in 30 rows"),
        (np.arange(60) / 7, ("--student", "logistic"), "does not learn regression"),
        ([0, 1] * 30, ("--student", "linear"), "does not learn classification"),
        (np.arange(60) / 7, ("--task", "ranking"), "invalid choice: 'ranking'"),
    ],
)
def test_refused(target, options, said, capsys):
    write_target(target)
    line = refuse(capsys, "target.csv", "--target", "y", *options)
    assert said in line


def test_refused_teachers_and_test_rows(capsys, table):
    X, y = np.arange(20.0)[:, None], np.arange(20) % 2
    joblib.dump(LogisticRegression().fit(X, y), "teacher.joblib")
    given = "data.csv", "--target", "price"
    assert "is no regressor" in refuse(capsys, *given, "--teacher", "teacher.joblib")
    prices = ["cheap", *["dear"] * (len(table) - 1)]
    table.assign(price=prices).to_csv("test.csv", index=False)
    line = refuse(capsys, *given, "--test", "test.csv")
    assert "holds numbers in data.csv, and others, such as cheap, in test.csv" in line


@keep_candidates(VALUE_CANDIDATES, "linear", "tree", "lightgbm-50x7")
def test_budget(capsys, numeric_forest):
    """The best within it by RMSE, of candidates without networks."""
    options = *numeric_forest, *WITHOUT, "--json", "report.json"
    assert run_values(*options, "--max-bytes", 10**9) == 0
    tried = read_report()["candidates"]
    assert [found["name"] for found in tried] == ["linear", "tree", "lightgbm-50x7"]
    best = min(tried, key=lambda found: found["rmse"])
    assert [found["name"] for found in tried if found["chosen"]] == [best["name"]]
    line = next(s for s in capsys.readouterr().out.splitlines() if "chosen" in s)
    assert line.startswith(best["name"])
    assert f"{best['rmse']:.4g}" in line
