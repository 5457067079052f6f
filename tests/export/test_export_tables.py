"""Tables and preprocessing in an ONNX file."""

import numpy as np
import pandas as pd
import pytest
from _core import PLAIN
from _onnx_files import (
    LEARNERS,
    RNG,
    SCORES,
    TEST,
    TRAIN,
    X,
    assert_equal_to,
    default_student,
    list_operators,
    make_frame,
    make_labels,
    make_lightgbm,
    prepare_columns,
    run,
)
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from skdistill import DistilledClassifier
from skdistill.export import OnnxClassifier, to_c, to_onnx

onnx = pytest.importorskip("onnx")
pytest.importorskip("skl2onnx")


pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::UserWarning:lightgbm"
)


PREPROCESSING = {
    "standard": StandardScaler,
    "centred": lambda: StandardScaler(with_std=False),
    "min-max": lambda: MinMaxScaler((-1, 1)),
    "clipped": lambda: MinMaxScaler((-1, 2), clip=True),
    "clipped, scaled": lambda: make_pipeline(MinMaxScaler(clip=True), StandardScaler()),
    "max-abs": MaxAbsScaler,
    "max-abs, clipped": lambda: MaxAbsScaler(clip=True),
    "robust": RobustScaler,
    "spread": lambda: RobustScaler(with_centering=False),
    "selected": lambda: make_pipeline(StandardScaler(), SelectKBest(k=3)),
    "pca": lambda: PCA(3, whiten=True),
    "svd": lambda: TruncatedSVD(3),
    "union": lambda: make_union(StandardScaler(), PCA(2), "passthrough"),
    "columns": lambda: make_column_transformer(
        (StandardScaler(), slice(0, 2)),
        ("drop", [2]),
        (MinMaxScaler(), np.array([False, False, False, True, False])),
        (RobustScaler(), []),
        remainder="passthrough",
    ),
    "identity": lambda: FunctionTransformer(),
    "no step": lambda: Pipeline([("scale", StandardScaler()), ("none", None)]),
    # Not arithmetic of the form that folds: through skl2onnx.
    "normalizer": Normalizer,
    "a marker": lambda: SimpleImputer(missing_values=-1.0),
    "imputed late": lambda: make_pipeline(StandardScaler(), SimpleImputer()),
    "weighted union": lambda: FeatureUnion(
        [("scale", StandardScaler()), ("same", "passthrough")],
        transformer_weights={"scale": 2.0},
    ),
    "weighted columns": lambda: ColumnTransformer(
        [("scale", StandardScaler(), [0, 3]), ("same", "passthrough", [1])],
        transformer_weights={"scale": 3.0},
    ),
}


@pytest.mark.parametrize("name", PREPROCESSING)
@pytest.mark.parametrize("learner", ["mlp", "forest"])
def test_preprocessing_is_equal(name, learner):
    pipeline = make_pipeline(PREPROCESSING[name](), LEARNERS[learner]())
    pipeline[-1].set_params(random_state=0)
    y = make_labels(3)
    pipeline.fit(X[TRAIN], y[TRAIN])
    model = to_onnx(pipeline, X[TRAIN])
    # Beyond the range of the rows that verified it, too.
    far = 3 * X[TEST]
    assert_equal_to(pipeline, model, far, {"X": far})


def test_scaling_costs_no_node():
    mlp = MLPClassifier((8, 4), max_iter=5)
    y = SCORES.argmax(axis=1)
    pipeline = make_pipeline(StandardScaler(), PCA(4), mlp).fit(X, y)
    operators = list_operators(to_onnx(pipeline, X))
    layers = ["Gemm", "Relu", "Gemm", "Relu"]
    assert operators == [*layers, "LinearClassifier"]
    # It has no boolean labels.
    pipeline.fit(X, y > 0)
    model = to_onnx(pipeline, X)
    operators = list_operators(model)
    assert operators == [*layers, "Gemm", "Sigmoid", "ArgMax", "Gather"]
    # A set of operators that none of these belongs to is not asked for.
    assert [entry.domain for entry in model.opset_import] == [""]


def test_a_number_alone_is_not_joined():
    frame = make_frame(missing=False)[["a", "text"]]
    pipeline = make_pipeline(prepare_columns(frame), LogisticRegression())
    model = to_onnx(pipeline.fit(frame, make_labels(2)), frame)
    assert "Concat" not in list_operators(model)


