"""`to_c`: compiled without a warning, and equal to `predict_proba`."""

import ctypes
import re
import warnings
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from _c import check_plain, compile_strictly
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.export import OnnxClassifier, to_c, to_onnx

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 240
RNG = np.random.RandomState(0)
X = RNG.normal(size=(N, 4))
SCORES = X @ RNG.normal(size=(4, 3)) + 0.3 * RNG.normal(size=(N, 3))
# Quotes, trigraphs, comments, line ends and letters beyond ASCII.
TEXTS = np.array(['a "b"', "??/\\", "*/ /*", "\n%d", "žluť 🌲", ""], dtype=object)
FRAME = pd.DataFrame(X[:, :2], columns=["a */", 'b"']).assign(
    text=TEXTS[RNG.randint(0, 6, N)],
    kind=pd.Categorical(RNG.choice(["x", "y", "z"], N)),
    flag=X[:, 2] > 0,
    code=RNG.randint(0, 5, N).astype(float),
)
FRAME = FRAME[["text", "a */", "flag", "kind", 'b"', "code"]]
FRAME.loc[::7, 'b"'] = np.nan
FRAME.loc[::9, "text"] = None
# As pandas 3 has strings.
FRAME["text"] = FRAME["text"].astype(pd.StringDtype(na_value=np.nan))
NUMBERS, STRINGS = ["a */", "flag", 'b"', "code"], ["text", "kind"]


def make_labels(n_classes):
    return np.array(["ant", "bee\n", "č"])[SCORES[:, :n_classes].argmax(axis=1)]


def make_lightgbm(**params):
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=4, verbose=-1, n_jobs=1, **params)


def make_xgboost():
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBClassifier(n_estimators=4, n_jobs=1)


def make_catboost():
    catboost = pytest.importorskip("catboost")
    settings = {"iterations": 4, "thread_count": 1, "allow_writing_files": False}
    return catboost.CatBoostClassifier(**settings, cat_features=["kind"], verbose=0)


LEARNERS = {
    "network": lambda: MLPClassifier((8, 5), max_iter=20),
    "tanh": lambda: MLPClassifier((6,), activation="tanh", max_iter=20),
    "logistic network": lambda: MLPClassifier((6,), activation="logistic", max_iter=20),
    "identity": lambda: MLPClassifier((6,), activation="identity", max_iter=20),
    "linear": LogisticRegression,
    "sgd": lambda: SGDClassifier(loss="log_loss"),
    "huber": lambda: SGDClassifier(loss="modified_huber"),
    "lda": LinearDiscriminantAnalysis,
    "tree": lambda: DecisionTreeClassifier(max_depth=5),
    "stump": lambda: DecisionTreeClassifier(min_samples_leaf=N),
    "forest": lambda: RandomForestClassifier(3),
    "extra trees": lambda: ExtraTreesClassifier(3, max_depth=5),
    "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=3),
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=3),
    "lightgbm": make_lightgbm,
    "xgboost": make_xgboost,
}


@pytest.fixture(scope="module")
def compile_c(tmp_path_factory):
    """Return a function from the source to one from rows to probabilities."""
    folder = tmp_path_factory.mktemp("c")

    def compile_source(text, n_classes, name="model"):
        library = compile_strictly(text, folder)
        predict = getattr(library, f"{name}_predict_proba")
        doubles = ctypes.POINTER(ctypes.c_double)

        def predict_proba(rows):
            texts = [n for n in rows if n in STRINGS] if hasattr(rows, "iloc") else []
            numbers = rows.drop(columns=texts) if texts else rows
            numbers = np.ascontiguousarray(numbers, dtype=float)
            strings = rows[texts].to_numpy(dtype=object).tolist() if texts else []
            proba = np.full((len(rows), n_classes), 9.0)
            for k in range(len(rows)):
                given = [numbers[k].ctypes.data_as(doubles)]
                if texts:
                    encoded = [None if pd.isna(v) else v.encode() for v in strings[k]]
                    given.append((ctypes.c_char_p * len(texts))(*encoded))
                predict(*given, proba[k].ctypes.data_as(doubles))
            return proba

        return predict_proba

    return compile_source


def assert_equal(model, serve, rows):
    np.testing.assert_allclose(
        serve(rows), model.predict_proba(rows), rtol=0, atol=1e-5
    )


