"""MLPClassifier and MLPRegressor by this package's own learner of small networks.

`MLPClassifier` takes hard labels only, and spends most of its time outside of the
arithmetic. The learner takes the student's parameters and any soft target; what it has
learned moves into the stock object. On hard labels without a transfer set it repeats
the stock fit.

A transfer set is learned in single precision, which is faster and precise enough for
labels that are estimates.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils.validation import validate_data

from .._outofcore._spill import Spill
from .._sklearn import validate_parameters
from .._soft_data import MaybeRows, SoftDataset, count_outputs
from .._tasks import limit_threads
from .._typing import FloatArray
from ._epochs import (
    OPTIMIZERS,
    SGD,
    Adam,
    Epoch,
    Training,
    count_batch,
    minimize_lbfgs,
    repeat_buffers,
    repeat_rows,
    run_epoch,
)
from ._losses import LogitLoss, Scale, SquaredError, shift_bias
from ._network import BLOCK, Network, SoftRows
from ._soft_learner import (
    EPOCHS_WORSE,
    NETWORK_TEMPERATURE,
    RATE_SHARE,
    SoftLearner,
    refuse_fine_tuning,
)
from ._stock_mlp import (
    check_release,
    draw_network,
    list_sizes,
    move_to_stock,
    set_layers,
    take_network,
)
from ._value_learner import ValueLearner

#: How long a network learns from a transfer set, if `max_iter` allows: this many
#: epochs, and on small sets this many updates.
MIN_EPOCHS = 20
MIN_UPDATES = 20_000

#: The learning rate at which a network begins on a transfer set, relative to
#: `learning_rate_init` and at most; it falls to 0 along half a cosine. The targets are
#: smooth and the fit is long: high rates first and low ones last learn them better than
#: a constant rate.
RATE_RATIO = 4.0
MAX_RATE = 4e-3

#: Columns with larger values are learned in their own precision: single precision
#: would round what the stock object is asked about later.
_MAX_SINGLE = 2.0**12


#: A network, what the stock class records of its fit, and what it was fitted by.
_Fitted = tuple[Network, dict[str, Any], Adam | SGD | None]


class MLPLearner(SoftLearner):
    """The stock MLPClassifier: a subclass may have changed its loss."""

    auto_temperature = NETWORK_TEMPERATURE

    def accepts(self, student: Any) -> bool:
        return type(student) is MLPClassifier

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        validate_parameters(student)
        if min(list_sizes(student), default=1) < 1:
            raise ValueError(
                "Every hidden layer needs a unit at least; received "
                f"hidden_layer_sizes={student.hidden_layer_sizes}. Leave layers out "
                "instead."
            )
        check_release(type(student))

    def check_fine_tuning(self, student: Any) -> None:
        if student.solver == "lbfgs":
            refuse_fine_tuning(student, " with solver='lbfgs'")

    def wants_validation(self, student: Any, n_samples: int) -> bool:
        # L-BFGS ignores the wish.
        return student.early_stopping and student.solver != "lbfgs"

    def can_scale_logits(self, student: Any, n_classes: int) -> bool:
        return True

    def learns_mixtures(self, student: Any) -> bool:
        return True

    def learns_in_epochs(self, student: Any) -> bool:
        return student.solver != "lbfgs"

    def epochs_parameter(self, student: Any) -> str | None:
        return "max_iter" if student.solver != "lbfgs" else None

    def count_epochs(self, student: Any, n_rows: int) -> int | None:
        if student.solver == "lbfgs":
            return None
        # A transfer set has many times the training rows: `max_iter` epochs would cost
        # many times the updates without need.
        updates = math.ceil(MIN_UPDATES * count_batch(student, n_rows) / n_rows)
        return min(student.max_iter, max(MIN_EPOCHS, updates))

    def fit(self, student, train, transfer=None, validation=None):
        """Fit with a falling learning rate where there is a transfer set."""
        rows = self.read(student, train.join(transfer))
        dtype, limit = rows.X.dtype, None
        if student.solver == "lbfgs":
            fitted = _fit_lbfgs(student, rows)
        else:
            if transfer is not None:
                limit = self.count_epochs(student, rows.X.shape[0])
                rows = _narrow(student, rows)
            repeat = partial(repeat_rows, student, rows)
            held_out = self._read_pair(student, validation)
            fitted = _fit_epochs(student, rows, repeat, limit, held_out)
        return move_to_stock(student, train.classes, dtype, *fitted)

    def fit_chunks(self, student: Any, spill: Spill, validation: MaybeRows) -> Any:
        """Fit in epochs over buffers; L-BFGS has no epochs."""
        if student.solver == "lbfgs":
            return super().fit_chunks(student, spill, validation)
        # The first buffer stands for all: rows of later ones are read epoch by epoch.
        rows = self.read(student, next(spill.shuffle(None)))
        limit = self.count_epochs(student, spill.n_samples)
        repeat = partial(repeat_buffers, student, spill, partial(self.read, student))
        narrow = _narrow(student, rows)
        held_out = self._read_pair(student, validation)
        fitted = _fit_epochs(student, narrow, repeat, limit, held_out)
        return move_to_stock(student, spill.classes, rows.X.dtype, *fitted)

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        return self.fit(student, rows, None, validation)

    def make_loss(self, data: SoftDataset) -> LogitLoss | SquaredError:
        """Return the loss of rows as a function of the network's outputs."""
        return LogitLoss.of(data, count_outputs(len(data.classes)))

    def read(self, student: Any, data: SoftDataset) -> SoftRows:
        """Check rows as the stock fit does, and note their columns in the student."""
        dtype = [np.float64, np.float32]
        X = validate_data(student, data.X, accept_sparse="csr", dtype=dtype, order="C")
        return SoftRows(X, self.make_loss(data), data.weight)

    def _read_pair(self, student: Any, data: MaybeRows) -> Any:
        return None if data is None else (self.read(student, data), data)

    def scale_logits(self, student: Any, factor: float) -> None:
        student.coefs_[-1] = student.coefs_[-1] * factor
        student.intercepts_[-1] = student.intercepts_[-1] * factor

    def can_shift_logits(self, student: Any) -> bool:
        return True

    def shift_logits(self, student: Any, shift: FloatArray) -> None:
        student.intercepts_[-1] = shift_bias(student.intercepts_[-1], shift)

    def explain_worse(self, student: Any) -> str:
        if student.solver == "lbfgs":
            return "Its fit is too long. Lower its max_iter, or raise its alpha."
        return EPOCHS_WORSE

    def fine_tune(self, student: Any, rows: SoftDataset, epochs: int) -> Any:
        """Train on at a tenth of `learning_rate_init`, with a new optimiser state."""
        params = student.get_params()
        tuned = copy.deepcopy(student).set_params(
            learning_rate_init=RATE_SHARE * student.learning_rate_init
        )
        # Its moments belong to the soft targets.
        vars(tuned).pop("_optimizer", None)
        network, n_seen = take_network(tuned), tuned.t_
        optimizer = OPTIMIZERS[tuned.solver](tuned, network.params)
        rng = check_random_state(tuned.random_state)
        repeat = repeat_rows(tuned, self.read(tuned, rows), rng)
        with limit_threads(blas=1):
            for epoch in islice(repeat, epochs):
                n_seen += run_epoch(tuned, network, optimizer, epoch)[1]
                optimizer.end_epoch(n_seen)
        set_layers(tuned, network, network.params.dtype)
        return tuned.set_params(**params)


