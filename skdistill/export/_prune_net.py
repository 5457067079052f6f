"""Networks with fewer units, trained on soft targets in between."""

from __future__ import annotations

import copy
import math
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import bisect
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_random_state

from .._sklearn import _safe_indexing
from .._typing import FloatArray
from ._require import require

#: Soft targets below this are left out of the weighted copies: all but the likely
#: classes of a row would make it as many rows as there are classes.
_LEAST_TARGET = 1e-4

#: Rows of a batch, and batches after each step unless passes are given.
_BATCH, _UPDATES = 200, 1000

#: What MLPClassifier.partial_fit counts on.
_PARTIAL_STATE = {"loss_curve_": [], "_no_improvement_count": 0, "best_loss_": np.inf}


def choose_units(
    incoming: NDArray[Any], outgoing: NDArray[Any], count: int
) -> NDArray[np.intp]:
    """Return the units to keep, in order.

    Parameters
    ----------
    incoming : ndarray of shape (n_in, n_units)
        Weights into the units.
    outgoing : ndarray of shape (n_units, n_out)
        Weights out of them.
    count : int
        How many to keep.
    """
    strength = np.linalg.norm(incoming, axis=0) * np.linalg.norm(outgoing, axis=1)
    strongest = np.argsort(-strength, kind="stable")[:count]
    return np.sort(strongest)


def plan_widths(sizes: list[int], sparsity: float, steps: int) -> list[list[int]]:
    """Return the width of each hidden layer after each step.

    Parameters
    ----------
    sizes : list of int
        Width of the input, of each hidden layer and of the output.
    sparsity : float
        Share of the weights to remove by the last step.
    steps : int
        After each, the same factor of the weights is left.
    """
    whole = _count_weights(sizes, 1.0)
    plans = []
    for step in range(steps):
        share = (1.0 - sparsity) ** ((step + 1) / steps)
        factor = bisect(partial(_exceed, sizes, share * whole), 0, 1)
        plans.append(
            [max(1, math.ceil(factor * width - 1e-6)) for width in sizes[1:-1]]
        )
    return plans


def _exceed(sizes: list[int], wanted: float, factor: float) -> float:
    return _count_weights(sizes, factor) - wanted


def _count_weights(sizes: list[int], factor: float) -> float:
    """Count the weights of a network with hidden layers of that share."""
    shrunk = [sizes[0], *(factor * width for width in sizes[1:-1]), sizes[-1]]
    return sum(a * b for a, b in pairwise(shrunk))


def prune_mlp(
    network: MLPClassifier,
    X: Any,
    targets: FloatArray,
    sparsity: float,
    steps: int,
    passes: int | None,
    random_state: Any,
) -> MLPClassifier:
    """Remove units of an MLPClassifier, in place."""
    rng = check_random_state(random_state)
    sizes = [len(network.coefs_[0]), *(len(bias) for bias in network.intercepts_)]
    for widths in plan_widths(sizes, sparsity, steps):
        for layer, width in enumerate(widths):
            _remove_units(network, layer, width)
        network.set_params(hidden_layer_sizes=tuple(widths))
        _train_mlp(network, X, targets, passes, rng)
    return network


def _remove_units(network: MLPClassifier, layer: int, count: int) -> None:
    coefs, intercepts = network.coefs_, network.intercepts_
    kept = choose_units(coefs[layer], coefs[layer + 1], count)
    coefs[layer] = np.ascontiguousarray(coefs[layer][:, kept])
    intercepts[layer] = intercepts[layer][kept]
    coefs[layer + 1] = np.ascontiguousarray(coefs[layer + 1][kept])


