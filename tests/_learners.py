"""Fine-tuning of a student alone, and releases that moved private names."""

from functools import wraps

import pytest
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import SGDClassifier

from skdistill._students import check_fine_tuning
from skdistill._students._fit_student import find_family
from skdistill._students._sgd import has_native_fit

#: A private method of scikit-learn that each family overrides.
MOVABLE = {
    HistGradientBoostingClassifier: "_encode_y",
    GradientBoostingClassifier: "_encode_y",
}


def fine_tune(student, data, epochs):
    check_fine_tuning(student)
    return find_family(student).fine_tune(student, data, epochs)


def move_private(monkeypatch, kind):
    """Change the signature of a method, which works as before for scikit-learn."""
    method = getattr(kind, MOVABLE[kind])

    def moved(self, *args, **kwargs):
        return method(self, *args, **kwargs)

    monkeypatch.setattr(kind, MOVABLE[kind], moved)


def move_sgd(monkeypatch):
    """Let SGDClassifier learn in a way that a subclass cannot follow."""
    fit = SGDClassifier.partial_fit

    def moved(self, *args, **kwargs):
        if type(self) is not SGDClassifier:
            raise TypeError
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(SGDClassifier, "partial_fit", moved)
    has_native_fit.cache_clear()


def move_lightgbm(monkeypatch):
    """Let LightGBM keep its classes under another name until it is fitted."""
    lightgbm = pytest.importorskip("lightgbm")
    init = lightgbm.LGBMModel.__init__

    @wraps(init)
    def moved(self, *args, **kwargs):
        init(self, *args, **kwargs)
        del self._class_map

    monkeypatch.setattr(lightgbm.LGBMModel, "__init__", moved)
