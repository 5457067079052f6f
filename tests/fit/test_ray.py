"""On Ray, where it is installed: through the backend that it registers with joblib."""

import pickle

import joblib
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier

ray = pytest.importorskip("ray", reason="needs ray, which has no wheel everywhere")

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_a_fit_gives_the_same_bytes():
    from ray.util.joblib import register_ray

    X, y = make_classification(700, n_informative=6, n_classes=3, random_state=0)
    network = MLPClassifier((8,), max_iter=15)
    distilled = DistilledClassifier(LogisticRegression(), network, cv=3, random_state=0)
    alone = pickle.dumps(distilled.fit(X, y).student_)
    register_ray()
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        with joblib.parallel_config(backend="ray", n_jobs=2):
            assert pickle.dumps(distilled.fit(X, y).student_) == alone
    finally:
        ray.shutdown()
