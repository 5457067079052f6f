"""What a notebook shows of a fitted object."""

import numpy as np
import pytest
import sklearn
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skdistill import DistilledClassifier, DistilledRegressor

X, Y = make_classification(600, n_informative=6, flip_y=0.1, random_state=0)
LEARNED = "What the student learned from"


@pytest.fixture(scope="module")
def distilled():
    return DistilledClassifier(
        RandomForestClassifier(20), DecisionTreeClassifier(max_depth=4), random_state=0
    ).fit(X, Y)


def show(estimator):
    return estimator._repr_mimebundle_()["text/html"]


def test_the_page_says_what_was_learned(distilled):
    html = show(distilled)
    assert html.startswith("<style>")
    assert LEARNED in html
    for pilot in distilled.pilots_:
        assert f"{pilot['learns from']} (log loss {pilot['log_loss']:.4g}" in html
    chosen = next(p for p in distilled.pilots_ if p["chosen"])
    direct = next(p for p in distilled.pilots_ if p["learns from"] == "true labels")
    assert f"{direct['log_loss'] - chosen['log_loss']:.4g} better" in html
    assert f"divided by {distilled.calibration_:.3g}" in html
    # A forest knows its own rows.
    memorization = distilled.memorization_
    assert f"accuracy {memorization['accuracy_in_sample']:.3g} on them" in html


def test_what_is_not_fitted_shows_the_diagram_alone():
    assert LEARNED not in show(DistilledClassifier())


def test_the_text_is_scikit_learns(distilled):
    assert repr(distilled).startswith("DistilledClassifier(random_state=0,")
    with sklearn.config_context(display="text"):
        assert "text/html" not in distilled._repr_mimebundle_()


def test_true_labels_are_named():
    model = DistilledClassifier(
        RandomForestClassifier(5), DecisionTreeClassifier(max_depth=2), alpha=0
    )
    model.set_params(augmenter=None, random_state=0)
    assert "the true labels alone" in show(model.fit(X, Y))


def test_values():
    model = DistilledRegressor(
        RandomForestRegressor(10), DecisionTreeRegressor(max_depth=4), random_state=0
    ).fit(X, X[:, 0] + np.sin(X[:, 1]))
    html = show(model)
    assert "RMSE" in html
    assert "calibration" not in html.split(LEARNED)[1]
