"""The command line: what it prints and writes."""

import os
import pickle
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from _command import (
    N_ROWS,
    WITHOUT,
    make_frame,
    prepare_columns,
    read_report,
    refuse,
    run,
    run_quickly,
    shrink_default_teacher,
)
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdistill import __version__
from skdistill._cli._deployed import choose_deployed
from skdistill.datasets import load_letter
from skdistill.export import OnnxClassifier

STUDENTS = "mlp", "logistic", "sgd", "tree", "forest", "extratrees", "hist"
STUDENTS += "boosting", "lightgbm", "xgboost", "catboost"


@pytest.fixture
def small_example(monkeypatch):
    """The bundled table, with fewer rows and trees, and without its networks."""
    monkeypatch.setattr("skdistill._cli._example._N_TRAIN", 400)
    monkeypatch.setattr("skdistill._cli._example._N_TEST", 400)
    teacher = RandomForestClassifier(20)
    monkeypatch.setattr("skdistill._cli._main.make_teacher", lambda: teacher)


@pytest.mark.slow
@pytest.mark.usefixtures("small_example")
def test_bundled_example(capsys):
    assert run("--json", "report.json") == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    heads = [line.split() for line in lines]
    assert ["teacher", "hard", "labels", "student", "as", "ONNX"] in heads
    assert "letter (UCI, 26 classes): 400 rows to learn from, 400 to test on" in out
    assert "times smaller" in out
    assert "Share of the teacher's advantage recovered" in out
    assert "Wrote student.joblib, student.onnx, report.html." in out
    assert "joblib.load('student.joblib')" in out
    assert max(map(len, lines)) <= 80
    assert "DistilledClassifier" in err
    assert "s left" in err
    # Its rows to test on are no share of the table.
    assert read_report()["test_size"] is None
    os.remove("report.json")
    assert sorted(os.listdir()) == ["report.html", "student.joblib", "student.onnx"]
    X = load_letter().data
    student, served = joblib.load("student.joblib"), OnnxClassifier("student.onnx")
    proba = student.predict_proba(X[:50])
    np.testing.assert_allclose(served.predict_proba(X[:50]), proba, atol=1e-5)
    sizes = {f"{os.path.getsize(f'student.{kind}'):,}" for kind in ("joblib", "onnx")}
    assert sizes < set(out.split())


@pytest.mark.usefixtures("all_timed_calls")
def test_csv_file(capsys, data, monkeypatch):
    shrink_default_teacher(monkeypatch)
    status = run(
        *(data, "--target", "label", "--student", "logistic", *WITHOUT),
        *("--seed", 3, "--test-size", 0.3, "--distilled"),
        *("--out", "small.joblib", "--json", "report.json"),
    )
    assert status == 0
    out, _ = capsys.readouterr()
    record = read_report()
    assert record["test_size"] == 0.3
    assert record["seed"] == record["parameters"]["random_state"] == 3
    assert record["versions"]["scikit-learn"]
    assert record["student_parameters"]["classifier__max_iter"] == 1000
    report = record["report"]
    assert report["n_rows"] == 48
    assert report["classes"] == ["bad", "good"]
    assert record["written"] == "student"
    # The size of the report is that of the file.
    assert report["models"]["student"]["bytes"] == os.path.getsize("small.joblib")
    assert report["models"]["student"]["timed_calls"] >= 20
    assert "report.json" in out
    model = joblib.load("small.joblib")
    rows = make_frame().drop(columns="label")
    assert set(model.predict(rows)) <= {"bad", "good"}


def test_same_seed_same_student(teacher):
    rows = make_frame().drop(columns="label")
    probas = []
    for name in ("a.joblib", "b.joblib"):
        assert run_quickly("--out", name) == 0
        assert sorted(os.listdir())[0] == "a.joblib"
        probas.append(joblib.load(name).predict_proba(rows))
    np.testing.assert_array_equal(*probas)


@pytest.mark.parametrize(
    "name",
    [
        *("logistic", "tree", "lightgbm"),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("sgd", "forest", "extratrees", "boosting", "hist", "catboost")
        ),
    ],
)
def test_students(name, capsys, teacher):
    libraries = {"lightgbm": "LightGBM", "catboost": "CatBoost"}
    library = libraries.get(name, "scikit-learn")
    if name in libraries:
        pytest.importorskip(name)
    assert run_quickly("--student", name) == 0
    out, _ = capsys.readouterr()
    assert f"with {library} alone" in out
    # Trees split the columns as they stand: float32 rounds what is scaled.
    scaled = "StandardScaler" in repr(joblib.load("student.joblib"))
    assert scaled == (name in ("logistic", "sgd"))