@pytest.mark.parametrize("name", ["far from 0", "cancelling"])
def test_sums_that_float32_would_blur_are_done_in_double(name):
    rows = (X + np.float32(30_000)).astype(np.float64)
    if name == "far from 0":
        pipeline = make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=20))
        pipeline.fit(rows[TRAIN], make_labels(3)[TRAIN])
    else:
        pipeline = LogisticRegression().fit(rows, make_labels(2))
        pipeline.coef_ = np.array([[1.1, -1.1, 0, 0, 0]])
        pipeline.intercept_ = np.zeros(1)
    model = to_onnx(pipeline, rows[TRAIN])
    assert list_operators(model)[:3] == ["Cast", "Gemm", "Cast"]
    assert_equal_to(pipeline, model, rows[TEST], {"X": rows[TEST].astype(np.float32)})


@pytest.mark.parametrize("scaler", [MinMaxScaler, MaxAbsScaler])
def test_bounds_far_from_0_are_taken_less_the_offset(scaler):
    """Where numbers are taken less what is common to them, the rest is in float32."""
    rows = 1e6 + X.astype(np.float64)
    pipeline = make_pipeline(scaler(clip=True), LogisticRegression())
    pipeline.fit(rows[TRAIN].clip(1e6 - 1, 1e6 + 1), make_labels(2)[TRAIN])
    model = to_onnx(pipeline, rows[TRAIN])
    assert list_operators(model)[:5] == ["Sub", "Cast", "Max", "Min", "Gemm"]
    assert_equal_to(pipeline, model, rows[TEST], {"X": rows[TEST]})


def assert_exported(pipeline, rows, feed=None):
    """The model of some rows equals the pipeline on others; return the model."""
    pipeline.fit(rows[TRAIN], make_labels(3)[TRAIN])
    model = to_onnx(pipeline, rows[TRAIN])
    if feed is None:
        feed = feed_frame(rows[TEST])
    assert_equal_to(pipeline, model, rows[TEST], feed)
    return model


def feed_frame(frame):
    """As a client would: float32 or strings, one column each."""
    feed = {}
    for name in frame:
        values = frame[[name]].to_numpy()
        if name in ("text", "kind"):
            values = np.array(
                [["" if pd.isna(v) else str(v) for v in row] for row in values],
                dtype=object,
            )
        else:
            values = values.astype(np.float32)
        feed[name] = values
    return feed


@pytest.mark.parametrize(
    "learner", ["student", "logistic", "tree", "forest", "lightgbm"]
)
def test_a_mixed_table_has_one_input_a_column(learner):
    frame = make_frame()
    if learner == "student":
        pipeline = default_student(frame)
    else:
        pipeline = make_pipeline(prepare_columns(frame), LEARNERS[learner]())
    model = assert_exported(pipeline, frame)
    given = {entry.name: entry.type.tensor_type for entry in model.graph.input}
    assert list(given) == ["a", "b", "c d", "text", "kind", "flag"]
    kinds = [given[name].elem_type for name in given]
    assert kinds == [onnx.TensorProto.FLOAT] * 3 + [
        *[onnx.TensorProto.STRING] * 2,
        onnx.TensorProto.FLOAT,
    ]


def test_a_table_of_numbers_is_one_input_whatever_holds_it():
    pl = pytest.importorskip("polars")
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame["e"] = pd.array(np.where(X[:, 4] > 2, pd.NA, X[:, 4] * 9), dtype="Float64")
    frame["e"] = frame["e"].round().astype("Int64")
    table = frame.to_numpy(dtype=np.float32, na_value=np.nan)
    for rows in (frame, pl.from_pandas(frame), table):
        model = assert_exported(default_student(rows), rows, {"X": table[TEST]})
        assert [entry.name for entry in model.graph.input] == ["X"]


def test_a_column_named_like_an_output_is_refused():
    frame = make_frame(missing=False)[["text", "a"]].rename(columns={"a": "label"})
    encode = make_column_transformer((OneHotEncoder(), ["text"]))
    pipeline = make_pipeline(encode, LogisticRegression()).fit(frame, make_labels(3))
    with pytest.raises(ValueError, match=r"\['label'\] clash"):
        to_onnx(pipeline, frame)


