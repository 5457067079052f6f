"""What decides between the lessons of the pilots, and what they learn."""

import numpy as np
import pytest
from _lessons import WAYS
from _samplers import Counting, Echo, Spy, forget_fits, number_rows
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB

from skdistill import DistilledClassifier
from skdistill._labels._calibration import fit_calibration

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:The teacher:UserWarning",
)


@pytest.fixture(scope="module")
def data():
    return number_rows(class_sep=0.8)


@pytest.fixture(autouse=True)
def forget():
    forget_fits()


def test_learned_labels_are_out_of_fold_and_calibrated(data):
    X, y = data
    cv = KFold(3, shuffle=True, random_state=0)
    distilled = DistilledClassifier(
        GaussianNB(), Spy(), cv=cv, augmenter=None, random_state=0
    ).fit(X, y)
    proba = cross_val_predict(GaussianNB(), X, y, cv=cv, method="predict_proba")
    clipped = 0.999 * proba + 0.001 * np.bincount(y) / 520
    student = distilled.student_
    np.testing.assert_allclose(
        student.mass_[np.argsort(student.rows_[:, 4])],
        fit_calibration(clipped, y).apply(clipped),
        atol=1e-6,
    )
    assert distilled.pilots_ == []


def test_pilots_learn_out_of_fold_labels_where_there_are_any(data, monkeypatch):
    X, y = data
    monkeypatch.setattr("skdistill.transfer._transfer_set.Munge", Echo)
    cv = KFold(3, shuffle=True, random_state=0)
    DistilledClassifier(
        GaussianNB(), Spy(), cv=cv, calibrate=False, random_state=0
    ).fit(X, y)
    tried, _ = next(cv.split(X))
    proba = cross_val_predict(GaussianNB(), X, y, cv=cv, method="predict_proba")
    clipped = 0.999 * proba + 0.001 * np.bincount(y) / 520
    pilot = Spy.fits[WAYS.index("training rows")]
    np.testing.assert_allclose(
        pilot.mass_[np.argsort(pilot.rows_[:, 4])], clipped[tried], atol=1e-12
    )


def test_without_a_pilot_nothing_is_tried(data, monkeypatch):
    X, y = data
    monkeypatch.setattr("skdistill.transfer._transfer_set.Munge", Echo)
    distilled = DistilledClassifier(
        Counting(), Spy(), pilot=0, calibrate=False, random_state=0
    ).fit(X, y)
    assert distilled.pilots_ == []
    assert len(Spy.fits) == 1
    assert distilled.augmenter_ is None
    assert distilled.alpha_ == 1
    assert Echo.fits == []


@pytest.mark.parametrize("pilot", [0.08, 0.15, 0.3, 5.0])
def test_rows_that_pilots_learn_are_bounded(data, pilot, monkeypatch):
    X, y = data
    monkeypatch.setattr("skdistill.transfer._transfer_set.Munge", Echo)
    DistilledClassifier(
        GaussianNB(), Spy(), pilot=pilot, n_synthetic=5200, random_state=0
    ).fit(X, y)
    pilots = Spy.fits[:-1]
    # Each soft row has a copy a class, of weights that sum to its own.
    rows = [pilot.mass_.sum() for pilot in pilots]
    # What the final fit labels and learns, and ten times what the teacher learned.
    most = pilot * (11 * 520 + 2 * 5720)
    assert sum(rows) <= most
    # At most, all the rows there are to try on.
    assert sum(rows) >= min(0.95 * most, 8 * 416 - 1)
    np.testing.assert_allclose(rows[0], 3 * rows[2], rtol=0.02)
    np.testing.assert_allclose(rows[1], 2 * rows[2], rtol=0.02)
    assert rows[2] == pytest.approx(rows[4])
