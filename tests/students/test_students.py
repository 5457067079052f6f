"""What is common to students: copies, hold-outs, pipelines, weights of classes."""

from dataclasses import replace

import numpy as np
import pytest
from _core import give_means, soften
from _learners import (
    SoftDataset,
    cross_entropy,
    fit_copies,
    fit_student,
    hold_out,
    make_soft,
    validation_fraction,
)
from _samplers import Spy
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill._dataset import split_rows


def test_copies_of_a_row_share_its_weight_and_none_is_of_no_share():
    """Shares that rounding loses are as 0, and the others make up for them."""
    tiny = np.finfo(float).eps / 4
    targets = np.array([[0.7, 0.3 - tiny, tiny], [0, 1, 0], [0.2, 0.3, 0.5]])
    data = SoftDataset(
        np.eye(3), targets, np.arange(3), np.array([0, 1, 2]), np.array([1.0, 2, 4])
    )
    X, y, weight = fit_student(Spy(), data).given_
    np.testing.assert_array_equal(X.argmax(axis=1), [0, 0, 1, 2, 2, 2])
    np.testing.assert_array_equal(y, [0, 1, 1, 0, 1, 2])
    np.testing.assert_allclose(weight, [0.7, 0.3, 2, 0.8, 1.2, 2])
    assert weight[:2].sum() == 1


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_mlp_equals_weighted_copies_under_lbfgs(n_classes, weighted):
    data = make_soft(n_classes=n_classes, weighted=weighted)
    student = MLPClassifier(
        (4,), activation="tanh", solver="lbfgs", alpha=1.0, max_iter=5000, tol=1e-9
    ).set_params(random_state=0, max_fun=100_000)
    ours = fit_student(clone(student), data)
    copies = fit_copies(student, data)
    losses = [
        cross_entropy(data.targets, mlp.predict_proba(data.X), data.weight)
        for mlp in (ours, copies)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert ours.loss_ == pytest.approx(copies.loss_, abs=1e-6)


def test_early_stopping_keeps_the_best_pass():
    """Validation scores are negative soft cross-entropies of the held-out rows."""
    data = make_soft(n_samples=300)
    train, validation = hold_out(data)
    mlp = MLPClassifier(
        (16,), early_stopping=True, random_state=0, learning_rate_init=0.05
    )
    fitted = fit_student(mlp, train, validation=validation)
    served = -cross_entropy(validation.targets, fitted.predict_proba(validation.X))
    assert served == pytest.approx(fitted.best_validation_score_, abs=1e-12)
    assert fitted.best_validation_score_ == max(fitted.validation_scores_)
    assert len(fitted.validation_scores_) == fitted.n_iter_


@pytest.mark.parametrize(
    ("student", "n_samples", "expected"),
    [
        (MLPClassifier(early_stopping=True, validation_fraction=0.2), 100, 0.2),
        (MLPClassifier(early_stopping=True, solver="lbfgs"), 100, None),
        (HistGradientBoostingClassifier(), 10_000, None),
        (HistGradientBoostingClassifier(), 10_001, 0.1),
        (make_pipeline(StandardScaler(), SGDClassifier(loss="log_loss")), 9, None),
        (GradientBoostingClassifier(n_iter_no_change=3), 100, 0.1),
        (DecisionTreeClassifier(), 100, None),
    ],
)
def test_who_wants_validation_rows(student, n_samples, expected):
    assert validation_fraction(student, n_samples) == expected


def test_automatic_stopping_counts_rows_not_copies():
    data = make_soft(n_samples=4000)
    boosting = HistGradientBoostingClassifier(max_iter=2, max_depth=2)
    fitted = fit_student(boosting, data)
    assert fitted.early_stopping == "auto"
    # An internal split of the 12,000 copies would have filled this.
    assert len(fitted.validation_score_) == 0


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", ["mlp", "logistic"])
def test_logits_are_multiplied_and_shifted_to_the_mean_labels(name, n_classes):
    temperature = 2.5
    data = make_soft(n_classes=n_classes)
    student = {
        "mlp": MLPClassifier((5,), solver="lbfgs", random_state=0, max_iter=500),
        "logistic": LogisticRegression(),
    }[name]
    plain = fit_student(clone(student), data).predict_proba(data.X)
    served = fit_student(clone(student), replace(data, temperature=temperature))
    labels = soften(data.targets, 1 / temperature).mean(axis=0)
    expected = give_means(soften(plain, 1 / temperature), labels)
    np.testing.assert_allclose(served.predict_proba(data.X), expected, atol=1e-7)


def test_pipeline_transforms_then_learns():
    data = make_soft(weighted=True)
    pipeline = make_pipeline(SelectKBest(k=2), StandardScaler(), LogisticRegression())
    fitted = fit_student(clone(pipeline), data)
    head = clone(pipeline[:-1]).fit(data.X, data.y)
    alone = fit_student(LogisticRegression(), data.with_rows(head.transform(data.X)))
    np.testing.assert_array_equal(fitted[-1].coef_, alone.coef_)
    np.testing.assert_array_equal(
        fitted.predict_proba(data.X), alone.predict_proba(head.transform(data.X))
    )


def test_pipeline_of_one_step_nested_and_cached(tmp_path):
    data = make_soft()
    bare = fit_student(LogisticRegression(), data)
    alone = fit_student(Pipeline([("model", LogisticRegression())]), data)
    np.testing.assert_array_equal(alone[-1].coef_, bare.coef_)
    inner = make_pipeline(StandardScaler(), LogisticRegression())
    nested = make_pipeline(StandardScaler(), inner, memory=str(tmp_path))
    fitted = fit_student(nested, data)
    assert fitted.predict_proba(data.X).shape == (120, 3)
    assert fitted[0].mean_.shape == (4,)


def test_split_shares_no_row_and_keeps_rare_classes():
    codes = np.repeat([0, 1, 2], [90, 8, 2])
    train, held_out = split_rows(codes, 0.1, 0)
    assert not set(train) & set(held_out)
    assert sorted([*train, *held_out]) == list(range(100))
    assert len(held_out) == 10
    single = np.repeat([0, 1], [99, 1])
    assert len(split_rows(single, 0.1, 0)[1]) == 10


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 4.0, "c": 0.5}])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_weight_on_hard_targets_is_sklearn_s(class_weight, weighted):
    data = make_soft(weighted=weighted)
    hard = data.harden()
    student = LogisticRegression(class_weight=class_weight, tol=1e-8, max_iter=1000)
    soft = fit_student(clone(student), hard)
    direct = clone(student).fit(data.X, data.y, sample_weight=data.weight)
    np.testing.assert_allclose(soft.coef_, direct.coef_, atol=1e-4)
    assert soft.class_weight == class_weight
    # Copies of every class in equal number must not hide a shift of the classes.
    plain = fit_student(clone(student).set_params(class_weight=None), hard)
    assert np.abs(plain.coef_ - soft.coef_).max() > 1e-2
