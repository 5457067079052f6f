"""Columns that float32 can't hold, native categories, rows outside of the example."""

import warnings

import numpy as np
import pandas as pd
import pytest
from _onnx_files import default_student, make_lightgbm, run
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

from skdistill.export import OnnxClassifier, to_onnx

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 300
RNG = np.random.RandomState(0)
CODES = RNG.randint(0, 12, N)
NAMES = np.array([f"c{k}" for k in range(12)])
WIDE = pd.DataFrame(
    {
        "a": RNG.normal(size=N),
        "seconds": 1.7e9 + RNG.randint(0, 10**6, N),
        "milliseconds": 1.7e12 + RNG.randint(0, 10**6, N),
        "latitude": 55.75 + 0.01 * RNG.normal(size=N),
    }
)
SCORE = WIDE["a"] + (WIDE["seconds"] - 1.7e9) / 5e5 + (WIDE["latitude"] - 55.75) * 50
Y = np.digitize(SCORE, [0.5, 1.5])
MIXED = WIDE[["a", "latitude"]].assign(
    kind=pd.Categorical(NAMES[CODES]), flag=RNG.rand(N) > 0.5, code=CODES % 5
)
Y_MIXED = (SCORE + np.isin(CODES, [1, 4, 7]) > 1.2).astype(int)


def make_xgboost():
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBClassifier(
        n_estimators=5, enable_categorical=True, max_cat_to_onehot=4, n_jobs=1
    )


FAMILIES = {
    "network": lambda: make_pipeline(
        StandardScaler(), MLPClassifier((8,), max_iter=30, random_state=0)
    ),
    "linear": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "tree": lambda: DecisionTreeClassifier(max_depth=5, random_state=0),
    "scaled tree": lambda: make_pipeline(
        StandardScaler(), DecisionTreeClassifier(random_state=0)
    ),
    "forest": lambda: RandomForestClassifier(4, random_state=0),
    "extra trees": lambda: ExtraTreesClassifier(4, max_depth=6, random_state=0),
    "gradient boosting": lambda: GradientBoostingClassifier(n_estimators=3),
    "histograms": lambda: HistGradientBoostingClassifier(max_iter=4),
    "lightgbm": make_lightgbm,
    "scaled lightgbm": lambda: make_pipeline(StandardScaler(), make_lightgbm()),
    "xgboost": make_xgboost,
    "bayes": GaussianNB,
    "vote": lambda: VotingClassifier(
        [
            ("linear", make_pipeline(StandardScaler(), LogisticRegression())),
            ("forest", RandomForestClassifier(4, random_state=0)),
            ("lightgbm", make_lightgbm()),
            ("no", "drop"),
        ],
        voting="soft",
        weights=[2, 1, 3, 5],
    ),
}


@pytest.fixture(autouse=True)
def draw_the_same_in_any_order():
    # Two classes may tie in the votes of four trees, which the last bit then decides.
    RNG.seed(1)


