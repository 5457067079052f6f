"""The example rows of an export: columns in another order, labels of other rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdistill.export import OnnxClassifier, to_c, to_onnx

pytest.importorskip("onnx")


def make_mixed():
    rng = np.random.RandomState(0)
    rows = pd.DataFrame({"a": rng.normal(size=200), "b": 90 * rng.normal(size=200)})
    rows["kind"] = rng.choice(list("xyz"), 200)
    prepare = make_column_transformer(
        (OneHotEncoder(), ["kind"]), (StandardScaler(), ["a", "b"])
    )
    model = make_pipeline(prepare, LogisticRegression())
    return model.fit(rows, rows["a"] + rows["b"] / 90 > 0), rows


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_an_example_with_its_columns_in_another_order(library):
    model, rows = make_mixed()
    moved = rows[["kind", "b", "a"]]
    if library == "polars":
        moved = pytest.importorskip("polars").from_pandas(moved)
    served = OnnxClassifier(to_onnx(model, moved))
    assert served.feature_names_in_.tolist() == ["a", "b", "kind"]
    expected = model.predict_proba(rows)
    for given in (rows, moved):
        np.testing.assert_allclose(served.predict_proba(given), expected, atol=1e-5)
    assert to_c(model, moved) == to_c(model, rows)


@pytest.mark.parametrize("export", [to_onnx, to_c])
def test_an_example_with_other_columns(export):
    model, rows = make_mixed()
    for given, fault in (
        (rows.assign(z=1), "column 'z' is not one of them"),
        (rows[["a", "kind"]], "column 'b' is missing"),
        (rows.rename(columns={"a": "q"}), "column 'a' is missing"),
    ):
        with pytest.raises(ValueError, match=f"X_example must .* fitted on; {fault}"):
            export(model, given)


@pytest.mark.parametrize("learner", [LogisticRegression(), Ridge()])
def test_labels_of_other_rows(learner):
    rows = np.arange(20.0)[:, None]
    model = learner.fit(rows, np.arange(20) % 2)
    with pytest.raises(ValueError, match="received 3 labels and 20 rows"):
        to_onnx(model, rows, [0, 1, 0])
