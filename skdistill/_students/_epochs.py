"""Epochs of a network over rows with soft targets, in memory or read by buffers.

Batches are slices: rows are shuffled once an epoch, block by block, into new arrays.
When epochs end, what is recorded of them, and the formulas and schedules of Adam and
SGD, on one flat vector, follow scikit-learn's MLPClassifier.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult, minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, gen_batches

from .._outofcore._spill import Spill
from .._progress import tell_share
from .._soft_data import SoftDataset
from .._typing import AnyArray, FloatArray, IndexArray
from .._warnings import warn_caller
from ._network import Network, SoftRows

# What moves the parameters ------------------------------------------------------------


class Adam:
    """Adam of Kingma and Ba (2015); moments are of the gradient and of its square."""

    def __init__(self, student: Any, params: AnyArray) -> None:
        self._params, self._student = params, student
        self.rate, self.n_updates = student.learning_rate_init, 0
        self.moments = [np.zeros_like(params), np.zeros_like(params)]
        self._step = np.empty_like(params)

    def update(self, gradient: AnyArray) -> None:
        """Move the parameters."""
        beta_1, beta_2 = self._student.beta_1, self._student.beta_2
        (mean, square), step = self.moments, self._step
        self.n_updates += 1
        mean *= beta_1
        mean += np.multiply(gradient, 1 - beta_1, out=step)
        square *= beta_2
        np.multiply(gradient, gradient, out=step)
        step *= 1 - beta_2
        square += step
        np.sqrt(square, out=step)
        step += self._student.epsilon
        np.divide(mean, step, out=step)
        unbiased = math.sqrt(1 - beta_2**self.n_updates) / (1 - beta_1**self.n_updates)
        step *= self.rate * unbiased
        self._params -= step

    def end_epoch(self, n_seen: int) -> None:
        """Do nothing: the rate does not depend on the rows seen so far."""

    def slow_down(self) -> bool:
        """Whether training goes on, at a lower rate, where the loss has stalled."""
        return False


class SGD:
    """Gradient steps with momentum; attributes as those of `Adam`."""

    def __init__(self, student: Any, params: AnyArray) -> None:
        self._params, self._student = params, student
        self.rate, self.n_updates = student.learning_rate_init, 0
        self.moments = [np.zeros_like(params)]

    def update(self, gradient: AnyArray) -> None:
        """Move the parameters."""
        momentum, velocity = self._student.momentum, self.moments[0]
        self.n_updates += 1
        step = self.rate * gradient
        velocity *= momentum
        velocity -= step
        if self._student.nesterovs_momentum:
            self._params += momentum * velocity - step
        else:
            self._params += velocity

    def end_epoch(self, n_seen: int) -> None:
        """Set the rate of the next epoch from the number of rows seen so far."""
        if self._student.learning_rate == "invscaling":
            first = self._student.learning_rate_init
            self.rate = first / (n_seen + 1) ** self._student.power_t

    def slow_down(self) -> bool:
        """Whether training goes on, at a lower rate, where the loss has stalled."""
        if self._student.learning_rate != "adaptive" or self.rate <= 1e-6:
            return False
        self.rate /= 5
        return True


OPTIMIZERS: dict[str, type[Adam] | type[SGD]] = {"adam": Adam, "sgd": SGD}


def minimize_lbfgs(
    objective: Callable[..., Any], start: FloatArray, args: Any = (), **options: Any
) -> OptimizeResult:
    """Minimise with options as scikit-learn calls it, and warn as it does."""
    result = minimize(objective, start, args, "L-BFGS-B", jac=True, options=options)
    if result.status != 0:
        most = options["maxiter"]
        warn_caller(
            f"lbfgs failed to converge after {min(result.nit, most)} iteration(s) "
            f"(status={result.status}):\n{result.message}\n"
            f"Increase the number of iterations (max_iter={most}) or scale the data as "
            "shown in:\n    https://scikit-learn.org/stable/modules/preprocessing.html",
            ConvergenceWarning,
        )
    return result


# Epochs ------------------------------------------------------------------------------

#: Cells that are shuffled into a block at once.
_CELLS = 2**16

#: An epoch: parts of the rows, each with the order in which they are learned.
Epoch = Iterable[tuple[SoftRows, IndexArray]]


def repeat_rows(
    student: Any, rows: SoftRows, rng: np.random.RandomState
) -> Iterator[Epoch]:
    """Yield epochs over rows in memory; each shuffles the order of the last."""
    order = np.arange(rows.X.shape[0])
    while True:
        if student.shuffle:
            order = order[rng.permutation(len(order))]
        yield [(rows, order)]


def repeat_buffers(
    student: Any,
    spill: Spill,
    read: Callable[[SoftDataset], SoftRows],
    rng: np.random.RandomState,
) -> Iterator[Epoch]:
    """Yield epochs over buffers of rows that do not fit into memory."""
    # Another generator, because the first draws of `rng` are the parameters.
    runs = check_random_state(student.random_state)

    def read_buffers() -> Epoch:
        for data in spill.shuffle(runs if student.shuffle else None):
            n_rows = data.n_samples
            order = rng.permutation(n_rows) if student.shuffle else np.arange(n_rows)
            yield read(data), order

    while True:
        yield read_buffers()


def run_epoch(
    student: Any, network: Network, optimizer: Adam | SGD, epoch: Epoch
) -> tuple[float, int]:
    """Learn each row once; return the mean loss, and the number of rows."""
    loss, n_rows = 0.0, 0
    for rows, order in epoch:
        size = count_batch(student, len(order))
        for batch in _draw_batches(rows, order, size, network.params.dtype):
            total = batch.sum_weight()
            # A batch without weight has no gradient.
            if total > 0:
                value = network.differentiate(batch, total, student.alpha)
                optimizer.update(network.gradient)
                loss += value * batch.X.shape[0]
        n_rows += len(order)
    return loss / n_rows, n_rows


def _draw_batches(
    rows: SoftRows, order: IndexArray, size: int, dtype: Any
) -> Iterator[SoftRows]:
    n_columns = rows.X.shape[1] + rows.loss.targets.shape[1]
    block = size * max(1, _CELLS // (size * n_columns))
    for part in gen_batches(len(order), block):
        taken = rows.take(order[part]).cast(dtype)
        for batch in gen_batches(taken.X.shape[0], size):
            yield taken.take(batch)


def count_batch(student: Any, n_rows: int) -> int:
    """Return the rows of a batch."""
    return min(200 if student.batch_size == "auto" else student.batch_size, n_rows)


class Training:
    """A network that learns epoch by epoch, and the record of its epochs.

    `scores` are negative losses of the validation rows, `best_params` those of the
    highest score, or without scores the last ones. `n_seen` counts rows learned, each
    once an epoch, and `waited` epochs since the last improvement.
    """

    def __init__(
        self, student: Any, network: Network, optimizer: Adam | SGD, validation: Any
    ) -> None:
        self._student, self._network = student, network
        self._optimizer, self._validation = optimizer, validation
        self.losses: list[float] = []
        self.scores: list[float] | None = None if validation is None else []
        self.best_loss, self.best_score = np.inf, -np.inf
        self.best_params = network.params
        self.waited = self.n_seen = 0

    def run(
        self, epochs: Iterator[Epoch], n_epochs: int, highest_rate: float | None
    ) -> None:
        """Learn at most so many epochs.

        From the highest rate, if one is given, the learning rate falls to 0 along half
        a cosine, and nothing else ends the training.
        """
        student, optimizer = self._student, self._optimizer
        if highest_rate is not None:
            optimizer.rate = highest_rate
        for n_done, epoch in enumerate(islice(epochs, n_epochs), 1):
            loss, n_rows = run_epoch(student, self._network, optimizer, epoch)
            self.n_seen += n_rows
            self._record(loss)
            tell_share(n_done / n_epochs)
            if highest_rate is not None:
                falls = 0.5 * (1 + math.cos(math.pi * n_done / n_epochs))
                optimizer.rate = highest_rate * falls
                self.waited = 0
                continue
            optimizer.end_epoch(self.n_seen)
            if self.waited > student.n_iter_no_change:
                if not optimizer.slow_down():
                    return
                self.waited = 0
        if n_epochs == student.max_iter:
            warn_caller(
                f"Stochastic Optimizer: Maximum iterations ({n_epochs}) reached and "
                "the optimization hasn't converged yet.",
                ConvergenceWarning,
            )

    def _record(self, loss: float) -> None:
        """Apply scikit-learn's rule to the loss, or to the score if there is one."""
        tol = self._student.tol
        self.losses.append(loss)
        if self._student.verbose:
            print(f"Iteration {len(self.losses)}, loss = {loss:.8f}")
        if self.scores is None or self._validation is None:
            improved = loss <= self.best_loss - tol
            self.best_loss = min(loss, self.best_loss)
        else:
            rows, validation = self._validation
            served = rows.loss.serve(self._network.predict(rows.X))
            score = -validation.measure(served)
            if self._student.verbose:
                print(f"Validation score: {score:f}")
            self.scores.append(score)
            improved = score >= self.best_score + tol
            if score > self.best_score:
                self.best_score = score
                self.best_params = self._network.params.copy()
        self.waited = 0 if improved else self.waited + 1