def _narrow(student: Any, rows: SoftRows) -> SoftRows:
    """Return rows of a transfer set in the precision in which they are learned."""
    largest = max(rows.X.max(), -rows.X.min())
    if student.solver == "adam" and largest <= _MAX_SINGLE:
        return rows.cast(np.float32)
    return rows


def _fit_epochs(
    student: Any,
    rows: SoftRows,
    repeat: Callable[[np.random.RandomState], Iterator[Epoch]],
    limit: int | None,
    held_out: tuple[SoftRows, SoftDataset] | None,
) -> _Fitted:
    """Fit by Adam or SGD, in the precision of the rows.

    `repeat` makes the epochs; `limit` is the most of them over a transfer set, and None
    where there is none.
    """
    network, rng = draw_network(student, rows, rows.X.dtype)
    optimizer = OPTIMIZERS[student.solver](student, network.params)
    training = Training(student, network, optimizer, held_out)
    highest = None
    if limit is not None and student.solver == "adam":
        rate = student.learning_rate_init
        highest = max(rate, min(RATE_RATIO * rate, MAX_RATE))
    with limit_threads(blas=1):
        training.run(repeat(rng), limit or student.max_iter, highest)
    network.params[:] = training.best_params
    record = {
        "n_iter_": len(training.losses),
        "t_": training.n_seen,
        "loss_": training.losses[-1],
        "loss_curve_": training.losses,
        # The stock class leaves None beside scores, with which partial_fit fails.
        "best_loss_": training.best_loss,
        "validation_scores_": training.scores,
        "best_validation_score_": training.best_score if training.scores else None,
        "_no_improvement_count": training.waited,
        "_random_state": rng,
    }
    return network, record, optimizer