def assert_equal(model, served, rows):
    proba = served.predict_proba(rows)
    np.testing.assert_allclose(proba, model.predict_proba(rows), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(served.predict(rows), np.ravel(model.predict(rows)))


# --- Numbers far from 0 --------------------------------------------------------------


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_columns_that_float32_can_not_hold(family, named):
    rows = WIDE if named else WIDE.to_numpy()
    model = FAMILIES[family]().fit(rows, Y)
    exported = to_onnx(model, rows[:200])
    # Double, 11 in ONNX; float32 is 1.
    assert [i.type.tensor_type.elem_type for i in exported.graph.input] == [11]
    assert_equal(model, OnnxClassifier(exported), rows)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("family", ["default", "tree", "lightgbm"])
def test_coordinates_of_a_town_in_a_mixed_table(family, grouped):
    rows = MIXED.assign(seconds=WIDE["seconds"])
    model = default_student(rows)
    if family != "default":
        model = make_pipeline(model[:-1], FAMILIES[family]())
    model = clone(model).fit(rows, Y_MIXED)
    exported = to_onnx(model, rows[:200], grouped=grouped)
    kinds = {i.name: i.type.tensor_type.elem_type for i in exported.graph.input}
    assert kinds["numbers" if grouped else "latitude"] == 11
    if not grouped:
        assert kinds["a"] == kinds["flag"] == 1
    assert_equal(model, OnnxClassifier(exported), rows)


def test_identifiers_as_categories():
    ids = 10**12 + np.arange(N) % 7
    rows = np.c_[WIDE["a"], ids]
    columns = make_column_transformer(
        (StandardScaler(), [0]), (OneHotEncoder(handle_unknown="ignore"), [1])
    )
    y = (ids % 3 == 0).astype(int)
    model = make_pipeline(columns, LogisticRegression()).fit(rows, y)
    assert_equal(model, OnnxClassifier(to_onnx(model, rows)), rows)


def test_numbers_that_float32_holds_stay_float32():
    years = np.c_[WIDE["a"], 1990 + CODES]
    model = FAMILIES["linear"]().fit(years, Y)
    exported = to_onnx(model, years)
    assert [i.type.tensor_type.elem_type for i in exported.graph.input] == [1]


# --- Categories ----------------------------------------------------------------------

NATIVE = {
    "histograms": lambda: HistGradientBoostingClassifier(
        max_iter=4, categorical_features="from_dtype"
    ),
    "lightgbm": lambda: make_lightgbm(min_data_per_group=5, cat_smooth=1),
    "xgboost": make_xgboost,
}


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("family", NATIVE)
def test_native_categories(family, n_classes, missing):
    rows = MIXED.assign(code=pd.Categorical(MIXED["code"]))
    if missing:
        rows.loc[::5, "a"] = np.nan
        rows.loc[::7, "kind"] = None
    y = Y_MIXED if n_classes == 2 else np.where(SCORE > 1.5, 2, Y_MIXED)
    model = NATIVE[family]().fit(rows, y)
    served = OnnxClassifier(to_onnx(model, rows[:200]))
    assert_equal(model, served, rows)
    empty = rows[:20].assign(kind=rows["kind"].where(rows.index < 0))
    assert_equal(model, served, empty)


def test_native_categories_behind_an_encoder():
    encode = make_column_transformer(
        (OrdinalEncoder(), ["kind"]), remainder="passthrough"
    )
    y = np.isin(CODES, [1, 4, 7]).astype(int)
    for learner in (
        HistGradientBoostingClassifier(max_iter=4, categorical_features=[0]),
        make_lightgbm(min_data_per_group=5, cat_smooth=1, categorical_feature=[0]),
    ):
        model = make_pipeline(encode, learner).fit(MIXED, y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            served = OnnxClassifier(to_onnx(model, MIXED))
        assert_equal(model, served, MIXED)


def make_catboost(**params):
    catboost = pytest.importorskip("catboost")
    settings = {"iterations": 6, "thread_count": 1, "allow_writing_files": False}
    names = {"cat_features": ["kind", "code"]}
    return catboost.CatBoostClassifier(**settings, **names, verbose=0, **params)


@pytest.mark.parametrize(
    ("n_classes", "params"),
    [
        (2, {"one_hot_max_size": 20}),
        (3, {"one_hot_max_size": 20}),
        # Statistics of the target, category by category.
        (2, {"max_ctr_complexity": 1}),
        (3, {"max_ctr_complexity": 1, "loss_function": "MultiClass"}),
    ],
)
def test_categories_of_catboost(n_classes, params):
    rows = MIXED.assign(code=pd.Categorical(MIXED["code"]))
    rows.loc[::5, "a"] = np.nan
    y = Y_MIXED if n_classes == 2 else np.where(SCORE > 1.5, 2, Y_MIXED)
    model = make_catboost(**params).fit(rows, y)
    served = OnnxClassifier(to_onnx(model, rows[:200]))
    assert_equal(model, served, rows)
    unseen = rows[:20].assign(kind="new")
    proba = served.predict_proba(unseen.to_dict("list"))
    np.testing.assert_allclose(proba, model.predict_proba(unseen), atol=1e-5)


def test_categories_of_catboost_that_are_refused():
    kind, code = np.random.RandomState(1).randint(0, 3, (2, N))
    rows = pd.DataFrame({"kind": NAMES[kind], "code": code})
    rows = rows.astype({"kind": "category", "code": "category"})
    y = ((kind + code) % 3 > 0).astype(int)
    statistics = {"simple_ctr": ["Borders"], "combinations_ctr": ["Borders"]}
    combined = make_catboost(one_hot_max_size=1, max_ctr_complexity=2, **statistics)
    combined.set_params(iterations=20, model_size_reg=0)
    with pytest.raises(TypeError, match="max_ctr_complexity=1 makes none"):
        to_onnx(combined.fit(rows, y), rows)
    # Which strings there are besides those of the example, the model does not know.
    texts = rows.astype({"kind": object})
    with pytest.raises(TypeError, match="declares none of"):
        to_onnx(make_catboost().fit(texts, y), texts)


# --- Outside of the example ----------------------------------------------------------


@pytest.mark.parametrize(
    "family", ["tree", "forest", "extra trees", "lightgbm", "vote of trees"]
)
def test_trees_send_missing_numbers_where_they_send_them(family):
    # No number was missing in the training rows.
    rows = WIDE[["a"]].assign(b=RNG.normal(size=N), c=CODES)
    members = [(name, FAMILIES[name]()) for name in ("tree", "lightgbm")]
    vote = VotingClassifier(members, voting="soft")
    model = (vote if family == "vote of trees" else FAMILIES[family]()).fit(rows, Y)
    served = OnnxClassifier(to_onnx(model, rows))
    for name in rows:
        assert_equal(model, served, rows.assign(**{name: np.nan}))


@pytest.mark.parametrize("family", ["tree", "lightgbm", "bayes"])
def test_a_category_that_an_encoder_refuses_is_never_served(family):
    rows = MIXED[["a", "kind"]].astype({"kind": object})
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["kind"]), remainder="passthrough"
    )
    model = make_pipeline(encode, FAMILIES[family]()).fit(rows, Y_MIXED)
    served = OnnxClassifier(to_onnx(model, rows))
    assert_equal(model, served, rows)
    for unknown in (rows[:5].assign(kind="new"), rows[:1].assign(kind="new")):
        with pytest.raises(ValueError, match="Found unknown categories"):
            model.predict(unknown)
        with pytest.raises(ValueError, match="Found unknown categories"):
            served.predict(unknown)


