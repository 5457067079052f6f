"""`OnnxClassifier`: containers, columns, errors, copies, threads and processes."""

import copy
import io
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, RobustScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from skdistill import DistilledClassifier
from skdistill.export import OnnxClassifier, to_onnx
from skdistill.inspection import distillation_report
from skdistill.metrics import latency_scorer, size_scorer

RNG = np.random.RandomState(0)
X = RNG.normal(size=(200, 4))
Y = np.where(X[:, 0] + X[:, 1] > 0, "yes", "no")
FRAME = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(
    text=RNG.choice(["u", "w", "é"], len(X)), flag=X[:, 3] > 0
)
FRAME.loc[::7, "b"] = np.nan
FRAME = FRAME[["a", "text", "b", "flag", "c"]]
NUMBERS = ["a", "b", "flag", "c"]


def fit_mixed(numbers=None):
    numbers = numbers or make_pipeline(SimpleImputer(), StandardScaler())
    columns = make_column_transformer((numbers, NUMBERS), (OneHotEncoder(), ["text"]))
    return make_pipeline(columns, LogisticRegression()).fit(FRAME, Y)


@pytest.fixture(scope="module")
def plain():
    """An estimator of arrays, and the same served."""
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    return model, OnnxClassifier(to_onnx(model, X).SerializeToString())


@pytest.fixture(scope="module", params=[False, True], ids=["columns", "grouped"])
def mixed(request):
    model = fit_mixed()
    return model, OnnxClassifier(to_onnx(model, FRAME, grouped=request.param))


@pytest.fixture
def path(tmp_path, plain):
    (tmp_path / "model.onnx").write_bytes(plain[1].model)
    return tmp_path / "model.onnx"


def assert_served(served, model, rows, given):
    proba = served.predict_proba(given)
    np.testing.assert_allclose(proba, model.predict_proba(rows), rtol=0, atol=1e-5)
    assert served.predict(given).tolist() == model.predict(rows).tolist()


# --- What it serves ------------------------------------------------------------------


@pytest.mark.parametrize("rows", [{}, pd.DataFrame(index=range(3))], ids=type)
def test_the_first_rows_without_a_column_are_refused(mixed, rows):
    """Nothing is known yet of how columns are arranged."""
    first = OnnxClassifier(mixed[1].model)
    with pytest.raises(ValueError, match=r"yet now missing:\n- "):
        first.predict_proba(rows)


@pytest.mark.parametrize("n_rows", [1, 2, 150])
def test_arrays(plain, n_rows):
    model, served = plain
    rows = X[:n_rows]
    for given in (rows, rows.astype("f4"), np.asfortranarray(rows), rows.tolist()):
        assert_served(served, model, rows, given)
    assert_served(served, model, rows, pd.DataFrame(rows))
    rows = rows.round()
    assert_served(served, model, rows, rows.astype(int))


@pytest.mark.parametrize("n_rows", [1, 2, 150])
def test_tables_in_any_container_and_order(mixed, n_rows):
    pl = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    model, served = mixed
    rows = FRAME[:n_rows]
    tables = [rows, rows[::1].astype({"text": "category", "flag": "boolean"})]
    tables += [rows.astype({"b": "Float64"}), pl.from_pandas(rows)]
    for table in tables:
        assert_served(served, model, rows, table)
        turned = table[["c", "b", "flag", "text", "a"]]
        assert_served(served, model, rows, turned)
    assert_served(served, model, rows, pl.from_pandas(rows).to_arrow())
    assert_served(served, model, rows, rows.to_numpy(dtype=object))
    for kind in (list, tuple, np.array, pd.Series):
        columns = {name: kind(rows[name].tolist()) for name in rows.columns[::-1]}
        assert_served(served, model, rows, columns)


