"""No distillation: one LightGBM, the best of as many random draws as time allows."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter

from sklearn.model_selection import ParameterSampler, cross_val_score

from ._task import Outcome, Student, Task, attempt, clock, count_bytes, encode

REQUIREMENTS = ()
NEEDS = ("lightgbm",)
CHOICES = {
    "n_estimators": [50, 100, 200, 400],
    "learning_rate": [0.03, 0.05, 0.1],
    "num_leaves": [7, 15, 31],
    "min_child_samples": [5, 20, 50],
    "subsample": [0.7, 1.0],
    "colsample_bytree": [0.5, 0.8, 1.0],
    "reg_lambda": [0.0, 1.0, 10.0],
}
#: At least this many, whatever the time.
MIN_DRAWS = 2


def fit(task: Task) -> Iterator[Outcome]:
    yield attempt("tuned, not distilled", lambda: tune(task))


def tune(task: Task) -> Student:
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMRegressor if task.regression else LGBMClassifier
    scoring = "neg_root_mean_squared_error" if task.regression else "neg_log_loss"

    def make(params):
        return kind(
            **params, subsample_freq=1, n_jobs=1, verbose=-1, random_state=task.seed
        )

    X, X_test = encode(task)
    # Of the clock, as the limits of other peers.
    end = perf_counter() + task.seconds * 0.9
    tried = []
    with clock() as read:
        for params in ParameterSampler(CHOICES, 1000, random_state=task.seed):
            scores = cross_val_score(
                make(params), X, task.y_train, cv=3, scoring=scoring
            )
            tried.append((scores.mean(), params))
            # The final fit takes about half of what its three folds took.
            if len(tried) >= MIN_DRAWS and perf_counter() > end:
                break
        best = max(tried, key=lambda pair: pair[0])[1]
        model = make(best).fit(X, task.y_train)
        seconds = read()
    serve = model.predict if task.regression else model.predict_proba
    return Student("tuned, not distilled", serve, X_test, seconds, count_bytes(model))
