"""The fits of one teacher, data set and seed, and their figures."""

from __future__ import annotations

import warnings
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
import pandas as pd
from joblib import Memory
from sklearn.base import clone
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier
from skdistill.metrics import agreement_score, expected_calibration_error
from skdistill.transfer import Munge

from .. import _private
from .._measure import fit_for_epochs, last_step
from .._onnx import serve_onnx
from ._models import Split, count_epochs, count_updates, make_student, make_teacher


class TimedMemory:
    """A cache that counts the CPU time spent inside of what it caches.

    A cached function that calls another is counted once.
    """

    def __init__(self, folder: str):
        self._memory = Memory(folder, verbose=0)
        self._depth = 0
        self.seconds = 0.0

    def cache(self, function, **settings):
        cached = self._memory.cache(function, **settings)

        def timed(*args, **kwargs):
            start, self._depth = process_time(), self._depth + 1
            try:
                return cached(*args, **kwargs)
            finally:
                self._depth -= 1
                if not self._depth:
                    self.seconds += process_time() - start

        timed.check_call_in_cache = cached.check_call_in_cache
        return timed


def fit_timed(model, X, y, **params) -> tuple[Any, float]:
    """Fit in place, silently; return the model and its CPU seconds."""
    start = process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y, **params)
    return model, process_time() - start


def measure(proba, split: Split, teacher_proba) -> dict[str, float]:
    """Every figure of one model on the test rows."""
    classes, y = split.classes, split.y_test
    proba = proba / proba.sum(axis=1, keepdims=True)
    scores = proba[:, 1] if len(classes) == 2 else proba
    ovr = {} if len(classes) == 2 else {"multi_class": "ovr", "labels": classes}
    figures = {
        "accuracy": accuracy_score(y, classes[proba.argmax(axis=1)]),
        "log_loss": log_loss(y, proba, labels=classes),
        "auc": roc_auc_score(y, scores, **ovr),
        "ece": expected_calibration_error(y, proba, labels=classes),
        "agreement": agreement_score(teacher_proba, proba),
    }
    return {name: round(float(value), 6) for name, value in figures.items()}


def calibrate(proba, scalar: float, split: Split):
    """Clip as the package does, since the scalar was fitted on clipped labels."""
    prior = np.bincount(split.codes) / len(split.codes)
    return _private.soften(_private.clip_probabilities(proba, prior), scalar)


def fit_scalar(teacher, split: Split) -> float:
    """The scalar, where no fitted object kept one, since it learned hard labels."""
    fitted, validation = train_test_split(
        np.arange(len(split.y_train)),
        test_size=0.2,
        stratify=split.y_train,
        random_state=split.seed,
    )
    X, y = split.X_train, split.y_train

    def take(rows):
        return X[rows] if isinstance(X, np.ndarray) else X.iloc[rows]

    model, _ = fit_timed(clone(teacher), take(fitted), y[fitted])
    proba = calibrate(model.predict_proba(take(validation)), 1.0, split)
    return _private.fit_calibration(proba, split.codes[validation]).temperature


def distil(teacher, name: str, split: Split, memory: TimedMemory):
    """Fit with the defaults; return also what it learned, and where the time went."""
    distilled = DistilledClassifier(
        teacher, make_student(name, split), random_state=split.seed, memory=memory
    )
    memory.seconds = 0.0
    distilled, seconds = fit_timed(distilled, split.X_train, split.y_train)
    chosen = next((t["learns from"] for t in distilled.pilots_ if t["chosen"]), None)
    facts = {"learned": chosen}
    if name == "default":
        facts |= serve_onnx(distilled, split.X_test)
    times = {"fit": seconds, "without teachers": seconds - memory.seconds}
    return distilled, facts, times


