"""Tables with strings as two inputs of an ONNX file, not one a column."""

import numpy as np
import pandas as pd
import pytest
from _onnx_files import prepare_columns, read_metadata
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, StandardScaler

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

from skdistill import DistilledClassifier
from skdistill.export import OnnxClassifier, to_onnx

NUMBERS, TEXTS = ["a", "b", "flag"], ["text", "kind"]


def make_frame():
    """Numbers and strings in turns, some of either missing."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=400),
            "text": rng.choice(["red", "green", "blue"], 400),
            "b": rng.normal(size=400),
            "kind": pd.Categorical(rng.choice(["x", "y"], 400)),
            "flag": rng.normal(size=400) > 0,
        }
    )
    frame.loc[::7, "b"] = np.nan
    frame.loc[::11, "text"] = None
    y = np.where(
        frame["a"] + frame["flag"] + (frame["text"] == "red") > 0.8, "up", "no"
    )
    return frame, y


def feed(frame):
    """As a client would, without this package."""
    given = {}
    if {*NUMBERS} & {*frame}:
        numbers = frame[[name for name in frame if name in NUMBERS]]
        given["numbers"] = numbers.to_numpy().astype(np.float32)
    texts = frame[[name for name in frame if name in TEXTS]].astype(object)
    given["texts"] = texts.where(texts.notna(), "").to_numpy()
    return given


def assert_equal(estimator, model, frame):
    session = runtime.InferenceSession(model.SerializeToString())
    given = feed(frame)
    assert [entry.name for entry in session.get_inputs()] == list(given)
    label, proba = session.run(None, given)
    np.testing.assert_allclose(proba, estimator.predict_proba(frame), atol=1e-5)
    assert label.tolist() == estimator.predict(frame).tolist()
    one = {name: values[:1] for name, values in given.items()}
    np.testing.assert_allclose(session.run(None, one)[1], proba[:1], atol=1e-6)


@pytest.mark.parametrize(
    "learner",
    [
        MLPClassifier((8,), solver="lbfgs", max_iter=500, random_state=0),
        RandomForestClassifier(5, random_state=0),
        LogisticRegression(),
    ],
)
@pytest.mark.parametrize("columns", [[*NUMBERS, *TEXTS], ["text", "a"], TEXTS])
def test_numbers_and_strings_are_an_input_each(learner, columns):
    frame, y = make_frame()
    frame = frame[[name for name in frame if name in columns]]
    pipeline = make_pipeline(prepare_columns(frame), learner)
    pipeline.fit(frame[:300], y[:300])
    model = to_onnx(pipeline, frame[:300], grouped=True)
    assert_equal(pipeline, model, frame[300:])


def test_what_only_skl2onnx_knows_takes_its_columns_from_them():
    frame, y = make_frame()
    encode = make_column_transformer(
        (Normalizer(), ["a"]),
        (StandardScaler(), ["flag"]),
        (OneHotEncoder(sparse_output=False), ["kind"]),
    )
    pipeline = make_pipeline(encode, LogisticRegression()).fit(frame, y)
    model = to_onnx(pipeline, frame[["a", "text", "b", "kind", "flag"]], grouped=True)
    assert_equal(pipeline, model, frame)


def test_the_metadata_tell_which_column_is_where():
    frame, y = make_frame()
    pipeline = make_pipeline(prepare_columns(frame), LogisticRegression()).fit(frame, y)

    grouped = read_metadata(to_onnx(pipeline, frame, grouped=True))
    assert grouped["inputs"] == {"numbers": NUMBERS, "texts": TEXTS}
    assert read_metadata(to_onnx(pipeline, frame))["inputs"] is None
    with pytest.raises(ValueError, match=r"received \['inputs'\]"):
        to_onnx(pipeline, frame, metadata={"inputs": 1})


def test_a_table_of_numbers_is_one_input_whatever_is_asked_for():
    frame, y = make_frame()
    numbers = frame[["a", "flag"]].astype(float).rename(columns={"a": "numbers"})
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers, y)
    model = to_onnx(pipeline, numbers, grouped=True)
    assert [entry.name for entry in model.graph.input] == ["X"]


@pytest.mark.parametrize("learner", [LogisticRegression(), MLPClassifier((4,))])
def test_columns_that_are_inputs_named_like_tensors_of_the_model(learner):
    """Without `grouped` each column of a mixed table is an input by its name."""
    frame, y = make_frame()
    names = {"a": "b", "flag": "k", "b": "X", "text": "label1", "kind": "W"}
    renamed = frame.fillna({"b": 0, "text": "none"}).astype({"flag": float})
    renamed = renamed[list(names)].rename(columns=names)
    columns = make_column_transformer(
        (StandardScaler(), ["b", "k", "X"]), (OneHotEncoder(), ["label1", "W"])
    )
    pipeline = make_pipeline(columns, learner).fit(renamed, y)
    served = OnnxClassifier(to_onnx(pipeline, renamed))
    proba = pipeline.predict_proba(renamed)
    np.testing.assert_allclose(served.predict_proba(renamed), proba, atol=1e-5)


def test_columns_named_like_tensors_of_the_model():
    frame, y = make_frame()
    names = {"a": "texts", "text": "label", "b": "X", "kind": "_1"}
    pipeline = make_pipeline(
        make_column_transformer(
            (StandardScaler(), ["texts", "flag"]), (OneHotEncoder(), ["_1"])
        ),
        LogisticRegression(),
    )
    renamed = frame.rename(columns=names).assign(flag=frame["flag"].astype(float))
    pipeline.fit(renamed, y)
    session = runtime.InferenceSession(
        to_onnx(pipeline, renamed, grouped=True).SerializeToString()
    )
    proba = session.run(["probabilities"], feed(frame))[0]
    np.testing.assert_allclose(proba, pipeline.predict_proba(renamed), atol=1e-5)


def test_quantised_and_distilled():
    frame, y = make_frame()
    distilled = DistilledClassifier(
        make_pipeline(prepare_columns(frame), RandomForestClassifier(10)),
        augmenter=None,
        calibrate=False,
        random_state=0,
    ).fit(frame, y)
    model = to_onnx(
        distilled, frame, grouped=True, quantize="int8-weights", tolerance=0.1
    )
    session = runtime.InferenceSession(model.SerializeToString())
    proba = session.run(["probabilities"], feed(frame))[0]
    np.testing.assert_allclose(proba, distilled.predict_proba(frame), atol=0.05)
