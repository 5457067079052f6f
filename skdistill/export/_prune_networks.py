"""Networks with fewer units, trained on soft targets in between."""

from __future__ import annotations

import copy
import math
from functools import partial
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import bisect
from sklearn.base import is_regressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.utils import check_random_state

from .._soft_data import SoftDataset
from .._students._mlp import MLPLearner, MLPRegressorLearner
from .._students._soft_learner import RATE_SHARE
from .._typing import AnyArray, IndexArray
from ._libraries import find_nonlinearity

#: Networks of scikit-learn.
Network: TypeAlias = MLPClassifier | MLPRegressor

#: Most rows of a batch, and batches after each step unless `epochs` is given.
_BATCH, _UPDATES = 200, 1000


def prune_network(
    network: Any,
    data: SoftDataset,
    *,
    sparsity: float,
    steps: int,
    epochs: int | None,
    random_state: Any,
) -> Any:
    """Remove hidden units of a fitted network, in place, and train on `data`."""
    if epochs is None:
        n_batches = math.ceil(data.n_samples / _BATCH)
        epochs = max(5, math.ceil(_UPDATES / n_batches))
    prune = _prune_mlp if isinstance(network, Network) else _prune_skorch
    rng = check_random_state(random_state)
    prune(network, data, partial(_plan_widths, sparsity, steps), epochs, rng)
    return network


def _size_batches(n_samples: int) -> int:
    """Return the rows of a batch.

    Batches are as many as the limit asks for and of nearly one size: an update on a
    few rows that are left over would be as long as any other.
    """
    return math.ceil(n_samples / math.ceil(n_samples / _BATCH))


def _plan_widths(sparsity: float, steps: int, sizes: list[int]) -> list[list[int]]:
    """Return the width of each hidden layer after each step.

    Each step leaves the same share of the weights, and each layer the same share of
    its units; `sizes` are the widths of input, hidden layers and output.
    """
    if len(sizes) == 2:
        raise TypeError(
            "prune removes hidden units, received a network without a hidden layer. "
            "Fit it on fewer columns."
        )
    plans = []
    for step in range(steps):
        wanted = (1.0 - sparsity) ** ((step + 1) / steps) * _count_weights(sizes, 1.0)
        factor = bisect(lambda f, w=wanted: _count_weights(sizes, f) - w, 0, 1)
        plans.append(
            [max(1, math.ceil(factor * width - 1e-6)) for width in sizes[1:-1]]
        )
    return plans


def _count_weights(sizes: list[int], factor: float) -> float:
    """Count the weights of a network with hidden layers of that share."""
    shrunk = [sizes[0], *(factor * width for width in sizes[1:-1]), sizes[-1]]
    return sum(a * b for a, b in pairwise(shrunk))


def _choose_units(incoming: AnyArray, outgoing: AnyArray, count: int) -> IndexArray:
    """Return the units with the largest product of weights in and out, in order.

    The shapes are (n_in, n_units) and (n_units, n_out).
    """
    strength = np.linalg.norm(incoming, axis=0) * np.linalg.norm(outgoing, axis=1)
    strongest = np.argsort(-strength, kind="stable")[:count]
    return np.sort(strongest)


# scikit-learn ------------------------------------------------------------------------


def _prune_mlp(
    network: Network, data: SoftDataset, plan: Any, epochs: int, rng: Any
) -> None:
    sizes = [len(network.coefs_[0]), *(len(bias) for bias in network.intercepts_)]
    for widths in plan(sizes):
        for layer, width in enumerate(widths):
            _remove_units(network, layer, width)
        network.set_params(hidden_layer_sizes=tuple(widths))
        if epochs:
            _train_mlp(network, data, epochs, rng)


def _train_mlp(network: Network, data: SoftDataset, epochs: int, rng: Any) -> None:
    """Train by the learner of `fit`, at the full learning rate."""
    if is_regressor(network) and network.loss != "squared_error":
        raise TypeError(
            "prune trains a network of values by the squared error, received an "
            f"MLPRegressor with loss={network.loss!r}. Fit it smaller, with fewer "
            "units."
        )
    given: dict[str, Any] = {
        "learning_rate_init": network.learning_rate_init / RATE_SHARE,
        "batch_size": _size_batches(data.n_samples),
        "random_state": rng,
    }
    if network.solver == "lbfgs":
        # It has no epochs.
        given["solver"] = "adam"
    learner = MLPRegressorLearner() if is_regressor(network) else MLPLearner()
    trained = copy.copy(network).set_params(**given)
    trained = learner.fine_tune(trained, data, epochs)
    network.coefs_, network.intercepts_ = trained.coefs_, trained.intercepts_


