"""XGBoost and CatBoost students: equal to the stock fit, and deployed alone."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from _boosted import LABELS, make_soft, training_loss
from _learners import (
    check_student,
    fine_tune,
    fit_copies,
    fit_student,
    validation_fraction,
)
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

# The optional libraries ---------------------------------------------------------


def xgb(**params):
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBClassifier(**({"n_estimators": 8, "n_jobs": 1} | params))


def cat(**params):
    catboost = pytest.importorskip("catboost")
    given = {"iterations": 8, "thread_count": 1, "random_seed": 0, "verbose": 0}
    return catboost.CatBoostClassifier(**given | params, allow_writing_files=False)


OPTIONAL = {"xgboost": (xgb, np.arange(4)), "catboost": (cat, LABELS)}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    ("library", "params"),
    [
        ("xgboost", {}),
        ("xgboost", {"subsample": 0.5, "random_state": 1, "reg_lambda": 3.0}),
        ("xgboost", {"booster": "dart", "rate_drop": 0.3, "random_state": 1}),
        ("xgboost", {"tree_method": "exact", "base_score": 0.5}),
        ("xgboost", {"multi_strategy": "multi_output_tree"}),
        ("catboost", {}),
        ("catboost", {"eta": 0.3, "grow_policy": "Depthwise", "min_data_in_leaf": 9}),
    ],
)
def test_hard_labels_give_the_stock_fit(library, params, n_classes, weighted):
    make, labels = OPTIONAL[library]
    data = make_soft(n_classes, weighted=weighted, labels=labels).harden()
    stock = make(**params).fit(data.X, data.y, sample_weight=data.weight)
    ours = fit_student(make(**params), data)
    assert type(ours) is type(stock)
    assert set(vars(ours)) == set(vars(stock))
    np.testing.assert_array_equal(ours.classes_, stock.classes_)
    np.testing.assert_array_equal(ours.predict(data.X), stock.predict(data.X))
    np.testing.assert_allclose(
        ours.predict_proba(data.X), stock.predict_proba(data.X), atol=5e-6
    )
    assert clone(ours).get_params() == make(**params).get_params() | (
        {"objective": stock.objective} if library == "xgboost" else {}
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("library", OPTIONAL)
def test_soft_targets_agree_with_expansion(library, n_classes):
    make, labels = OPTIONAL[library]
    data = make_soft(n_classes, weighted=True, labels=labels)
    params, copied = {}, {}
    if library == "catboost":
        # Without draws, which would be of copies.
        params = {"bootstrap_type": "No", "random_strength": 0, "eta": 0.2}
        copied = {"l2_leaf_reg": 3.0 * n_classes}
    ours = fit_student(make(**params), data)
    exact = fit_copies(make(**params, **copied), data)
    assert training_loss(ours, data) == pytest.approx(
        training_loss(exact, data), abs=1e-3
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("library", OPTIONAL)
def test_saved_models_predict_probabilities(library, n_classes, tmp_path):
    make, labels = OPTIONAL[library]
    data = make_soft(n_classes, labels=labels)
    student = fit_student(make(), data)
    served = student.predict_proba(data.X)
    assert b"skdistill" not in pickle.dumps(student)
    student.save_model(tmp_path / "model.json", **SAVED[library])
    loaded = make()
    loaded.load_model(tmp_path / "model.json", **SAVED[library])
    for again in (loaded, pickle.loads(pickle.dumps(student))):
        np.testing.assert_allclose(again.predict_proba(data.X), served, atol=1e-7)
        np.testing.assert_array_equal(again.predict(data.X), student.predict(data.X))
    if library == "xgboost":
        config = student.get_booster().save_config()
        name = "binary:logistic" if n_classes == 2 else "multi:softprob"
        assert f'"name":"{name}"' in config


SAVED = {"xgboost": {}, "catboost": {"format": "cbm"}}


STOPPING = {
    "xgboost": {"n_estimators": 300, "early_stopping_rounds": 3, "max_depth": 3},
    "catboost": {"iterations": 300, "early_stopping_rounds": 3, "eta": 0.3},
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("library", OPTIONAL)
def test_early_stopping_is_judged_by_the_soft_cross_entropy(library, n_classes):
    make, labels = OPTIONAL[library]
    data = make_soft(n_classes, weighted=True, n_samples=500, labels=labels)
    train, held_out = data.take(np.arange(350)), data.take(np.arange(350, 500))
    student = make(**STOPPING[library])
    check_student(student, 1.0, n_classes, 500)
    assert validation_fraction(student, 500) == 0.1
    ours = fit_student(student, train, validation=held_out)
    if library == "xgboost":
        best, rounds = ours.best_score, ours.best_iteration
    else:
        best, rounds = (
            min(ours.best_score_["validation"].values()),
            ours.best_iteration_,
        )
    assert best == pytest.approx(training_loss(ours, held_out), abs=1e-5)
    assert rounds < 299
    tuned = fine_tune(ours, data, 4)
    last = tuned.get_booster() if library == "xgboost" else tuned
    count = last.num_boosted_rounds() if library == "xgboost" else tuned.tree_count_
    assert count == rounds + 1 + 4


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("library", OPTIONAL)
def test_tuning_is_more_rounds_of_the_stock_fit(library, n_classes):
    make, labels = OPTIONAL[library]
    data = make_soft(n_classes, weighted=True, labels=labels).harden()
    student = make(learning_rate=0.2).fit(data.X, data.y, sample_weight=data.weight)
    before = student.predict_proba(data.X)
    if library == "xgboost":
        tuned = fine_tune(student, data, 5)
        stock = make(n_estimators=5, learning_rate=0.02)
        stock.fit(data.X, data.y, sample_weight=data.weight, xgb_model=student)
    else:
        # Models of two classes can be joined only where their loss is the same.
        student = fit_student(make(learning_rate=0.2), data)
        tuned = fine_tune(student, data, 5)
        stock = make(iterations=5, learning_rate=0.02)
        first = make(learning_rate=0.2)
        first.fit(data.X, data.y, sample_weight=data.weight)
        first = copy.deepcopy(first)
        stock.fit(data.X, data.y, sample_weight=data.weight, init_model=first)
    np.testing.assert_allclose(
        tuned.predict_proba(data.X), stock.predict_proba(data.X), atol=1e-6
    )
    np.testing.assert_allclose(student.predict_proba(data.X), before, atol=1e-7)
    np.testing.assert_array_equal(tuned.classes_, student.classes_)
    assert tuned.get_params() == student.get_params()


@pytest.mark.parametrize(
    ("make", "params", "match"),
    [
        (xgb, {"objective": "multi:softmax"}, "objective='multi:softmax'. Leave it"),
        (xgb, {"scale_pos_weight": 2}, "scale_pos_weight=2. Leave it out"),
        (xgb, {"early_stopping_rounds": 2, "eval_metric": "auc"}, "'auc'. Leave it"),
        (cat, {"loss_function": "MultiClass"}, "'Logloss' or 'CrossEntropy' with 2"),
        (cat, {"auto_class_weights": "Balanced"}, "weigh a class's rows"),
        (cat, {"class_names": ["b", "a"]}, "Leave it out: the classes are"),
        (cat, {"od_wait": 2, "eval_metric": "AUC"}, "eval_metric='AUC'. Leave it"),
    ],
)
def test_optional_students_refuse_what_they_cannot_do(make, params, match):
    with pytest.raises(ValueError, match=match):
        check_student(make(**params), 1.0, 2, 100)


def test_catboost_takes_names_of_the_log_loss():
    check_student(cat(loss_function="CrossEntropy"), 1.0, 2, 100)
    check_student(cat(objective="MultiClass"), 1.0, 3, 100)
    check_student(cat(od_wait=2, eval_metric="Logloss"), 1.0, 2, 100)


@pytest.mark.parametrize(
    ("objective", "metric", "n_classes"),
    [("binary:logistic", "logloss", 2), ("multi:softprob", "mlogloss", 3)],
)
def test_xgboost_takes_names_of_the_log_loss(objective, metric, n_classes):
    named = xgb(objective=objective, eval_metric=metric, scale_pos_weight=1)
    named.set_params(early_stopping_rounds=2)
    check_student(named, 1.0, n_classes, 100)
    for metric in (None, "auc"):
        check_student(xgb(objective=objective, eval_metric=metric), 1.0, n_classes, 100)


def test_a_search_may_not_try_xgboost_on_labels_that_it_does_not_name():
    member, data = LogisticRegression(), make_soft(2)
    tried = Pipeline([("model", member)])
    search = GridSearchCV(tried, {"model": [member, xgb()]}, error_score="raise", cv=2)
    with pytest.raises(ValueError, match=r"labels 0 to 1; received \['a', 'b'\]"):
        fit_student(search, data)


def test_a_linear_booster_does_not_train_on():
    with pytest.raises(TypeError, match="with booster='gblinear'"):
        fine_tune(xgb(booster="gblinear"), None, 1)
    assert validation_fraction(xgb(), 100) is None


@pytest.mark.parametrize("name", ["posterior_sampling", "boost_from_average"])
def test_catboost_that_cannot_train_on_is_named(name):
    with pytest.raises(TypeError, match=f"CatBoostClassifier with {name}=True"):
        fine_tune(cat(**{name: True}), None, 1)


def test_catboost_weighs_positives_and_takes_categories():
    data = make_soft(2).harden()
    frame = pd.DataFrame(data.X, columns=list("vwxyz")).astype({"z": int})
    stock = cat(scale_pos_weight=3.0, cat_features=["z"]).fit(frame, data.y)
    ours = fit_student(
        cat(scale_pos_weight=3.0, cat_features=["z"]), data.with_rows(frame)
    )
    np.testing.assert_allclose(
        ours.predict_proba(frame), stock.predict_proba(frame), atol=1e-6
    )
    routed = replace(data.with_rows(frame), params={"cat_features": ["z"]})
    held_out = routed.take(np.arange(50))
    fit_student(cat(iterations=3, use_best_model=True), routed, validation=held_out)


@pytest.mark.parametrize("params", [{"l2_leaf_reg": 40.0}, {"reg_lambda": 9.0}, {}])
def test_catboost_penalty_is_that_of_the_rows(params):
    """Certain targets are learned on one copy a row, those next to them on three."""
    hard = make_soft(3).harden()
    near = replace(hard, targets=0.99999 * hard.targets + 0.00001 / 3)
    drawn = {"bootstrap_type": "No", "random_strength": 0, "score_function": "L2"}
    student = cat(**params, **drawn, iterations=1, learning_rate=0.5, depth=3)
    one, three = (fit_student(clone(student), data) for data in (hard, near))
    np.testing.assert_allclose(
        three.predict_proba(hard.X), one.predict_proba(hard.X), atol=2e-3
    )


def test_catboost_leaf_size_counts_rows():
    """CatBoost splits what holds as many rows as the parameter says: here 400."""
    data = make_soft(3)
    for size, splits in ((400, True), (401, False)):
        student = cat(grow_policy="Lossguide", min_data_in_leaf=size, iterations=1)
        leaves = fit_student(student, data).calc_leaf_indexes(data.X)[:, 0]
        assert (len(np.unique(leaves)) > 1) == splits
