"""Metadata routing: what `check_estimator` does not test."""

import numpy as np
import pytest
import sklearn
from _core import PLAIN
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.datasets import make_classification
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from skdistill import DistilledClassifier


@pytest.fixture(autouse=True)
def _routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(90, random_state=0)
    rng = np.random.RandomState(0)
    return X, y, rng.uniform(0.5, 2, 90), np.arange(90) // 5


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps the metadata that reaches it; learns the frequencies."""

    def fit(self, X, y, sample_weight=None, tag=None):
        self.sample_weight_ = sample_weight
        self.tag_ = tag
        self.n_rows_ = len(X)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


class RecordingScaler(TransformerMixin, BaseEstimator):
    """Keeps the metadata that reaches it."""

    def fit(self, X, y=None, sample_weight=None):
        self.sample_weight_ = sample_weight
        return self

    def transform(self, X):
        return X


def test_each_part_gets_what_it_asked_for(data):
    X, y, weight, _ = data
    teacher = Recorder().set_fit_request(sample_weight=True, tag="teacher_tag")
    student = Recorder().set_fit_request(sample_weight=False, tag=False)
    est = DistilledClassifier(teacher, student, **PLAIN)
    est.fit(X, y, sample_weight=weight, teacher_tag=np.arange(90))
    np.testing.assert_array_equal(est.teacher_.sample_weight_, weight)
    np.testing.assert_array_equal(est.teacher_.tag_, np.arange(90))
    assert est.student_.tag_ is None
    # The student's weights are its soft targets alone.
    assert est.student_.sample_weight_.sum() == pytest.approx(90)


def test_student_metadata_is_repeated_with_its_rows(data):
    X, y, weight, _ = data
    teacher = Recorder().set_fit_request(sample_weight=False, tag=False)
    student = Recorder().set_fit_request(sample_weight=True, tag=True)
    est = DistilledClassifier(teacher, student, **PLAIN)
    est.fit(X, y, sample_weight=weight, tag=np.arange(90))
    assert est.teacher_.sample_weight_ is None
    np.testing.assert_array_equal(est.student_.tag_, np.repeat(np.arange(90), 2))
    assert est.student_.sample_weight_.sum() == pytest.approx(weight.sum())


def test_a_student_pipeline_routes_to_its_steps(data):
    X, y, weight, _ = data
    scaler = RecordingScaler().set_fit_request(sample_weight=True)
    student = make_pipeline(
        scaler, LogisticRegression().set_fit_request(sample_weight=True)
    )
    teacher = LogisticRegression().set_fit_request(sample_weight=True)
    est = DistilledClassifier(teacher, student, **PLAIN).fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(est.student_[0].sample_weight_, weight)
    with sklearn.config_context(enable_metadata_routing=False):
        plain = DistilledClassifier(LogisticRegression(), LogisticRegression(), **PLAIN)
        plain.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(est.student_[-1].coef_, plain.student_.coef_)


def test_weights_nobody_asked_for_are_an_error(data):
    X, y, weight, _ = data
    est = DistilledClassifier(LogisticRegression(), LogisticRegression())
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        est.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize("what", ["teacher", "student"])
def test_the_default_parts_take_weights(data, what):
    X, y, weight, _ = data
    other = LogisticRegression().set_fit_request(sample_weight=True)
    parts = {"teacher": other, "student": other} | {what: None}
    est = DistilledClassifier(**parts, random_state=0, **PLAIN)
    weighted = est.fit(X, y, sample_weight=weight).predict_proba(X)
    assert np.abs(weighted - est.fit(X, y).predict_proba(X)).max() > 1e-6


def test_groups_reach_the_splitter(data):
    X, y, _, groups = data
    est = DistilledClassifier(
        LogisticRegression(), LogisticRegression(), cv=GroupKFold(3), **PLAIN
    )
    given = est.fit(X, y, groups=groups)
    labels = cross_val_predict(
        LogisticRegression(),
        X,
        y,
        cv=list(GroupKFold(3).split(X, y, groups)),
        method="predict_proba",
    )
    stored = DistilledClassifier(None, LogisticRegression(), **PLAIN)
    stored.fit(X, y, teacher_proba=labels)
    np.testing.assert_allclose(given.student_.coef_, stored.student_.coef_)
    with pytest.raises(ValueError, match="groups"):
        est.fit(X, y)


def test_a_search_hands_stored_probabilities_on(data):
    X, y, weight, _ = data
    stored = np.column_stack([0.8 - 0.6 * y, 0.2 + 0.6 * y])
    student = LogisticRegression().set_fit_request(sample_weight=True)
    est = DistilledClassifier(None, student, **PLAIN).set_fit_request(
        teacher_proba=True, sample_weight=True
    )
    est.set_score_request(sample_weight=False)
    search = GridSearchCV(est, {"temperature": [1.0, 2.0]}, cv=3)
    search.fit(X, y, teacher_proba=stored, sample_weight=weight)
    direct = est.set_params(**search.best_params_).fit(
        X, y, teacher_proba=stored, sample_weight=weight
    )
    np.testing.assert_allclose(
        search.best_estimator_.student_.coef_, direct.student_.coef_
    )


def test_routing_names_the_parts():
    est = DistilledClassifier(
        LogisticRegression(), make_pipeline(StandardScaler()), cv=GroupKFold(3)
    )
    routing = str(get_routing_for_object(est))
    assert "'teacher'" in routing
    assert "'student'" in routing
    assert "'splitter'" in routing
    assert "teacher_proba" in routing


def test_an_unknown_name_is_an_error(data):
    X, y, _, _ = data
    est = DistilledClassifier(LogisticRegression(), LogisticRegression())
    with pytest.raises(TypeError, match="unknown"):
        est.fit(X, y, unknown=3)
