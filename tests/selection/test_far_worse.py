"""A fit far worse than its pilot, or than the teacher and a constant, is named."""

import warnings

import numpy as np
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier, SGDRegressor
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skdistill import DistilledClassifier
from skdistill._cli._errors import drop_parameters
from skdistill._students._properties import explain_worse

CAUSES = {
    "number of rounds": [
        LGBMClassifier(),
        LGBMRegressor(),
        GradientBoostingClassifier(),
        HistGradientBoostingClassifier(),
        HistGradientBoostingRegressor(),
    ],
    "number of epochs": [MLPClassifier(), MLPRegressor(), SGDClassifier("log_loss")],
    "raise its alpha": [MLPClassifier(solver="lbfgs")],
    "other splits": [
        DecisionTreeClassifier(max_depth=6),
        RandomForestClassifier(),
        DecisionTreeRegressor(),
    ],
    "Compare both": [LogisticRegression(), GaussianNB(), Ridge(), SGDRegressor()],
}


@pytest.mark.parametrize("cause", CAUSES)
def test_cause_and_fix_are_those_of_the_family(cause):
    for student in CAUSES[cause]:
        said = explain_worse(make_pipeline(StandardScaler(), student))
        assert [other for other in CAUSES if other in said] == [cause]
        hessian = isinstance(student, LGBMClassifier)
        assert ("min_child_weight=1" in said) == hessian


@pytest.mark.parametrize("student", [LGBMClassifier(), DecisionTreeClassifier()])
def test_the_command_names_none_of_the_parameters(student):
    said = drop_parameters(explain_worse(student))
    assert said
    assert not any(name in said for name in student.get_params())


class Sure(GaussianNB):
    """Is certain of what it predicts, true or not, however few its rows are."""

    def predict_proba(self, X):
        return np.eye(len(self.classes_))[super().predict(X).astype(int)]


STUDENTS = {
    # scikit-learn's own fit diverges at this rate where there are three classes.
    "diverging": HistGradientBoostingClassifier(
        learning_rate=1.0, max_iter=60, max_leaf_nodes=8
    ),
    "certain": Sure(),
    "rounds": HistGradientBoostingClassifier(max_iter=10),
    "naive": GaussianNB(),
    "tree": DecisionTreeClassifier(max_depth=3, random_state=0),
}


@pytest.mark.parametrize("name", STUDENTS)
def test_a_student_whose_pilots_diverge_as_well_is_named(name):
    X, y = make_classification(
        900, 8, n_informative=5, n_classes=3, flip_y=0, random_state=0
    )
    teacher = RandomForestClassifier(30, min_samples_leaf=3, random_state=0)
    model = DistilledClassifier(teacher, STUDENTS[name], n_synthetic=900)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.set_params(random_state=0).fit(X[:700], y[:700])
    said = [str(w.message) for w in caught if "one answer for all" in str(w.message)]
    proba = model.predict_proba(X[700:])[np.arange(200), y[700:]]
    rates = np.bincount(y[:700])[y[700:]] / 700
    useless = -np.log(np.maximum(proba, 1e-16)).mean() > -np.log(rates).mean()
    assert useless == (name in ("diverging", "certain"))
    assert len(said) == useless
    if name == "diverging":
        assert "where the teacher has 0.3" in said[0]
        assert said[0].endswith("Lower its learning rate or number of rounds.")