def test_xgboost_says_which_labels_it_takes(capsys, teacher):
    pytest.importorskip("xgboost")
    line = refuse(capsys, "--student", "xgboost", runner=run_quickly)
    assert "needs the labels 0 to 1" in line


def test_the_report_is_printed_and_written(capsys, teacher):
    assert run_quickly("--json", "report.json") == 0
    words = " ".join(capsys.readouterr().out.split())
    report = read_report()["report"]
    assert report["n_rows"] == 40
    specs = {"accuracy": ".4f", "log_loss": ".4f", "bytes": ",d"}
    specs |= {"latency_p50_us": ",.0f", "rows_per_second": ",.0f"}
    for key, spec in specs.items():
        row = [format(figures[key], spec) for figures in report["models"].values()]
        assert " ".join(row) in words
    assert report["warnings"]
    for line in report["warnings"]:
        assert line in words
    assert f"{report['ratios']['smaller']:.1f} times smaller" in words or (
        f"{report['ratios']['smaller']:,.0f} times smaller" in words
    )


def test_says_that_there_is_no_advantage(capsys, data):
    frame = make_frame().drop(columns="label")
    labels = make_frame()["label"].to_numpy(dtype=str)
    joblib.dump(DummyClassifier().fit(frame, labels), "teacher.joblib")
    assert run_quickly("--json", "report.json") == 0
    words = " ".join(capsys.readouterr().out.split())
    assert "in accuracy and log loss: there is no advantage to hand on." in words
    shares = read_report()["report"]["share_recovered"]
    assert shares["accuracy"]["share"] is shares["log_loss"]["share"] is None


def test_fitted_teacher_is_measured_and_warned_of(capsys, teacher):
    assert run_quickly("--json", "report.json") == 0
    out, _ = capsys.readouterr()
    assert "optimistic" in out
    record = read_report()
    figures = record["report"]["models"]["teacher"]
    assert figures["agreement"] == 1
    assert record["teacher_file"] == "teacher.joblib"
    # Trees number what they hold afresh on each dump, hence the tolerance.
    size = len(pickle.dumps(joblib.load(teacher), pickle.HIGHEST_PROTOCOL))
    assert abs(figures["bytes"] - size) < 0.02 * size


def test_test_file(capsys, teacher):
    frame = make_frame(seed=2)[["label", "age", "ripe", "colour", "size"]]
    # A column of text that happens to hold numbers alone stays text.
    frame["colour"] = 7
    frame.assign(more=1).to_csv("test.csv", index=False)
    assert run_quickly("--test", "test.csv", "--json", "report.json") == 0
    record = read_report()
    assert (record["n_rows"], record["report"]["n_rows"]) == (N_ROWS, N_ROWS)
    assert record["test_size"] is None
    assert "160 to test on" in capsys.readouterr().out


@pytest.mark.parametrize("kind", [int, float, bool])
def test_labels_keep_their_type(kind, data):
    frame = make_frame()
    labels = (frame.pop("label") == "good").astype(kind)
    frame.assign(label=labels).to_csv(data, index=False)
    model = make_pipeline(prepare_columns(), LogisticRegression())
    joblib.dump(model.fit(frame, labels), "teacher.joblib")
    frame.assign(label=labels).to_csv("test.csv", index=False)
    assert run_quickly("--test", "test.csv") == 0
    assert joblib.load("student.joblib").classes_.dtype == np.dtype(kind)


def test_text_labels_of_digits_in_the_test_file(capsys, data):
    frame = make_frame()
    labels = frame["label"].map({"good": "1", "bad": "x"})
    frame.assign(label=labels).to_csv(data, index=False)
    frame[labels == "1"].assign(label=1).to_csv("test.csv", index=False)
    X = frame.drop(columns="label")
    teacher = make_pipeline(prepare_columns(), LogisticRegression())
    joblib.dump(teacher.fit(X, labels.to_numpy(dtype=str)), "teacher.joblib")
    assert run_quickly("--test", "test.csv") == 0


