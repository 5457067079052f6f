"""Students made of students."""

from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import accuracy_score, make_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier


def make_logistic(**kwargs):
    return LogisticRegression(tol=1e-8, max_iter=1000, **kwargs)


def make_scaled(**kwargs):
    return make_pipeline(StandardScaler(), make_logistic(**kwargs))


STUDENTS = {
    "grid": GridSearchCV(make_logistic(), {"C": [0.01, 1]}, scoring="neg_log_loss"),
    "grid-many-scores": GridSearchCV(
        make_scaled(),
        {"logisticregression__C": [0.01, 1]},
        scoring=["neg_log_loss", "accuracy"],
        refit="accuracy",
        cv=3,
    ),
    "grid-named-scores": GridSearchCV(
        GaussianNB(),
        {"var_smoothing": [1e-9, 1e-2]},
        scoring={"loss": "neg_log_loss", "hits": make_scorer(accuracy_score)},
        refit="loss",
        cv=3,
    ),
    "random": RandomizedSearchCV(
        DecisionTreeClassifier(random_state=0),
        {"max_depth": [1, 2, 3]},
        n_iter=2,
        random_state=0,
        cv=3,
    ),
    "halving": HalvingGridSearchCV(
        make_logistic(), {"C": [0.01, 0.1, 1]}, random_state=0, cv=3
    ),
    "calibrated": CalibratedClassifierCV(GaussianNB(), cv=3),
    "calibrated-svm": CalibratedClassifierCV(method="isotonic", cv=3),
    "calibrated-once": CalibratedClassifierCV(make_scaled(), ensemble=False, cv=3),
    "calibrated-temperature": CalibratedClassifierCV(
        make_logistic(), method="temperature", cv=3
    ),
    "rest": OneVsRestClassifier(make_scaled()),
    "vote": VotingClassifier(
        [("a", make_scaled()), ("b", "drop"), ("c", GaussianNB())], voting="soft"
    ),
    "stack": StackingClassifier(
        [("a", make_scaled()), ("b", "drop"), ("c", GaussianNB())], cv=3
    ),
    "stack-passthrough": StackingClassifier(
        [("c", GaussianNB())], make_scaled(), passthrough=True, cv=3
    ),
    "bag": BaggingClassifier(random_state=0, max_samples=0.8, oob_score=True),
    "bag-columns": BaggingClassifier(make_scaled(), random_state=0, max_features=3),
    "path": LogisticRegressionCV(
        Cs=3, scoring="neg_log_loss", l1_ratios=(0,), use_legacy_attributes=False, cv=3
    ),
}
