"""Probabilities are checked, whoever gives them."""

import numpy as np
import pandas as pd
import pytest
from _core import PLAIN
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, FunctionClassifier

X, Y = make_classification(
    200, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0
)


class Teacher(ClassifierMixin, BaseEstimator):
    """Answers as naive Bayes does, but for a change."""

    def __init__(self, change=None):
        self.change = change

    def fit(self, X, y):
        self.model_ = GaussianNB().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        return self.change(self.model_.predict_proba(X))


def put(value):
    def change(proba):
        proba = proba.copy()
        proba[3] = value
        return proba

    return change


#: A change of probabilities; the rule, what was received and the fix of the error.
BAD = {
    "NaN": (
        *(put(np.nan), "must be finite"),
        *("received [nan nan nan] in row 3", "Mend the teacher, or drop rows"),
    ),
    "infinite": (
        *(put(np.inf), "must be finite"),
        *("received [inf inf inf] in row 3", "Mend the teacher, or drop rows"),
    ),
    "negative": (
        *(put([-0.5, 0.5, 1]), "must not be negative"),
        *("received [-0.5", "log-probabilities want np.exp first"),
    ),
    "sums to 2": (
        *(lambda p: 2 * p, "must sum to 1"),
        *("one sums to 2", "Pass probabilities, not scores or percentages"),
    ),
    "zero": (
        *(lambda p: 0 * p, "must sum to 1"),
        *("one sums to 0", "Pass probabilities, not scores or percentages"),
    ),
    "a column less": (
        *(lambda p: p[:, :2], "one row a sample and one column a class"),
        *(", 2)", "Its columns follow the classes [0, 1, 2]"),
    ),
    "a vector": (
        *(lambda p: p[:, 1], "one row a sample and one column a class"),
        *(",)", "Its columns follow the classes [0, 1, 2]"),
    ),
    "rows lost": (
        *(lambda p: p[1:], "one row a sample and one column a class"),
        *(", 3)", "Its columns follow the classes [0, 1, 2]"),
    ),
    "text": (
        *(lambda p: p.astype(str), "must be an array of numbers"),
        *("received dtype", "Pass probabilities as numbers"),
    ),
    "text in a frame": (
        *(lambda p: pd.DataFrame(p.astype(str)), "must be an array of numbers"),
        *("received dtype object", "Pass probabilities as numbers"),
    ),
    "other names": (
        lambda p: pd.DataFrame(p, columns=list("abc")),
        "must name its columns by the classes [0, 1, 2]",
        "received ['a', 'b', 'c']",
        "Rename them, or pass an array",
    ),
}


def teach(kind, change):
    """Return an estimator whose teacher's answers are changed, and what `fit` takes."""
    teacher, params, fit = Teacher(change), dict(PLAIN), {}
    if kind == "frozen":
        teacher = FrozenEstimator(teacher.fit(X, Y))
    elif kind == "function":
        teacher = FunctionClassifier(teacher.fit(X, Y).predict_proba, [0, 1, 2])
    elif kind == "stored":
        fit["teacher_proba"] = teacher.fit(X, Y).predict_proba(X)
        teacher = None
    elif kind == "cross-fitted":
        params["cv"] = 3
    elif kind == "transfer set":
        params |= {"augmenter": "munge", "n_synthetic": 50}
    return DistilledClassifier(teacher, LogisticRegression(), **params), fit


@pytest.mark.parametrize("name", list(BAD))
@pytest.mark.parametrize(
    "kind", ["live", "frozen", "stored", "cross-fitted", "transfer set"]
)
def test_a_bad_answer_is_named(name, kind):
    change, *words = BAD[name]
    distilled, fit = teach(kind, change)
    owner = "teacher_proba" if kind == "stored" else "predict_proba of the teacher"
    with pytest.raises(ValueError, match=owner) as caught:
        distilled.fit(X, Y, **fit)
    for part in words:
        assert part in str(caught.value)
    assert not hasattr(distilled, "student_")


def turn(proba):
    return proba[:, [1, 2, 0]]


@pytest.mark.parametrize("kind", ["frozen", "stored", "function"])
def test_columns_in_another_order_are_refused(kind):
    distilled, fit = teach(kind, turn)
    with pytest.raises(
        ValueError, match=r"in the order of the classes \[0, 1, 2\]"
    ) as e:
        distilled.fit(X, Y, **fit)
    assert "look ordered as [1, 2, 0]. Reorder the columns." in str(e.value)


@pytest.mark.parametrize("kind", ["live", "cross-fitted", "transfer set", "library"])
def test_a_teacher_that_contradicts_the_labels_is_told_where_its_columns_have_names(
    kind,
):
    """Its columns follow `classes_`, as scikit-learn says."""
    distilled, _ = teach(kind, turn)
    if kind == "library":
        turned = GaussianNB().fit(X, np.array([2, 0, 1])[Y])
        distilled.set_params(teacher=FrozenEstimator(turned))
    with pytest.warns(
        UserWarning, match=r"contradict the labels y: .* \[1, 2, 0\]"
    ) as w:
        distilled.fit(X, Y)
    told = [found for found in w if "contradict" in str(found.message)]
    assert len(told) == 1
    assert "CalibratedClassifierCV, or pass another" in str(told[0].message)
    assert hasattr(distilled, "student_")