@pytest.mark.parametrize(
    "seen", [["u", "w"], ["u", None], ["", "u"], ["", None, "u"]], ids=str
)
@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("learner", [LogisticRegression, DecisionTreeClassifier])
def test_an_empty_string_is_not_a_missing_one(learner, grouped, seen):
    codes = np.arange(len(X)) % len(seen)
    text = pd.Series([seen[code] for code in codes], dtype=object)
    frame = FRAME[["a", "c"]].assign(text=text, more="same")
    y = np.where((codes == 1) ^ (X[:, 0] > 1), "yes", "no")
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["text", "more"]),
        remainder="passthrough",
    )
    model = make_pipeline(columns, learner()).fit(frame, y)
    served = OnnxClassifier(to_onnx(model, frame, grouped=grouped))
    rows = pd.concat([frame[:9]] * 3, ignore_index=True)
    rows["text"] = pd.Series(["", None, "u"] * 9, dtype=object)
    proba = model.predict_proba(rows)
    for table in (rows, rows.to_dict("list"), rows.to_numpy(dtype=object)):
        np.testing.assert_allclose(served.predict_proba(table), proba, atol=1e-5)
    for k in range(3):
        one = served.predict_proba(rows.iloc[k].to_dict())
        np.testing.assert_allclose(one, proba[[k]], atol=1e-5)
        few = served.predict_proba(rows[k : k + 2])
        np.testing.assert_allclose(few, proba[k : k + 2], atol=1e-5)


def test_a_dict_of_single_values_is_one_row(mixed):
    model, served = mixed
    record = {"flag": True, "b": None, "a": 0.5, "text": "u", "c": 1}
    row = pd.DataFrame([record]).astype({"b": float})
    assert_served(served, model, row, record)
    record |= {"a": np.float64(0.5), "b": pd.NA, "c": np.int64(1)}
    assert_served(served, model, row, record)


def test_no_rows(plain, mixed):
    for served, rows in ((plain[1], X), (mixed[1], FRAME)):
        assert served.predict_proba(rows[:0]).shape == (0, 2)
        assert served.predict(rows[:0]).shape == (0,)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes"]),
        np.array(["no", "yes"], dtype=object),
        np.array([3, 7], dtype=np.int32),
        np.array([1.0, 2.0]),
        np.array([False, True]),
    ],
)
def test_labels_keep_their_type(labels):
    model = DecisionTreeClassifier(max_depth=3).fit(
        X, labels[(X[:, 0] > 0).astype(int)]
    )
    served = OnnxClassifier(to_onnx(model, X))
    assert served.classes_.dtype == model.classes_.dtype
    assert served.classes_.tolist() == model.classes_.tolist()
    assert served.predict(X).dtype == model.predict(X).dtype
    np.testing.assert_array_equal(served.predict(X), model.predict(X))


def test_attributes_are_read_from_the_file(plain, mixed):
    assert plain[1].classes_.tolist() == ["no", "yes"]
    assert plain[1].n_features_in_ == 4
    assert not hasattr(plain[1], "feature_names_in_")
    assert mixed[1].feature_names_in_.tolist() == [*FRAME]
    assert mixed[1].n_features_in_ == 5


# --- What it refuses, in scikit-learn's words ----------------------------------------


@pytest.mark.parametrize(
    ("rows", "error", "text"),
    [
        (X[:, :3], ValueError, "X has 3 features, but OnnxClassifier is expecting 4"),
        (X[0], ValueError, "Expected 2D array, got 1D array"),
        (X[None], ValueError, "Found array with dim 3"),
        (X.astype(complex), ValueError, "Complex data not supported"),
        (X.astype(str).astype("U3"), ValueError, "numeric|could not convert"),
        (sparse.csr_array(X), TypeError, "Sparse data was passed"),
        (np.where(X > 2, np.nan, X), ValueError, "Input X contains NaN"),
        (np.where(X > 2, np.inf, X), ValueError, "Input X contains infinity"),
        ({"a": [1.0]}, ValueError, "without feature names"),
        (pd.DataFrame(X[:, :3]), ValueError, "X has 3 features"),
        ([["a", "b", "c", "d"]], ValueError, "numeric|could not convert"),
        (np.array([[1j, 0, 0, 0]], dtype=object), (TypeError, ValueError), "omplex"),
    ],
)
def test_rows_that_are_refused(plain, rows, error, text):
    with pytest.raises(error, match=text):
        plain[1].predict_proba(rows)


