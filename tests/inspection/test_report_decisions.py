"""The report's figures for decisions: rare classes, many classes, groups."""

import copy
import functools

import numpy as np
import pytest
from _reports import FixedClassifier, distil
from sklearn.metrics import (
    average_precision_score,
    recall_score,
    roc_curve,
)

from skdistill.inspection import distillation_report


@functools.cache
def distil_codes(n_classes):
    rng = np.random.default_rng(0)
    return distil(rng.normal(size=(200, 6)), np.arange(200) % n_classes)


def report_on_proba(student, teacher, y, **params):
    n_classes = student.shape[1]
    model = copy.copy(distil_codes(n_classes))
    classes = np.arange(n_classes)
    model.student_ = FixedClassifier(student, classes)
    model.teacher_ = FixedClassifier(teacher, classes)
    given = {"n_bootstrap": 2, "random_state": 0, **params}
    return distillation_report(model, np.arange(len(y))[:, None], y, **given)


def draw_rare(n_rows, rate=0.05, seed=0, digits=3):
    """Labels of a rare class, and scores of which some are equal."""
    rng = np.random.default_rng(seed)
    y = (rng.uniform(size=n_rows) < rate).astype(int)
    score = np.round(1 / (1 + np.exp(3 - 2 * y - rng.normal(size=n_rows))), digits)
    return y, np.column_stack([1 - score, score])


def find_recall_in_top(y, score, weight, share):
    """By hand: the mean over many orders of the rows with equal scores."""
    rng = np.random.default_rng(0)
    recalls = []
    for _ in range(500):
        order = np.lexsort([rng.uniform(size=len(y)), -score])
        ends = np.cumsum(weight[order])
        # The row at the limit is taken in part.
        taken = np.clip((share * ends[-1] - ends) / weight[order] + 1, 0, 1)
        recalls.append((taken * weight[order]) @ y[order] / (weight @ y))
    return np.mean(recalls)


@pytest.mark.parametrize("weighted", [False, True])
def test_figures_of_a_rare_class(weighted):
    y, proba = draw_rare(4000)
    weight = np.random.default_rng(1).uniform(0.5, 1.5, len(y)) if weighted else None
    report = report_on_proba(proba, proba, y, sample_weight=weight)
    found, score = report.models["student"], proba[:, 1]
    given = {"sample_weight": weight}

    assert found["average_precision"] == pytest.approx(
        average_precision_score(y, score, **given)
    )
    false, true, _ = roc_curve(y, score, drop_intermediate=False, **given)
    assert found["recall_at_one_percent_fpr"] == true[false <= 0.01].max()
    weights = np.ones(len(y)) if weight is None else weight
    assert found["recall_in_top_half_percent"] == pytest.approx(
        find_recall_in_top(y, score, weights, 0.005), abs=0.001
    )
    assert found["mean_probability"] == pytest.approx(np.average(score, weights=weight))
    assert found["rate"] == pytest.approx(np.average(y, weights=weight))
    assert "recall at 1% false positives" in str(report)
    assert "too few" not in str(report)


def test_recall_in_the_top_of_distinct_scores():
    """Of 2000 rows the top 0.5 % are 10: 7 of the 40 positives are among them."""
    score = np.linspace(1, 0, 2000)
    y = np.zeros(2000, dtype=int)
    y[[0, 1, 2, 4, 5, 8, 9]] = 1
    y[1000:1033] = 1
    proba = np.column_stack([1 - score, score])
    found = report_on_proba(proba, proba, y).models["student"]
    assert found["recall_in_top_half_percent"] == pytest.approx(7 / 40)
    # 1 % of the 1960 others are 19.6: rank 19 of them is row 25.
    assert found["recall_at_one_percent_fpr"] == pytest.approx(7 / 40)


@pytest.mark.parametrize(("n_rows", "n_positives"), [(999, 100), (2000, 19)])
def test_too_few_rows_or_positives(n_rows, n_positives):
    y = (np.arange(n_rows) < n_positives).astype(int)
    score = np.linspace(1, 0, n_rows)
    proba = np.column_stack([1 - score, score])
    report = report_on_proba(proba, proba, y)
    found = report.models["student"]
    assert found["recall_at_one_percent_fpr"] is None
    assert found["recall_in_top_half_percent"] is None
    assert found["average_precision"] == 1
    assert str(report).count("too few") == 4


