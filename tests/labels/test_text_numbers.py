"""Numbers stored as text, of which the default models would make categories."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from _core import PLAIN
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skdistill import DistilledClassifier

N = 90
RNG = np.random.default_rng(0)
NUMBERS = RNG.normal(size=N)
TEXTS = [f"{value:.4f}" for value in NUMBERS]
Y = (NUMBERS > 0).astype(int)


def hear(rows, student=None):
    """What the fit of a student says of numbers as text."""
    stored = np.column_stack([1 - Y, Y])
    distilled = DistilledClassifier(None, student, random_state=0, **PLAIN)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        distilled.fit(rows, Y, teacher_proba=stored)
    return [str(w.message) for w in caught if "as text" in str(w.message)]


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        [text.replace(".", ",") for text in TEXTS],
        [f" {value:.3E}" for value in NUMBERS],
        [str(int(1e6 * value)) for value in NUMBERS],
        [text if k % 3 else "?" for k, text in enumerate(TEXTS)],
        [text if k % 3 else None for k, text in enumerate(TEXTS)],
    ],
    ids=["point", "comma", "exponent", "whole", "marked", "missing"],
)
def test_numbers_as_text_are_named_once(texts):
    (said,) = hear(pd.DataFrame({"word": ["a", "b", "c"] * 30, "size": texts}))
    assert "columns ['size'] hold numbers as text" in said
    assert "Convert them, by X.astype(float) or pandas.to_numeric" in said


@pytest.mark.parametrize(
    "make",
    [
        lambda columns: np.array(columns).T,
        lambda columns: np.array(columns, dtype=object).T,
        lambda columns: list(map(list, zip(*columns, strict=True))),
        lambda columns: pl.DataFrame(dict(zip("ab", columns, strict=True))),
    ],
    ids=["array", "objects", "lists", "polars"],
)
def test_every_container(make):
    (said,) = hear(make([TEXTS, TEXTS]))
    assert "columns [0, 1]" in said or "columns ['a', 'b']" in said


@pytest.mark.parametrize(
    "codes",
    [
        ["1", "2", "3"] * 30,
        [str(code) for code in RNG.integers(1000, 1036, N)],
        [f"{code:05d}" for code in RNG.integers(500, 99999, N)],
        [f"{code}A" for code in range(N)],
        [f"{value:.4f} {value:.4f}" for value in NUMBERS],
        [f"2024-{1 + k % 12}-{1 + k // 12}" for k in range(N)],
    ],
    ids=["few", "repeated", "postal", "names", "pairs", "dates"],
)
def test_codes_are_categories(codes):
    assert hear(pd.DataFrame({"code": codes, "size": NUMBERS})) == []


def test_declared_categories_and_other_models_are_left_alone():
    assert hear(pd.DataFrame({"code": pd.Categorical(TEXTS)})) == []
    student = make_pipeline(TfidfVectorizer(), LogisticRegression())
    assert hear(TEXTS, student) == []


def test_default_teachers_say_it_too():
    rows = np.array([TEXTS]).T
    teacherless = DistilledClassifier(None, LogisticRegression(), cv="many")
    # A later mistake ends the fit.
    with (
        pytest.warns(UserWarning, match="as text"),
        pytest.raises(ValueError, match="cv"),
    ):
        teacherless.fit(rows, Y)
