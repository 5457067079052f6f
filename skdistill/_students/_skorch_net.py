"""The skorch net that lives while a student learns soft targets.

Imported only where a student is a net, for it imports torch and skorch.

The user's net is fitted by its own `fit`, on its own datasets, splits, iterators
and callbacks. For that time its class gains a base below skorch's classifiers
(`SoftNet`), through skorch's public methods alone:

- `get_dataset`: where a batch would hold labels it holds row numbers, integers as
  labels are, so that any iterator and any `collate_fn` passes them on;
- `run_single_epoch`: the batches are given their true labels back, which is what
  steps and callbacks see, and the numbers of their rows are noted;
- `get_loss`: the criterion meets the soft targets and the weights of those rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.dataset import Dataset, unpack_data
from torch.nn import functional
from torch.utils.data import Subset

from .._outofcore._spill import Spill
from .._progress import tell_share
from .._soft_data import SoftDataset
from ..torch import DistillationLoss


def fit_net(
    student: Any,
    data: SoftDataset,
    method: str,
    more: Spill | None = None,
    **params: Any,
) -> None:
    """Run `fit` or `partial_fit` of a net on soft targets, in place.

    `more` begins with the rows of `data`, the net's dataset; its others are learned in
    every epoch as well. An interruption, which skorch keeps to itself, is raised.
    """
    stock = type(student)
    student.soft_ = _Targets(student, data, more)
    student.__class__ = type(stock.__name__, (stock, SoftNet), {"stock_": stock})
    interrupted = False
    try:
        getattr(student, method)(data.X, student.soft_.codes, **params)
        interrupted = student.soft_.interrupted
    except RuntimeError as error:
        _explain_precision(student, data.X, error)
        raise
    finally:
        student.__class__ = stock
        del vars(student)["soft_"]
    if interrupted:
        raise KeyboardInterrupt
    if hasattr(student, "classes") and student.classes is None:
        student.classes_inferred_ = data.classes


class _Targets:
    """The soft targets of a fit, and the rows of the batch that is at work."""

    def __init__(self, net: Any, data: SoftDataset, more: Spill | None = None):
        self.n_classes = len(data.classes)
        self.binary = not hasattr(net, "classes")
        self.more = more
        self.use(data)
        self.rows = torch.empty(0, dtype=torch.int64)
        self.asked = self.stopped = self.interrupted = False

    def use(self, data: SoftDataset) -> None:
        """Let row numbers be those of some rows."""
        self.data = data
        self.codes = data.codes.astype(np.int64)
        # Binary criteria take floats, as skorch's binary net asks of its users.
        kind = torch.float32 if self.binary else torch.int64
        self.labels = torch.as_tensor(self.codes).to(kind)
        self.soft = torch.as_tensor(data.targets)
        self.alpha = None if data.alpha is None else torch.as_tensor(data.alpha)
        # Weights have mean 1, and no batch divides by its own sum: the mean over the
        # batches of an epoch is the weighted loss, and a batch of weights 0 is no 0/0.
        mean = data.weights.mean() if self.more is None else self.more.mean_weight
        self.weight = torch.as_tensor(data.weights / mean)

    def gather(self, output: Any) -> tuple[Any, Any, Any, Any]:
        """Targets, codes, weights and alpha of the batch, as its output is."""
        if self.soft.device != output.device or self.soft.dtype != output.dtype:
            self.soft = self.soft.to(output.device, output.dtype)
            self.weight = self.weight.to(output.device, output.dtype)
            self.labels = self.labels.to(output.device)
            if self.alpha is not None:
                self.alpha = self.alpha.to(output.device, output.dtype)
        rows = self.rows.to(output.device)
        alpha = None if self.alpha is None else self.alpha[rows]
        return self.soft[rows], self.labels[rows], self.weight[rows], alpha


class SoftNet(NeuralNet):
    """Base of a user's net while it learns from `soft_`."""

    stock_: Any
    soft_: _Targets

    def __reduce_ex__(self, protocol: Any) -> Any:
        # A callback may save or copy the net as it stands: it gets the user's class,
        # by protocol 1, for later ones insist on the class of what is at hand.
        stock = self.stock_.__new__(self.stock_)
        vars(stock).update({k: v for k, v in vars(self).items() if k != "soft_"})
        return stock.__reduce_ex__(1)

    def get_dataset(self, X: Any, y: Any = None) -> Any:
        dataset = super().get_dataset(X, y)
        if y is None:
            return dataset
        if len(dataset) != len(y):
            raise ValueError(
                "A dataset must hold one item a row, for each row has its own soft "
                f"target; received {len(dataset)} items for {len(y)} rows. Draw rows "
                "more or less often by iterator_train__sampler instead."
            )
        return _NumberedRows(dataset)

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        if not self.soft_.binary:
            # A class without a row in y would be missing from what skorch infers.
            self.classes_inferred_ = np.arange(self.soft_.n_classes)
        parts = super().get_split_datasets(X, y, **fit_params)
        for part in parts:
            while isinstance(part, Subset):
                part = part.dataset
            if part is not None and not isinstance(part, _NumberedRows):
                raise ValueError(
                    "A net must validate on rows of the training set, which have soft "
                    f"targets; train_split={self.train_split!r} returned a "
                    f"{type(part).__name__}. Use skorch.dataset.ValidSplit, or "
                    "train_split=None."
                )
        return parts

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        try:
            super().notify(method_name, **cb_kwargs)
        except KeyboardInterrupt:
            # The way in which callbacks such as EarlyStopping end a training.
            self.soft_.stopped = True
            raise

    def fit_loop(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().fit_loop(*args, **kwargs)
        except KeyboardInterrupt:
            self.soft_.interrupted = not self.soft_.stopped
            raise

    def run_single_epoch(
        self, iterator: Any, training: bool, *args: Any, **kwargs: Any
    ) -> None:
        if iterator is not None:
            batches = _label_batches(iterator, self)
            iterator = chain(batches, _read_more(self)) if training else batches
        super().run_single_epoch(iterator, training, *args, **kwargs)
        if training:
            tell_share(min(1.0, len(self.history) / self.max_epochs))

    def get_loss(
        self, y_pred: Any, y_true: Any, X: Any = None, training: bool = False
    ) -> Any:
        criterion: Any = getattr(self.criterion_, "_orig_mod", self.criterion_)
        if not self.soft_.asked:
            _check_output(self, criterion, y_pred)
            self.soft_.asked = True
        # Half precision is for layers, not for sums over rows.
        y_pred = y_pred.to(torch.promote_types(y_pred.dtype, torch.float32))
        targets, labels, weight, alpha = self.soft_.gather(y_pred)
        losses, share = _rate_rows(criterion, y_pred, targets, labels)
        if alpha is not None:
            T = self.soft_.data.temperature
            hard = functional.one_hot(labels.long(), self.soft_.n_classes)
            served = _multiply_logits(criterion, y_pred, T)
            others, part = _rate_rows(criterion, served, hard.to(targets), labels)
            losses = alpha * losses + (1 - alpha) / T**2 * others
            # With class weights, what each term is divided by.
            share = alpha.mean() * share + (1 - alpha.mean()) * part
        total = (weight * losses).sum()
        return total if criterion.reduction == "sum" else total / share


class _NumberedRows(Dataset):
    """A dataset whose labels are row numbers; the rest is the user's dataset's."""

    def __init__(self, rows: Any):
        self.rows = rows

    def __getattr__(self, name: str) -> Any:
        # While a worker process rebuilds the dataset there is none to ask.
        if name == "rows":
            raise AttributeError(name)
        return getattr(self.rows, name)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Any, int]:
        X, _ = self.rows[i]
        return X, i