def _fit_lbfgs(student: Any, rows: SoftRows) -> _Fitted:
    """Fit by L-BFGS, in double precision whatever the rows are."""
    network, rng = draw_network(student, rows, np.float64)
    blocks = list(gen_batches(rows.X.shape[0], BLOCK))
    total = rows.sum_weight()

    def objective(params: FloatArray) -> tuple[float, FloatArray]:
        network.params[:] = params
        loss, gradient = 0.0, np.zeros_like(params)
        for block in blocks:
            penalty = 0.0 if block.start else student.alpha
            part = rows.take(block).cast(np.float64)
            loss += network.differentiate(part, total, penalty)
            gradient += network.gradient
        return loss, gradient

    most = {"maxiter": student.max_iter, "maxfun": student.max_fun}
    with limit_threads(blas=1):
        start = network.params.copy()
        result = minimize_lbfgs(objective, start, gtol=student.tol, **most)
    network.params[:] = result.x
    n_iter = min(result.nit, student.max_iter)
    record = {"n_iter_": n_iter, "t_": 0, "loss_": result.fun, "_random_state": rng}
    return network, record, None


class MLPRegressorLearner(ValueLearner, MLPLearner):
    """The stock MLPRegressor with the squared error, and no other loss.

    Targets are standardised by the training rows, and the last layer takes the scale
    back afterwards: the stock object serves the user's units. So is a fit on training
    rows alone that of a `TransformedTargetRegressor` with a `StandardScaler`.
    """

    auto_temperature = 1.0

    def accepts(self, student: Any) -> bool:
        return type(student) is MLPRegressor and student.loss == "squared_error"

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        MLPLearner.check(self, student, n_classes, n_samples)

    def make_loss(self, data: SoftDataset) -> SquaredError:
        return SquaredError(data.targets)

    def fit(self, student, train, transfer=None, validation=None):
        scale = Scale.of(train)
        given = (train, transfer, validation)
        rows = [some and scale.transform(some) for some in given]
        return _fold(scale, super().fit(student, *rows))

    def fit_chunks(self, student: Any, spill: Spill, validation: MaybeRows) -> Any:
        scale = Scale.of(spill.train)
        spill.change(scale.transform)
        validation = validation and scale.transform(validation)
        return _fold(scale, super().fit_chunks(student, spill, validation))

    def fine_tune(self, student: Any, rows: SoftDataset, epochs: int) -> Any:
        scale = Scale.of(rows)
        bare, rows = _unfold(scale, student), scale.transform(rows)
        return _fold(scale, super().fine_tune(bare, rows, epochs))


def _fold(scale: Scale, student: Any) -> Any:
    """Give a network's last layer the scale, in place.

    In double precision, since a mean may be far from 0.
    """
    student.coefs_[-1] = student.coefs_[-1] * scale.deviation
    student.intercepts_[-1] = scale.restore(student.intercepts_[-1])
    return student


def _unfold(scale: Scale, student: Any) -> Any:
    """Return a copy of a network without the scale."""
    bare = copy.copy(student)
    bare.coefs_ = [*student.coefs_[:-1], student.coefs_[-1] / scale.deviation]
    last = scale.standardize(student.intercepts_[-1])
    bare.intercepts_ = [*student.intercepts_[:-1], last]
    return bare
