"""How each family of students learns a soft target: one row a family."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from _learners import MOVABLE, move_private
from _nets import Net, SizeSetter
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier
from skorch import NeuralNetClassifier

from skdistill._dataset import split_rows
from skdistill._soft_data import SoftDataset, cross_entropy, soften
from skdistill._students import (
    check_student,
    choose_temperature,
    fit_student,
    validation_fraction,
)
from skdistill._students._fit_student import LEARNERS
from skdistill._students._soft_learner import NETWORK_TEMPERATURE
from skdistill._students._weighted_copies import (
    COPIES,
    VANISHING,
    expand_rows,
    fit_by_epochs,
)


def make_soft(n_samples=120, n_classes=3, seed=0, weighted=False):
    """Rows with random soft targets that depend on the features."""
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n_samples, 4))
    logits = X @ rng.normal(size=(4, n_classes)) + 0.3 * rng.normal(
        size=(n_samples, n_classes)
    )
    targets = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = np.array(["a", "b", "c", "d", "e"])[:n_classes]
    weight = rng.uniform(0.5, 2, n_samples) if weighted else None
    return SoftDataset(X, targets, classes, classes[targets.argmax(axis=1)], weight)


FAMILIES = {
    "mlp-lbfgs": (MLPClassifier((5,), solver="lbfgs", max_iter=50), True),
    "mlp-adam": (MLPClassifier((5,), max_iter=60, learning_rate_init=0.02), True),
    "mlp-sgd": (
        MLPClassifier((5,), solver="sgd", max_iter=60, learning_rate_init=0.1),
        True,
    ),
    "net": (
        NeuralNetClassifier(
            Net,
            module__dtype=torch.float64,
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            lr=0.05,
            max_epochs=30,
            callbacks=[SizeSetter()],
            verbose=0,
        ),
        True,
    ),
    "logistic": (LogisticRegression(), True),
    "tree": (DecisionTreeClassifier(max_depth=3), False),
    "random-tree": (ExtraTreeClassifier(max_depth=5), False),
    "forest": (RandomForestClassifier(5, max_depth=3), False),
    "random-forest": (ExtraTreesClassifier(5, max_depth=4), False),
    "entropy-forest": (
        RandomForestClassifier(5, max_depth=3, criterion="entropy"),
        False,
    ),
    "bayes": (GaussianNB(), False),
    "boosting": (HistGradientBoostingClassifier(max_iter=5), False),
    "lightgbm": (LGBMClassifier(n_estimators=10, n_jobs=1, verbosity=-1), True),
    "search": (GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2), False),
    "vote": (
        VotingClassifier(
            [("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"
        ),
        False,
    ),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", FAMILIES)
def test_family_learns_more_than_the_priors(name, n_classes, weighted):
    student, rescales = FAMILIES[name]
    data = make_soft(n_classes=n_classes, weighted=weighted)
    check_student(student, 1.0, n_classes, 120)
    student = clone(student)
    if "random_state" in student.get_params():
        student.set_params(random_state=0)
    fitted = fit_student(clone(student), data)
    assert type(fitted) is type(student)
    np.testing.assert_array_equal(fitted.classes_, data.classes)
    proba = fitted.predict_proba(data.X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    prior = np.average(data.targets, axis=0, weights=data.weight)
    base = cross_entropy(data.targets, np.tile(prior, (120, 1)), data.weight)
    assert cross_entropy(data.targets, proba, data.weight) < 0.9 * base
    if rescales:
        check_student(student, 2.0, n_classes, 120)
    else:
        with pytest.raises(ValueError, match=r"temperature=2\.0 .* Set temperature=1"):
            check_student(student, 2.0, n_classes, 120)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_expansion_weights_sum_to_the_row(n_classes, weighted):
    data = make_soft(n_classes=n_classes, weighted=weighted)
    data.targets[0] = np.eye(n_classes)[0]
    X, y, weight, params = expand_rows(data)
    assert params == {}
    assert len(X) == len(y) == len(weight) == 120 * n_classes - (n_classes - 1)
    for row in (0, 7):
        copies = (data.X[row] == X).all(axis=1)
        expected = 1.0 if data.weight is None else data.weight[row]
        assert weight[copies].sum() == pytest.approx(expected)
        mine = dict(zip(y[copies], weight[copies] / expected, strict=True))
        for label, target in zip(data.classes, data.targets[row], strict=True):
            assert mine.get(label, 0.0) == pytest.approx(target)


def test_expansion_renormalises_what_it_drops():
    tiny = VANISHING / 4
    targets = np.array([[0.7, 0.3 - tiny, tiny]])
    data = SoftDataset(np.ones((1, 1)), targets, np.arange(3), np.array([0]))
    _, y, weight, _ = expand_rows(data)
    np.testing.assert_array_equal(y, [0, 1])
    assert weight.sum() == 1.0


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_mlp_equals_weighted_copies_under_lbfgs(n_classes, weighted):
    data = make_soft(n_classes=n_classes, weighted=weighted)
    student = MLPClassifier(
        (4,), activation="tanh", solver="lbfgs", alpha=1.0, max_iter=5000, tol=1e-9
    ).set_params(random_state=0, max_fun=100_000)
    ours = fit_student(clone(student), data)
    copies = COPIES.fit_rows(clone(student), data, None)
    losses = [
        cross_entropy(data.targets, mlp.predict_proba(data.X), data.weight)
        for mlp in (ours, copies)
    ]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert ours.loss_ == pytest.approx(copies.loss_, abs=1e-6)


STOPPING = {
    "mlp": MLPClassifier(
        (8,), max_iter=300, early_stopping=True, learning_rate_init=0.05
    ),
    "sgd": SGDClassifier(loss="log_loss", early_stopping=True, max_iter=300),
    "boosting": HistGradientBoostingClassifier(early_stopping=True, max_iter=300),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("name", STOPPING)
def test_early_stopping_on_rows_of_its_own(name, native, n_classes, monkeypatch):
    if not native:
        for kind in MOVABLE:
            move_private(monkeypatch, kind)
    student = clone(STOPPING[name]).set_params(random_state=0)
    data = make_soft(n_samples=300, n_classes=n_classes, weighted=True)
    assert validation_fraction(student, 300) == 0.1
    train, held_out = split_rows(data.targets.argmax(axis=1), 0.1, 0)
    fitted = fit_student(student, data.take(train), validation=data.take(held_out))
    assert getattr(fitted, "n_iter_", 1) < 300
    assert fitted.early_stopping is True
    assert fitted.get_params()["random_state"] == 0


def test_early_stopping_keeps_the_best_pass():
    """Validation scores are negative soft cross-entropies of the held-out rows."""
    data = make_soft(n_samples=300)
    train, held_out = split_rows(data.targets.argmax(axis=1), 0.2, 0)
    mlp = MLPClassifier(
        (16,), early_stopping=True, random_state=0, learning_rate_init=0.05
    )
    validation = data.take(held_out)
    fitted = fit_student(mlp, data.take(train), validation=validation)
    served = -cross_entropy(validation.targets, fitted.predict_proba(validation.X))
    assert served == pytest.approx(fitted.best_validation_score_, abs=1e-12)
    assert fitted.best_validation_score_ == max(fitted.validation_scores_)
    assert len(fitted.validation_scores_) == fitted.n_iter_


def test_epochs_without_validation_run_to_max_iter():
    data = make_soft()
    mlp = MLPClassifier((4,), max_iter=7, random_state=0)
    fitted = fit_by_epochs(mlp, data)
    assert fitted.t_ == 7 * 120 * 3


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


def test_stopping_that_cannot_be_validated_is_refused():
    student = GradientBoostingClassifier(loss="exponential", n_iter_no_change=3)
    with pytest.raises(ValueError, match=r"n_iter_no_change': 3.*Switch early"):
        check_student(student, 1.0, 2, 120)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", ["mlp", "logistic"])
def test_fold_multiplies_the_logits(name, n_classes):
    temperature = 2.5
    data = make_soft(n_classes=n_classes)
    student = {
        "mlp": MLPClassifier((5,), solver="lbfgs", random_state=0, max_iter=500),
        "logistic": LogisticRegression(),
    }[name]
    plain = fit_student(clone(student), data).predict_proba(data.X)
    served = fit_student(clone(student), replace(data, temperature=temperature))
    np.testing.assert_allclose(
        served.predict_proba(data.X), soften(plain, 1 / temperature), atol=1e-12
    )


def test_sgd_folds_two_classes_only():
    sgd = SGDClassifier(loss="log_loss", random_state=0)
    check_student(sgd, 3.0, 2, 120)
    with pytest.raises(ValueError, match="3 classes"):
        check_student(sgd, 3.0, 3, 120)
    data = make_soft(n_classes=2)
    plain = fit_student(clone(sgd), data).predict_proba(data.X)
    served = fit_student(clone(sgd), replace(data, temperature=3.0)).predict_proba(
        data.X
    )
    np.testing.assert_allclose(served, soften(plain, 1 / 3), atol=1e-12)


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


@pytest.mark.parametrize(
    ("student", "match"),
    [
        (KNeighborsClassifier(), "KNeighborsClassifier does not. Use MLPClassifier"),
        (SGDClassifier(), "which SGDClassifier has not"),
    ],
)
def test_students_that_cannot_learn(student, match):
    with pytest.raises(TypeError, match=match):
        check_student(student, 1.0, 2, 120)


def test_split_shares_no_row_and_keeps_rare_classes():
    codes = np.repeat([0, 1, 2], [90, 8, 2])
    train, held_out = split_rows(codes, 0.1, 0)
    assert not set(train) & set(held_out)
    assert sorted([*train, *held_out]) == list(range(100))
    assert len(held_out) == 10
    single = np.repeat([0, 1], [99, 1])
    assert len(split_rows(single, 0.1, 0)[1]) == 10


def test_split_of_too_few_rows():
    with pytest.raises(ValueError, match=r"0\.1 of 9 rows leaves 1\. Raise"):
        split_rows(np.zeros(9, dtype=int), 0.1, 0)


def test_a_student_has_one_family():
    """All but the last, which accepts every estimator, are disjoint."""
    *families, copies = LEARNERS
    for student, _ in FAMILIES.values():
        assert sum(family.accepts(student) for family in families) <= 1
        assert copies.accepts(student)


def test_data_is_made_of_real_classification_rows():
    X, y = make_classification(50, random_state=0)
    data = SoftDataset(X, np.eye(2)[y], np.arange(2), y, params={"group": y, "flag": 3})
    part = data.take(np.array([4, 2]))
    np.testing.assert_array_equal(part.X, X[[4, 2]])
    np.testing.assert_array_equal(part.params["group"], y[[4, 2]])
    assert part.params["flag"] == 3


@pytest.mark.parametrize(
    ("student", "n_classes", "expected"),
    [
        (make_pipeline(StandardScaler(), MLPClassifier()), 3, NETWORK_TEMPERATURE),
        (LogisticRegression(), 3, 1.0),
        (SGDClassifier(loss="log_loss"), 2, 1.0),
        (SGDClassifier(loss="log_loss"), 3, 1.0),
        (DecisionTreeClassifier(), 2, 1.0),
    ],
)
def test_automatic_temperature_is_for_networks(student, n_classes, expected):
    assert choose_temperature(student, n_classes) == expected
    check_student(student, "auto", n_classes, 100)


def test_a_class_is_no_student():
    with pytest.raises(TypeError, match=r"the class MLPClassifier\. Pass an instance"):
        check_student(MLPClassifier, 1.0, 2, 100)


@pytest.mark.parametrize("class_weight", ["balanced", {"a": 4.0, "c": 0.5}])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_weight_on_hard_targets_is_sklearn_s(class_weight, weighted):
    data = make_soft(weighted=weighted)
    codes = data.targets.argmax(axis=1)
    hard = SoftDataset(data.X, np.eye(3)[codes], data.classes, data.y, data.weight)
    student = LogisticRegression(class_weight=class_weight, tol=1e-8, max_iter=1000)
    soft = fit_student(clone(student), hard)
    direct = clone(student).fit(data.X, data.y, sample_weight=data.weight)
    np.testing.assert_allclose(soft.coef_, direct.coef_, atol=1e-4)
    assert soft.class_weight == class_weight
    # Copies of every class in equal number must not hide a shift of the classes.
    plain = fit_student(clone(student).set_params(class_weight=None), hard)
    assert np.abs(plain.coef_ - soft.coef_).max() > 1e-2
