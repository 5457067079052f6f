"""The README's code runs as it stands, and prints what it says."""

import re
from pathlib import Path

import numpy as np
import pytest

import skdistill

ROOT = Path(__file__).resolve().parents[1]


def read_block(mark, text):
    found = re.search(rf"{mark}\n+```\w+\n(.*?)```", text, re.S)
    return found[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_quick_start_and_the_deployment_run(capsys, monkeypatch, tmp_path):
    pytest.importorskip("skl2onnx")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    scope = {}
    exec(read_block("<!-- quick-start -->", text), scope)
    printed = capsys.readouterr().out
    expected = read_block("<!-- quick-start-output -->", text)
    number = re.compile(r"\d\.\d+")
    assert number.sub("", printed) == number.sub("", expected)
    # Other processors and versions sum in another order.
    found, said = (
        np.array(number.findall(x), dtype=float) for x in (printed, expected)
    )
    np.testing.assert_allclose(found, said, atol=0.03)
    exec(read_block("## Deployment", text), scope)
    assert {path.name for path in tmp_path.iterdir()} == {
        "student.joblib",
        "student.onnx",
    }


def test_the_citation_names_the_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {skdistill.__version__}\n" in text
    assert text.startswith("cff-version: 1.2.0\n")
