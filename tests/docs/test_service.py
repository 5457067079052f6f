"""The service of the documentation answers requests, and refuses bad ones by status."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skdistill.export import to_onnx

SERVICE = Path(__file__).resolve().parents[2] / "benchmarks" / "serving" / "service.py"
ROWS = pd.DataFrame(
    {"age": [39.0, 50.0, 28.0, 61.0], "education": ["BA", "MA", "BA", "PhD"]}
)


@pytest.fixture(scope="module")
def model():
    columns = make_column_transformer(
        (StandardScaler(), ["age"]),
        (OneHotEncoder(handle_unknown="ignore"), ["education"]),
    )
    return make_pipeline(columns, LogisticRegression()).fit(ROWS, [0, 1, 0, 1])


@pytest.fixture(scope="module")
def client(model, tmp_path_factory):
    pytest.importorskip("fastapi")
    pytest.importorskip("httpx")
    pytest.importorskip("skl2onnx")
    testclient = pytest.importorskip("fastapi.testclient")
    path = tmp_path_factory.mktemp("service") / "student.onnx"
    to_onnx(model, ROWS, path=path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MODEL", str(path))
        app = runpy.run_path(str(SERVICE))["app"]
    # An error that the app does not catch is answered by status 500.
    return testclient.TestClient(app, raise_server_exceptions=False)


def test_rows_are_answered_by_their_probabilities(client, model):
    answer = client.post("/predict_proba", json=ROWS.to_dict("list"))
    assert answer.status_code == 200
    np.testing.assert_allclose(answer.json(), model.predict_proba(ROWS), atol=1e-5)


def test_no_rows_have_no_probabilities(client):
    answer = client.post("/predict_proba", json={"age": [], "education": []})
    assert (answer.status_code, answer.json()) == (200, [])


def test_a_long_request_is_too_large(client):
    columns = {"age": [39.0] * 1001, "education": ["BA"] * 1001}
    answer = client.post("/predict_proba", json=columns)
    assert answer.status_code == 413
    assert "at most 1000 rows" in answer.text
    columns = {name: values[:1000] for name, values in columns.items()}
    assert len(client.post("/predict_proba", json=columns).json()) == 1000


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"age": [39.0]},
        {"age": [39.0], "education": ["BA"], "more": [1]},
        {"age": [39.0, 50.0], "education": ["BA"]},
        {"age": ["old"], "education": ["BA"]},
        {"age": [None], "education": ["BA"]},
        {"age": [[39.0]], "education": ["BA"]},
        {"age": [{"years": 39}], "education": ["BA"]},
        {"age": [39.0], "education": [["BA"]]},
        {"age": 39.0, "education": "BA"},
        [[39.0, "BA"]],
    ],
)
def test_a_malformed_request_is_said_to_be_one(client, columns):
    answer = client.post("/predict_proba", json=columns)
    assert answer.status_code == 422
    assert answer.json()["detail"]