@pytest.mark.slow
def test_the_file_names_no_package(teacher):
    """A pickle that does not name a package loads without it."""
    assert run_quickly("--student", "mlp") == 0
    assert b"skdistill" not in Path("student.joblib").read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        student = joblib.load("student.joblib")
        proba = student.predict_proba(make_frame(seed=5).drop(columns="label"))
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_help_is_short(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit, match="0"):
        run("--help")
    shown = capsys.readouterr().out
    assert len(shown.splitlines()) <= 24
    options = ["--target", "--teacher", "--student", "--out", "--json", "--test"]
    options += ["--report", "--no-onnx", "--no-report", "--distilled", "--version"]
    for option in options:
        assert option in shown
    for option in ("--temperature", "--alpha", "--cv"):
        assert option not in shown
    (example,) = (x for x in shown.splitlines() if x.startswith("example: "))
    # It is refused for the file that is missing, and not for an option.
    words = [word.replace(".onnx", ".joblib") for word in example.split()[2:]]
    assert "can't read customers.csv" in refuse(capsys, *words)
    for name in STUDENTS:
        assert name in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        run("--version")
    assert capsys.readouterr().out == f"skdistill {__version__}\n"


@pytest.fixture
def better_on_hard_labels(data):
    """A teacher that has learned nothing, fitted on the rows of the file."""
    frame = make_frame()
    labels = frame.pop("label").to_numpy(dtype=str)
    model = make_pipeline(prepare_columns(), LogisticRegression())
    shuffled = np.random.RandomState(0).permutation(labels)
    joblib.dump(model.fit(frame, shuffled), "teacher.joblib")
    return frame


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.usefixtures("better_on_hard_labels")
def test_the_better_student_is_written(keep, capsys):
    options = ["--distilled"] if keep else []
    assert run_quickly("--json", "report.json", "--student", "tree", *options) == 0
    words = " ".join(capsys.readouterr().out.split())
    record = read_report()
    losses = {k: v["log_loss"] for k, v in record["report"]["models"].items()}
    better = losses["baseline"] < losses["student"]
    assert record["written"] == ("baseline" if better and not keep else "student")
    said = f"has the lower log loss ({losses['baseline']:.4f} against "
    assert (said in words) == (better and not keep)
    figures = record["report"]["models"][record["written"]]
    size = os.path.getsize("student.joblib")
    assert size == pytest.approx(figures["bytes"], rel=0.02)


@pytest.mark.parametrize("n_rows", [1, 29])
@pytest.mark.usefixtures("better_on_hard_labels")
def test_few_test_rows_do_not_choose(n_rows, capsys):
    make_frame(seed=2, n_rows=n_rows).to_csv("test.csv", index=False)
    options = "--json", "report.json", "--student", "tree", "--test", "test.csv"
    assert run_quickly(*options) == 0
    words = " ".join(capsys.readouterr().out.split())
    assert read_report()["written"] == "student"
    assert "with fewer than 30 any difference may be chance" in words
    assert "harmed" not in words
    assert "has the lower log loss" not in words


def warn_in_fits(monkeypatch, *caught):
    """Let each fit of the student warn so."""
    fit = LogisticRegression.fit

    def warn_and_fit(self, X, y, sample_weight=None):
        for warning in caught:
            warnings.warn(warning, stacklevel=1)
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(LogisticRegression, "fit", warn_and_fit)


def test_advice_is_of_the_command(capsys, teacher, monkeypatch):
    """Parameters of the estimators are none of its options."""
    text = "The labels may be known. Pass X_val and y_val, say. Set cv=5, or none."
    warn_in_fits(monkeypatch, UserWarning(text))
    assert run_quickly() == 0
    out, err = capsys.readouterr()
    assert "Note: The labels may be known.\n" in err
    assert "So is the choice of what the student learns" in " ".join(out.split())


def test_the_page_and_the_record_have_the_advice_of_the_screen(
    capsys, teacher, monkeypatch
):
    pytest.importorskip("matplotlib")
    said = ["The teacher memorised its rows. Set cv=5 or an augmenter."]
    name = "skdistill.inspection._distillation_report.list_warnings"
    monkeypatch.setattr(name, lambda *given: list(said))
    given = "data.csv", "--target", "label", "--teacher", "teacher.joblib"
    options = "--student", "logistic", "--no-onnx", "--json", "report.json"
    assert run(*given, *options) == 0
    with open("report.html", encoding="utf-8") as file:
        page = file.read()
    for text in (capsys.readouterr().out, page):
        assert "The teacher memorised its rows." in text
        assert "cv=5" not in text
    assert read_report()["report"]["warnings"] == ["The teacher memorised its rows."]


