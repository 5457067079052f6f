"""An estimator that another version has saved says so when it is loaded."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.naive_bayes import GaussianNB

import skdistill
from skdistill import DistilledClassifier, FunctionClassifier
from skdistill.transfer import Munge

TINY = make_classification(80, random_state=0)


def _label(X):
    return np.full((len(X), 2), 0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DistilledClassifier(GaussianNB(), GaussianNB()).fit(*TINY),
        lambda: Munge().fit(TINY[0]),
        lambda: FunctionClassifier(_label, [0, 1]),
    ],
    ids=["distilled", "sampler", "function"],
)
def test_another_version_is_named_on_loading(make):
    data = pickle.dumps(make())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = pickle.loads(data)
        clone(loaded)
        copy.deepcopy(loaded)
    version = skdistill.__version__.encode()
    assert data.count(version) == 1
    other = data.replace(version, b"9" * len(version))
    with pytest.warns(UserWarning, match="of skdistill 9{5} is loaded by"):
        pickle.loads(other)
