"""Bad input: `fit` states rule, received value and fix, and changes nothing."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from _core import PLAIN
from scipy.sparse import csr_array
from scipy.stats import uniform
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import RFECV, SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedGroupKFold,
    TimeSeriesSplit,
    TunedThresholdClassifierCV,
)
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

from skdistill import DistilledClassifier, DistilledRegressor, FunctionClassifier

N = 90
X, Y = make_classification(
    N, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=0
)
TWO = Y < 2
ONES = np.ones(N)
PROBA = LogisticRegression().fit(X, Y).predict_proba(X)
GENERATOR = np.random.default_rng(0)
FROZEN = FrozenEstimator(LogisticRegression().fit(X, Y))
TREE_OF_THREE = DecisionTreeClassifier(max_depth=1).fit(X, np.eye(3)[Y])
HARD = VotingClassifier([("lr", LogisticRegression())], voting="hard")
LABELS = np.column_stack([Y == 0, Y >= 0, Y == 1]).astype(int)
TABLE = pd.DataFrame(X[:, :2], columns=["a", "b"])
TWINS = pd.DataFrame(X[:, :3], columns=["a", "b", "a"])
DATES = pd.DataFrame({"n": X[:, 0], "day": pd.date_range("2024-01-01", periods=N)})


class Predictor:
    """What AutoML tools hand out: fitted, and no estimator."""

    classes_ = np.arange(3)

    def predict_proba(self, X):
        return np.full((len(X), 3), 1 / 3)


def ask(X):
    return np.full((len(X), 3), 1 / 3)


def score(X):
    return np.tile([-1.0, 1.0, 1.0], (len(X), 1))


def spoil(values, bad, dtype=object):
    spoilt = np.array(values, dtype=dtype)
    spoilt[3] = bad
    return spoilt


def row(name, error, rule, received, fix, *, X=X, y=Y, fit=None, **params):
    """One case: what the message must hold, and what `fit` is given."""
    parts = [re.escape(part) for part in (rule, received, fix)]
    return pytest.param(params, X, y, fit or {}, error, parts, id=name)


def at(name, value, error=ValueError):
    """A parameter out of its range."""
    fixes = {
        "temperature": "1 leaves the teacher's probabilities as they are",
        "alpha": "the true ones at 0; rows beyond them have the teacher's always",
        "n_jobs": "-1 uses every core",
    }
    rules = {
        "temperature": 'temperature must be "auto" or a finite number greater than 0',
        "alpha": 'alpha must be "auto" or a number in [0, 1]',
        "n_jobs": "n_jobs must be None or an integer other than 0",
    }
    received = f"received {value!r}."
    return row(
        f"{name}={value!r}", error, rules[name], received, fixes[name], **{name: value}
    )


def columns_of_y(name, fix, y):
    rule = "y must hold one true label a row"
    received = f"received an array of shape ({N}, 3)"
    return row(f"y has columns, {name}", ValueError, rule, received, fix, y=y)


def several_labels(name, **params):
    return row(
        f"several labels, {name}",
        TypeError,
        f"The {next(iter(params))} must give the probabilities of one label a row",
        "which has several",
        "Pass a classifier of one label, and fit one DistilledClassifier a label",
        **params,
    )


def without_groups(cv):
    name = type(cv).__name__
    return row(
        f"cv {name} without groups",
        ValueError,
        "A splitter of groups needs the group of each row",
        f"received cv={name} without groups",
        f"cv=list({name}(...).split(X, y, groups)), or enable metadata routing",
        cv=cv,
    )


def missing_label(name, y, received="1 are missing or NaN, the first in row 3"):
    rule = "y must hold a label for every row"
    return row(name, ValueError, rule, received, "Leave those rows out", y=y)


def bad_weight(
    name, weight, received, rule="must not be negative, nor zero everywhere", fix=None
):
    return row(
        f"weight {name}",
        ValueError,
        f"sample_weight {rule}",
        received,
        fix or ("Leave rows out instead" if "negative" in rule else "Pass a vector"),
        fit={"sample_weight": weight},
    )


def bad_rows(name, error, X_val, rule, received, fix, *, X=X, y_val=Y, **more):
    fit = {"X_val": X_val, "y_val": y_val}
    for key in ("sample_weight_val", "teacher_proba"):
        if key in more:
            fit[key] = more.pop(key)
    name = f"validation rows {name}"
    return row(name, error, rule, received, fix, X=X, fit=fit, **more)


def bad_proba(name, proba, rule, received, fix, **more):
    more = {"teacher": None} | more
    fit = {"teacher_proba": proba}
    return row(f"proba {name}", ValueError, rule, received, fix, fit=fit, **more)


def temperature_needs_logits(name, student, temperature):
    return row(
        name,
        ValueError,
        "A temperature other than 1 needs a student whose logits can be multiplied",
        f"received temperature={temperature} with {type(student).__name__} on 3",
        "Set temperature=1, or use MLPClassifier, LogisticRegression or LGBMClassifier",
        student=student,
        temperature=temperature,
    )


def soft_teacher(name, teacher):
    return row(
        name,
        ValueError,
        "The teacher must give probabilities",
        'received a VotingClassifier with voting="hard"',
        'Set voting="soft"',
        teacher=teacher,
    )


CASES = [
    # The teacher
    soft_teacher("teacher votes hard", HARD),
    soft_teacher(
        "teacher votes hard in a pipeline", make_pipeline(StandardScaler(), HARD)
    ),
    row(
        "teacher without predict_proba",
        TypeError,
        "The teacher must be a classifier with predict_proba",
        "received LinearSVC",
        "Wrap it in CalibratedClassifierCV",
        teacher=LinearSVC(),
    ),
    row(
        "teacher is a search that fits nothing in the end",
        TypeError,
        "The teacher must be a classifier with predict_proba",
        "received GridSearchCV",
        "Wrap it in CalibratedClassifierCV",
        teacher=GridSearchCV(LogisticRegression(), {}, refit=False),
    ),
    row(
        "teacher of values",
        TypeError,
        "The teacher must be a classifier with predict_proba",
        "received LinearRegression",
        "Pass a classifier, or use DistilledRegressor for values",
        teacher=LinearRegression(),
    ),
    row(
        "teacher is a string",
        TypeError,
        "The teacher must be a classifier with predict_proba",
        "received str",
        "Wrap it in CalibratedClassifierCV",
        teacher="forest",
    ),
    row(
        "teacher a function",
        TypeError,
        "The teacher must be an estimator of scikit-learn",
        "received the function ask",
        "FunctionClassifier(func, classes)",
        teacher=ask,
    ),
    row(
        "teacher no estimator",
        TypeError,
        "The teacher must be an estimator of scikit-learn",
        "received an object of type Predictor",
        "FunctionClassifier(teacher.predict_proba, classes)",
        teacher=Predictor(),
    ),
    row(
        "teacher a function of bad classes",
        ValueError,
        "classes must list at least two labels, each once",
        "got [0, 0, 1]",
        "Pass the labels of y",
        teacher=FunctionClassifier(ask, [0, 0, 1]),
    ),
    row(
        "teacher what a function returns",
        TypeError,
        "func must be a function",
        "got 0.5",
        "Pass the function itself",
        teacher=FunctionClassifier(0.5, [0, 1, 2]),
    ),
    row(
        "teacher a function of no batches",
        ValueError,
        "batch_size must be an integer of at least 1",
        "got 0",
        "None passes all rows in one call",
        teacher=FunctionClassifier(ask, [0, 1, 2], batch_size=0),
    ),
    row(
        "teacher a function that lacks a class",
        ValueError,
        "A fitted teacher must know every class of y",
        "it lacks [2]",
        "Refit the teacher, or leave those rows out",
        teacher=FunctionClassifier(ask, [0, 1]),
    ),
    row(
        "teacher a function with folds",
        ValueError,
        "Out-of-fold labels need a teacher that can be refitted",
        "received cv=3 with a FunctionClassifier",
        "Set cv=None",
        teacher=FunctionClassifier(ask, [0, 1, 2]),
        cv=3,
    ),
    row(
        "teacher a function of scores",
        ValueError,
        "What score of the FunctionClassifier returns must not be negative",
        "received [",
        "Pass probabilities",
        teacher=FunctionClassifier(score, [0, 1, 2]),
    ),
    row(
        "teacher frozen unfitted",
        NotFittedError,
        "is not fitted yet",
        "FrozenEstimator",
        "Call 'fit'",
        teacher=FrozenEstimator(LogisticRegression()),
    ),
    row(
        "teacher frozen, y lacks a class",
        ValueError,
        "The teacher's classes must all occur in y",
        "[2] do not (y holds [0, 1])",
        "Pass rows of every class",
        teacher=FROZEN,
        X=X[TWO],
        y=Y[TWO],
    ),
    row(
        "teacher frozen lacks a class",
        ValueError,
        "A fitted teacher must know every class of y",
        "it lacks [2]",
        "Refit the teacher, or leave those rows out",
        teacher=FrozenEstimator(LogisticRegression().fit(X[TWO], Y[TWO])),
    ),
    row(
        "teacher frozen with cv",
        ValueError,
        "Out-of-fold labels need a teacher that can be refitted",
        "received cv=3 with a FrozenEstimator",
        "Set cv=None, or pass the teacher unfrozen",
        teacher=FROZEN,
        cv=3,
    ),
    several_labels("teacher", teacher=MultiOutputClassifier(LogisticRegression())),
    several_labels(
        "teacher in a pipeline",
        teacher=make_pipeline(ClassifierChain(LogisticRegression())),
    ),
    several_labels("fitted", teacher=FrozenEstimator(TREE_OF_THREE)),
    # The student
    several_labels("student", student=ClassifierChain(LogisticRegression())),
    row(
        "student is a class",
        TypeError,
        "The student must be an estimator",
        "received the class MLPClassifier",
        "Pass an instance: MLPClassifier()",
        student=MLPClassifier,
    ),
    row(
        "student without predict_proba",
        TypeError,
        "The student must have predict_proba",
        "which LinearSVC has not",
        "Use a classifier with probabilities, such as MLPClassifier",
        student=LinearSVC(),
    ),
    row(
        "student with a hinge loss in a pipeline",
        TypeError,
        "The student must have predict_proba",
        "which SGDClassifier has not as it is configured",
        "Use a classifier with probabilities, such as MLPClassifier",
        student=make_pipeline(StandardScaler(), SGDClassifier()),
    ),
    row(
        "student without sample_weight",
        TypeError,
        "The student's fit must take sample_weight",
        "KNeighborsClassifier does not",
        "Use MLPClassifier, LogisticRegression or HistGradientBoostingClassifier",
        student=KNeighborsClassifier(),
    ),
    row(
        "student draws folds of its own",
        TypeError,
        "The student must not draw folds of its own",
        "received a RFECV",
        "Put it around the DistilledClassifier",
        student=RFECV(LogisticRegression()),
    ),
    *(
        row(
            f"student is a {kind.__name__}",
            TypeError,
            "a threshold on them is set after that",
            f"received a {kind.__name__}",
            f"{kind.__name__}(DistilledClassifier(..., LogisticRegression(...)))",
            student=make_pipeline(StandardScaler(), kind(LogisticRegression())),
        )
        for kind in (FixedThresholdClassifier, TunedThresholdClassifierCV)
    ),
    row(
        "student is a DistilledClassifier",
        TypeError,
        "The student must be the model that is to be served",
        "received a DistilledClassifier, which trains one from a teacher",
        "Pass its student, here student=LogisticRegression()",
        student=make_pipeline(
            StandardScaler(), DistilledClassifier(student=LogisticRegression())
        ),
    ),
    temperature_needs_logits("tree at 3", DecisionTreeClassifier(), 3),
    temperature_needs_logits("SGD at 2", SGDClassifier(loss="log_loss"), 2),
    row(
        "early stopping on too few rows",
        ValueError,
        "Early stopping needs at least 2 validation rows and 1 training row",
        "0.1 of 9 rows leaves 1",
        "Raise the student's validation_fraction, pass more rows",
        student=MLPClassifier(early_stopping=True),
        X=X[:9],
        y=[0, 1, 2] * 3,
    ),
    row(
        "gradient boosting with an exponential loss stops early",
        ValueError,
        "A student that stops early must be validated on rows that share no copy",
        "received {'n_iter_no_change': 5}",
        "Switch early stopping off",
        student=GradientBoostingClassifier(loss="exponential", n_iter_no_change=5),
    ),
    # Numbers
    at("temperature", 0),
    at("temperature", -1.0),
    at("temperature", float("nan")),
    at("temperature", float("inf")),
    at("temperature", "hot"),
    at("temperature", True),
    at("temperature", None),
    at("alpha", -0.1),
    at("alpha", 1.5),
    at("alpha", None),
    at("alpha", float("nan")),
    at("alpha", True),
    at("n_jobs", 0),
    at("n_jobs", 1.5),
    row(
        "memory is a number",
        ValueError,
        "'memory' should be None, a string or have the same interface as",
        "Got memory='5' instead",
        "joblib.Memory",
        memory=5,
    ),
    row(
        "random_state is a string",
        ValueError,
        "random_state must be None, an integer from 0 to 2**32 - 1 or a",
        "received 'dice'",
        "An integer gives the same result every time",
        random_state="dice",
    ),
    row(
        "random_state is a generator",
        ValueError,
        "random_state must be None, an integer from 0 to 2**32 - 1 or a",
        "received Generator(PCG64)",
        "An integer gives the same result every time",
        random_state=GENERATOR,
    ),
    # The labels
    row(
        "y is None",
        ValueError,
        "requires y to be passed",
        "the target y is None",
        "Pass the true label of each row",
        y=None,
    ),
    missing_label("y holds None", spoil(Y.astype(str), None)),
    missing_label("y holds NaN", spoil(Y, np.nan, float)),
    missing_label(
        "y is nullable", pd.Series(Y).astype("Int64").mask(np.arange(N) == 3)
    ),
    missing_label("y is text with NA", pd.Series(spoil(Y.astype(str), pd.NA))),
    row(
        "y of one class",
        ValueError,
        "needs at least two classes in y",
        "received one class: [7]",
        "Pass rows of every class",
        y=np.full(N, 7),
    ),
    row(
        "y is continuous",
        ValueError,
        "Unknown label type",
        "continuous",
        "classifier, which expects discrete classes",
        y=X[:, 0],
    ),
    columns_of_y("one-hot", "np.asarray(y).argmax(axis=1)", np.eye(3, dtype=int)[Y]),
    columns_of_y("a frame", "np.asarray(y).argmax(axis=1)", pd.get_dummies(Y)),
    columns_of_y("proba", "probabilities of a teacher as teacher_proba", PROBA),
    columns_of_y("multilabel", "fit one DistilledClassifier a column", LABELS),
    columns_of_y("sparse", "fit one DistilledClassifier a column", csr_array(LABELS)),
    row(
        "y is shorter than X",
        ValueError,
        "inconsistent numbers of samples",
        f"[{N}, {N - 1}]",
        "Found input variables",
        y=Y[:-1],
    ),
    # The weights
    bad_weight(
        "too short",
        np.ones(5),
        "received sample_weight.shape == (5,)",
        f"must have shape ({N},)",
    ),
    bad_weight(
        "a matrix",
        np.ones((N, 2)),
        f"received sample_weight.shape == ({N}, 2)",
        f"must have shape ({N},)",
    ),
    bad_weight("negative", spoil(ONES, -2, float), "received weights from -2 to 1"),
    bad_weight("zero", np.zeros(N), "received weights from 0 to 0"),
    *[
        bad_weight(
            f"holds {value}",
            spoil(ONES, value, float),
            "1 are NaN or infinite, the first in row 3",
            "must hold a finite number for every row",
            "Leave those rows out, or weigh them 0",
        )
        for value in (np.nan, np.inf)
    ],
    *[
        bad_weight(
            f"is {value!r}",
            value,
            f"received {received}",
            "must be a vector of numbers, one weight a row",
            "or None to weigh every row alike",
        )
        for value, received in [
            (2.0, "2.0"),
            ("balanced", "'balanced'"),
            (["a"] * N, "could not convert string to float: 'a'"),
        ]
    ],
    *[
        bad_weight(
            f"all {value:g}",
            np.full(N, value),
            f"received {value:g}",
            "must have its largest weight within 1e-15 and 1e+15",
            "Divide the weights by the largest",
        )
        for value in (1e-200, 1e300)
    ],
    row(
        "weight for a teacher that takes none",
        TypeError,
        "With sample_weight, the teacher's fit must take sample_weight",
        "KNeighborsClassifier or one of its members, such as a Pipeline, does not",
        "Use a teacher that does, or enable metadata routing",
        teacher=KNeighborsClassifier(),
        fit={"sample_weight": ONES},
    ),
    row(
        "metadata without routing",
        ValueError,
        "needs metadata routing",
        "Metadata ['groups']",
        "sklearn.set_config(enable_metadata_routing=True)",
        fit={"groups": Y},
    ),
    # Stored probabilities
    bad_proba(
        "negative",
        np.log(PROBA),
        "teacher_proba must not be negative",
        "] in row 0",
        "Pass probabilities; log-probabilities want np.exp first",
    ),
    bad_proba(
        "with cv",
        PROBA,
        "Out-of-fold labels need a live teacher",
        "received cv=3 with teacher_proba",
        "Set cv=None, or drop teacher_proba",
        cv=3,
    ),
    bad_proba(
        "with a live teacher",
        PROBA,
        "teacher_proba stands in for the teacher, which would not be fitted",
        "received teacher=LogisticRegression",
        "Set teacher=None, or wrap a fitted teacher in FrozenEstimator",
        teacher=LogisticRegression(),
    ),
    # The validation rows
    *[
        row(
            f"{name} alone",
            ValueError,
            "Validation rows need X_val and y_val, both or neither",
            f"received {name} alone",
            "Pass the rows and their true labels",
            fit={name: value},
        )
        for name, value in [("X_val", X), ("y_val", Y), ("sample_weight_val", ONES)]
    ],
    bad_rows(
        "of another kind",
        TypeError,
        pd.DataFrame(X),
        "X_val must be of the same kind as X, a ndarray",
        "received a DataFrame",
        "Convert one of the two",
    ),
    bad_rows(
        "of other columns",
        ValueError,
        X[:, :4],
        "X_val must have the columns of X",
        "received rows of shape (4,)",
        "Pass the same columns in the same order",
    ),
    bad_rows(
        "of other columns, as lists",
        ValueError,
        X[:, :4].tolist(),
        "X_val must have the columns of X",
        "received rows of shape (4,)",
        "Pass the same columns in the same order",
        X=X.tolist(),
    ),
    bad_rows(
        "with columns in another order",
        ValueError,
        TABLE[["b", "a"]],
        "X_val must have the columns of X, in their order",
        "received column 'b' in the place of 'a'",
        "Pass exactly those columns",
        X=TABLE,
    ),
    bad_rows(
        "without rows",
        ValueError,
        X[:0],
        "X_val must hold rows",
        "received none",
        "Leave it out",
    ),
    bad_rows(
        "with labels that y lacks",
        ValueError,
        X,
        "Every label of y_val must be one of the classes [0, 1, 2]",
        "[3] as well",
        "leave rows of other classes out",
        y_val=Y + 1,
    ),
    bad_rows(
        "with fewer labels",
        ValueError,
        X,
        "inconsistent numbers of samples",
        f"[{N}, 3]",
        "",
        y_val=Y[:3],
    ),
    bad_rows(
        "with negative weights",
        ValueError,
        X,
        "sample_weight_val must not be negative",
        "received weights from -1",
        "Leave rows out instead",
        sample_weight_val=-ONES,
    ),
    bad_rows(
        "for stored probabilities",
        ValueError,
        X,
        "Validation rows are labelled by the teacher",
        "received X_val with teacher_proba, which has the labels of X alone",
        "Set teacher to the fitted teacher in a FrozenEstimator",
        teacher=None,
        teacher_proba=PROBA,
    ),
    # The folds
    row(
        "cv leaves rows out",
        ValueError,
        "cv must put every row in a test fold",
        f"72 of {N} rows are in none",
        "Use a splitter that covers the data, such as StratifiedKFold",
        cv=ShuffleSplit(1, test_size=18, random_state=0),
    ),
    row(
        "cv goes forward in time",
        ValueError,
        "cv must put every row in a test fold",
        f"15 of {N} rows are in none",
        "leave cv at None and pass the latest ones as X_val and y_val",
        cv=TimeSeriesSplit(5),
    ),
    row(
        "cv goes forward in two folds",
        *(ValueError, "cv must put every row in a test fold"),
        f"{N // 3} of {N} rows are in none",
        "leave cv at None and pass the latest ones as X_val and y_val",
        cv=TimeSeriesSplit(2),
    ),
    row(
        "cv is one split, the latest rows",
        *(ValueError, "cv must put every row in a test fold"),
        f"{N - 9} of {N} rows are in none",
        "Use a splitter that covers the data, such as StratifiedKFold",
        cv=[(np.arange(N - 9), np.arange(N - 9, N))],
    ),
    without_groups(GroupKFold(3)),
    without_groups(StratifiedGroupKFold(3)),
    row(
        "cv is a word",
        ValueError,
        "Expected `cv` as an integer",
        "Got many",
        "a cross-validation object (from sklearn.model_selection)",
        cv="many",
    ),
    row(
        "cv has more folds than rows",
        ValueError,
        "Cannot have number of splits",
        f"n_splits={N + 1} greater than the number of samples: n_samples={N}",
        "number of samples",
        cv=KFold(N + 1),
    ),
    # The rows
    row(
        "columns share a name",
        ValueError,
        "X must have one column a name",
        "received a data frame with several columns named ['a']",
        "Rename them",
        X=TWINS,
    ),
    bad_rows(
        "with columns that share a name",
        ValueError,
        TWINS,
        "X_val must have one column a name",
        "received a data frame with several columns named ['a']",
        "Rename them",
        X=TABLE,
    ),
    row(
        "unlabelled rows with columns that share a name",
        ValueError,
        "X_unlabeled must have one column a name",
        "received a data frame with several columns named ['a']",
        "Rename them",
        X=TABLE,
        fit={"X_unlabeled": TWINS},
    ),
    row(
        "dates for the default teacher",
        TypeError,
        "The default teacher and student take numbers, booleans, strings and",
        "columns ['day'] hold something else",
        "Convert them (dates to numbers, say), or pass a teacher and a student",
        teacher=None,
        X=DATES,
    ),
    row(
        "dates for the default student",
        TypeError,
        "The default teacher and student take numbers, booleans, strings and",
        "columns ['day'] hold something else",
        "Convert them (dates to numbers, say), or pass a teacher and a student",
        student=None,
        X=DATES,
    ),
    row(
        "a vector for the defaults",
        ValueError,
        "X must be a table",
        "Expected 2D array, got 1D array instead",
        "Reshape X to (n_samples, n_features)",
        teacher=None,
        student=None,
        X=X[:, 0].astype(str),
    ),
    row(
        "a vector for a given teacher",
        ValueError,
        "X must hold one row a sample",
        "got 1D array instead",
        "Use X.reshape(-1, 1)",
        X=X[:, 0],
    ),
]


def good_params():
    parts = {"teacher": LogisticRegression(), "student": LogisticRegression()}
    return {**parts, **PLAIN}


@pytest.mark.parametrize(("params", "X_bad", "y_bad", "fit", "error", "parts"), CASES)
def test_bad_input_is_named_and_changes_nothing(
    params, X_bad, y_bad, fit, error, parts
):
    unfitted = DistilledClassifier(**good_params() | params)
    before = pickle.dumps(vars(unfitted))
    with pytest.raises(error) as raised:
        unfitted.fit(X_bad, y_bad, **fit)
    assert type(raised.value) is error
    for part in parts:
        assert re.search(part, str(raised.value)), str(raised.value)
    with pytest.raises(NotFittedError):
        check_is_fitted(unfitted)
    assert pickle.dumps(vars(unfitted)) == before

    # The message must not depend on what was fitted before.
    fitted = DistilledClassifier(**good_params()).fit(X[:, :4], Y)
    served = fitted.predict_proba(X[:, :4])
    fitted.set_params(**params)
    before = pickle.dumps(vars(fitted))
    with pytest.raises(error) as again:
        fitted.fit(X_bad, y_bad, **fit)
    assert str(again.value) == str(raised.value)
    assert pickle.dumps(vars(fitted)) == before
    np.testing.assert_array_equal(fitted.predict_proba(X[:, :4]), served)


@pytest.mark.parametrize("augmenter", ["auto", "munge"])
def test_a_table_that_no_rows_can_be_made_of_is_refused_before_any_fit(augmenter):
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({"a": X[:, 0], "b": X[:, 1]})
    distilled = DistilledClassifier(Costly(), augmenter=augmenter)
    with pytest.raises(TypeError, match=r"received a Table of pyarrow\. Convert"):
        distilled.fit(table, Y)
    given = good_params() | {"augmenter": None}
    assert DistilledClassifier(**given).fit(table, Y).score(table, Y) > 0.5


class Unfitted:
    """A teacher that must not be fitted for nothing."""

    def fit(self, X, y, sample_weight=None):
        raise AssertionError("the teacher was fitted before the mistake was noticed")


class Costly(Unfitted, LogisticRegression):
    pass


class CostlyValues(Unfitted, Ridge):
    pass


@pytest.mark.parametrize(
    ("params", "X_bad", "y_bad", "fit", "error", "parts"),
    # What a given teacher makes of X is for that teacher to say.
    [
        case
        for case in CASES
        if "teacher" not in case.values[0] and case.id != "a vector for a given teacher"
    ],
)
def test_bad_input_is_noticed_before_the_teacher_is_fitted(
    params, X_bad, y_bad, fit, error, parts
):
    distilled = DistilledClassifier(**good_params() | {"teacher": Costly()} | params)
    with pytest.raises(error, match=parts[0]):
        distilled.fit(X_bad, y_bad, **fit)


@pytest.mark.parametrize(
    "student",
    [
        MLPClassifier(alpha=-1),
        make_pipeline(StandardScaler(), LogisticRegression(C=-1)),
        make_pipeline(SelectKBest(k=-1), MLPClassifier()),
        VotingClassifier([("a", LogisticRegression(C=-1))], voting="soft"),
        CalibratedClassifierCV(make_pipeline(LogisticRegression(C=-1))),
        AdaBoostClassifier(LogisticRegression(C=-1)),
    ],
)
def test_a_bad_parameter_of_the_student_is_noticed_before(student):
    distilled = DistilledClassifier(Costly(), student)
    with pytest.raises(ValueError, match=r"parameter of .* Got -1 instead"):
        distilled.fit(X, Y)


SCALED = make_pipeline(StandardScaler(), LogisticRegression())
MANY = {"scoring": ["accuracy", "neg_log_loss"]}


@pytest.mark.parametrize(
    ("search", "match"),
    [
        (GridSearchCV(SCALED, {"C": [1.0]}), "Invalid parameter 'C'"),
        (GridSearchCV(SCALED, [{}, {"C": [1.0]}]), "Invalid parameter 'C'"),
        (RandomizedSearchCV(SCALED, {"C": uniform()}), "Invalid parameter 'C'"),
        (GridSearchCV(SCALED, {"logisticregression__C": []}), "non-empty sequence"),
        (
            GridSearchCV(LogisticRegression(), {"C": [1.0]}, **MANY),
            r"received refit=True\. Set refit to one of \['accuracy', 'neg_log_loss'\]",
        ),
    ],
)
def test_a_search_that_cannot_begin_is_noticed_before(search, match):
    distilled = DistilledClassifier(Costly(), search)
    with pytest.raises(ValueError, match=match):
        distilled.fit(X, Y)
    search = clone(search).set_params(estimator=Ridge(), scoring=None)
    if "refit" not in match:
        with pytest.raises(ValueError, match=r"Invalid parameter|non-empty"):
            DistilledRegressor(CostlyValues(), search).fit(X, X[:, 0])


def test_what_a_search_replaces_is_not_checked():
    model = LogisticRegression(C=-1)
    grid = {"model": [LogisticRegression()], "model__C": [0.1, 1.0]}
    for search in (
        GridSearchCV(model, {"C": [0.1, 1.0]}),
        GridSearchCV(Pipeline([("model", model)]), grid),
    ):
        given = good_params() | {"student": search}
        fitted = DistilledClassifier(**given).fit(X, Y).student_
        assert fitted.best_params_.keys() == search.param_grid.keys()
    # Candidates are set on copies.
    assert grid["model"][0].C == 1


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_platt_scaling_of_copies_is_noticed_before():
    for machine in (SVC, NuSVC):
        match = rf"Use CalibratedClassifierCV\({machine.__name__}"
        with pytest.raises(TypeError, match=match):
            DistilledClassifier(Costly(), machine(probability=True)).fit(X, Y)
    # What the message names learns the rows: better than one answer for all.
    student = CalibratedClassifierCV(SVC(), ensemble=False)
    served = DistilledClassifier(FROZEN, student, **PLAIN).fit(X, Y).predict_proba(X)
    assert log_loss(Y, served) < log_loss(Y, np.full((N, 3), 1 / 3)) - 0.3


@pytest.mark.parametrize(
    ("student", "match"),
    [
        (StackingClassifier([("a", Ridge())]), "must be classifiers; received Ridge"),
        (
            VotingClassifier([("a", RidgeClassifier())], voting="soft"),
            "predict_proba, which RidgeClassifier has not",
        ),
    ],
)
def test_members_without_probabilities_are_noticed_before(student, match):
    with pytest.raises(TypeError, match=match):
        DistilledClassifier(Costly(), student).fit(X, Y)


WEIGHTED = LogisticRegression(class_weight={"yes": 2})
NOT_A_WEIGHT = LogisticRegression(class_weight={0: np.nan})


@pytest.mark.parametrize(
    "student",
    [
        WEIGHTED,
        NOT_A_WEIGHT,
        make_pipeline(StandardScaler(), WEIGHTED),
        GridSearchCV(WEIGHTED, {"C": [1]}),
        VotingClassifier([("a", WEIGHTED), ("b", WEIGHTED)], voting="soft"),
    ],
)
def test_class_weights_of_other_labels_are_noticed_before(student):
    distilled = DistilledClassifier(Costly(), student)
    with pytest.raises(ValueError, match=r"class_weight must .* \[0, 1, 2\]; received"):
        distilled.fit(X, Y)


def test_labels_that_a_student_cannot_name_are_noticed_before():
    xgboost = pytest.importorskip("xgboost")
    boosted = xgboost.XGBClassifier(n_estimators=2)
    searched = GridSearchCV(boosted, {"max_depth": [1, 2]})
    for student in (boosted, searched, CalibratedClassifierCV(boosted)):
        distilled = DistilledClassifier(Costly(), student)
        with pytest.raises(
            ValueError, match=r"labels 0 to 2; received \['a', 'b', 'c'"
        ):
            distilled.fit(X, np.array(["a", "b", "c"])[Y])


@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_log_proba"])
def test_an_unfitted_object_says_so_before_it_looks_at_the_rows(method):
    distilled = clone(DistilledClassifier(**good_params()))
    with pytest.raises(NotFittedError, match="Call 'fit'"):
        getattr(distilled, method)("no rows at all")


def test_the_table_covers_enough():
    assert len(CASES) >= 50
    assert len({case.id for case in CASES}) == len(CASES)