def _train_mlp(
    network: MLPClassifier, X: Any, targets: FloatArray, passes: int | None, rng: Any
) -> None:
    """Train by weighted copies of the rows, one for each likely class."""
    rows, codes = np.nonzero(targets >= _LEAST_TARGET)
    copies = _safe_indexing(X, rows)
    weight = targets[rows, codes]
    batch = min(_BATCH, len(targets)) * len(rows) // len(targets)
    settings: dict[str, Any] = {
        "early_stopping": False,
        "batch_size": max(1, batch),
        "random_state": rng,
    }
    if network.solver == "lbfgs":
        # It has no partial_fit.
        settings["solver"] = "adam"
    kept = {name: getattr(network, name) for name in settings}
    state = {name: vars(network).get(name) for name in _PARTIAL_STATE}
    # L-BFGS and early stopping leave out what partial_fit appends to or compares
    # with, and moments have the shapes of the units that were removed.
    vars(network).update(copy.deepcopy(_PARTIAL_STATE))
    vars(network).pop("_optimizer", None)
    network.set_params(**settings)
    for _ in range(count_passes(len(targets), passes)):
        network.partial_fit(copies, network.classes_[codes], sample_weight=weight)
    vars(network).pop("_optimizer", None)
    vars(network).update(state)
    network.set_params(**kept)


def count_passes(n_samples: int, passes: int | None) -> int:
    """Return the passes asked for, or as many as make enough updates."""
    if passes is not None:
        return passes
    return max(5, math.ceil(_UPDATES * _BATCH / n_samples))


def prune_skorch(
    net: Any,
    X: Any,
    targets: FloatArray,
    sparsity: float,
    steps: int,
    passes: int | None,
    random_state: Any,
) -> Any:
    """Remove units of a skorch net whose module is a sequence of layers, in place."""
    torch = require("torch")
    layers = _list_linear(net.module_, torch)
    sizes = [layers[0].in_features, *(layer.out_features for layer in layers)]
    seed = check_random_state(random_state).randint(2**31 - 1)
    generator = torch.Generator().manual_seed(int(seed))
    for widths in plan_widths(sizes, sparsity, steps):
        for k, width in enumerate(widths):
            _shrink_pair(layers[k], layers[k + 1], width, torch)
        _train_net(net, X, targets, passes, generator, torch)
    return net


def _list_linear(module: Any, torch: Any) -> list[Any]:
    """Return the linear layers, where nothing else depends on the widths."""
    nn = torch.nn
    harmless = (
        *(nn.Linear, nn.Dropout, nn.Softmax, nn.LogSoftmax, nn.Identity),
        *(nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.ELU, nn.SiLU, nn.LeakyReLU),
    )
    parts = [m for m in module.modules() if not isinstance(m, nn.Sequential)]
    strange = sorted({type(m).__name__ for m in parts if not isinstance(m, harmless)})
    if strange:
        raise TypeError(
            "prune takes nets whose module is a torch.nn.Sequential of linear layers "
            f"and activations; this one has {strange}. Make the net smaller instead."
        )
    return [m for m in parts if isinstance(m, nn.Linear)]


def _shrink_pair(first: Any, second: Any, count: int, torch: Any) -> None:
    incoming = first.weight.detach().numpy().T
    kept = torch.from_numpy(
        choose_units(incoming, second.weight.detach().numpy().T, count)
    )
    parameter = torch.nn.Parameter
    first.weight = parameter(first.weight.detach()[kept].clone())
    if first.bias is not None:
        first.bias = parameter(first.bias.detach()[kept].clone())
    first.out_features = count
    second.weight = parameter(second.weight.detach()[:, kept].clone())
    second.in_features = count


def _train_net(
    net: Any,
    X: Any,
    targets: FloatArray,
    passes: int | None,
    generator: Any,
    torch: Any,
) -> None:
    """Minimise the soft cross-entropy with Adam, dropout left out."""
    rows = torch.as_tensor(np.asarray(X))
    soft = torch.as_tensor(targets, dtype=rows.dtype)
    nonlinearity = net._get_predict_nonlinearity()
    module = net.module_.eval()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(count_passes(len(rows), passes)):
        order = torch.randperm(len(rows), generator=generator)
        for batch in order.split(_BATCH):
            proba = nonlinearity(module(rows[batch]))
            floor = torch.finfo(proba.dtype).tiny
            loss = -(soft[batch] * proba.clamp_min(floor).log()).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for parameter in module.parameters():
        parameter.grad = None