def test_lines_without_rich(capsys, teacher, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich", None)
    assert run_quickly() == 0
    out, err = capsys.readouterr()
    assert "step 2 of 2, student" in err
    assert "step" not in out


def test_warnings_are_summed_up(capsys, teacher, monkeypatch):
    texts = "one", "two", "X does not have valid feature names, but", "one"
    later = FutureWarning("later")
    warn_in_fits(monkeypatch, *map(RuntimeWarning, texts), later)
    assert run_quickly() == 0
    notes = [x for x in capsys.readouterr().err.splitlines() if x.startswith("Note")]
    assert notes == ["Note: RuntimeWarning: one (and 1 more)"]


@pytest.mark.parametrize(
    ("n_warnings", "said"),
    [(2, None), (3, "1 more warning: report.html."), (5, "3 more warnings: rep")],
)
def test_two_warnings_of_the_report_are_on_the_screen(
    n_warnings, said, capsys, teacher, monkeypatch
):
    """The page has all; without one, so has the screen."""
    warned = [f"Warning number {k}." for k in range(n_warnings)]

    def choose(options, distilled, report, rows):
        report.warnings = warned
        return choose_deployed(options, distilled, report, rows)

    monkeypatch.setattr("skdistill._cli._main.choose_deployed", choose)
    monkeypatch.setattr("skdistill._cli._deployed.format_page", lambda report: "page")
    arguments = "data.csv", "--target", "label", "--teacher", "teacher.joblib"
    assert run(*arguments, "--student", "logistic", "--no-onnx") == 0
    out = capsys.readouterr().out
    assert [text for text in warned if text in out] == warned[:2]
    assert ("more warning" in out) == (said is not None)
    assert said is None or said in out
    assert run_quickly() == 0
    out = capsys.readouterr().out
    assert [text for text in warned if text in out] == warned


def test_a_warning_of_the_package_is_whole(capsys, teacher, monkeypatch):
    text = "The teacher is no better than a student of many words. " * 3
    warn_in_fits(monkeypatch, UserWarning(text))
    assert run_quickly() == 0
    err = capsys.readouterr().err
    assert f"Note: {text.strip()}" in " ".join(err.split())


def write_classes(quantiles):
    """Write ordered classes of a linear rule, and a teacher fitted on other rows."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5200, 2))
    score = X @ [2, 1] + rng.normal(size=5200)
    y = np.digitize(score, np.quantile(score, quantiles))
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "label": y})
    model = LogisticRegression().fit(frame.iloc[4400:, :2], y[4400:])
    joblib.dump(model, "teacher.joblib")
    frame[:4400].to_csv("data.csv", index=False)


@pytest.mark.parametrize(
    ("quantiles", "expected"),
    [
        (
            [0.95],
            {
                "area under the ROC curve": "roc_auc",
                "average precision": "average_precision",
                "recall at 1% false positives": "recall_at_one_percent_fpr",
                "recall in the top 0.5%": "recall_in_top_half_percent",
                "mean probability": "mean_probability",
                "rate of the class": "rate",
            },
        ),
        (
            [0.1, 0.3, 0.5, 0.7, 0.9],
            {"macro recall": "balanced_accuracy", "top-5 accuracy": "top_5_accuracy"},
        ),
    ],
)
def test_figures_that_people_decide_by_are_on_the_screen(capsys, quantiles, expected):
    write_classes(quantiles)
    assert run_quickly("--json", "report.json") == 0
    lines = capsys.readouterr().out.splitlines()
    models = read_report()["report"]["models"].values()
    for words, key in expected.items():
        (line,) = (line for line in lines if line.startswith(words))
        assert line.split()[-3:] == [f"{model[key]:.4f}" for model in models]
    assert max(map(len, lines)) <= 80
    # Chance decides what the fit has to say before that.
    table = [line.startswith("data.csv: ") for line in lines].index(True)
    assert len(lines) - table <= 35


def test_too_few_rows_for_a_rate_are_named_on_the_screen(capsys, teacher):
    assert run_quickly() == 0
    out = " ".join(capsys.readouterr().out.split())
    for words in ("recall at 1% false positives", "recall in the top 0.5%"):
        assert f"{words} too few too few too few" in out