@pytest.mark.parametrize("n_rows", [1, 2])
def test_complex_columns_are_refused(mixed, n_rows):
    columns = {name: values[:n_rows] for name, values in FRAME.items()}
    number = FRAME.select_dtypes("number").columns[0]
    columns[number] = np.full(n_rows, 1 + 2j)
    with pytest.raises(ValueError, match="Complex data not supported"):
        mixed[1].predict_proba(columns)


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ([0.0, 1e39, 0.0, 0.0], r"too large for dtype\('float32'\), in column 'x1'"),
        ([0.0, 1e39, 0.0, -1e39], r"too large for dtype\('float32'\), in column 'x1'"),
        ([0.0, 0.0, np.inf, -np.inf], "infinity .*in column 'x2'"),
        (np.array([0, 10**400, 0, 0], dtype=object), "'x1' of X must hold numbers"),
    ],
)
@pytest.mark.parametrize("n_rows", [1, 3])
@pytest.mark.filterwarnings("error")
def test_numbers_beyond_single_precision_are_refused(plain, row, text, n_rows):
    with pytest.raises(ValueError, match=text):
        plain[1].predict(np.array([row] * n_rows))


@pytest.mark.filterwarnings("error")
def test_the_precision_of_each_input_decides():
    """A file whose column of large numbers is double, and the others are single."""
    far = 1e300 * (1 + X[:, 0] / 100)
    frame = pd.DataFrame({"far": far, "near": X[:, 1], "text": FRAME["text"]})
    columns = make_column_transformer(
        (OneHotEncoder(), ["text"]), remainder=RobustScaler()
    )
    model = make_pipeline(columns, LogisticRegression())
    served = OnnxClassifier(to_onnx(model.fit(frame, Y), frame))
    assert (served.predict(frame) == model.predict(frame)).all()
    for n_rows in (1, 3):
        rows = frame[:n_rows].assign(near=1e39)
        with pytest.raises(ValueError, match=r"dtype\('float32'\), in column 'near'"):
            served.predict(rows)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("texts", [["text"], []])
@pytest.mark.filterwarnings("error", "ignore::sklearn.exceptions.ConvergenceWarning")
def test_large_numbers_beside_a_column_of_doubles(texts, grouped):
    """All numbers share an input of doubles; the graph computes in float32."""
    large = 2**40 + np.arange(len(X)) * 4999
    frame = FRAME[["c", *texts]].assign(large=large)
    columns = make_column_transformer(
        (OneHotEncoder(), texts), remainder=StandardScaler()
    )
    model = make_pipeline(columns, MLPClassifier((8,), random_state=0)).fit(frame, Y)
    served = OnnxClassifier(to_onnx(model, frame, grouped=grouped))
    assert_served(served, model, frame, frame)
    for column, number in (("c", 1e39), ("c", -1e300), ("large", 1e300)):
        for n_rows in (1, 3, 20):
            with pytest.raises(ValueError, match=rf"'float32'\), in column '{column}'"):
                served.predict(frame[:n_rows].assign(**{column: number}))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda f: f.drop(columns="c"), "yet now missing:\n- c"),
        (lambda f: f.assign(z=1.0), "unseen at fit time:\n- z"),
        (
            lambda f: f.rename(columns={"a": "A"}),
            "unseen at fit time:\n- A\n(.|\n)*- a",
        ),
        (lambda f: f[["a", "a", "text", "b", "flag", "c"]], "more than once:\n- a"),
        (lambda f: f.assign(a="x"), "could not convert"),
        (
            lambda f: f.assign(a=pd.Timestamp("2020-01-01")),
            "'a' of X must hold numbers",
        ),
        (lambda f: f.assign(a=[[1.0]] * len(f)), "'a' of X must hold numbers"),
        (
            lambda f: f.assign(a=[[1.0] * (k + 1) for k in range(len(f))]),
            "'a' of X must hold numbers",
        ),
        (lambda f: {**f.to_dict("list"), "a": [[1.0]] * len(f)}, "numbers, one a row"),
        (lambda f: f.assign(text=1), "'text' of X must hold strings"),
        (lambda f: f.assign(text="unseen"), "Found unknown categories in row 0"),
        (lambda f: f.assign(text=None), "Found unknown categories in row 0"),
    ],
)
@pytest.mark.parametrize("n_rows", [1, 20])
def test_tables_that_are_refused(mixed, change, text, n_rows):
    with pytest.raises(ValueError, match=text):
        mixed[1].predict_proba(change(FRAME[:n_rows]))


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ({"a": [1.0], "b": [1.0, 2.0]}, "one length"),
        ({"a": [1.0], "b": 1.0}, "1D"),
        ({"a": np.ones((1, 1)), "b": [1.0]}, "1D"),
    ],
)
def test_dicts_that_are_no_table(columns, text):
    frame = pd.DataFrame(X[:, :2], columns=["a", "b"])
    served = OnnxClassifier(to_onnx(LogisticRegression().fit(frame, Y), frame))
    with pytest.raises(ValueError, match=text):
        served.predict_proba(columns)


