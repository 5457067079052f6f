"""What a notebook shows of a fitted object."""

import copy

import numpy as np
import pytest
import sklearn
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skdistill import DistilledClassifier, DistilledRegressor
from skdistill.transfer import Munge

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
    # It is right on its own rows, but by far not sure of them.
    assert distilled.memorization_["accuracy_in_sample"] > 0.99
    assert "memorised" not in html


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        # A pinball loss has the unit of y.
        ({"pinball": (101, 103)}, None),
        ({"pinball": (0.001, 0.003)}, "pinball loss 0.001 on them, 0.003 on others"),
        # Better on other rows.
        ({"accuracy": (0.8, 0.9), "entropy": (0.1, 0.5)}, None),
        ({"pinball": (3, 1)}, None),
        ({"r2": (0.4, 0.49)}, None),
        # A linear model gains by chance, and leaves nearly as much open.
        ({"r2": (0.765, 0.724)}, None),
        # Little is left open on either.
        ({"r2": (0.999, 0.985)}, None),
        ({"r2": (0.97, 0.85)}, "R² 0.97 on them, 0.85 on others"),
        ({"accuracy": (0.9, 0.85), "entropy": (0.3, 0.5)}, None),
        (
            {"accuracy": (0.9, 0.85), "entropy": (0.2, 0.5)},
            "accuracy 0.9 on them, 0.85 on others",
        ),
    ],
)
def test_memorised_rows_are_named(distilled, figures, said):
    model = copy.copy(distilled)
    model.memorization_ = {
        f"{name}_{part}": value
        for name, values in figures.items()
        for part, value in zip(("in_sample", "out_of_fold"), values, strict=True)
    }
    html = show(model)
    assert ("memorised" in html) == (said is not None)
    assert said is None or said in html


@pytest.mark.parametrize(("calibration", "kind"), [(0.99, "under"), (1.01, "over")])
def test_the_calibration_says_how_sure_the_teacher_was(distilled, calibration, kind):
    model = copy.copy(distilled)
    model.calibration_ = calibration
    said = f"divided by {calibration} (it is {kind}confident)"
    assert said in show(model)


@pytest.mark.parametrize(
    ("sampler", "rows"),
    [(None, "training rows"), (Munge(p=0.5), "rows of Munge(p=0.5)")],
)
def test_it_says_which_rows_were_learned(distilled, sampler, rows):
    model = copy.copy(distilled)
    model.augmenter_ = sampler
    assert f"labels of {rows}, alpha 1, temperature 1<" in show(model)


@pytest.mark.parametrize(
    ("distils", "n_pilots", "warned"),
    [(True, 3, False), (False, 3, True), (False, 0, False)],
)
def test_it_warns_where_pilots_spoke_against_the_teacher(
    distilled, distils, n_pilots, warned
):
    model = copy.copy(distilled)
    model.distilled_, model.pilots_ = distils, distilled.pilots_[:n_pilots]
    assert ("labels did not help this student" in show(model)) == warned


@pytest.mark.parametrize(("kept", "said"), [(True, ">kept<"), (False, ">not kept<")])
def test_it_says_whether_fine_tuning_was_kept(distilled, kept, said):
    assert "fine tuning" not in show(distilled)
    model = copy.copy(distilled)
    model.fine_tune_ = {"kept": kept}
    assert said in show(model).split("fine tuning")[1]


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