def fit_hard(name: str, distilled, split: Split) -> tuple[dict[str, Any], float]:
    """The student on hard labels, each way, and the seconds of the comparable one."""
    student = make_student(name, split)
    if student is None:
        # Clones of what was built for these columns, seeds included.
        student = clone(distilled.student_)
    rows = split.X_train, split.y_train
    as_is, seconds = fit_timed(clone(student), *rows)
    fitted = {"as is": as_is}
    learned = last_step(distilled.student_)
    if not isinstance(learned, MLPClassifier):
        return fitted, seconds
    if not learned.early_stopping:
        stopped = clone(student)
        last_step(stopped).set_params(early_stopping=True)
        fitted["stopped early"], _ = fit_timed(stopped, *rows)
    fitted["chosen length"] = _private.fit_directly(
        clone(student), distilled.student_, *rows, None
    )
    n_epochs = count_epochs(count_updates(learned), len(split.y_train), learned)
    start = process_time()
    fitted["equal updates"] = fit_for_epochs(student, n_epochs, *rows)
    return fitted, process_time() - start


def fit_smoothed(split: Split):
    """.9 for the true class, the rest shared among the others."""
    n_classes = len(split.classes)
    targets = np.full((len(split.y_train), n_classes), 0.1 / (n_classes - 1))
    targets[np.arange(len(targets)), split.codes] = 0.9
    model = DistilledClassifier(
        student=make_student("mlp", split),
        augmenter=None,
        calibrate=False,
        temperature=1,
        random_state=split.seed,
    )
    return fit_timed(model, split.X_train, split.y_train, teacher_proba=targets)[0]


def fit_argmax(distilled, split: Split) -> dict[str, Any]:
    """Real rows with their labels, synthetic ones with the teacher's decision."""
    ratio = _private.choose_ratio(_private.MANY_LABELS, len(split.classes))
    n_made = _private.count_rows(len(split.y_train), ratio)
    made = Munge().fit(split.X_train).sample(n_made, random_state=split.seed)
    join = pd.concat if isinstance(made, pd.DataFrame) else np.concatenate
    X = join([split.X_train, made])
    y = np.concatenate([split.y_train, distilled.teacher_.predict(made)])
    learned = last_step(distilled.student_)
    n_updates = max(count_updates(learned), split.size.min_updates)
    n_epochs = count_epochs(n_updates, len(y), learned)
    stopped = make_student("mlp", split)
    last_step(stopped).set_params(early_stopping=True)
    return {
        "argmax": fit_for_epochs(make_student("mlp", split), n_epochs, X, y),
        "argmax, stopped early": fit_timed(stopped, X, y)[0],
    }


def run_student(teacher, name: str, split: Split, memory: TimedMemory, first: bool):
    """One record, but for the calibrated teacher."""
    distilled, facts, times = distil(teacher, name, split, memory)
    labels = distilled.teacher_.predict_proba(split.X_test)

    def read(model):
        return measure(model.predict_proba(split.X_test), split, labels)

    hard, hard_seconds = fit_hard(name, distilled, split)
    record = {
        **facts,
        "uncalibrated": measure(labels, split, labels),
        "distilled": read(distilled),
        "hard": {variant: read(model) for variant, model in hard.items()},
    }
    if name == "mlp":
        record["label smoothing"] = read(fit_smoothed(split))
        argmax = fit_argmax(distilled, split)
        record |= {way: read(model) for way, model in argmax.items()}
    if first:
        again = clone(distilled.teacher_)
        _, teacher_seconds = fit_timed(again, split.X_train, split.y_train)
        times["ratio"] = times["fit"] / (teacher_seconds + hard_seconds)
    return {**record, "times": times}, distilled, labels


def run_group(teacher_name: str, split: Split, students: list[str]) -> dict[str, dict]:
    """The students of one teacher, which is fitted for the first of them."""
    records, scalar = {}, None
    teacher = make_teacher(teacher_name, split)
    with TemporaryDirectory() as folder:
        memory = TimedMemory(folder)
        for name in students:
            first = name == students[0]
            record, distilled, labels = run_student(teacher, name, split, memory, first)
            records[name] = record
            scalar = distilled.calibration_ or scalar
    scalar = scalar or fit_scalar(distilled.teacher_, split)
    calibrated = measure(calibrate(labels, scalar, split), split, labels)
    for record in records.values():
        record.update(calibrated=calibrated, calibration=scalar)
    return records