def test_missing_numbers_are_refused_where_the_estimator_refuses_them():
    frame = FRAME[["a", "c"]]
    impute = make_column_transformer((SimpleImputer(), ["a"]), ("passthrough", ["c"]))
    served = {
        "one": make_pipeline(impute, LogisticRegression()).fit(frame, Y),
        "all": HistGradientBoostingClassifier(max_iter=3).fit(frame, Y),
        "none": GaussianNB().fit(frame, Y),
    }
    for name, model in served.items():
        twin = OnnxClassifier(to_onnx(model, frame))
        for column in frame:
            rows = frame[:3].assign(**{column: np.nan})
            if name == "all" or (name == "one" and column == "a"):
                assert_served(twin, model, rows, rows)
                continue
            with pytest.raises(ValueError, match="Input X contains NaN"):
                model.predict_proba(rows)
            with pytest.raises(ValueError, match=f"NaN(.|\n)*column '{column}'"):
                twin.predict_proba(rows)


@pytest.mark.parametrize("model", [None, 7, LogisticRegression()])
def test_a_model_that_is_none(model):
    with pytest.raises(TypeError, match="path, bytes or what to_onnx returns"):
        OnnxClassifier(model).fit()


def test_files_that_are_refused(plain, tmp_path):
    with pytest.raises(FileNotFoundError):
        OnnxClassifier(tmp_path / "none.onnx").predict(X)
    with pytest.raises(ValueError, match="n_threads must be an integer"):
        OnnxClassifier(plain[1].model, n_threads=0).predict(X)
    foreign = to_onnx(plain[0], X)
    del foreign.metadata_props[:]
    with pytest.raises(ValueError, match="lacks"):
        OnnxClassifier(foreign).predict(X)


def test_a_file_that_says_less_of_its_columns_is_refused(plain):
    model = to_onnx(plain[0], X)
    entry = next(entry for entry in model.metadata_props if entry.key == "accepts")
    accepts = json.loads(entry.value)
    del accepts["double"]
    entry.value = json.dumps(accepts)
    with pytest.raises(ValueError, match=r"lacks \['double'\]. Export the model again"):
        OnnxClassifier(model).predict(X)


# --- As an estimator -----------------------------------------------------------------


def test_parameters_clone_and_repr(path, plain):
    served = OnnxClassifier(path, n_threads=2)
    assert vars(served) == {"model": path, "n_threads": 2}
    assert clone(served).get_params() == {"model": path, "n_threads": 2}
    assert repr(served) == f"OnnxClassifier({str(path)!r}, n_threads=2)"
    size = len(plain[1].model)
    assert repr(plain[1]) == f"OnnxClassifier(<{size:,} bytes>)"
    model = to_onnx(plain[0], X)
    assert repr(OnnxClassifier(model)) == "OnnxClassifier(<ModelProto>)"
    assert is_classifier(served)
    check_is_fitted(served)


