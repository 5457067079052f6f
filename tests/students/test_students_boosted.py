"""LightGBM, XGBoost and CatBoost as students."""

import pickle
from dataclasses import replace

import lightgbm
import numpy as np
import pandas as pd
import polars as pl
import pytest
from _boosted import make_soft, training_loss
from _core import give_means, soften
from _learners import (
    SoftDataset,
    check_student,
    fine_tune,
    fit_copies,
    fit_student,
    move_lightgbm,
    validation_fraction,
)
from lightgbm import LGBMClassifier
from scipy.sparse import csr_matrix
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.metrics import log_loss

from skdistill._students import _boosting

#: LightGBM's names for the rounds that early stopping waits.
STOPPING = (
    "early_stopping_round",
    "early_stopping_rounds",
    "early_stopping",
    "n_iter_no_change",
)


def light(**params):
    return LGBMClassifier(
        **({"n_estimators": 8, "n_jobs": 1, "verbosity": -1} | params)
    )


def objective_line(text):
    return [line for line in text.splitlines() if line.startswith("objective=")]


EVERYWHERE = [
    {},
    {"boost_from_average": False},
    {"subsample": 0.5, "subsample_freq": 1, "random_state": 3},
    {"subsample": 0.5, "subsample_freq": 1, "random_state": np.random.RandomState(3)},
    {"reg_alpha": 0.5, "reg_lambda": 2.0, "num_leaves": 5, "min_child_samples": 40},
    {"min_child_weight": 8.0, "num_boost_round": 4},
    {"boosting_type": "goss", "top_rate": 0.3},
    {"data_sample_strategy": "goss", "extra_trees": True, "extra_seed": 5},
    {"boost_from_average": False, "linear_tree": True},
]


TWO_CLASSES = [
    {"boosting_type": "dart", "random_state": 0},
    {
        "boosting_type": "rf",
        "subsample": 0.5,
        "subsample_freq": 1,
        "objective": "binary",
    },
    {"linear_tree": True},
    {"colsample_bytree": 0.6, "feature_fraction_bynode": 0.7, "random_state": 3},
]