def test_columns_of_constants():
    # Both categories hold as many of each class, so each is encoded as one half.
    frame = pd.DataFrame({"text": ["u", "v"] * 20, "a": np.linspace(0, 1, 40)})
    y = np.arange(40) // 2 % 2
    for columns in (["text"], ["text", "a"]):
        encode = make_column_transformer(
            (TargetEncoder(smooth=0.0), ["text"]), remainder="passthrough"
        )
        pipeline = make_pipeline(encode, RandomForestClassifier(3, random_state=0))
        rows = frame[columns]
        model = to_onnx(pipeline.fit(rows, y), rows)
        served = OnnxClassifier(model).predict_proba(rows)
        np.testing.assert_allclose(served, pipeline.predict_proba(rows), atol=1e-5)


def test_columns_taken_by_name_from_a_table_of_numbers():
    frame = pd.DataFrame(X, columns=list("abcde"))
    columns = make_column_transformer(
        (StandardScaler(), ["b", "a"]), (Normalizer(), ["c", "e"])
    )
    pipeline = make_pipeline(columns, LogisticRegression())
    model = assert_exported(pipeline, frame, {"X": X[TEST]})
    assert [entry.name for entry in model.graph.input] == ["X"]


def test_sparse_rows_are_served_dense():
    from scipy.sparse import csr_array

    rows = csr_array(np.where(np.abs(X) > 0.5, X, 0))
    pipeline = make_pipeline(MaxAbsScaler(), LogisticRegression())
    assert_exported(pipeline, rows, {"X": rows[TEST].toarray()})


ENCODERS = {
    "ignored": lambda: OneHotEncoder(handle_unknown="ignore"),
    "infrequent": lambda: OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=3
    ),
    "dropped": lambda: OneHotEncoder(drop="first", handle_unknown="ignore"),
    "ordinal": lambda: OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    ),
    "target": lambda: TargetEncoder(random_state=0),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_unknown_categories_are_encoded_as_the_encoder_does(name):
    frame = make_frame()[["text", "a", "flag", "kind"]]
    encode = ENCODERS[name]()
    pipeline = make_pipeline(
        make_column_transformer((encode, ["text", "kind", "flag"]), remainder="drop"),
        LogisticRegression(),
    )
    unknown = (np.arange(500) >= TEST.start) & (frame["a"] > 0.5)
    frame["text"] = frame["text"].mask(unknown, "never seen")
    assert_exported(pipeline, frame)


def test_an_unknown_category_gives_nan_where_the_encoder_would_raise():
    frame = make_frame(missing=False)[["text", "a"]]
    pipeline = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["text"]), remainder="passthrough"),
        LogisticRegression(),
    ).fit(frame, make_labels(3))
    model = to_onnx(pipeline, frame)
    feed = feed_frame(frame[:2])
    feed["text"][1] = "never seen"
    proba = run(model, feed)[1]
    assert np.isfinite(proba[0]).all()
    assert np.isnan(proba[1]).all()


FILLS = {
    "constant": {"strategy": "constant", "fill_value": "missing"},
    "category": {"strategy": "constant", "fill_value": "red"},
    "most frequent": {"strategy": "most_frequent"},
}


@pytest.mark.parametrize("marker", [None, np.nan, pd.NA])
@pytest.mark.parametrize("params", FILLS.values(), ids=FILLS)
def test_missing_strings_are_filled_in(params, marker):
    frame = make_frame()[["text", "a"]]
    frame["text"] = frame["text"].astype(object)
    frame.loc[frame["text"].isna(), "text"] = marker
    fill = SimpleImputer(missing_values=marker, **params)
    encode = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer(
        (make_pipeline(fill, encode), ["text"]), remainder="passthrough"
    )
    assert_exported(make_pipeline(columns, LogisticRegression()), frame)


def test_a_fill_that_was_never_needed_in_training():
    frame = make_frame(missing=False)[["text", "a"]]
    fill = SimpleImputer(missing_values=None, strategy="constant", fill_value="none")
    encode = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer(
        (make_pipeline(fill, encode), ["text"]), (StandardScaler(), ["a"])
    )
    frame["text"] = frame["text"].astype(object)
    frame.loc[frame.index[TEST][::3], "text"] = None
    assert_exported(make_pipeline(columns, LogisticRegression()), frame)