def _label_batches(batches: Any, net: SoftNet) -> Iterator[tuple[Any, Any]]:
    """Yield the batches with true labels in place of row numbers, which are noted."""
    soft = net.soft_
    for batch in batches:
        X, rows = unpack_data(batch)
        soft.rows = rows
        yield X, soft.labels[rows.to(soft.labels.device)].to(rows.device)
        if not soft.asked:
            raise TypeError(
                "A net learns soft targets by get_loss, which must call "
                f"super().get_loss; received a {type(net).__name__} whose get_loss "
                "does not. Add its terms to what super().get_loss returns."
            )


def _read_more(net: SoftNet) -> Iterator[tuple[Any, Any]]:
    """Yield batches of the rows beyond the net's dataset, buffer by buffer."""
    soft = net.soft_
    if soft.more is None:
        return
    given, rng = soft.data, None
    if net.get_params_for("iterator_train").get("shuffle"):
        seed = int(torch.randint(2**31 - 1, ()))
        rng = np.random.RandomState(seed)
    for data in soft.more.shuffle(rng, start=given.n_samples):
        soft.use(data)
        dataset = net.get_dataset(data.X, soft.codes)
        yield from _label_batches(net.get_iterator(dataset, training=True), net)
    soft.use(given)


def _multiply_logits(criterion: Any, output: Any, factor: float) -> Any:
    """Return the module's output as it would be after its logits are multiplied."""
    if isinstance(criterion, torch.nn.NLLLoss):
        return functional.log_softmax(factor * output, dim=1)
    if isinstance(criterion, torch.nn.BCELoss):
        eps = torch.finfo(output.dtype).eps
        return torch.sigmoid(factor * torch.logit(output, eps))
    return factor * output


