"""AutoGluon: its own ensemble, and `distill()` into LightGBM and a network.

Half of the time is for the ensemble, half for the students together.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ._task import Failure, Outcome, Student, Task, attempt, clock

REQUIREMENTS = ("autogluon.tabular[lightgbm]==1.6.3", "torch==2.13.0")
NEEDS = ("autogluon.tabular", "lightgbm", "torch")
#: What it calls the two that it is asked for.
STUDENTS = {"GBM": "LightGBM", "NN_TORCH": "NeuralNetTorch"}


def fit(task: Task) -> Iterator[Outcome]:
    from autogluon.tabular import TabularPredictor

    with clock() as read_clock:
        predictor = TabularPredictor(
            label="label",
            # Values that are whole numbers would be classes.
            problem_type="regression" if task.regression else None,
            path=str(task.folder / "autogluon"),
            eval_metric="root_mean_squared_error" if task.regression else "log_loss",
            verbosity=0,
        ).fit(
            task.X_train.assign(label=task.y_train),
            presets="medium_quality",
            time_limit=task.seconds / 2,
            num_cpus=1,
            num_gpus=0,
        )
        names = predictor.distill(
            time_limit=task.seconds / 2,
            hyperparameters={kind: {} for kind in STUDENTS},
            augment_method="spunge",
        )
        seconds = read_clock()
    for kind, start in STUDENTS.items():
        found = [name for name in names if name.startswith(start)]
        if found:
            yield attempt(
                kind, partial(read_student, task, predictor, kind, found[0], seconds)
            )
        else:
            yield Failure(kind, f"no such student among {names}")


def read_student(
    task: Task, predictor, kind: str, name: str, seconds: float
) -> Student:
    def serve(X):
        if task.regression:
            return predictor.predict(X, model=name, as_pandas=False)
        return predictor.predict_proba(X, model=name, as_pandas=False)

    folder = predictor.clone_for_deployment(str(task.folder / name), model=name)
    n_bytes = sum(file.stat().st_size for file in Path(folder).rglob("*"))
    # Kept in memory, or every row would be served from the disk.
    predictor.persist([name])
    return Student(kind, serve, task.X_test, seconds, n_bytes)