def test_nullable_strings_of_the_default_student():
    frame = make_frame()[["a", "text", "b"]]
    frame["text"] = frame["text"].astype("string")
    assert_exported(default_student(frame), frame)


def test_a_table_of_pyarrow_is_an_example():
    pl = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    frame = make_frame()[["a", "text", "b"]].fillna({"text": "none"})
    types = {"text": pl.Categorical}
    table = pl.from_pandas(frame).cast(types).to_arrow()
    student = default_student(table).fit(table, make_labels(2))
    served = OnnxClassifier(to_onnx(student, table))
    np.testing.assert_allclose(
        served.predict_proba(frame), student.predict_proba(table), atol=1e-5
    )
    assert "model_predict_proba" in to_c(student, table)


def take_columns(rows):
    return rows[["a", "b"]]


REFUSED = {
    "encoded late": make_pipeline(
        StandardScaler(), OneHotEncoder(handle_unknown="ignore", max_categories=3)
    ),
    "clipped inside": make_column_transformer(
        (make_pipeline(Normalizer(), MaxAbsScaler(clip=True)), ["a", "b"])
    ),
    "a function": FunctionTransformer(np.exp),
    "a function of frames": FunctionTransformer(take_columns),
    "a slice of names": make_column_transformer((StandardScaler(), slice("a", "b"))),
    "a column as a vector": make_column_transformer(
        (FunctionTransformer(np.reshape, kw_args={"shape": (-1, 1)}), "a")
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_preprocessing_without_a_converter_is_refused(name):
    frame = make_frame(missing=False)[["a", "b", "c d"]]
    pipeline = make_pipeline(REFUSED[name], LogisticRegression())
    pipeline.fit(frame, make_labels(3))
    with pytest.raises(TypeError, match="No converter"):
        to_onnx(pipeline, frame)


def measure_texts(rows):
    """Return the number of letters in each column of strings."""
    return np.array([[float(len(text)) for text in row] for row in np.asarray(rows)])


def test_strings_that_nobody_encodes_are_refused():
    frame = make_frame(missing=False)[["text", "kind"]]
    passed = make_column_transformer(("passthrough", ["text", "kind"]))
    measured = FunctionTransformer(measure_texts)
    pipeline = make_pipeline(passed, measured, GaussianNB())
    pipeline.fit(frame, make_labels(3))
    with pytest.raises(TypeError, match="No converter"):
        to_onnx(pipeline, frame)


MEMBERS = [("linear", LogisticRegression()), ("bayes", GaussianNB())]


@pytest.mark.parametrize(
    "make", [FrozenEstimator, lambda model: VotingClassifier(MEMBERS, voting="soft")]
)
def test_what_skl2onnx_converts_behind_its_preprocessing(make):
    rows = Normalizer().fit_transform(X)
    learner = make(LogisticRegression().fit(rows, make_labels(3)))
    pipeline = make_pipeline(Normalizer(), learner).fit(X, make_labels(3))
    model = to_onnx(pipeline, X[TRAIN])
    assert_equal_to(pipeline, model, X[TEST], {"X": X[TEST]})


def test_a_threshold_of_skl2onnx_that_float32_would_blur():
    """A step of seconds since 1970 is smaller than float32's."""
    seconds = np.column_stack([1.7e9 + np.arange(500), X[:, 0]])
    y = seconds[:, 0] > 1.7e9 + 250
    binarize = make_column_transformer((Binarizer(threshold=1.7e9 + 250.5), [0]))
    pipeline = make_pipeline(binarize, LogisticRegression()).fit(seconds, y)
    model = to_onnx(pipeline, seconds[::2])
    assert_equal_to(pipeline, model, seconds, {"X": seconds})


def test_words_are_parted_by_operators_beyond_the_standard():
    words = RNG.choice(["red fox", "blue cat", "red cat", "green dog"], 500)
    frame = pd.DataFrame({"a": X[:, 0], "text": words})
    count = make_column_transformer(
        (TfidfVectorizer(lowercase=False), "text"), ("passthrough", ["a"])
    )
    pipeline = make_pipeline(count, LogisticRegression())
    pipeline.fit(frame[TRAIN], make_labels(3)[TRAIN])
    model = to_onnx(pipeline, frame[TRAIN])
    assert {entry.domain for entry in model.opset_import} > {"", "ai.onnx.ml"}
    _, proba = run(model, feed_frame(frame[TEST]))
    expected = pipeline.predict_proba(frame[TEST])
    np.testing.assert_allclose(proba, expected, atol=1e-5)


def test_a_vote_of_distilled_classifiers():
    distilled = DistilledClassifier(
        GaussianNB(), LogisticRegression(), random_state=0, **PLAIN
    )
    vote = VotingClassifier([("a", distilled), ("b", GaussianNB())], voting="soft")
    assert_exported(vote, X, {"X": X[TEST]})


def test_an_array_of_objects_is_fed_column_by_column():
    rows = np.empty((500, 2), dtype=object)
    rows[:, 0] = X[:, 0].astype(float)
    rows[:, 1] = np.where(X[:, 1] > 0, "up", "down")
    rows[::5, 0] = None
    encode = make_column_transformer((SimpleImputer(), [0]), (OneHotEncoder(), [1]))
    pipeline = make_pipeline(encode, LogisticRegression())
    numbers = np.array([[np.nan if v is None else v] for v in rows[TEST, 0]])
    feed = {"x0": numbers.astype(np.float32), "x1": rows[TEST, 1:]}
    assert_exported(pipeline, rows, feed)


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("kind", ["numbers", "strings"])
def test_an_unknown_category_is_not_a_missing_one(name, kind):
    """The encoder has a missing category, and none is what it is given."""
    codes = RNG.randint(0, 4, 500)
    known = [3.0, 1.0, 2.0, np.nan] if kind == "numbers" else ["d", "b", "c", None]
    unknown = [17.0, -5.0, 0.5] if kind == "numbers" else ["z", "a", "bb"]
    dtype = float if kind == "numbers" else object
    frame = pd.DataFrame({"code": np.array(known, dtype=dtype)[codes], "a": X[:, 0]})
    # The missing category decides the class.
    y = np.array(["ant", "bee"])[(X[:, 0] + 3 * (codes == 3) > 1).astype(int)]
    columns = make_column_transformer(
        (ENCODERS[name](), ["code"]), ("passthrough", ["a"])
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame[TRAIN], y[TRAIN])
    model = to_onnx(pipeline, frame[TRAIN])
    test = frame[TEST].copy()
    test["code"] = np.array(unknown * 67, dtype=dtype)[: len(test)]
    if kind == "numbers":
        feed = {"X": test.to_numpy(np.float32)}
    else:
        feed = {
            "code": test[["code"]].to_numpy(),
            "a": test[["a"]].to_numpy(np.float32),
        }
    assert_equal_to(pipeline, model, test, feed)


def test_numbers_as_categories():
    rows = np.column_stack([RNG.randint(0, 4, 500), X[:, 0]]).astype(float)
    rows[::9, 0] = np.nan
    pipeline = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), [0]), (SimpleImputer(), [1, 0])
        ),
        LogisticRegression(),
    )
    rows[301, 0] = 17
    assert_exported(pipeline, rows, {"X": rows[TEST].astype(np.float32)})


def test_trees_see_missing_values():
    rows = X.copy()
    rows[::3, 1] = np.nan
    pipeline = make_pipeline(StandardScaler(), make_lightgbm())
    assert_exported(pipeline, rows, {"X": rows[TEST]})


@pytest.mark.parametrize("write", [to_onnx, to_c])
def test_xgboost_behind_a_sparse_matrix_is_told_what_to_do(write):
    """It takes the zeros that such a matrix leaves out as missing."""
    xgboost = pytest.importorskip("xgboost")
    letters = np.array(list("abcdefgh"))[np.arange(200) % 8]
    rows = pd.DataFrame({"letter": letters})
    student = make_pipeline(
        OneHotEncoder(), xgboost.XGBClassifier(n_estimators=3, n_jobs=1)
    ).fit(rows, letters == "b")
    with pytest.raises(ValueError, match=r"must equal .* XGBoost takes the zeros of"):
        write(student, rows)
    write(
        student.set_params(onehotencoder__sparse_output=False).fit(
            rows, letters == "b"
        ),
        rows,
    )
