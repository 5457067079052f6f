"""One ONNX model of the whole pipeline, equal to scikit-learn on rows it never saw.

Each model is made from some rows and compared on others, in a session of its own.
"""

import os
import sys

import numpy as np
import pandas as pd
import pytest
from _core import PLAIN
from _onnx_files import (
    LEARNERS,
    SCORES,
    TEST,
    TRAIN,
    X,
    assert_equal_to,
    list_operators,
    make_frame,
    make_labels,
    make_lightgbm,
    read_metadata,
    run,
)
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    SplineTransformer,
    StandardScaler,
)

from skdistill import DistilledClassifier
from skdistill.export import register_with_skl2onnx, to_onnx

onnx = pytest.importorskip("onnx")
skl2onnx = pytest.importorskip("skl2onnx")


pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::UserWarning:lightgbm"
)


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


@pytest.mark.parametrize("labels", [[False, True], [0.5, 1.5], ["a", "b"], [-1, 4]])
def test_labels_of_catboost_that_its_own_export_refuses(labels):
    catboost = pytest.importorskip("catboost")
    settings = {"n_estimators": 4, "verbose": 0, "allow_writing_files": False}
    y = np.array(labels)[SCORES[:, :2].argmax(axis=1)]
    learner = catboost.CatBoostClassifier(**settings).fit(X[TRAIN], y[TRAIN])
    model = to_onnx(learner, X[TRAIN])
    assert_equal_to(learner, model, X[TEST], {"X": X[TEST]})


def test_trees_of_catboost_that_are_refused_are_named():
    catboost = pytest.importorskip("catboost")
    settings = {"n_estimators": 4, "verbose": 0, "allow_writing_files": False}
    learner = catboost.CatBoostClassifier(grow_policy="Depthwise", **settings)
    learner.fit(X[TRAIN], SCORES[TRAIN, :2].argmax(axis=1))
    with pytest.raises(TypeError, match="grow_policy='Depthwise', loss_function='Lo"):
        to_onnx(learner, X[TRAIN])


@pytest.mark.parametrize(
    "settings",
    [
        {"objective": "multiclassova"},
        {"boosting_type": "rf", "bagging_freq": 1, "bagging_fraction": 0.6},
        {"linear_tree": True},
    ],
)
def test_trees_of_lightgbm_that_are_refused_are_named(settings):
    learner = make_lightgbm(**settings).fit(X[TRAIN], SCORES[TRAIN].argmax(axis=1))
    name, value = next(iter(settings.items()))
    with pytest.raises(TypeError, match=f"{name}={value!r}, but boosting_type"):
        to_onnx(learner, X[TRAIN])


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


def test_a_distilled_classifier_and_a_search_are_converted_as_what_they_serve():
    student = make_pipeline(StandardScaler(), LogisticRegression())
    distilled = DistilledClassifier(GaussianNB(), student, random_state=0, **PLAIN)
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
    distilled = DistilledClassifier(GaussianNB(), student(), random_state=0, **PLAIN)
    pipeline = make_pipeline(StandardScaler(), distilled)
    pipeline.fit(X[TRAIN], make_labels(3)[TRAIN])
    options = {"zipmap": False}
    if by_id:
        options = {id(pipeline[-1]): options}
    opsets = {"": 18, "ai.onnx.ml": 3}
    register_with_skl2onnx()
    model = skl2onnx.to_onnx(pipeline, X[:1], options=options, target_opset=opsets)
    proba = run(model, {"X": X[TEST]})[1]
    np.testing.assert_allclose(proba, pipeline.predict_proba(X[TEST]), atol=1e-5)


def test_metadata_is_written():
    frame = pd.DataFrame(X, columns=list("abcde"))
    learner = LogisticRegression().fit(frame, make_labels(3))
    model = to_onnx(learner, frame, metadata={"trained": {"by": "me"}})
    properties = read_metadata(model)
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
    distilled = DistilledClassifier(GaussianNB(), student, random_state=0, **PLAIN)
    y = make_labels(3)
    fitted = wrap(distilled).fit(X[TRAIN], y[TRAIN])
    model = to_onnx(fitted, X[TEST], y[TEST])
    properties = read_metadata(model)
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
        properties = read_metadata(model)
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


@pytest.mark.parametrize(
    ("learner", "n_classes", "seed"),
    [
        (GradientBoostingClassifier(n_estimators=3, max_depth=2), 2, 0),
        (HistGradientBoostingClassifier(max_iter=3, min_samples_leaf=2), 3, 1),
    ],
)
def test_rounding_may_decide_between_the_most_probable_classes(
    learner, n_classes, seed
):
    """Two balanced classes that a table does not tell apart are as probable."""
    rows = np.random.RandomState(seed).randint(3, size=(36, 3)).astype(float)
    learner.fit(rows, np.arange(len(rows)) % n_classes)
    expected = learner.predict_proba(rows)
    label, proba = run(to_onnx(learner, rows), {"X": rows.astype(np.float32)})
    np.testing.assert_allclose(proba, expected, atol=1e-6)
    second, first = np.sort(expected, axis=1)[:, -2:].T
    assert (first - second < 1e-9).any()
    named = np.take_along_axis(expected, label[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(named, first, atol=1e-6)


def test_a_model_that_answers_one_row_alone_otherwise_is_refused():
    torch, skorch = pytest.importorskip("torch"), pytest.importorskip("skorch")

    class Centred(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(5, 3)

        def forward(self, rows):
            return self.layer(rows - rows.mean(0))

    given = {"criterion": torch.nn.CrossEntropyLoss, "max_epochs": 1, "verbose": 0}
    net = skorch.NeuralNetClassifier(Centred, train_split=None, **given)
    net.fit(X, SCORES.argmax(axis=1))
    with pytest.raises(
        ValueError, match=r"; 1 of 90 rows differ .* the most in row 0,"
    ):
        to_onnx(net, X[:90])


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        (X[0], ValueError, "Expected 2D array"),
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


@pytest.mark.parametrize("unknown", ["ignore", "error"])
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("empty", [False, True])
def test_a_missing_string_is_not_read_as_an_empty_one(empty, missing, unknown):
    """A bare session is fed "" where no missing string is, and else as documented."""
    frame = make_frame(missing)[["text", "a"]]
    if empty:
        frame.loc[::5, "text"] = ""
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown=unknown), ["text"]), ("passthrough", ["a"])
    )
    pipeline = make_pipeline(columns, LogisticRegression()).fit(frame, make_labels(3))
    model = to_onnx(pipeline, frame)
    assert read_metadata(model)["accepts"]["empties"] == [0] * (empty > missing)
    for text in ("", None):
        rows = frame[:3].assign(text=pd.Series([text] * 3, dtype=frame["text"].dtype))
        stands = "" if (text is None) != (empty > missing) else "\ue000"
        feed = {"text": np.full((3, 1), stands, dtype=object)}
        feed["a"] = rows[["a"]].to_numpy("float32")
        if unknown == "ignore" or (empty if text == "" else missing):
            assert_equal_to(pipeline, model, rows, feed)
        else:
            assert np.isnan(run(model, feed)[1]).all()


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
