"""Smaller models: fewer units or fewer trees."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils.validation import check_consistent_length

from .._checks import check_weight, is_number, is_whole, read_seed
from .._nested import (
    find_deployed,
    find_distilled,
    map_learner,
    replace_last,
    split_pipeline,
    transform_before,
)
from .._sklearn import _num_samples
from .._students._fit_student import serve_softened
from .._students._properties import (
    encode_labels,
    refit_leaves,
    refits_leaves,
    scale_logits,
    shift_logits,
)
from .._typing import AnyArray
from .._validation import find_codes
from ._answers import ask
from ._libraries import is_from
from ._prune_networks import Network, list_linear, prune_network
from ._prune_trees import keep_first_trees
from ._slim import slim
from ._soft_data import can_label, label_by_itself, make_soft_data


class Pruned(NamedTuple):
    """A pruned model, and what it cost on the rows given.

    Attributes
    ----------
    estimator : estimator
        A stock estimator, slimmed.
    before, after : dict
        ``accuracy`` and ``log_loss`` (nats), for a regressor ``rmse`` and ``r2``, or
        ``pinball`` where it serves quantiles and `y` is given.
    """

    estimator: Any
    before: dict[str, float]
    after: dict[str, float]


def prune(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    sample_weight: Any = None,
    sparsity: float = 0.5,
    tolerance: float = 0.002,
    steps: int = 4,
    epochs: int | None = None,
    random_state: Any = None,
) -> Pruned:
    """Make a copy of a fitted model smaller.

    An :class:`~sklearn.neural_network.MLPClassifier` or
    :class:`~sklearn.neural_network.MLPRegressor`, or a skorch net for classes or values
    made of linear layers, loses hidden units: `steps` times, those with the smallest
    product of incoming and outgoing weights [1]_, after which the rest is trained on
    the soft targets, a regressor by the squared error. The matrices shrink, so the
    model is smaller and faster everywhere. Gradient boosting, LightGBM, XGBoost and
    CatBoost keep their first rounds, forests and bagging their first trees; the
    remaining leaves of a distilled LightGBM model learn again what all of them said.

    Parameters
    ----------
    estimator : estimator
        Fitted; a :class:`~skdistill.DistilledClassifier` or
        :class:`~skdistill.DistilledRegressor` makes the soft targets again from its
        `teacher_`, any other model from its own answers (see Notes).
    X : array-like, dataframe or sparse matrix of shape (n_samples, n_features)
        Rows to train on and to score; labels are not needed.
    y : array-like of shape (n_samples,), default=None
        True labels, or values, to score against. None: those that the estimator
        predicts.
    sample_weight : array-like of shape (n_samples,), default=None
        Row weights for training, as in `fit`; the scores do without.
    sparsity : float in (0, 1), default=0.5
        Share to remove of a network's weights (by the same share of each hidden
        layer's units), or of the rounds or trees.
    tolerance : float, default=0.002
        How much accuracy may be lost on the rows; by how much the RMSE of a
        regressor may rise, in standard deviations of the values. The log loss has no
        bound: a rise of more than 0.1 nats is a warning.
    steps : int, default=4
        In how many steps units are removed.
    epochs : int or None, default=None
        Epochs after each step. None: as many as make 1,000 batches of up to 200 rows,
        and at least 5.
    random_state : int, RandomState instance or None, default=None
        Draws synthetic rows and shuffles rows between epochs. None: the network's own
        `random_state`.

    Returns
    -------
    pruned : Pruned
        With `estimator`, `before` and `after`.

    Raises
    ------
    TypeError
        A model of another kind.
    ValueError
        A parameter is out of range, or more was lost than `tolerance`.

    Notes
    -----
    A network in a distilled estimator learns what `fit` would make of the rows with
    its teacher, calibration, alpha, temperature and sampler, out-of-fold labels and
    `X_unlabeled` aside. A student learns from its own answers where that can't be
    done: it was fitted on stored ones, true labels had a share and `y` is not given,
    or it serves quantiles; and where it learned nothing but true labels, which it would
    overfit. So do the leaves of LightGBM: `fit` sets those of all trees
    together, and the first trees alone say something else.

    References
    ----------
    .. [1] S. Han, J. Pool, J. Tran, W. Dally, "Learning both weights and connections
       for efficient neural networks", NeurIPS 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skdistill import DistilledClassifier
    >>> from skdistill.export import prune
    >>> X, y = load_iris(return_X_y=True)
    >>> network = MLPClassifier((32,), max_iter=1000, tol=1e-2)
    >>> student = make_pipeline(StandardScaler(), network)
    >>> teacher = RandomForestClassifier(30)
    >>> distilled = DistilledClassifier(teacher, student, random_state=0).fit(X, y)
    >>> pruned = prune(distilled, X, y, epochs=20, tolerance=0.02, random_state=0)
    >>> pruned.estimator[-1].coefs_[0].shape
    (4, 16)
    """
    _check_parameters(sparsity, steps, epochs, random_state)
    check_consistent_length(X, y, sample_weight)
    weight = sample_weight
    if weight is not None:
        weight = check_weight(weight, _num_samples(X))
    served = slim(estimator)
    learner = split_pipeline(served)[1]
    quantiles = getattr(find_distilled(estimator), "quantiles", None)
    # Against its own answers, quantiles are scored as values.
    quantiles = None if y is None else quantiles
    given = ask(served, X, quantiles)
    labels = given.truth if y is None else _read_labels(estimator, learner, y)
    before = given.score(labels)
    if isinstance(learner, Network) or is_from(learner, "skorch"):
        if not isinstance(learner, Network):
            list_linear(learner.module_)
        if random_state is None:
            random_state = learner.get_params().get("random_state")
        pruned = _retrain_smaller(
            estimator,
            X,
            y,
            weight,
            sparsity=sparsity,
            steps=steps,
            epochs=epochs,
            random_state=random_state,
        )
    else:
        pruned = _remove_trees(estimator, served, X, weight, sparsity)
    after = ask(pruned, X, quantiles).score(labels)
    given.refuse_loss(f"sparsity={sparsity:g}", before, after, tolerance, labels)
    return Pruned(slim(pruned), before, after)


def _read_labels(estimator: Any, learner: Any, y: Any) -> AnyArray:
    """Return true labels, or values, as the slimmed learner predicts them."""
    y, distilled = np.asarray(y), find_distilled(estimator)
    if distilled is None or is_regressor(distilled):
        return y
    find_codes(y, distilled.classes_, "y")
    labels: AnyArray = encode_labels(learner, y, distilled.classes_)
    return labels


def _check_parameters(
    sparsity: float, steps: int, epochs: int | None, random_state: Any
) -> None:
    if not (is_number(sparsity) and 0 < sparsity < 1):
        raise ValueError(
            f"sparsity must be above 0 and below 1, received {sparsity!r}: the share "
            "of the model to remove."
        )
    if not is_whole(steps, 1) or not (epochs is None or is_whole(epochs, 0)):
        raise ValueError(
            "steps must be an integer of at least 1, and epochs one of at least 0 or "
            f"None; received steps={steps!r}, epochs={epochs!r}."
        )
    read_seed(random_state)


def _remove_trees(
    estimator: Any, served: Any, X: Any, weight: Any, sparsity: float
) -> Any:
    """Keep the first trees; where a student learned all leaves together, refit them."""
    distilled, learner = find_distilled(estimator), split_pipeline(served)[1]
    data = None
    if distilled is not None and distilled.distilled_ and refits_leaves(learner):
        data = label_by_itself(served, X, weight)

    def shrink(model: Any, rows: Any) -> Any:
        model = keep_first_trees(model, sparsity)
        if data is not None:
            refit_leaves(model, data.with_rows(rows))
        return model

    return map_learner(served, X, shrink)


def _retrain_smaller(
    estimator: Any, X: Any, y: Any, weight: Any, *, random_state: Any, **settings: Any
) -> Any:
    """Prune a network at the scale and on the rows on which it learned."""
    distilled = find_distilled(estimator)
    model = estimator if distilled is None else distilled
    if distilled is not None:
        X = transform_before(estimator, X)
    divisor, shift = 1.0, None
    if distilled is not None and can_label(distilled, y):
        data = make_soft_data(distilled, X, y, weight, random_state)
        if not is_regressor(distilled):
            divisor, shift = distilled.student_calibration_, distilled.student_shift_
    else:
        data = label_by_itself(model, X, weight)

    def shrink(network: Any, rows: Any) -> Any:
        learned = data.with_rows(rows)
        shift_logits(network, None if shift is None else -shift)
        scale_logits(network, divisor / data.temperature)
        prune_network(network, learned, random_state=random_state, **settings)
        if data.temperature != 1:
            serve_softened(network, [learned])
        scale_logits(network, 1 / divisor)
        shift_logits(network, shift)
        return network

    # Slimmed nets do not say any more which layer makes their logits.
    whole = copy.deepcopy(find_deployed(model))
    pruned = map_learner(whole, data.X, shrink)
    return pruned if distilled is None else replace_last(estimator, pruned)