CASES = [(k, p) for k in (2, 4) for p in EVERYWHERE] + [(2, p) for p in TWO_CLASSES]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n_classes", "params"), CASES)
def test_lightgbm_on_hard_labels_is_the_stock_fit(n_classes, params, weighted):
    data = make_soft(n_classes, weighted=weighted).harden()
    student = light(**params)
    stock = clone(student).fit(data.X, data.y, sample_weight=data.weight)
    ours = fit_student(clone(student), data)
    np.testing.assert_allclose(
        ours.predict_proba(data.X), stock.predict_proba(data.X), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("n_classes", [2, 4])
def test_lightgbm_result_is_a_stock_object(n_classes, tmp_path):
    data = make_soft(n_classes).harden()
    data = data.with_rows(pd.DataFrame(data.X, columns=list("vwxyz")))
    stock = light(importance_type="gain").fit(data.X, data.y)
    ours = fit_student(light(importance_type="gain"), data)
    assert type(ours) is LGBMClassifier
    assert set(vars(ours)) == set(vars(stock))
    for name in (
        "n_classes_",
        "n_features_in_",
        "n_estimators_",
        "objective_",
        "best_iteration_",
        "evals_result_",
        "feature_name_",
        "_class_map",
    ):
        assert getattr(ours, name) == getattr(stock, name), name
    np.testing.assert_array_equal(ours.feature_names_in_, stock.feature_names_in_)
    np.testing.assert_array_equal(ours.classes_, stock.classes_)
    np.testing.assert_array_equal(ours._le.classes_, stock._le.classes_)
    np.testing.assert_array_equal(ours.predict(data.X), stock.predict(data.X))
    np.testing.assert_allclose(
        ours.feature_importances_, stock.feature_importances_, rtol=1e-6
    )
    for asked in ("raw_score", "pred_leaf", "pred_contrib"):
        np.testing.assert_allclose(
            ours.predict_proba(data.X, **{asked: True}),
            stock.predict_proba(data.X, **{asked: True}),
            atol=1e-10,
        )
    assert clone(ours).get_params() == clone(stock).get_params()
    dumped = pickle.dumps(ours)
    assert b"skdistill" not in dumped
    np.testing.assert_array_equal(
        pickle.loads(dumped).predict_proba(data.X), ours.predict_proba(data.X)
    )


@pytest.mark.parametrize("n_classes", [2, 4])
def test_reloaded_booster_predicts_probabilities(n_classes, tmp_path):
    data = make_soft(n_classes)
    student = fit_student(light(), data)
    served = student.predict_proba(data.X)
    served = served[:, 1] if n_classes == 2 else served
    text = student.booster_.model_to_string()
    stock = light().fit(data.X, data.y).booster_.model_to_string()
    assert objective_line(text) == objective_line(stock) != []
    student.booster_.save_model(tmp_path / "m.txt")
    for booster in (
        lightgbm.Booster(model_str=text),
        lightgbm.Booster(model_file=tmp_path / "m.txt"),
        pickle.loads(pickle.dumps(student.booster_)),
    ):
        np.testing.assert_allclose(booster.predict(data.X), served, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_lightgbm_on_soft_targets_agrees_with_expansion(n_classes, weighted):
    data = make_soft(n_classes, weighted=weighted)
    # Leaves bounded by weight, and bins by nothing: copies are counted otherwise.
    sizes = {"min_child_samples": 1, "min_child_weight": 2.0, "min_data_in_bin": 1}
    student = light(n_estimators=20, **sizes)
    ours = fit_student(clone(student), data)
    exact = fit_copies(student, data)
    assert training_loss(ours, data) == pytest.approx(
        training_loss(exact, data), abs=1e-3
    )


@pytest.mark.parametrize("n_classes", [2, 4])
def test_lightgbm_leaves_count_rows(n_classes):
    data = make_soft(n_classes)
    booster = fit_student(light(), data).booster_
    trees = booster.dump_model()["tree_info"]
    assert {tree["tree_structure"]["internal_count"] for tree in trees} == {400}


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 4])
def test_derivatives_are_those_of_the_loss(n_outputs, mixed):
    """Against finite differences of the formula, with true labels and without."""
    rng = np.random.RandomState(0)
    n_classes, T = max(n_outputs, 2), 2.5
    targets, codes = rng.dirichlet(np.ones(n_classes), 6), np.arange(6) % n_classes
    weight, offsets = rng.uniform(1, 2, 6), rng.normal(size=n_outputs)
    alpha = rng.uniform(0.2, 0.9, 6) if mixed else None
    data = SoftDataset(
        np.zeros((6, 1)),
        targets,
        np.arange(n_classes),
        codes,
        temperature=T,
        alpha=alpha,
    )

    def measure(margins):
        z = margins + offsets
        z = np.column_stack([0 * z, z]) if n_outputs == 1 else z
        soft = -(targets * log_softmax(z, axis=1)).sum(axis=1)
        hard = -log_softmax(T * z, axis=1)[np.arange(6), codes]
        return alpha * soft + (1 - alpha) / T**2 * hard if mixed else soft

    # The libraries have a vector of margins for two classes.
    margins = rng.normal(size=(6, n_outputs))
    given = margins.ravel() if n_outputs == 1 else margins
    loss = _boosting.soft_loss(data, offsets)
    assert loss(None, given) == pytest.approx(measure(margins).mean())
    assert loss(None, given, weight) == pytest.approx(
        np.average(measure(margins), weights=weight)
    )
    derivatives = _boosting.soft_derivatives(data, 1.0, offsets=offsets)
    gradient, hessian = derivatives(None, given, weight)
    assert gradient.shape == given.shape
    step = 1e-4 * np.eye(n_outputs)
    low, here, high = (
        np.column_stack([weight * measure(margins + sign * e) for e in step])
        for sign in (-1, 0, 1)
    )
    expected = ((high - low) / 2e-4).reshape(given.shape)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)
    expected = ((high - 2 * here + low) / 1e-8).reshape(given.shape)
    np.testing.assert_allclose(hessian, expected, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_too_few_rows_to_split_give_the_class_shares(n_classes):
    data = make_soft(n_classes, n_samples=30)
    student = fit_student(light(), data)
    shares = np.tile(data.targets.mean(axis=0), (30, 1))
    np.testing.assert_allclose(student.predict_proba(data.X), shares, rtol=1e-6)
    again = lightgbm.Booster(model_str=student.booster_.model_to_string())
    np.testing.assert_allclose(
        again.predict(data.X), shares[:, 1] if n_classes == 2 else shares, rtol=1e-6
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_columns_that_never_vary(n_classes):
    data = make_soft(n_classes).with_rows(np.zeros((400, 2)))
    if n_classes == 2:
        proba = fit_student(light(), data).predict_proba(data.X)
        np.testing.assert_allclose(proba[0], data.targets.mean(axis=0), rtol=1e-6)
    else:
        with pytest.raises(ValueError, match="a column that varies"):
            fit_student(light(), data)


def test_a_class_without_mass():
    data = make_soft(3)
    empty = np.c_[data.targets[:, :2], np.zeros(400)]
    data = replace(data, targets=empty / empty.sum(axis=1, keepdims=True))
    proba = fit_student(light(), data).predict_proba(data.X)
    assert proba[:, 2].max() < 1e-12


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["category", "routed", "sparse", "polars"])
def test_lightgbm_takes_every_container(kind, n_classes):
    data = make_soft(n_classes).harden()
    X, params = data.X, {}
    if kind == "category":
        X = pd.DataFrame(X, columns=list("vwxyz")).astype({"z": "category"})
    elif kind == "routed":
        params = {"categorical_feature": [4]}
    elif kind == "sparse":
        X = csr_matrix(np.where(np.abs(X) < 0.5, 0, X))
    else:
        X = pl.DataFrame(X, schema=list("vwxyz"))
    student = light(min_data_per_group=5, cat_smooth=1)
    stock = clone(student).fit(X, data.y, **params)
    ours = fit_student(clone(student), replace(data, X=X, params=params))
    np.testing.assert_allclose(ours.predict_proba(X), stock.predict_proba(X), atol=1e-9)
    if params:
        plain = fit_student(clone(student), data)
        assert np.abs(plain.predict_proba(X) - ours.predict_proba(X)).max() > 1e-3


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_lightgbm_stops_early_where_the_stock_fit_does(n_classes, weighted):
    data = make_soft(n_classes, weighted=weighted, n_samples=500).harden()
    train, held_out = data.take(np.arange(350)), data.take(np.arange(350, 500))
    student = light(n_estimators=300, early_stopping_rounds=3)
    stock = clone(student).fit(
        train.X,
        train.y,
        sample_weight=train.weight,
        eval_X=held_out.X,
        eval_y=np.searchsorted(data.classes, held_out.y),
        eval_sample_weight=None if held_out.weight is None else [held_out.weight],
    )
    ours = fit_student(clone(student), train, validation=held_out)
    assert ours.best_iteration_ == stock.best_iteration_ < 300
    assert ours.n_estimators_ == stock.n_estimators_
    np.testing.assert_allclose(
        ours.predict_proba(data.X), stock.predict_proba(data.X), atol=1e-9
    )


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("name", STOPPING)
def test_lightgbm_is_judged_by_the_soft_cross_entropy(name, n_classes):
    data = make_soft(n_classes, weighted=True, n_samples=500)
    train, held_out = data.take(np.arange(350)), data.take(np.arange(350, 500))
    student = light(n_estimators=300, **{name: 3})
    check_student(student, "auto", n_classes, 500)
    assert validation_fraction(student, 500) == 0.1
    ours = fit_student(student, train, validation=held_out)
    assert ours.best_iteration_ < 300
    assert ours.best_score_["valid_0"]["cross_entropy"] == pytest.approx(
        training_loss(ours, held_out), abs=1e-6
    )
    curve = ours.evals_result_["valid_0"]["cross_entropy"]
    assert np.argmin(curve) + 1 == ours.best_iteration_
    text = ours.booster_.model_to_string()
    assert objective_line(text) != []


def test_lightgbm_reaches_the_last_round_while_it_improves():
    data = make_soft(3, n_samples=500)
    student = light(
        n_estimators=4, early_stopping_rounds=50, early_stopping_min_delta=0
    )
    ours = fit_student(student, data, validation=data)
    assert ours.best_iteration_ == 4
    np.testing.assert_allclose(ours.booster_.predict(data.X).sum(axis=1), 1)


def test_lightgbm_without_rounds_to_wait_needs_no_validation():
    assert validation_fraction(light(), 100) is None
    assert validation_fraction(light(early_stopping_round=0), 100) is None


REFUSED = [
    ({"scale_pos_weight": 3}, 2, r"scale_pos_weight=3\. Set class_weight"),
    ({"is_unbalance": True}, 2, r"is_unbalance=True\. Set class_weight"),
    ({"pos_bagging_fraction": 0.5}, 2, r"=0\.5\. Set subsample"),
    ({"sigmoid": 2.0}, 2, r"sigmoid=2\.0\. Leave it out"),
    ({"objective": "multiclass"}, 2, "'binary' .* with 2 classes; .*'multiclass'"),
    ({"objective": "binary"}, 3, "'multiclass' or 'softmax' with 3 classes"),
    ({"objective": "multiclassova"}, 3, "received objective='multiclassova'"),
    ({"objective": lambda y, p: (p - y, p)}, 2, "by the log loss"),
    ({"app": "regression"}, 2, r"app='regression'\. Leave it out"),
    (
        {"boosting_type": "dart"},
        3,
        "With 3 classes .* received boosting_type='dart'",
    ),
    ({"boosting": "rf"}, 3, "With 3 classes .* received boosting='rf'"),
    ({"linear_tree": True}, 3, "Set boost_from_average=False"),
    ({"early_stopping_round": 3, "metric": "auc"}, 2, "metric='auc'. Leave it out"),
    ({"early_stopping_round": 3, "boosting": "dart"}, 2, "can't stop early"),
]


@pytest.mark.parametrize(("params", "n_classes", "match"), REFUSED)
def test_lightgbm_refuses_what_it_cannot_do(params, n_classes, match):
    with pytest.raises(ValueError, match=match):
        check_student(light(**params), 1.0, n_classes, 100)


@pytest.mark.parametrize(
    ("params", "n_classes"),
    [
        ({"boosting_type": "dart"}, 2),
        ({"boosting": "goss"}, 3),
        ({"linear_tree": True}, 2),
        ({"linear_tree": True, "boost_from_average": False}, 3),
        ({"pos_bagging_fraction": 1, "scale_pos_weight": 1, "sigmoid": 1}, 2),
        ({"early_stopping_round": 3, "metric": "binary_logloss"}, 2),
        ({"early_stopping_round": 0, "metric": "auc"}, 2),
        ({"objective": None, "is_unbalance": False}, 2),
    ],
)
def test_lightgbm_takes_what_has_an_exact_meaning(params, n_classes):
    check_student(light(**params), 1.0, n_classes, 100)


def test_lightgbm_takes_names_of_the_log_loss():
    for objective, n_classes in (("xentropy", 2), ("softmax", 3)):
        data = make_soft(n_classes)
        named = light(objective=objective, is_unbalance=False)
        check_student(named, 1.0, n_classes, 100)
        named = fit_student(named, data)
        plain = fit_student(light(), data)
        np.testing.assert_array_equal(
            named.predict_proba(data.X), plain.predict_proba(data.X)
        )
    check_student(light(early_stopping_round=3, metric=["multi_logloss"]), 1.0, 3, 100)


def test_metadata_of_hard_labels_is_refused():
    data = replace(make_soft(3), params={"init_score": np.zeros(400)})
    with pytest.raises(ValueError, match=r"received init_score\. Do not"):
        fit_student(light(), data)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_class_weight_on_hard_labels_is_lightgbm_s(n_classes):
    data = make_soft(n_classes).harden()
    student = light(class_weight={"a": 3.0})
    stock = clone(student).fit(data.X, data.y)
    ours = fit_student(clone(student), data)
    np.testing.assert_allclose(
        ours.predict_proba(data.X), stock.predict_proba(data.X), atol=1e-6
    )
    assert ours.class_weight == {"a": 3.0}


@pytest.mark.parametrize("n_classes", [2, 3])
def test_lightgbm_tuning_is_more_rounds_of_the_stock_fit(n_classes):
    data = make_soft(n_classes, weighted=True)
    student = fit_student(light(num_trees=9), data)
    before = student.booster_.model_to_string()
    tuned = fine_tune(student, data.harden(), 5)
    assert student.booster_.model_to_string() == before
    stock = light(n_estimators=5, learning_rate=0.01)
    stock.fit(data.X, data.y, sample_weight=data.weight, init_model=student)
    np.testing.assert_allclose(
        tuned.predict_proba(data.X), stock.predict_proba(data.X), atol=1e-6
    )
    assert tuned.n_estimators_ == 14
    assert tuned.get_params() == student.get_params()
    assert log_loss(data.y, tuned.predict_proba(data.X)) < log_loss(
        data.y, student.predict_proba(data.X)
    )
    np.testing.assert_allclose(
        tuned.predict_proba(data.X, num_iteration=9), student.predict_proba(data.X)
    )


@pytest.mark.parametrize("name", ["linear_tree", "linear_trees", "pred_early_stop"])
def test_leaves_that_are_no_sum_of_numbers_cannot_be_multiplied(name):
    check_student(light(), 2.0, 2, 100)
    with pytest.raises(ValueError, match="Set temperature=1"):
        check_student(light(**{name: True}), 2.0, 2, 100)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("stopped", [False, True])
def test_leaves_of_lightgbm_are_multiplied_and_shifted(n_classes, stopped):
    data = make_soft(n_classes=n_classes)
    more = {"early_stopping_round": 3, "n_estimators": 60} if stopped else {}
    validation = make_soft(n_classes=n_classes, seed=1) if stopped else None
    plain = fit_student(light(**more), data, validation=validation)
    folded = fit_student(
        light(**more), replace(data, temperature=2.5), validation=validation
    )
    labels = soften(data.targets, 1 / 2.5).mean(axis=0)
    expected = give_means(soften(plain.predict_proba(data.X), 1 / 2.5), labels)
    np.testing.assert_allclose(folded.predict_proba(data.X), expected, atol=1e-7)
    reloaded = lightgbm.Booster(model_str=folded.booster_.model_to_string())
    proba = reloaded.predict(data.X)
    proba = np.column_stack([1 - proba, proba]) if n_classes == 2 else proba
    np.testing.assert_allclose(proba, expected, atol=1e-7)


def test_errors_of_lightgbm_pass():
    with pytest.raises(lightgbm.basic.LightGBMError, match="max_bin"):
        fit_student(light(max_bin=1), make_soft(2))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_lightgbm_that_moved_its_private_names_learns_copies(monkeypatch, n_classes):
    data = make_soft(n_classes=n_classes)
    expected = fit_copies(light(), data)
    move_lightgbm(monkeypatch)
    moved = fit_student(light(), data)
    np.testing.assert_allclose(
        moved.predict_proba(data.X), expected.predict_proba(data.X), atol=1e-6
    )
    with pytest.raises(ValueError, match="This release of LightGBM"):
        check_student(light(early_stopping_round=3), "auto", n_classes, 400)
    with pytest.raises(ValueError, match="Set temperature=1 or alpha=1"):
        check_student(light(), 3.0, n_classes, 400, alpha=0.5)
    with pytest.raises(TypeError, match="whose rounds can't go on"):
        fine_tune(moved, data, 2)
