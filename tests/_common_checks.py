"""scikit-learn's common checks of named estimators."""

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

    cases = [
        case
        for estimator in estimators.values()
        for case in estimator_checks_generator(
            estimator,
            expected_failed_checks=expected_failures(estimator),
            mark="xfail",
        )
    ]
    return pytest.mark.parametrize(("estimator", "check"), cases, ids=name)
