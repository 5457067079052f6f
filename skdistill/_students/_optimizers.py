"""What moves the parameters of a network: Adam, SGD with momentum, and L-BFGS.

Formulas, schedules and stopping are those of scikit-learn's MLPClassifier, on one flat
vector.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult, minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from .._typing import FloatArray
from .._warnings import warn_caller


class Adam:
    """Adam of Kingma and Ba (2015); moments are of the gradient and of its square."""

    def __init__(self, student: MLPClassifier, params: NDArray[Any]) -> None:
        self._params, self._student = params, student
        self.rate, self.n_updates = student.learning_rate_init, 0
        self.moments = [np.zeros_like(params), np.zeros_like(params)]
        self._step = np.empty_like(params)

    def update(self, gradient: NDArray[Any]) -> None:
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

    def __init__(self, student: MLPClassifier, params: NDArray[Any]) -> None:
        self._params, self._student = params, student
        self.rate, self.n_updates = student.learning_rate_init, 0
        self.moments = [np.zeros_like(params)]

    def update(self, gradient: NDArray[Any]) -> None:
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
    student: MLPClassifier,
    objective: Callable[[FloatArray], tuple[float, FloatArray]],
    params: FloatArray,
) -> OptimizeResult:
    """Return what SciPy finds from these parameters on; warn where it has no end."""
    # As scikit-learn calls it.
    options = {
        "maxiter": student.max_iter,
        "maxfun": student.max_fun,
        "gtol": student.tol,
    }
    result = minimize(objective, params, jac=True, method="L-BFGS-B", options=options)
    if result.status != 0:
        warn_of_convergence(result, student.max_iter)
    return result


def warn_of_convergence(result: OptimizeResult, max_iter: int) -> None:
    """Warn as scikit-learn does."""
    warn_caller(
        f"lbfgs failed to converge after {min(result.nit, max_iter)} iteration(s) "
        f"(status={result.status}):\n{result.message}\n"
        f"Increase the number of iterations (max_iter={max_iter}) or scale the data "
        "as shown in:\n    https://scikit-learn.org/stable/modules/preprocessing.html",
        ConvergenceWarning,
    )