@pytest.mark.parametrize("label", [0, 1])
def test_rows_of_one_class_have_no_ranking(label):
    y, proba = np.full(1200, label), draw_rare(1200)[1]
    found = report_on_proba(proba, proba, y).models["student"]
    assert found["recall_at_one_percent_fpr"] is None
    assert found["average_precision"] == (1 if label else None)


@pytest.mark.parametrize(
    ("n_classes", "first", "shown"),
    [(5, 0, False), (6, 0, True), (12, 0, True), (7, 1, True)],
)
def test_top_5_accuracy_of_many_classes(n_classes, first, shown):
    """No row of the last ones is of the first class."""
    rng = np.random.default_rng(0)
    y = rng.integers(first, n_classes, size=240)
    proba = rng.dirichlet(np.ones(n_classes), size=240)
    report = report_on_proba(proba, proba, y)
    found = report.models["student"]
    assert ("top_5_accuracy" in found) == shown == ("top-5 accuracy" in str(report))
    if shown:
        best = np.argsort(-proba, axis=1)[:, :5]
        assert found["top_5_accuracy"] == np.mean((best == y[:, None]).any(axis=1))
    hits = proba.argmax(axis=1) == y
    recalls = [hits[y == k].mean() for k in np.unique(y)]
    assert found["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert "average_precision" not in found


def test_groups_of_two_classes():
    y, proba = draw_rare(900, rate=0.4)
    groups = np.repeat(["a", "b", "c"], 300)
    report = report_on_proba(proba, proba[::-1], y, groups=groups)
    for part in report.by_group:
        own = groups == part["name"]
        for name, scores in (("student", proba), ("teacher", proba[::-1])):
            label = scores[own].argmax(axis=1)
            found = part[name]
            assert found["recall"] == recall_score(y[own], label)
            assert found["false_positive_rate"] == pytest.approx(
                1 - recall_score(y[own], label, pos_label=0)
            )
            assert found["mean_probability"] == pytest.approx(scores[own, 1].mean())
        assert part["rate"] == pytest.approx(y[own].mean())
    assert "By group, of class 1" in str(report)


def test_a_group_of_one_class_has_no_recall():
    y, proba = draw_rare(400, rate=0.5)
    groups = np.where(y == 1, "positive", "negative")
    negative, positive = report_on_proba(proba, proba, y, groups=groups).by_group
    assert negative["student"]["recall"] is None
    assert positive["student"]["false_positive_rate"] is None
    assert positive["rate"] == 1


def lose(y, groups, losses):
    """A teacher that is always right, and a student that loses rows by group."""
    teacher = np.column_stack([1 - y, y]) * 0.8 + 0.1
    student = teacher.copy()
    for group, n_lost in losses.items():
        rows = np.flatnonzero(groups == group)[:n_lost]
        student[rows] = student[rows, ::-1]
    return student, teacher


@pytest.mark.parametrize(
    ("losses", "behind"),
    [
        # Of 100 rows each, one-sided p-values: .023 of 4, .041 of 3, .076 of 2.
        ({"a": 4}, []),
        ({"a": 4, "b": 4, "c": 4, "d": 4}, []),
        # .0009 of 9 and .0064 of 6 are below .05 / 4 and .05 / 3, .023 of 4 below
        # .05 / 2, .041 of 3 below .05 / 1.
        ({"a": 9, "b": 6, "c": 4, "d": 3}, ["a", "b", "c", "d"]),
        ({"a": 9, "b": 6, "c": 3, "d": 2}, ["a", "b"]),
        ({"a": 9, "b": 6, "c": 4, "d": 2}, ["a", "b", "c"]),
        ({"d": 100}, ["d"]),
    ],
)
def test_groups_behind_the_teacher_by_holms_procedure(losses, behind):
    y, groups = np.arange(400) % 2, np.repeat(list("abcd"), 100)
    student, teacher = lose(y, groups, losses)
    found = report_on_proba(student, teacher, y, groups=groups).by_group
    assert [part["name"] for part in found if part["behind"]] == behind