def test_missing_numbers_that_no_converter_serves_are_named():
    rows = WIDE[["a"]].assign(b=RNG.normal(size=N))
    bagged = BaggingClassifier(DecisionTreeClassifier(max_depth=3), 2).fit(rows, Y)
    with pytest.warns(UserWarning, match="differs .* where 'a' is missing"):
        served = OnnxClassifier(to_onnx(bagged, rows))
    with pytest.raises(ValueError, match=r"NaN(.|\n)*'a'"):
        served.predict(rows.assign(a=np.nan))


class Clipped(LogisticRegression):
    """Differs from the class whose converter takes it beyond what most rows show."""

    def predict_proba(self, X):
        return super().predict_proba(np.clip(X, -4, 4))


def test_what_differs_outside_of_the_range_is_named(tmp_path):
    path = tmp_path / "model.onnx"
    rows = RNG.normal(size=(N, 3)).clip(-3.5, 3.5)
    with pytest.raises(ValueError, match=r"'x\d' is 10 times as far from its median"):
        to_onnx(Clipped().fit(rows, Y), rows, path=path)
    assert not path.exists()


def test_no_rows_and_kinds_of_columns():
    rows = MIXED.astype({"flag": "boolean", "code": "Int64", "a": "Float64"})
    rows.loc[::6, ["flag", "code", "a"]] = pd.NA
    rows["kind"] = rows["kind"].astype(object)
    plain = rows.astype({"flag": float, "code": float, "a": float})
    model = clone(default_student(plain)).fit(plain, Y_MIXED)
    for given in (rows, plain):
        exported = to_onnx(model, given)
        assert_equal(model, OnnxClassifier(exported), plain)
    feed = {
        entry.name: np.empty(
            (0, 1),
            {1: "float32", 8: object, 11: float}[entry.type.tensor_type.elem_type],
        )
        for entry in exported.graph.input
    }
    assert run(exported, feed)[1].shape == (0, 2)


def test_what_float32_can_not_tell_apart_is_compared_in_double():
    rows = np.repeat([[1.0], [1.0 + 1e-12]], 50, axis=0)
    y = np.repeat(["a", "b"], 50)
    model = HistGradientBoostingClassifier(max_iter=2).fit(rows, y)
    assert_equal(model, OnnxClassifier(to_onnx(model, rows)), rows)


# Missing values among objects --------------------------------------------------------

FLAGS = [[True, False, None][code % 3] for code in CODES]
FLAG_COLUMNS = {
    "None": pd.Series(FLAGS, dtype=object),
    "NaN": pd.Series([np.nan if f is None else f for f in FLAGS], dtype=object),
    "nullable": pd.Series(FLAGS, dtype="boolean"),
    "categories": pd.Series(FLAGS, dtype="category"),
}


def make_flags(kind):
    if kind == "polars":
        pl = pytest.importorskip("polars")
        return pl.DataFrame({"a": WIDE["a"].to_numpy(), "flag": FLAGS})
    if kind == "array":
        return np.array([WIDE["a"].tolist(), FLAGS], dtype=object).T
    return WIDE[["a"]].assign(flag=FLAG_COLUMNS[kind])


@pytest.mark.parametrize("student", ["own encoder", "default"])
@pytest.mark.parametrize("kind", [*FLAG_COLUMNS, "polars", "array"])
def test_booleans_with_blanks(kind, student):
    rows = make_flags(kind)
    if student == "default":
        model = default_student(rows)
    else:
        encode = make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), [1]), remainder="passthrough"
        )
        model = make_pipeline(encode, LogisticRegression())
    y = (WIDE["a"] + 2 * np.array([flag is True for flag in FLAGS]) > 1).to_numpy()
    model.fit(rows, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        served = OnnxClassifier(to_onnx(model, rows[:50]))
    proba = model.predict_proba(rows)
    np.testing.assert_allclose(served.predict_proba(rows), proba, atol=1e-5)