def _remove_units(network: Network, layer: int, count: int) -> None:
    coefs, intercepts = network.coefs_, network.intercepts_
    kept = _choose_units(coefs[layer], coefs[layer + 1], count)
    coefs[layer] = np.ascontiguousarray(coefs[layer][:, kept])
    intercepts[layer] = intercepts[layer][kept]
    coefs[layer + 1] = np.ascontiguousarray(coefs[layer + 1][kept])


# skorch ------------------------------------------------------------------------------


def _prune_skorch(
    net: Any, data: SoftDataset, plan: Any, epochs: int, rng: Any
) -> None:
    import torch

    layers = list_linear(net.module_)
    sizes = [layers[0].in_features, *(layer.out_features for layer in layers)]
    generator = torch.Generator().manual_seed(int(rng.randint(2**31 - 1)))
    for widths in plan(sizes):
        for k, width in enumerate(widths):
            _shrink_pair(layers[k], layers[k + 1], width)
        _train_net(net, data, epochs, generator)


def list_linear(module: Any) -> list[Any]:
    """Return the linear layers of a torch module.

    Raise a TypeError where something else may depend on their widths.
    """
    from torch import nn

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


def _shrink_pair(first: Any, second: Any, count: int) -> None:
    import torch

    incoming = first.weight.detach().numpy().T
    outgoing = second.weight.detach().numpy().T
    kept = torch.from_numpy(_choose_units(incoming, outgoing, count))
    parameter = torch.nn.Parameter
    first.weight = parameter(first.weight.detach()[kept].clone())
    if first.bias is not None:
        first.bias = parameter(first.bias.detach()[kept].clone())
    first.out_features = count
    second.weight = parameter(second.weight.detach()[:, kept].clone())
    second.in_features = count


def _train_net(net: Any, data: SoftDataset, epochs: int, generator: Any) -> None:
    """Minimise the soft cross-entropy or squared error with Adam, dropout left out."""
    import torch

    layer, center, spread = _find_output(net, data)
    _scale_output(layer, 1 / spread, -center / spread)
    rows = torch.as_tensor(np.asarray(data.X))
    soft = torch.as_tensor((data.targets - center) / spread, dtype=rows.dtype)
    weight = np.ones(data.n_samples) if data.weight is None else data.weight
    # Their mean is 1, so that the learning rate keeps its meaning.
    shares = torch.as_tensor(weight / weight.mean(), dtype=rows.dtype)
    measure = _measure_squares if is_regressor(net) else _measure_entropy
    nonlinearity = find_nonlinearity(net)
    module = net.module_.eval()
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    for _ in range(epochs):
        order = torch.randperm(len(rows), generator=generator)
        for batch in order.split(_size_batches(len(rows))):
            losses = measure(nonlinearity(module(rows[batch])), soft[batch])
            optimizer.zero_grad()
            (shares[batch] * losses).mean().backward()
            optimizer.step()
    for parameter in module.parameters():
        parameter.grad = None
    _scale_output(layer, spread, center)


def _measure_entropy(proba: Any, soft: Any) -> Any:
    import torch

    floor = torch.finfo(proba.dtype).tiny
    return -(soft * proba.clamp_min(floor).log()).sum(1)


def _measure_squares(served: Any, values: Any) -> Any:
    return ((served.reshape(values.shape) - values) ** 2).mean(1)


def _find_output(net: Any, data: SoftDataset) -> tuple[Any, Any, Any]:
    """Return the last layer, and by what the values that it serves are standardised.

    Probabilities, and values behind an activation, are left as they are.
    """
    from torch import nn

    n_outputs = data.targets.shape[1]
    center, spread = np.zeros(n_outputs), np.ones(n_outputs)
    layer = list(net.module_.modules())[-1]
    if is_regressor(net) and isinstance(layer, nn.Linear):
        found = data.targets.std(axis=0)
        spread = np.where(found > 0, found, 1.0)
        if layer.bias is not None:
            center = data.targets.mean(axis=0)
    return layer, center, spread


def _scale_output(layer: Any, factor: Any, shift: Any) -> None:
    """Multiply what a layer serves, and add to it, in place."""
    import torch

    if (factor == 1).all() and not shift.any():
        return
    dtype = layer.weight.dtype
    with torch.no_grad():
        layer.weight *= torch.as_tensor(factor[:, None], dtype=dtype)
        if layer.bias is not None:
            layer.bias *= torch.as_tensor(factor, dtype=dtype)
            layer.bias += torch.as_tensor(shift, dtype=dtype)