def _rate_rows(
    criterion: Any, output: Any, targets: Any, labels: Any
) -> tuple[Any, Any]:
    """Return the losses of the rows, and what their sum is divided by.

    With one-hot targets they are what the criterion gives for labels.
    """
    kind, weight = type(criterion), getattr(criterion, "weight", None)
    if kind is DistillationLoss:
        return criterion.compute_rows(output, targets, labels), len(targets)
    settings: dict[str, Any] = {"reduction": "none"}
    if kind is torch.nn.BCELoss:
        loss = functional.binary_cross_entropy
        return loss(output, targets[:, 1], **settings), len(targets)
    if kind is torch.nn.BCEWithLogitsLoss:
        settings["pos_weight"] = criterion.pos_weight
        loss = functional.binary_cross_entropy_with_logits
        return loss(output, targets[:, 1], **settings), len(targets)
    weighed = targets if weight is None else targets * weight
    # What torch divides a mean by: rows, or with class weights their weights.
    share = len(targets) if weight is None else weighed.sum()
    if kind is torch.nn.NLLLoss:
        return -(weighed * output).sum(dim=1), share
    settings |= {"weight": weight, "label_smoothing": criterion.label_smoothing}
    return functional.cross_entropy(output, targets, **settings), share


#: The criteria that a net of each kind may have.
KNOWN = {
    "NeuralNetClassifier": (
        *(torch.nn.NLLLoss, torch.nn.CrossEntropyLoss),
        DistillationLoss,
    ),
    "NeuralNetBinaryClassifier": (torch.nn.BCEWithLogitsLoss, torch.nn.BCELoss),
}


def build_criterion(net: Any) -> Any:
    """Return the criterion that the net would make."""
    return net.initialized_instance(net.criterion, net.get_params_for("criterion"))


def _check_output(net: SoftNet, criterion: Any, output: Any) -> None:
    """Raise where the module's first output is not what the criterion takes."""
    soft = net.soft_
    shape = (len(soft.rows),) if soft.binary else (len(soft.rows), soft.n_classes)
    received = tuple(getattr(output, "shape", ())) or type(output).__name__
    if received != shape:
        raise ValueError(
            f"The module must return one output a class, of shape {shape} for this "
            f"batch; received {received}. Give its last layer as many outputs; where "
            "it returns several tensors, pass the first to super().get_loss."
        )
    if isinstance(criterion, torch.nn.NLLLoss):
        sums = output.detach().exp().sum(dim=1)
        if not bool(((sums - 1).abs() < 1e-2).all()):
            raise ValueError(
                "With NLLLoss the module must return probabilities; the first row of "
                f"its output sums to {sums[0].item():g}. End it in softmax, or use "
                "criterion=torch.nn.CrossEntropyLoss for logits."
            )


def _explain_precision(student: Any, X: Any, error: RuntimeError) -> None:
    """Raise the fix where torch stumbled over float64 rows."""
    if getattr(X, "dtype", None) != np.float64:
        return
    if not re.search(r"dtype|scalar type|[Dd]ouble", str(error)):
        return
    raise ValueError(
        "A net takes rows of its weights' precision, in fit as in predict; received "
        f"float64 rows for a {type(student).__name__} of float32 weights. Cast in "
        "front of it: make_pipeline(StandardScaler(), "
        "FunctionTransformer(numpy.float32), net), or X.astype(numpy.float32) for a "
        "net alone."
    ) from error
