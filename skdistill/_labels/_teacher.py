"""The teacher: checked, fitted or taken as it is, and asked for labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.base import is_regressor
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from .._frames import take_chunk
from .._nested import (
    can_refit,
    find_decider,
    has_probabilities,
    last_step,
    refuse_several_labels,
    takes_outputs,
    takes_sample_weight,
)
from .._nets import holds_net, keep_generator, seed_torch
from .._progress import propagate
from .._sklearn import _num_samples
from .._tasks import Shared, Tasks, share_cores
from .._typing import AnyArray, FloatArray
from .._warnings import warn_caller
from ._task import Task

#: Rows labelled at a time: a teacher of many members holds all of their answers.
_CHUNK = 50_000
#: Rows of a call of a frozen teacher, which may be slow or remote: what a failure
#: loses where labels are kept.
_FROZEN_ROWS = 4_000
#: Cells of labels at a time, where there are many classes.
_CELLS = 1_000_000


def check_teacher(teacher: Any, task: Task) -> None:
    """Raise where the teacher cannot give the labels of the task."""
    if isinstance(teacher, type):
        raise TypeError(
            f"The teacher must be an estimator, received the class {teacher.__name__}. "
            f"Pass an instance: {teacher.__name__}()."
        )
    if not hasattr(teacher, "get_params"):
        _refuse_foreign(teacher, task)
    frozen = isinstance(teacher, FrozenEstimator)
    last = last_step(teacher.estimator if frozen else teacher)
    check = _check_regressor if task.gives_values else _check_classifier
    check(teacher, last, task)
    if frozen:
        check_is_fitted(teacher)
    elif not can_refit(teacher):
        # Checks its parameters; there is nothing to fit.
        teacher.fit(None)


def _check_classifier(teacher: Any, last: Any, task: Task) -> None:
    refuse_several_labels(last, "teacher")
    if getattr(last, "voting", None) == "hard":
        raise ValueError(
            "The teacher must give probabilities, received a VotingClassifier with "
            'voting="hard". Set voting="soft".'
        )
    if not hasattr(teacher, "fit") or not has_probabilities(teacher):
        fix = "Wrap it in CalibratedClassifierCV, or switch its probabilities on."
        if hasattr(last, "__sklearn_tags__") and is_regressor(last):
            fix = "Pass a classifier, or use DistilledRegressor for values."
        raise TypeError(
            "The teacher must be a classifier with predict_proba, received "
            f"{type(last).__name__}. {fix}"
        )
    _warn_of_threshold(find_decider(teacher))


def _warn_of_threshold(decider: Any) -> None:
    """Warn where a teacher decides at a threshold of its own, and not at .5."""
    tuned = isinstance(decider, TunedThresholdClassifierCV)
    if isinstance(decider, FixedThresholdClassifier):
        usual = ["auto", 0 if decider.response_method == "decision_function" else 0.5]
        tuned = decider.threshold not in usual
    if tuned:
        name, inner = type(decider).__name__, type(decider.estimator).__name__
        warn_caller(
            "A student learns the probabilities of its teacher and decides for the "
            f"more probable class: the threshold of the {name} is lost. Put that "
            f"around the student: {name}(DistilledClassifier({inner}(...), ...))."
        )


def _check_regressor(teacher: Any, last: Any, task: Task) -> None:
    if not hasattr(teacher, "fit") or not is_regressor(teacher):
        raise TypeError(
            f"The teacher must be a regressor, received {type(last).__name__}. Pass a "
            "regressor; DistilledClassifier distils classifiers."
        )
    several = task.n_columns > 1 and task.learns_labels
    if several and can_refit(teacher) and not takes_outputs(teacher):
        raise ValueError(
            f"With {task.n_columns} outputs the teacher must learn several; received "
            f"{type(last).__name__}, which learns one. Wrap it in MultiOutputRegressor."
        )


def _refuse_foreign(teacher: Any, task: Task) -> None:
    """Raise for what gives labels but is no estimator of scikit-learn."""
    name = type(teacher).__name__
    if hasattr(teacher, task.method):
        received, func = f"an object of type {name}", f"teacher.{task.method}"
    elif callable(teacher):
        received, func = f"the function {getattr(teacher, '__name__', name)}", "func"
    else:
        return
    fix = f"FunctionRegressor({func})."
    if not task.gives_values:
        fix = (
            f"FunctionClassifier({func}, classes), with the classes in the order of "
            "its columns."
        )
    raise TypeError(
        f"The teacher must be an estimator of scikit-learn, received {received}. Wrap "
        f"it: {fix}"
    )


def check_fixed_classes(teacher: Any, classes: AnyArray) -> None:
    """Raise where a fixed teacher does not know a class of y."""
    if not len(classes):
        return
    known = set(np.asarray(teacher.classes_).tolist())
    missing = [label for label in classes.tolist() if label not in known]
    if missing:
        raise ValueError(
            "A fitted teacher must know every class of y; it lacks "
            f"{missing}. Refit the teacher, or leave those rows out."
        )


def check_takes_weight(part: Any, role: str) -> None:
    """Raise where row weights would be lost on the way to teacher or student."""
    if not takes_sample_weight(part):
        raise TypeError(
            f"With sample_weight, the {role}'s fit must take sample_weight; "
            f"{type(part).__name__} or one of its members, such as a Pipeline, does "
            f"not. Use a {role} that does, or enable metadata routing and say which "
            "parts take weights with set_fit_request(sample_weight=...)."
        )


def fit_clone(
    name: str | None,
    teacher: Any,
    X: Any,
    y: Any,
    params: dict[str, Any],
    seed: int | None,
    n_threads: int | None,
    context: Any,
) -> Any:
    """Fit in place. The name stands for what is fitted, on what, and torch's seed."""
    teacher = share_cores(teacher, n_threads)
    with propagate(context, teacher), seed_torch(seed):
        teacher.fit(X, y, **params)
    return teacher