# One margin or several: most learners write another source for two classes.
@pytest.mark.parametrize(
    ("name", "n_classes"), [(name, n) for name in LEARNERS for n in (2, 3)]
)
def test_tables_of_numbers(name, n_classes, compile_c):
    y = np.unique(make_labels(n_classes), return_inverse=True)[1]
    model = make_pipeline(StandardScaler(), LEARNERS[name]()).fit(X, y)
    serve = compile_c(to_c(model, X, check=False), n_classes)
    # Inside of the range, and far outside.
    for rows in (X, 20 * X):
        assert_equal(model, serve, rows)


@pytest.mark.parametrize("scaler", [MinMaxScaler((-1, 2), clip=True), MaxAbsScaler()])
def test_numbers_are_clipped_where_the_scaler_clips(scaler, compile_c):
    model = make_pipeline(scaler, LogisticRegression()).fit(X, make_labels(3))
    serve = compile_c(to_c(model, X, check=False), 3)
    for rows in (X, 20 * X, -20 * X):
        assert_equal(model, serve, rows)


def prepare_columns(encoder):
    fill = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder)
    return make_column_transformer(
        (fill, ["a */", 'b"']),
        (texts, ["text"]),
        (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["kind", "code"]),
        ("passthrough", ["flag"]),
    )


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("network", "one-hot"),
        ("network", "ordinal"),
        ("linear", "one-hot"),
        ("tree", "ordinal"),
        ("forest", "one-hot"),
        ("lightgbm", "ordinal"),
    ],
)
def test_tables_with_strings(name, encoder, compile_c):
    encoder = {
        "one-hot": OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    }[encoder]
    model = make_pipeline(prepare_columns(encoder), LEARNERS[name]())
    model.fit(FRAME, make_labels(3))
    serve = compile_c(to_c(model, FRAME), 3)
    assert_equal(model, serve, FRAME)
    some = FRAME[:30]
    missing = some["text"].where(some.index < 0)
    changes = [{"text": "unseen"}, {"text": missing}, {'b"': np.nan}, {"code": 77.0}]
    for change in changes:
        assert_equal(model, serve, some.assign(**change))


@pytest.mark.parametrize("fills", [False, True])
@pytest.mark.parametrize("missing", [None, np.nan])
def test_objects_that_are_missing_as_the_example_has_it(missing, fills, compile_c):
    """SimpleImputer fills NaN alone: None is a category to it."""
    texts = np.array(["a", "b", "c", missing], dtype=object)[np.arange(N) % 4]
    rows = pd.DataFrame({"text": pd.Series(texts, dtype=object)})
    steps = [SimpleImputer(strategy="most_frequent")] * fills
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(*steps, encoder, LogisticRegression())
    model.fit(rows, make_labels(3))
    some = pd.DataFrame({"text": ["c", missing, "unseen", ""]}, dtype=object)
    assert_equal(model, compile_c(to_c(model, rows), 3), some)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        served = OnnxClassifier(to_onnx(model, rows))
    np.testing.assert_allclose(
        served.predict_proba(some), model.predict_proba(some), atol=1e-6
    )


@pytest.mark.parametrize("name", ["histograms", "lightgbm", "catboost"])
def test_native_categories_and_missing_numbers(name, compile_c):
    # LightGBM takes no quotes in names.
    rows = FRAME.drop(columns="text").rename(columns={"a */": "a", 'b"': "b"})
    learner = {
        "histograms": HistGradientBoostingClassifier(
            max_iter=3, categorical_features="from_dtype"
        ),
        "lightgbm": make_lightgbm(min_data_per_group=5, cat_smooth=1),
        "catboost": None if name != "catboost" else make_catboost(),
    }[name]
    y = (rows["kind"].isin(["x", "z"]) ^ rows["flag"]).astype(int)
    model = learner.fit(rows, y)
    serve = compile_c(to_c(model, rows), 2)
    assert_equal(model, serve, rows)
    # CatBoost takes no missing category.
    changes = [{"a": np.nan}, {"kind": rows["kind"].where(rows.index < 0)}]
    for change in changes[: 1 if name == "catboost" else 2]:
        assert_equal(model, serve, rows.assign(**change))


MANY_TREES = {
    "forest": lambda: RandomForestClassifier(11, min_samples_leaf=2),
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=11),
    "lightgbm": lambda: make_lightgbm(num_leaves=9).set_params(n_estimators=11),
    "xgboost": lambda: make_xgboost().set_params(n_estimators=11),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", MANY_TREES)
