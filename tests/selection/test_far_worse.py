"""What a warning of a fit far worse than its pilot says of each family."""

import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
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