@dataclass(frozen=True)
class Labeller:
    """A fitted teacher that labels rows, on several workers, with a memory.

    `name` is what the memory knows it by. `asked` counts the rows that it was asked for
    by what their labels are for, without those whose labels the memory has. With
    `n_members` the labels are those of each member of the vote, its last step, side by
    side.
    """

    teacher: Any
    task: Task
    tasks: Tasks
    name: str | None
    asked: Counter[str] = field(default_factory=Counter)
    n_members: int = 0

    def label(self, X: Any, purpose: str = "training") -> FloatArray:
        """Return the labels of a table of any number of rows."""
        n_rows, n_columns = _num_samples(X), self.n_columns
        labels = np.empty((n_rows, n_columns), self.task.dtype)
        if not n_rows:
            return labels
        size = max(1, min(_CHUNK, _CELLS // n_columns, self.batch_size or _CHUNK))
        chunks = (take_chunk(X, rows) for rows in gen_batches(n_rows, size))
        done = 0
        for part in self.label_chunks(chunks, purpose, -(-n_rows // size)):
            labels[done : done + len(part)] = part
            done += len(part)
        return labels

    @property
    def n_columns(self) -> int:
        return (self.n_members or 1) * self.task.n_columns

    @property
    def batch_size(self) -> int | None:
        """Rows of a call of a fixed teacher, which the memory keeps one by one."""
        if can_refit(self.teacher):
            return None
        if isinstance(self.teacher, FrozenEstimator):
            return _FROZEN_ROWS
        return getattr(self.teacher, "batch_size", None)

    def label_chunks(
        self, chunks: Iterable[Any], purpose: str, n_chunks: int
    ) -> Iterator[FloatArray]:
        """Return the labels of each chunk of rows, in order.

        The teacher travels to each worker once, and each chunk to one worker. What
        the chunks are decides the result, to the byte, and never the number of
        workers. With a memory, the labels of a batch are kept as soon as they are
        made: a failure loses the batches that were running. Chunks are drawn as workers
        become free.
        """
        n_threads = self.tasks.count_threads(n_chunks)
        teacher = share_cores(self.teacher, n_threads, alone=True)
        given = Shared(replace(self, teacher=teacher))
        calls = ((chunk, given) for chunk in chunks)
        for labels, n_asked in self.tasks.run(_label_chunk, calls, n_chunks):
            self.asked[purpose] += n_asked
            yield labels


def _label_chunk(chunk: Any, shared: Shared) -> tuple[FloatArray, int]:
    """Return the labels of a chunk, and how many rows the memory did not have."""
    labeller: Labeller = shared.value
    tasks, teacher, task = labeller.tasks, labeller.teacher, labeller.task
    method = "transform" if labeller.n_members else task.method
    label = tasks.cache(_predict, by=["name", "chunk_name", "method"])
    n_rows, n_asked, answers = _num_samples(chunk), 0, []
    for rows in gen_batches(n_rows, labeller.batch_size or n_rows):
        batch = chunk if rows == slice(0, n_rows) else take_chunk(chunk, rows)
        given = (labeller.name, tasks.name(batch), teacher, batch, method)
        if not label.check_call_in_cache(*given):
            n_asked += rows.stop - rows.start
        answer, parts = label(*given), []
        if labeller.n_members:
            parts = np.split(np.asarray(answer), labeller.n_members, axis=1)
        read = [task.read_answer(part, batch, teacher) for part in parts or [answer]]
        answers.append(np.hstack(read) if parts else read[0])
    return answers[0] if len(answers) == 1 else np.concatenate(answers), n_asked


def _predict(
    name: str | None, chunk_name: str | None, teacher: Any, chunk: Any, method: str
) -> FloatArray:
    """Label one chunk; the names stand for teacher and chunk."""
    # A net that predicts draws, too, while one in another thread may be fitted.
    turn = keep_generator() if holds_net(teacher) else nullcontext()
    with turn:
        return getattr(teacher, method)(chunk)