def test_trees_of_many_depths_and_what_they_compare_at_the_edge(
    name, n_classes, compile_c
):
    # Missing values go to either side, and some numbers are the thresholds themselves.
    rows = np.round(X, 1).astype(np.float32)
    missing = (RNG.random(X.shape) < 0.3) & ((rows > 0) == [True, True, False, False])
    rows = np.where(missing, np.nan, rows)
    y = np.unique(make_labels(n_classes), return_inverse=True)[1]
    model = MANY_TREES[name]().set_params(random_state=0).fit(rows, y)
    serve = compile_c(to_c(model, rows, check=False), n_classes)
    halves = np.nextafter(np.round(X, 1) + np.float32(0.05), np.inf)
    alone = np.where(np.arange(4) == np.arange(N)[:, None] % 4, np.nan, rows)
    for given in (rows, X, halves, alone, np.where(missing, np.nan, X)):
        found, expected = serve(given), model.predict_proba(given)
        # XGBoost adds in single precision.
        atol = 1e-6 if name == "xgboost" else 1e-14
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def count_branches(text):
    return Counter(re.findall(r"\b(?:if|else|for|while|switch)\b|[?]", text))


@pytest.mark.parametrize("name", ["tree", "forest", "lightgbm", "xgboost"])
def test_deeper_trees_are_longer_tables(name):
    """Trees of three leaves and deep ones have the same branches."""
    y = (X[:, 0] + 0.5 * X[:, 1] * X[:, 2] > 0).astype(int)
    size = "num_leaves" if name == "lightgbm" else "max_leaves"
    size = "max_leaf_nodes" if name in ("tree", "forest") else size
    texts = []
    for n_leaves in (3, 40):
        model = LEARNERS[name]().set_params(**{size: n_leaves})
        if name == "tree":
            model.set_params(max_depth=None)
        if name == "lightgbm":
            model.set_params(min_child_samples=2)
        if name == "xgboost":
            model.set_params(grow_policy="lossguide", max_depth=0)
        texts.append(to_c(model.fit(X, y), X, check=False))
    assert len(texts[1]) > 1.5 * len(texts[0])
    assert count_branches(texts[0]) == count_branches(texts[1])


def test_lightgbm_that_splits_missing_numbers_from_the_rest(compile_c):
    # Its JSON has 1e300 for the threshold of such a split, which is infinite.
    missing = np.arange(N) % 3 == 0
    rows = np.c_[np.where(missing, np.nan, X[:, 0]), X[:, 1]]
    model = make_lightgbm().fit(rows, missing ^ (X[:, 1] > 0))
    serve = compile_c(to_c(model, rows), 2)
    served = OnnxClassifier(to_onnx(model, rows))
    for number in (np.inf, -np.inf, 1.7e308, 1.1e300, 1e300, np.nan):
        for k in range(2):
            given = rows[:9].copy()
            given[:, k] = number
            np.testing.assert_allclose(serve(given), model.predict_proba(given))
            if not 1e39 < abs(number) < np.inf:
                assert_equal(model, served.predict_proba, given)


def test_lightgbm_truncates_numbers_to_categories(compile_c):
    rows = np.c_[X[:, 0], np.arange(N) % 8]
    y = np.isin(rows[:, 1], [0, 2, 5]) ^ (X[:, 0] > 1)
    model = make_lightgbm(min_data_per_group=5, cat_smooth=1)
    model.fit(rows, y, categorical_feature=[1])
    serve = compile_c(to_c(model, rows), 2)
    served = OnnxClassifier(to_onnx(model, rows))
    numbers = [2, 2.5, 2.75, 3, -0.5, -1, 7.9, 8, 1e9, np.nan, 5.5]
    given = np.c_[np.zeros(len(numbers)), numbers]
    assert model.predict(given)[:4].tolist() == [True, True, True, False]
    assert_equal(model, serve, given)
    assert_equal(model, served.predict_proba, given)


def test_a_leaf_of_boosted_trees_is_one_number_whatever_the_classes():
    model = make_lightgbm(num_leaves=4).fit(X, make_labels(3))
    trees = model.booster_.dump_model()["tree_info"]
    n_leaves = sum(tree["num_leaves"] for tree in trees)
    tables = re.findall(r"const double \w+\[(\d+)\]", to_c(model, X))
    assert n_leaves in map(int, tables)
    assert 3 * n_leaves not in map(int, tables)


