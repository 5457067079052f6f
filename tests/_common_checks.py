"""scikit-learn's common checks of named estimators: all of the first in each run."""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator


def parametrize_with_common_checks(estimators, expected_failures):
    """Do as `parametrize_with_checks`, whose ids take seconds to print estimators."""
    names = {id(estimator): name for name, estimator in estimators.items()}

    def name(value):
        # A check is a partial function, whose other parameters tell cases apart.
        if id(value) in names:
            return names[id(value)]
        given = [f"{key}={value.keywords[key]}" for key in value.keywords]
        return "-".join([value.func.__name__, *given])

    cases, first = [], next(iter(estimators))
    for estimator_name, estimator in estimators.items():
        checks = estimator_checks_generator(
            estimator, expected_failed_checks=expected_failures(estimator), mark="xfail"
        )
        # Other estimators are other parts of one class.
        others = () if estimator_name == first else [pytest.mark.combined]
        cases += [_mark(case, others) for case in checks]
    return pytest.mark.parametrize(("estimator", "check"), cases, ids=name)


def _mark(case, marks):
    """Add marks to a pair, or to one that has the mark of an expected failure."""
    values, given = getattr(case, "values", case), getattr(case, "marks", ())
    return pytest.param(*values, marks=[*given, *marks])
