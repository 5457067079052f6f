"""One ONNX model of the whole pipeline, equal to scikit-learn on rows it never saw.

Each model is made from some rows and compared on others, in a session of its own.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill._defaults import default_student, prepare_columns
from skdistill.export import to_onnx
from skdistill.export._columns import describe_inputs
from skdistill.export._convert import build_models
from skdistill.export._front import UnsupportedError, start_table, transform_table

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::UserWarning:lightgbm"
)

RNG = np.random.RandomState(0)
X = RNG.normal(size=(500, 5)).astype(np.float32)
SCORES = X @ RNG.normal(size=(5, 3)) + 0.5 * RNG.normal(size=(500, 3))
NAMES = np.array(["ant", "bee", "cow"])
TRAIN, TEST = slice(0, 300), slice(300, None)


def make_labels(n_classes, names=NAMES):
    return names[SCORES[:, :n_classes].argmax(axis=1)]


def run(model, feed):
    session = runtime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    assert [output.name for output in session.get_outputs()] == [
        "label",
        "probabilities",
    ]
    return session.run(None, feed)


def assert_equal_to(estimator, model, rows, feed):
    label, proba = run(model, feed)
    np.testing.assert_allclose(proba, estimator.predict_proba(rows), atol=1e-5)
    assert proba.dtype == np.float32
    assert label.tolist() == np.ravel(estimator.predict(rows)).tolist()
    # One row, and many.
    one = {name: values[:1] for name, values in feed.items()}
    np.testing.assert_allclose(run(model, one)[1], proba[:1], atol=1e-6)


def list_operators(model):
    return [node.op_type for node in model.graph.node]


def make_lightgbm(**params):
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1, **params)


LEARNERS = {
    "mlp": lambda: MLPClassifier((8, 4), max_iter=20),
    "mlp-tanh": lambda: MLPClassifier((8,), activation="tanh", max_iter=20),
    "mlp-logistic": lambda: MLPClassifier((8,), activation="logistic", max_iter=20),
    "mlp-identity": lambda: MLPClassifier((8, 4), activation="identity", max_iter=20),
    "logistic": LogisticRegression,
    "sgd": lambda: SGDClassifier(loss="log_loss"),
    "sgd-huber": lambda: SGDClassifier(loss="modified_huber"),
    "lda": LinearDiscriminantAnalysis,
    "tree": lambda: DecisionTreeClassifier(max_depth=5),
    "forest": lambda: RandomForestClassifier(5),
    "extra": lambda: ExtraTreesClassifier(5, max_depth=6),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=3),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=5),
    "lightgbm": make_lightgbm,
    "bayes": GaussianNB,
    "vote": lambda: VotingClassifier(
        [
            ("a", LogisticRegression()),
            ("b", HistGradientBoostingClassifier(max_iter=3)),
            ("c", make_lightgbm()),
        ],
        voting="soft",
    ),
    "frozen": lambda: FrozenEstimator(
        LogisticRegression().fit(X[TRAIN], make_labels(3)[TRAIN])
    ),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", LEARNERS)
def test_each_family_is_equal(name, n_classes):
    y = make_labels(n_classes)
    learner = LEARNERS[name]()
    if "random_state" in learner.get_params():
        learner.set_params(random_state=0)
    learner.fit(X[TRAIN], y[TRAIN])
    model = to_onnx(learner, X[TRAIN])
    assert_equal_to(learner, model, X[TEST], {"X": X[TEST]})


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("library", ["xgboost", "catboost"])
def test_other_boosting_libraries_are_equal(library, n_classes):
    module = pytest.importorskip(library)
    y = SCORES[:, :n_classes].argmax(axis=1)
    learner = {
        "xgboost": lambda: module.XGBClassifier(n_estimators=4, n_jobs=1),
        "catboost": lambda: module.CatBoostClassifier(
            n_estimators=4, verbose=0, thread_count=1, allow_writing_files=False
        ),
    }[library]()
    learner.fit(X[TRAIN], y[TRAIN])
    model = to_onnx(learner, X[TRAIN])
    assert_equal_to(learner, model, X[TEST], {"X": X[TEST]})


def test_lightgbm_on_soft_binary_labels_is_equal():
    y = SCORES[:, :2].argmax(axis=1)
    learner = make_lightgbm(objective="cross_entropy").fit(X[TRAIN], y[TRAIN])
    model = to_onnx(make_pipeline(StandardScaler().fit(X), learner), X[TRAIN])
    pipeline = make_pipeline(StandardScaler().fit(X), learner)
    assert_equal_to(pipeline, model, X[TEST], {"X": X[TEST]})
    assert learner.booster_.model_to_string().count("objective=cross_entropy") == 1


@pytest.mark.parametrize("criterion", ["CrossEntropyLoss", "NLLLoss"])
def test_skorch_nets_are_equal(criterion):
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    torch.manual_seed(0)
    layers = [torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Dropout(0.5)]
    layers.append(torch.nn.Linear(8, 3))
    if criterion == "NLLLoss":
        layers.append(torch.nn.Softmax(dim=1))
    net = skorch.NeuralNetClassifier(
        torch.nn.Sequential(*layers),
        criterion=getattr(torch.nn, criterion),
        max_epochs=2,
        verbose=0,
    )
    cast = FunctionTransformer(np.float32)
    pipeline = make_pipeline(StandardScaler(), cast, net)
    pipeline.fit(X[TRAIN], SCORES.argmax(axis=1)[TRAIN])
    model = to_onnx(pipeline, X[TRAIN])
    assert_equal_to(pipeline, model, X[TEST], {"X": X[TEST]})


PREPROCESSING = {
    "standard": StandardScaler,
    "centred": lambda: StandardScaler(with_std=False),
    "min-max": lambda: MinMaxScaler((-1, 1)),
    "max-abs": MaxAbsScaler,
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
    # Not arithmetic of the form that folds: through skl2onnx.
    "normalizer": Normalizer,
    "clipped": lambda: MinMaxScaler(clip=True),
}


@pytest.mark.parametrize("name", PREPROCESSING)
@pytest.mark.parametrize("learner", ["mlp", "forest"])
def test_preprocessing_is_equal(name, learner):
    pipeline = make_pipeline(PREPROCESSING[name](), LEARNERS[learner]())
    pipeline[-1].set_params(random_state=0)
    y = make_labels(3)
    pipeline.fit(X[TRAIN], y[TRAIN])
    model = to_onnx(pipeline, X[TRAIN])
    assert_equal_to(pipeline, model, X[TEST], {"X": X[TEST]})


def test_scaling_costs_no_node():
    mlp = MLPClassifier((8, 4), max_iter=5)
    y = SCORES.argmax(axis=1)
    pipeline = make_pipeline(StandardScaler(), PCA(4), mlp).fit(X, y)
    operators = list_operators(to_onnx(pipeline, X))
    layers = ["Gemm", "Relu", "Gemm", "Relu"]
    assert operators == [*layers, "LinearClassifier"]
    # It has no boolean labels.
    pipeline.fit(X, y > 0)
    operators = list_operators(to_onnx(pipeline, X))
    assert operators == [*layers, "Gemm", "Sigmoid", "ArgMax", "Gather"]


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


def make_frame(missing=True):
    """Numbers, texts, categories and booleans, most with missing values."""
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c d"])
    rng = np.random.RandomState(1)
    levels = np.array(["red", "green", "blue", "rare"])
    frame["text"] = rng.choice(levels, len(X), p=[0.4, 0.3, 0.29, 0.01])
    frame["kind"] = pd.Categorical(rng.choice(["x", "y"], len(X)))
    frame["flag"] = X[:, 3] > 0
    if missing:
        frame.loc[::7, "b"] = np.nan
        frame.loc[::11, "text"] = None
    return frame


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
    frame, y = make_frame(), make_labels(3)
    if learner == "student":
        pipeline = default_student(frame, 100)
        pipeline[-1].set_params(max_iter=20, random_state=0)
    else:
        pipeline = make_pipeline(prepare_columns(frame), LEARNERS[learner]())
    pipeline.fit(frame[TRAIN], y[TRAIN])
    model = to_onnx(pipeline, frame[TRAIN])
    given = {entry.name: entry.type.tensor_type for entry in model.graph.input}
    assert list(given) == ["a", "b", "c d", "text", "kind", "flag"]
    kinds = [given[name].elem_type for name in given]
    assert kinds == [onnx.TensorProto.FLOAT] * 3 + [
        *[onnx.TensorProto.STRING] * 2,
        onnx.TensorProto.FLOAT,
    ]
    assert_equal_to(pipeline, model, frame[TEST], feed_frame(frame[TEST]))


def test_a_table_of_numbers_is_one_input_whatever_holds_it():
    pl = pytest.importorskip("polars")
    y = make_labels(3)
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame["e"] = pd.array(np.where(X[:, 4] > 2, pd.NA, X[:, 4] * 9), dtype="Float64")
    frame["e"] = frame["e"].round().astype("Int64")
    table = frame.to_numpy(dtype=np.float32, na_value=np.nan)
    for rows in (frame, pl.from_pandas(frame), table):
        pipeline = default_student(rows, 100)
        pipeline[-1].set_params(max_iter=20, random_state=0)
        pipeline.fit(rows[:300], y[TRAIN])
        model = to_onnx(pipeline, rows[:300])
        assert [entry.name for entry in model.graph.input] == ["X"]
        assert_equal_to(pipeline, model, rows[300:], {"X": table[300:]})


def test_a_column_named_like_an_output_is_refused():
    frame = make_frame(missing=False)[["text", "a"]].rename(columns={"a": "label"})
    encode = make_column_transformer((OneHotEncoder(), ["text"]))
    pipeline = make_pipeline(encode, LogisticRegression()).fit(frame, make_labels(3))
    with pytest.raises(ValueError, match=r"\['label'\] clash"):
        to_onnx(pipeline, frame)


def test_columns_taken_by_name_from_a_table_of_numbers():
    frame = pd.DataFrame(X, columns=list("abcde"))
    columns = make_column_transformer(
        (StandardScaler(), ["b", "a"]), (Normalizer(), ["c", "e"])
    )
    pipeline = make_pipeline(columns, LogisticRegression())
    pipeline.fit(frame[TRAIN], make_labels(3)[TRAIN])
    model = to_onnx(pipeline, frame[TRAIN])
    assert [entry.name for entry in model.graph.input] == ["X"]
    assert_equal_to(pipeline, model, frame[TEST], {"X": X[TEST]})


def test_sparse_rows_are_served_dense():
    from scipy.sparse import csr_array

    rows = csr_array(np.where(np.abs(X) > 0.5, X, 0))
    pipeline = make_pipeline(MaxAbsScaler(), LogisticRegression())
    pipeline.fit(rows, make_labels(3))
    model = to_onnx(pipeline, rows)
    assert_equal_to(pipeline, model, rows, {"X": rows.toarray()})


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
def test_levels_never_seen_are_encoded_as_the_encoder_does(name):
    frame = make_frame()[["text", "a", "flag", "kind"]]
    encode = ENCODERS[name]()
    pipeline = make_pipeline(
        make_column_transformer((encode, ["text", "kind", "flag"]), remainder="drop"),
        LogisticRegression(),
    )
    train, test = frame[TRAIN], frame[TEST].copy()
    pipeline.fit(train, make_labels(3)[TRAIN])
    model = to_onnx(pipeline, train)
    test["text"] = np.where(test["a"] > 0.5, "never seen", test["text"])
    assert_equal_to(pipeline, model, test, feed_frame(test))


def test_a_level_never_seen_gives_nan_where_the_encoder_would_raise():
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
    "level": {"strategy": "constant", "fill_value": "red"},
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
    pipeline = make_pipeline(columns, LogisticRegression())
    pipeline.fit(frame[TRAIN], make_labels(3)[TRAIN])
    model = to_onnx(pipeline, frame[TRAIN])
    assert_equal_to(pipeline, model, frame[TEST], feed_frame(frame[TEST]))


def test_a_fill_that_was_never_needed_in_training():
    frame = make_frame(missing=False)[["text", "a"]]
    fill = SimpleImputer(missing_values=None, strategy="constant", fill_value="none")
    encode = OneHotEncoder(handle_unknown="ignore")
    columns = make_column_transformer(
        (make_pipeline(fill, encode), ["text"]), (StandardScaler(), ["a"])
    )
    frame["text"] = frame["text"].astype(object)
    pipeline = make_pipeline(columns, LogisticRegression())
    pipeline.fit(frame[TRAIN], make_labels(3)[TRAIN])
    model = to_onnx(pipeline, frame[TRAIN])
    test = frame[TEST].copy()
    test.loc[test.index[::3], "text"] = None
    assert_equal_to(pipeline, model, test, feed_frame(test))


def test_nullable_strings_of_the_default_student():
    frame = make_frame()[["a", "text", "b"]]
    frame["text"] = frame["text"].astype("string")
    student = default_student(frame, 100)
    student[-1].set_params(max_iter=20, random_state=0)
    student.fit(frame[TRAIN], make_labels(3)[TRAIN])
    model = to_onnx(student, frame[TRAIN])
    assert_equal_to(student, model, frame[TEST], feed_frame(frame[TEST]))


ODD = {
    "a marker": (SimpleImputer(missing_values=-1.0), X),
    "imputed late": (make_pipeline(StandardScaler(), SimpleImputer()), X),
    "encoded late": (
        make_pipeline(
            StandardScaler(), OneHotEncoder(handle_unknown="ignore", max_categories=3)
        ),
        X,
    ),
    "clipped": (MaxAbsScaler(clip=True), X),
    "a function": (FunctionTransformer(np.exp), X),
    "a failing function": (FunctionTransformer(lambda rows: rows.columns), None),
    "union weights": (
        make_union(StandardScaler()).set_params(
            transformer_weights={"standardscaler": 2.0}
        ),
        X,
    ),
    "a slice of names": (
        make_column_transformer((StandardScaler(), slice("a", "b"))),
        None,
    ),
    "strings": (make_column_transformer(("passthrough", ["text"])), None),
}


@pytest.mark.parametrize("name", ODD)
def test_other_preprocessing_is_left_to_skl2onnx(name):
    transformer, rows = ODD[name]
    rows = make_frame(missing=False) if rows is None else rows
    if name == "a failing function":
        with pytest.raises(UnsupportedError):
            transform_table(transformer, start_table(3, frozenset()))
        return
    transformer.fit(rows[TRAIN])
    inputs = describe_inputs(rows)
    table = start_table(len(inputs.columns), inputs.texts)
    if name == "strings":
        table = transform_table(transformer, table)
        with pytest.raises(UnsupportedError, match="strings"):
            transform_table(StandardScaler().fit(X[:, :1]), table)
        return
    with pytest.raises(UnsupportedError):
        transform_table(transformer, table)


def test_a_column_passed_as_a_vector_is_left_to_skl2onnx():
    columns = make_column_transformer((FunctionTransformer(), "a"))
    columns.transformers_ = [("f", FunctionTransformer(), "a")]
    with pytest.raises(UnsupportedError, match="vector"):
        transform_table(columns, start_table(2, frozenset()))


def test_strings_that_nobody_encodes_are_refused():
    frame = make_frame(missing=False)[["text", "a"]]
    passed = make_pipeline(
        make_column_transformer(("passthrough", ["text", "a"])), GaussianNB()
    )
    passed[0].fit(frame)
    passed[1].fit(X[:, :2], make_labels(3))
    models = build_models(passed, describe_inputs(frame), NAMES)
    with pytest.raises(TypeError, match=r"No converter.*StringTensorType"):
        next(models)


def test_a_frozen_student_behind_preprocessing_of_skl2onnx():
    rows = Normalizer().fit_transform(X)
    frozen = FrozenEstimator(LogisticRegression().fit(rows, make_labels(3)))
    pipeline = make_pipeline(Normalizer(), frozen).fit(X, make_labels(3))
    model = to_onnx(pipeline, X[TRAIN])
    assert_equal_to(pipeline, model, X[TEST], {"X": X[TEST]})


def test_a_vote_of_distilled_classifiers():
    distilled = DistilledClassifier(GaussianNB(), LogisticRegression(), random_state=0)
    vote = VotingClassifier([("a", distilled), ("b", GaussianNB())], voting="soft")
    vote.fit(X[TRAIN], make_labels(3)[TRAIN])
    model = to_onnx(vote, X[TRAIN])
    assert_equal_to(vote, model, X[TEST], {"X": X[TEST]})


def test_an_array_of_objects_is_fed_column_by_column():
    rows = np.empty((500, 2), dtype=object)
    rows[:, 0] = X[:, 0].astype(float)
    rows[:, 1] = np.where(X[:, 1] > 0, "up", "down")
    rows[::5, 0] = None
    assert describe_inputs(rows).columns == ("x0", "x1")
    feed = describe_inputs(rows).feed(rows)
    assert feed["x0"].dtype == np.float32
    assert np.isnan(feed["x0"][0, 0])
    assert feed["x1"][:, 0].tolist() == rows[:, 1].tolist()
    numbers = describe_inputs(rows[:, :1])
    assert numbers.feed(rows[:, :1])["X"].shape == (500, 1)
    assert describe_inputs(np.array([["a"], ["b"]])).texts == {0}


def test_numbers_as_levels():
    rows = np.column_stack([RNG.randint(0, 4, 500), X[:, 0]]).astype(float)
    rows[::9, 0] = np.nan
    pipeline = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), [0]), (SimpleImputer(), [1, 0])
        ),
        LogisticRegression(),
    ).fit(rows[TRAIN], make_labels(3)[TRAIN])
    model = to_onnx(pipeline, rows[TRAIN])
    rows[301, 0] = 17
    feed = {"X": rows[TEST].astype(np.float32)}
    assert_equal_to(pipeline, model, rows[TEST], feed)


def test_trees_see_missing_values():
    rows = X.copy()
    rows[::3, 1] = np.nan
    pipeline = make_pipeline(StandardScaler(), make_lightgbm())
    pipeline.fit(rows[TRAIN], make_labels(3)[TRAIN])
    model = to_onnx(pipeline, rows[TRAIN])
    assert_equal_to(pipeline, model, rows[TEST], {"X": rows[TEST]})


LABELS = {
    "int": np.array([3, 5, 9]),
    "positions": np.array([0, 1, 2]),
    "float": np.array([1.0, 2.0, 4.0]),
    "object": np.array(["ä", "b", "c"], dtype=object),
}


@pytest.mark.parametrize("names", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("name", ["logistic", "mlp"])
def test_labels_keep_their_type(names, name):
    learner = LEARNERS[name]().fit(X, make_labels(3, names))
    model = to_onnx(learner, X)
    label = run(model, {"X": X})[0]
    assert label.tolist() == learner.predict(X).tolist()
    properties = {p.key: json.loads(p.value) for p in model.metadata_props}
    assert properties["classes"] == learner.classes_.tolist()


def test_boolean_labels():
    learner = LogisticRegression().fit(X, SCORES[:, 0] > 0)
    label = run(to_onnx(learner, X), {"X": X})[0]
    assert label.dtype == bool
    assert label.tolist() == learner.predict(X).tolist()


def test_a_distilled_classifier_and_a_search_are_converted_as_what_they_serve():
    student = make_pipeline(StandardScaler(), LogisticRegression())
    distilled = DistilledClassifier(GaussianNB(), student, random_state=0)
    search = GridSearchCV(distilled, {"alpha": [1.0]}, cv=2)
    for estimator in (distilled, search, make_pipeline(MinMaxScaler(), distilled)):
        estimator.fit(X[TRAIN], make_labels(3)[TRAIN])
        model = to_onnx(estimator, X[TRAIN])
        assert list_operators(model) == ["Gemm", "Softmax", "ArgMax", "Gather"]
        assert_equal_to(estimator, model, X[TEST], {"X": X[TEST]})


STUDENTS = {
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "lightgbm": make_lightgbm,
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=3),
}


@pytest.mark.parametrize("student", STUDENTS.values(), ids=STUDENTS)
@pytest.mark.parametrize("by_id", [False, True])
def test_skl2onnx_converts_a_pipeline_around_a_distilled_classifier(student, by_id):
    distilled = DistilledClassifier(GaussianNB(), student(), random_state=0)
    pipeline = make_pipeline(StandardScaler(), distilled)
    pipeline.fit(X[TRAIN], make_labels(3)[TRAIN])
    options = {"zipmap": False}
    if by_id:
        options = {id(pipeline[-1]): options}
    opsets = {"": 18, "ai.onnx.ml": 3}
    model = skl2onnx.to_onnx(pipeline, X[:1], options=options, target_opset=opsets)
    proba = run(model, {"X": X[TEST]})[1]
    np.testing.assert_allclose(proba, pipeline.predict_proba(X[TEST]), atol=1e-5)


def test_metadata_is_written():
    frame = pd.DataFrame(X, columns=list("abcde"))
    learner = LogisticRegression().fit(frame, make_labels(3))
    model = to_onnx(learner, frame, metadata={"trained": {"by": "me"}})
    properties = {p.key: json.loads(p.value) for p in model.metadata_props}
    assert properties["classes"] == ["ant", "bee", "cow"]
    assert properties["feature_names"] == list("abcde")
    assert properties["n_features"] == 5
    assert properties["opset"] == model.opset_import[0].version == 18
    assert properties["versions"]["onnx"] == onnx.__version__
    assert properties["trained"] == {"by": "me"}
    assert properties["scores"] is None
    with pytest.raises(ValueError, match=r"\['classes'\]"):
        to_onnx(learner, frame, metadata={"classes": 1})


@pytest.mark.parametrize(
    "wrap",
    [
        lambda distilled: distilled,
        lambda distilled: make_pipeline(StandardScaler(), distilled),
        lambda distilled: GridSearchCV(distilled, {"alpha": [1.0]}, cv=2),
    ],
    ids=["alone", "pipeline", "search"],
)
def test_scores_of_student_and_teacher_are_written(wrap):
    student = make_pipeline(MinMaxScaler(), LogisticRegression())
    distilled = DistilledClassifier(GaussianNB(), student, random_state=0)
    y = make_labels(3)
    fitted = wrap(distilled).fit(X[TRAIN], y[TRAIN])
    model = to_onnx(fitted, X[TEST], y[TEST])
    properties = {p.key: json.loads(p.value) for p in model.metadata_props}
    # A GaussianNB answers scaled columns as it does others.
    teacher = GaussianNB().fit(X[TRAIN], y[TRAIN])
    for name, scored in (("student", fitted), ("teacher", teacher)):
        scores = properties["scores"][name]
        assert scores["accuracy"] == pytest.approx(scored.score(X[TEST], y[TEST]))
        loss = log_loss(y[TEST], scored.predict_proba(X[TEST]))
        assert scores["log_loss"] == pytest.approx(loss, rel=1e-4)


def test_a_model_without_a_teacher_has_no_score_of_one():
    y = make_labels(3)
    stored = DistilledClassifier(student=LogisticRegression()).fit(
        X, y, teacher_proba=np.full((500, 3), 1 / 3)
    )
    for fitted in (stored, LogisticRegression().fit(X, y)):
        model = to_onnx(fitted, X, y)
        properties = {p.key: json.loads(p.value) for p in model.metadata_props}
        assert properties["scores"]["teacher"] is None
        accuracy = properties["scores"]["student"]["accuracy"]
        assert accuracy == pytest.approx(fitted.score(X, y))


def test_the_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    learner = LogisticRegression().fit(X, make_labels(3))
    model = to_onnx(learner, X, path=path)
    assert onnx.load(path) == model

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    before = path.read_bytes()
    with pytest.raises(OSError, match="disk full"):
        to_onnx(learner.fit(X * 2, make_labels(3)), X, path=path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.onnx"]


class Shifted(LogisticRegression):
    """Serves other probabilities than its weights say."""

    def predict_proba(self, X):
        proba = super().predict_proba(X)
        proba[7, 1] += 0.5
        return proba


class Renamed(LogisticRegression):
    def predict(self, X):
        label = super().predict(X)
        label[3] = "dog"
        return label


def test_a_difference_is_an_error_that_says_where(tmp_path):
    learner = Shifted().fit(X, make_labels(3))
    expected = learner.predict_proba(X)[7, 1]
    with pytest.raises(ValueError, match="row 7, column 1") as error:
        to_onnx(learner, X, path=tmp_path / "model.onnx")
    assert f"{expected:.6g}"[:6] in str(error.value)
    assert f"{expected - 0.5:.6g}"[:5] in str(error.value)
    assert not os.listdir(tmp_path)

    with pytest.raises(ValueError, match=r"1 of 500 rows differs, first in row 3.*dog"):
        to_onnx(Renamed().fit(X, make_labels(3)), X)


def test_a_tie_that_float32_can_not_see_is_an_error():
    rows = np.repeat([[1.0], [1.0 + 1e-12]], 50, axis=0)
    y = np.repeat(["a", "b"], 50)
    learner = HistGradientBoostingClassifier(max_iter=2).fit(rows, y)
    assert (learner.predict(rows) == y).all()
    with pytest.raises(ValueError, match="float32"):
        to_onnx(learner, rows)


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (X[0], ValueError, "table of shape"),
        (X[:0], ValueError, "at least one row"),
        (pd.DataFrame({"a": pd.to_datetime(["2020-01-01"])}), TypeError, r"\['a'\]"),
        (np.array([[object()]], dtype=object), TypeError, "something else"),
    ],
)
def test_example_rows_are_checked(rows, error, message):
    learner = LogisticRegression().fit(X, make_labels(3))
    with pytest.raises(error, match=message):
        to_onnx(learner, rows)


def test_what_no_converter_takes_is_named():
    pipeline = make_pipeline(SplineTransformer(), LogisticRegression())
    pipeline.fit(X, make_labels(3))
    with pytest.raises(TypeError, match="SplineTransformer"):
        to_onnx(pipeline, X)


def test_several_labels_a_row_are_refused():
    labels = np.column_stack([SCORES[:, 0] > 0, SCORES[:, 1] > 0])
    learner = MLPClassifier((4,), max_iter=5).fit(X, labels)
    with pytest.raises(TypeError, match="one label a row"):
        to_onnx(learner, X)


def test_an_empty_string_next_to_a_missing_one_is_refused():
    frame = make_frame()[["text", "a"]]
    frame.loc[::5, "text"] = ""
    columns = make_column_transformer((OneHotEncoder(), ["text"]))
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, make_labels(3))
    with pytest.raises(ValueError, match="'text' has both"):
        to_onnx(pipeline, frame)


@pytest.mark.parametrize(
    ("library", "learner"),
    [
        ("onnx", "logistic"),
        ("onnxruntime", "logistic"),
        ("skl2onnx", "forest"),
        ("onnxmltools", "lightgbm"),
    ],
)
def test_a_missing_library_is_named_with_its_extra(library, learner, monkeypatch):
    learner = LEARNERS[learner]().fit(X, make_labels(3))
    for name in list(sys.modules):
        if name.split(".")[0] == library:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=r'pip install "skdistill\[onnx\]"') as error:
        to_onnx(learner, X)
    assert library in str(error.value)


def test_import_without_the_libraries():
    code = (
        "import sys\n"
        "import skdistill\n"
        "assert not {'skdistill.export', 'onnx', 'skl2onnx'} & set(sys.modules)\n"
        "for name in ['onnx', 'skl2onnx', 'onnxruntime', 'onnxmltools']:\n"
        "    sys.modules[name] = None\n"
        "import skdistill.export\n"
        "assert not {'torch', 'lightgbm', 'xgboost', 'catboost'} & set(sys.modules)\n"
        "print(skdistill.export.__all__)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True
    )
    assert result.stdout == "['prune', 'slim', 'to_onnx']\n", result.stderr