@pytest.mark.parametrize("order", [[1, 2, 0], [2, 1, 0]])
@pytest.mark.parametrize("names", [(0, 1, 2), ("0", "1", "2")])
def test_named_columns_are_put_in_order(order, names):
    def name(proba):
        return pd.DataFrame(proba, columns=names).iloc[:, order]

    fits = [
        DistilledClassifier(
            Teacher(change), LogisticRegression(), augmenter=None, calibrate=False
        )
        for change in (name, np.asarray)
    ]
    served = [fit.fit(X, Y).predict_proba(X) for fit in fits]
    np.testing.assert_array_equal(*served)


@pytest.mark.parametrize("names", [(0, 1, 2), ("0", "1", "2")])
def test_named_columns_that_are_stored_are_put_in_order(names):
    proba = GaussianNB().fit(X, Y).predict_proba(X)
    turned = pd.DataFrame(proba, columns=names).iloc[:, [1, 2, 0]]
    served = [
        DistilledClassifier(None, LogisticRegression(), **PLAIN)
        .fit(X, Y, teacher_proba=stored)
        .predict_proba(X)
        for stored in (turned, proba)
    ]
    np.testing.assert_array_equal(*served)


@pytest.mark.filterwarnings("ignore:The teacher:UserWarning")
@pytest.mark.parametrize("stored", [True, False])
def test_answers_that_are_read_only_are_read(stored):
    """As those of a data frame, or of an array in a file."""
    X, y = make_classification(600, 5, random_state=0)

    def freeze(proba):
        proba.flags.writeable = False
        return proba

    def fit(change):
        teacher = Teacher(change).fit(X[:300], y[:300])
        student = DecisionTreeClassifier(max_depth=3, random_state=0)
        if not stored:
            est = DistilledClassifier(FrozenEstimator(teacher), student, random_state=0)
            return est.fit(X, y).predict_proba(X)
        est = DistilledClassifier(None, student, random_state=0)
        proba = teacher.predict_proba(X)
        kept = proba.copy()
        served = est.fit(X, y, teacher_proba=proba).predict_proba(X)
        np.testing.assert_array_equal(proba, kept)
        return served

    np.testing.assert_array_equal(fit(freeze), fit(np.asarray))


NULLABLE = {
    "nullable": lambda p: pd.DataFrame(p, columns=[0, 1, 2]).astype("Float64"),
    "reordered": lambda p: pd.DataFrame(p, columns=list("012"))[list("201")].astype(
        "Float32"
    ),
    "arrow": lambda p: pd.DataFrame(p, columns=[0, 1, 2]).astype("double[pyarrow]"),
    "objects": lambda p: pd.DataFrame(p, columns=[0, 1, 2]).astype(object),
}


@pytest.mark.parametrize("name", NULLABLE)
@pytest.mark.parametrize("kind", ["live", "stored"])
def test_numbers_of_nullable_types_are_numbers(name, kind):
    if name == "arrow":
        pytest.importorskip("pyarrow")

    def serve(change):
        distilled, fit = teach(kind, change)
        if kind == "stored":
            fit["teacher_proba"] = change(fit["teacher_proba"])
            distilled.teacher = None
        return distilled.fit(X, Y, **fit).predict_proba(X)

    expected = serve(np.asarray)
    np.testing.assert_allclose(serve(NULLABLE[name]), expected, atol=1e-5)

    def spoil(proba):
        return NULLABLE[name](proba).mask(np.arange(len(proba))[:, None] == [7, 7, 7])

    with pytest.raises(ValueError, match=r"must be finite, received .* in row 7\."):
        serve(spoil)


@pytest.mark.parametrize("decimals", [2, 3, 4])
def test_rounded_probabilities_are_taken(decimals):
    proba = GaussianNB().fit(X, Y).predict_proba(X).round(decimals)
    distilled = DistilledClassifier(None, LogisticRegression(), **PLAIN)
    distilled.fit(X, Y, teacher_proba=proba)
    exact = DistilledClassifier(None, LogisticRegression(), **PLAIN).fit(
        X, Y, teacher_proba=proba / proba.sum(axis=1, keepdims=True)
    )
    np.testing.assert_allclose(
        distilled.predict_proba(X), exact.predict_proba(X), atol=0.01
    )


@pytest.mark.filterwarnings("ignore:The teacher is no better")
@pytest.mark.parametrize(
    ("n_classes", "change", "rule"),
    [
        # Two decimals lose up to .005 a class, and 30 classes at most .1 here.
        *((2, 0.0099, None), (2, 0.0101, "sum to 1")),
        *((3, -0.0149, None), (3, -0.0151, "sum to 1")),
        *((30, 0.0999, None), (30, 0.1001, "sum to 1")),
        # What arithmetic leaves of 0.
        *((2, -0.5 - 0.9e-9, "sum to 1"), (2, -0.5 - 1.1e-9, "not be negative")),
    ],
)
def test_probabilities_off_by_rounding_are_taken(n_classes, change, rule):
    y = np.arange(90) % n_classes
    proba = np.full((90, n_classes), 1 / n_classes)
    proba[7, 0] += change
    student = DistilledClassifier(None, LogisticRegression(), alpha=1.0, **PLAIN)
    if rule is None:
        student.fit(y[:, None], y, teacher_proba=proba)
        return
    with pytest.raises(ValueError, match=f"{rule}.* in row 7"):
        student.fit(y[:, None], y, teacher_proba=proba)