@pytest.mark.parametrize("steps", [StandardScaler(), SimpleImputer()])
def test_categories_of_changed_numbers_are_refused(steps):
    rows = np.c_[X[:, 0], np.arange(N) % 8]
    model = make_pipeline(steps, make_lightgbm(categorical_feature=[1]))
    model.fit(rows, np.isin(rows[:, 1], [0, 2, 5]))
    with pytest.raises(TypeError, match="does not take categories after arithmetic"):
        to_c(model, rows)


def test_a_part_of_a_union_that_is_dropped(compile_c):
    union = FeatureUnion([("a", StandardScaler()), ("b", "drop"), ("c", PCA(2))])
    model = make_pipeline(union, LogisticRegression()).fit(X, make_labels(2))
    assert_equal(model, compile_c(to_c(model, X), 2), X)


def test_timestamps(compile_c):
    rows = np.c_[X[:, 0], 1.7e12 + 1e5 * X[:, 1]]
    for name in ("network", "lightgbm"):
        model = make_pipeline(StandardScaler(), LEARNERS[name]())
        model.fit(rows, make_labels(2))
        assert_equal(model, compile_c(to_c(model, rows), 2), rows)


def test_an_unknown_category_that_is_refused_gives_nan(compile_c):
    rows = FRAME[["kind", "a */"]].astype({"kind": object})
    columns = make_column_transformer(
        (OneHotEncoder(), ["kind"]), remainder="passthrough"
    )
    for name in ("network", "linear", "tree", "lightgbm"):
        model = make_pipeline(columns, LEARNERS[name]()).fit(rows, make_labels(2))
        serve = compile_c(to_c(model, rows), 2)
        assert_equal(model, serve, rows[:20])
        assert np.isnan(serve(rows[:3].assign(kind="unseen"))).all()


def test_long_strings(compile_c):
    rows = pd.DataFrame({"text": np.where(X[:, 0] > 0, "ž" * 5000, "b")})
    model = make_pipeline(OneHotEncoder(), LogisticRegression())
    model.fit(rows, make_labels(2))
    assert_equal(model, compile_c(to_c(model, rows), 2), rows)


def test_the_file_and_its_names(compile_c, tmp_path):
    student = make_pipeline(StandardScaler(), LogisticRegression())
    settings = {"augmenter": None, "calibrate": False, "random_state": 0}
    model = DistilledClassifier(GaussianNB(), student, **settings).fit(
        X, make_labels(3)
    )
    path = tmp_path / "model.c"
    text = to_c(model, X, path, name="student_1")
    assert path.read_text() == text
    check_plain(text)
    assert re.search(r"\b(?:[a-z]*alloc|free)\b", text) is None
    # Nothing of the data is part of a name, and nothing of a string is left as it is.
    assert "ant" in text
    assert text.isascii()
    assert_equal(model, compile_c(text, 3, name="student_1"), X)


@pytest.mark.parametrize("name", ["", "1a", "a b", "int", "while", "é", 3])
def test_names_that_are_no_identifier(name):
    model = LogisticRegression().fit(X, make_labels(2))
    with pytest.raises(ValueError, match="identifier of C"):
        to_c(model, X, name=name)


def test_models_that_are_refused(tmp_path):
    path = tmp_path / "model.c"
    y = make_labels(2)
    with pytest.raises(TypeError, match="to_c does not take KNeighborsClassifier"):
        to_c(KNeighborsClassifier().fit(X, y), X, path)
    squared = make_pipeline(FunctionTransformer(np.square), LogisticRegression())
    with pytest.raises(TypeError, match="to_c does not take FunctionTransformer"):
        to_c(squared.fit(X, y), X, path)
    zero = make_lightgbm(zero_as_missing=True).fit(np.where(X > 1, 0, X), y)
    with pytest.raises(TypeError, match=r"with .*zero_as_missing=True"):
        to_c(zero, X, path)
    forest = make_lightgbm(boosting_type="rf", subsample_freq=1, subsample=0.5)
    with pytest.raises(TypeError, match=r"with .*boosting_type='rf'"):
        to_c(forest.fit(X, y), X, path)
    rows = FRAME[["text"]].assign(text="a\0b")
    encode = make_pipeline(OneHotEncoder(), LogisticRegression())
    with pytest.raises(ValueError, match="NUL"):
        to_c(clone(encode).fit(rows, y), rows, path)
    assert not path.exists()


