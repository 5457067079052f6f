"""Trees behind scalers: thresholds are scaled numbers of the training rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
)

from skdistill.export import OnnxClassifier, OnnxRegressor, to_c, to_onnx

pytest.importorskip("skl2onnx")

RNG = np.random.RandomState(0)
X = RNG.normal(size=(599, 4)) * [1, 10, 0.01, 1] + [0, 100, 0, 3]
SCORES = np.column_stack([X[:, 0], X[:, 1] / 10 - 10, 100 * X[:, 2]])
Y = (SCORES + 0.3 * RNG.normal(size=(599, 3))).argmax(axis=1)

SCALERS = {
    "standard": StandardScaler(),
    "range": MinMaxScaler(),
    "clipped": make_pipeline(MinMaxScaler(clip=True), StandardScaler()),
    "quartiles": RobustScaler(),
    "largest": MaxAbsScaler(),
    "largest, clipped": MaxAbsScaler(clip=True),
    "two": make_pipeline(MinMaxScaler((1, 3)), StandardScaler(with_mean=False)),
}


def make_learner(name, bins=60):
    """With fewer bins than numbers, and so many that most end at one."""
    if name == "histograms":
        return HistGradientBoostingClassifier(max_iter=10, max_bins=bins)
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=10, max_bin=bins, n_jobs=1, verbose=-1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("learner", ["histograms", "lightgbm"])
@pytest.mark.parametrize("scaler", SCALERS)
def test_boosted_trees_behind_a_scaler(scaler, learner, dtype):
    rows = X.astype(dtype)
    model = make_pipeline(SCALERS[scaler], make_learner(learner)).fit(rows, Y)
    # Each half has numbers of the training rows that the other has not.
    written = to_onnx(model, rows[::2])
    proba = OnnxClassifier(written).predict_proba(rows)
    np.testing.assert_allclose(proba, model.predict_proba(rows), atol=1e-6)
    # No node scales, and single precision is enough.
    assert [node.op_type for node in written.graph.node] == [
        *("TreeEnsembleRegressor", "Softmax", "ArgMax")
    ]
    assert written.graph.input[0].type.tensor_type.elem_type == 1


@pytest.mark.filterwarnings("ignore:The C file was not compared:UserWarning")
@pytest.mark.parametrize("learner", ["histograms", "lightgbm"])
def test_as_c(learner):
    model = make_pipeline(StandardScaler(), make_learner(learner)).fit(X, Y)
    assert "model_predict_proba" in to_c(model, X)


def test_columns_of_several_kinds():
    """Scaled, imputed before, not scaled and encoded columns side by side."""
    frame = pd.DataFrame(X, columns=list("abcd")).assign(
        text=np.array(["u", "v"])[Y % 2]
    )
    frame.loc[::9, "b"] = np.nan
    columns = make_column_transformer(
        (StandardScaler(), ["d", "a"]),
        (make_pipeline(SimpleImputer(), MinMaxScaler()), ["b"]),
        ("passthrough", ["c"]),
        (OneHotEncoder(), ["text"]),
    )
    learner = HistGradientBoostingRegressor(max_iter=10, max_bins=60)
    model = make_pipeline(columns, learner).fit(frame, SCORES.sum(axis=1))
    served = OnnxRegressor(to_onnx(model, frame[::2]))
    expected = model.predict(frame)
    np.testing.assert_allclose(served.predict(frame), expected, atol=1e-5)


def test_a_pipeline_whose_first_step_does_nothing():
    model = make_pipeline("passthrough", make_learner("histograms")).fit(X, Y)
    served = OnnxClassifier(to_onnx(model, X))
    np.testing.assert_allclose(
        served.predict_proba(X), model.predict_proba(X), atol=1e-6
    )