def test_one_column_of_two_classes_names_column_stack():
    y = (Y == 1).astype(int)
    proba = GaussianNB().fit(X, y).predict_proba(X)[:, 1]
    for given in (proba, proba[:, None]):
        with pytest.raises(ValueError, match=r"np.column_stack\(\[1 - p, p\]\)"):
            DistilledClassifier(None, LogisticRegression()).fit(
                X, y, teacher_proba=given
            )


@pytest.mark.parametrize("kind", ["live", "frozen", "stored"])
def test_a_teacher_that_is_dropped_is_named(kind):
    X, y = make_classification(
        800, 8, n_informative=5, n_classes=3, flip_y=0, class_sep=2, random_state=0
    )
    stump = DecisionTreeClassifier(max_depth=1).fit(X, y)
    teacher = {"live": stump, "frozen": FrozenEstimator(stump), "stored": None}[kind]
    given = {"teacher_proba": stump.predict_proba(X)} if kind == "stored" else {}
    distilled = DistilledClassifier(teacher, LogisticRegression(), random_state=0)
    with pytest.warns(UserWarning, match="The teacher is no better") as caught:
        distilled.fit(X, y, **given)
    assert distilled.alpha_ == 0
    assert distilled.distilled_ is False
    (warned,) = [w for w in caught if "no better" in str(w.message)]
    assert warned.filename == __file__
    assert "log loss" in str(warned.message)


def test_distilled_says_whether_labels_of_the_teacher_were_learned():
    fit = DistilledClassifier(
        GaussianNB(), LogisticRegression(), augmenter=None, calibrate=False
    )
    assert fit.fit(X, Y).distilled_ is True
    assert fit.set_params(alpha=0.0).fit(X, Y).distilled_ is False
    # Rows beyond the training rows have the teacher's labels whatever alpha is.
    assert fit.set_params(augmenter="munge").fit(X, Y).distilled_ is True
    assert fit.labels_asked_["transfer"] > 0
    fit.set_params(augmenter=None).fit(X, Y, X_unlabeled=X[:20])
    assert (fit.distilled_, fit.labels_asked_["transfer"]) == (True, 20)


def test_a_class_without_weight_is_refused():
    weight = np.where(Y == 1, 0.0, 1.0)
    with pytest.raises(ValueError, match=r"all rows of \[1\] have sample_weight 0"):
        DistilledClassifier(GaussianNB(), GaussianNB()).fit(X, Y, sample_weight=weight)


def test_a_fold_without_a_class_names_it():
    y = np.r_[1, np.zeros(199, dtype=int)]

    class Pair(Teacher):
        """Fails, as votes do, where a fold has one class."""

        def fit(self, X, y):
            if len(np.unique(y)) < 2:
                raise RuntimeError("one class")
            return super().fit(X, y)

    with pytest.raises(ValueError, match=r"all rows of the classes \[1\]: one class"):
        DistilledClassifier(Pair(np.asarray), LogisticRegression(), cv=5, **PLAIN).fit(
            X, y
        )


def test_the_only_row_of_a_class_does_not_end_stratification():
    """Held-out rows hold each other class by its share."""
    # Rows that are no copies, which would be held out together.
    rows = np.vstack([X, X + 0.01, X + 0.02])
    y = np.r_[np.tile(Y, 3)[:-1], 3]
    held_out = []

    class Spy(Teacher):
        def fit(self, X, y):
            held_out.append(len(rows) - len(y))
            counts = np.bincount(y, minlength=4)
            if len(y) < len(rows):
                expected = 0.8 * np.bincount(np.tile(Y, 3)[:-1])
                np.testing.assert_allclose(counts[:3], expected, atol=1)
                assert counts[3] == 1
            return super().fit(X, y)

    with pytest.warns(UserWarning, match=r"not calibrated.*\[3\]"):
        DistilledClassifier(
            Spy(np.asarray), LogisticRegression(), augmenter=None, random_state=0
        ).fit(rows, y)
    assert held_out[0] == 120


@pytest.mark.parametrize("student", [LogisticRegression(), GaussianNB()])
def test_a_bad_answer_on_a_later_chunk_is_named(student):
    model = GaussianNB().fit(X, Y)

    def answer(rows):
        proba = model.predict_proba(rows)
        proba[rows[:, 0] > 1e6] = np.nan
        return proba

    last = X.copy()
    last[3, 0] = 1e9
    teacher = FunctionClassifier(answer, [0, 1, 2])
    distilled = DistilledClassifier(teacher, student, **PLAIN)
    with pytest.raises(ValueError, match=r"must be finite, .* in row 403\. Mend"):
        distilled.fit(X, Y, X_unlabeled=[X, X, last])