class Bounded(HistGradientBoostingClassifier):
    """A model that differs where one column alone is infinite."""

    def predict_proba(self, X):
        one = np.isinf(X).sum(axis=1) == 1
        return super().predict_proba(np.where(one[:, None], 0, X))


class Tampered(LogisticRegression):
    """A model whose probabilities are not those of its weights."""

    def predict_proba(self, X):
        return super().predict_proba(X * [1.1, 1, 1, 1])


class Clipped(LogisticRegression):
    """A model that differs from its weights far away alone."""

    def predict_proba(self, X):
        return super().predict_proba(np.clip(X, -5, 5))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Tampered, r"must equal predict_proba; \d+ of 240 rows differ .* the C file"),
        (Clipped, r"outside of the example too; it differs where 'x\d' is 10 times"),
        (Bounded, r"outside of the example too; it differs where 'x\d' is infinite"),
    ],
)
def test_a_file_that_differs_is_refused(kind, words, tmp_path):
    model, path = kind().fit(X, make_labels(2)), tmp_path / "model.c"
    with pytest.raises(ValueError, match=words):
        to_c(model, X, path)
    assert not path.exists()
    assert path.write_text(to_c(model, X, check=False))


def test_what_a_compiler_refuses_is_said_in_three_lines(monkeypatch, tmp_path):
    """One that makes a library of other sources is asked why not of this one."""
    refusing = tmp_path / "cc"
    refusing.write_text(
        "#!/bin/sh\n"
        'for file; do case "$file" in *.c) grep -q predict "$file" && '
        'printf "\\none\ntwo\nthree\nfour\n" >&2 && exit 1;; esac; done\n'
        'exec cc "$@"\n'
    )
    refusing.chmod(0o755)
    monkeypatch.setenv("CC", str(refusing))
    model = LogisticRegression().fit(X, SCORES[:, 0] > 0)
    with pytest.raises(ValueError, match=r"refuses it: one two three$"):
        to_c(model, X)


@pytest.mark.parametrize("compiler", [None, "no-compiler", "true"])
def test_without_a_compiler_nothing_is_compared(compiler, monkeypatch, tmp_path):
    # The last one runs, and makes nothing.
    if compiler is None:
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setenv("PATH", "")
    else:
        monkeypatch.setenv("CC", compiler)
    model, path = Tampered().fit(X, make_labels(2)), tmp_path / "model.c"
    with pytest.raises(RuntimeError, match="C file was not compared"):
        to_c(model, X, path, check=True)
    assert not path.exists()
    with pytest.warns(UserWarning, match="not compared with predict_proba"):
        to_c(model, X, path)
    assert path.exists()
    assert to_c(model, X, check=False) == path.read_text()


def test_what_check_may_be():
    with pytest.raises(ValueError, match="check must be a bool or 'auto', received 3"):
        to_c(LogisticRegression().fit(X, make_labels(2)), X, check=3)


def test_an_imputer_may_replace_what_another_has_filled_in(compile_c):
    """A word that stands for missing texts, and is no text of the table."""
    rows = FRAME[["text"]]
    steps = [
        SimpleImputer(missing_values="?", strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore"),
        LogisticRegression(),
    ]
    fill = SimpleImputer(missing_values=np.nan, strategy="constant", fill_value="?")
    model = make_pipeline(fill, *steps).fit(rows, make_labels(3))
    assert_equal(model, compile_c(to_c(model, rows, check=False), 3), rows)
    whole = rows.fillna("?")
    with pytest.raises(TypeError, match="SimpleImputer of another value than NaN"):
        to_c(make_pipeline(*steps).fit(whole, make_labels(3)), whole)


def test_an_imputer_of_a_number_is_refused():
    """The table may hold that number, though the example does not."""
    rows = np.random.RandomState(0).uniform(0, 5, size=(60, 2))
    rows[::5, 0] = np.nan
    first = SimpleImputer(strategy="constant", fill_value=-1)
    steps = first, SimpleImputer(missing_values=-1), LogisticRegression()
    model = make_pipeline(*steps).fit(rows, rows[:, 1] > 2)
    with pytest.raises(TypeError, match="SimpleImputer of another value than NaN"):
        to_c(model, rows)