def test_other_parameters_open_another_session(path):
    served = OnnxClassifier(path)
    before = served.predict_proba(X)
    other = to_onnx(LogisticRegression(C=1e-3).fit(X, Y), X)
    served.set_params(model=other, n_threads=2)
    assert np.abs(served.predict_proba(X) - before).max() > 0.1


@pytest.mark.parametrize("opened", [False, True])
def test_copies_hold_the_bytes(path, opened):
    served = OnnxClassifier(path)
    content = path.read_bytes()
    expected = OnnxClassifier(content).predict_proba(X)
    if opened:
        served.predict(X)
    buffer = io.BytesIO()
    joblib.dump(served, buffer)
    buffer.seek(0)
    copies = [pickle.loads(pickle.dumps(served)), copy.deepcopy(served)]
    copies += [joblib.load(buffer)]
    path.unlink()
    for copied in copies:
        assert copied.model == content
        np.testing.assert_array_equal(clone(copied).predict_proba(X), expected)


def test_threads_share_one_session(plain, monkeypatch):
    import onnxruntime

    made = []
    make = onnxruntime.InferenceSession
    monkeypatch.setattr(
        onnxruntime,
        "InferenceSession",
        lambda *args, **kwargs: made.append(1) or make(*args, **kwargs),
    )
    served = OnnxClassifier(plain[1].model)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda k: served.predict_proba(X[k : k + 5]), range(64))
        )
    assert len(made) == 1
    for k, answer in enumerate(answers):
        np.testing.assert_array_equal(answer, plain[1].predict_proba(X[k : k + 5]))


def _answer(served, queue):
    queue.put(served.predict_proba(X))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded")
def test_a_forked_process_serves(plain, n_threads):
    served = OnnxClassifier(plain[1].model, n_threads=n_threads)
    expected = served.predict_proba(X)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_answer, args=(served, queue))
    process.start()
    np.testing.assert_allclose(queue.get(timeout=60), expected, rtol=0, atol=1e-6)
    process.join(60)
    assert process.exitcode == 0


def test_pipelines_and_scorers(path):
    served = OnnxClassifier(path)
    after = make_pipeline(FrozenEstimator(StandardScaler().fit(X)), served)
    scaled = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(
        after.fit(X, Y).predict_proba(X), served.predict_proba(scaled), atol=1e-6
    )
    expected = -log_loss(Y, served.predict_proba(X))
    assert get_scorer("neg_log_loss")(served, X, Y) == pytest.approx(expected)
    scores = cross_val_score(served, X, Y, cv=2)
    assert scores.mean() == pytest.approx(served.score(X, Y))
    assert latency_scorer()(served, X) < 0
    size = len(path.read_bytes())
    assert size < -size_scorer()(served) < size + 500


def test_a_fixed_teacher(path):
    teacher = OnnxClassifier(path)
    distilled = DistilledClassifier(
        teacher, DecisionTreeClassifier(max_depth=3), augmenter=None, random_state=0
    ).fit(X, Y)
    assert distilled.teacher_.model == path
    report = distillation_report(distilled, X, Y)
    assert report.models["teacher"]["accuracy"] == pytest.approx(teacher.score(X, Y))


@pytest.mark.slow
def test_serving_loads_nothing_of_training(path):
    code = f"""if True:
        import sys
        sys.modules["onnx"] = None
        from skdistill.export import OnnxClassifier
        served = OnnxClassifier({str(path)!r})
        assert served.predict_proba([[0.0, 1.0, 2.0, 3.0]]).shape == (1, 2)
        heavy = {{"lightgbm", "skorch", "skl2onnx", "torch", "onnxmltools", "polars"}}
        print(sorted(heavy & set(sys.modules)))
    """
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert result.stdout == "[]\n", result.stderr


def test_the_extra_is_named_without_onnx_runtime(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'pip install "skdistill\[serve\]"'):
        OnnxClassifier(path).predict(X)
