"""skorch nets: `NeuralNetClassifier` and `NeuralNetBinaryClassifier`.

A net learns by its own `fit`: module, optimiser, callbacks, device, `train_split`,
iterators and custom datasets are the user's, and the criterion meets the soft
targets (`_skorch_net`). Callbacks see true labels, so that `valid_acc` is accuracy,
while `valid_loss`, and with it `EarlyStopping`, is the soft loss.

The module's last linear layer is multiplied by the temperature. Whether the module ends
in one is checked before anything is trained (`_torch_layers`). Modules whose `forward`
can't be followed learn at temperature 1, or soften in
`skdistill.torch.DistillationLoss`.

The fitted net is of the user's class. Its `predict` returns positions among the
classes, as that of every skorch net; `predict_proba` has a column a class, in order.

torch and skorch are imported where a student is a net, and nowhere else.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from sklearn.base import clone

from .._nets import inherits, is_net, keep_generator
from .._outofcore._spill import Spill
from .._soft_data import MaybeRows, SoftDataset
from .._typing import AnyArray, FloatArray
from ._losses import fold_shift
from ._soft_learner import EPOCHS_WORSE, NETWORK_TEMPERATURE, RATE_SHARE, SoftLearner


class SkorchLearner(SoftLearner):
    """Every net, and bare modules, for which the checks name the fix."""

    worse = EPOCHS_WORSE
    auto_temperature = NETWORK_TEMPERATURE

    def accepts(self, student: Any) -> bool:
        return is_net(student) or inherits(student, "torch.nn.", "Module")

    def check_kind(self, student: Any) -> None:
        if inherits(student, "torch.nn.", "Module"):
            module = student if isinstance(student, type) else type(student)
            raise TypeError(
                "A student must have fit and predict_proba; received the module "
                f"{module.__name__}. Wrap it: skorch.NeuralNetClassifier("
                f"{module.__name__}, criterion=torch.nn.CrossEntropyLoss), for a "
                "module that returns logits."
            )
        super().check_kind(student)

    def check(self, student: Any, n_classes: int, n_samples: int) -> None:
        from ._torch_layers import NONLINEARITIES

        kind = _name_kind(student)
        if kind == "NeuralNetBinaryClassifier" and n_classes != 2:
            raise ValueError(
                f"A NeuralNetBinaryClassifier has one output, for two classes; "
                f"received {n_classes} classes. Use NeuralNetClassifier."
            )
        criterion = _check_criterion(student, kind)
        takes_logits = type(criterion).__name__ not in NONLINEARITIES
        if student.predict_nonlinearity is None and takes_logits:
            raise ValueError(
                f"A module under {type(criterion).__name__} returns logits, which "
                "predict_nonlinearity=None would serve as if they were probabilities. "
                'Leave it at "auto".'
            )
        if "valid_ds" in getattr(student.train_split, "keywords", ()):
            raise ValueError(
                "A net must validate on rows of the training set, which have soft "
                "targets; received train_split=predefined_split(...). Use "
                "skorch.dataset.ValidSplit, or train_split=None."
            )

    def check_labels(self, student: Any, classes: AnyArray) -> None:
        """Raise where the fitted net would name the classes otherwise."""
        binary = not hasattr(student, "classes")
        given = [0, 1] if binary else student.classes
        if given is None or np.array_equal(given, classes):
            return
        raise ValueError(
            f"A {type(student).__name__} must serve the classes of y in sorted order, "
            f"{list(classes)}; received {list(given)}. "
            + (
                "Encode y as 0 and 1, or use NeuralNetClassifier with two outputs."
                if binary
                else "Leave its parameter classes at None."
            )
        )

    def check_temperature(
        self, student: Any, temperature: float | str, alpha: float, n_classes: int
    ) -> None:
        plain = temperature in ("auto", 1)
        if _softens_itself(student) and not (plain and alpha == 1):
            raise ValueError(
                "DistillationLoss blends and softens by itself, on the teacher's own "
                f"probabilities; received temperature={temperature!r} and "
                f"alpha={alpha!r} for the targets as well. Leave temperature at 'auto' "
                "and alpha at 1, and set criterion__temperature and criterion__alpha "
                "on the net."
            )
        if not plain and not self.can_scale_logits(student, n_classes):
            raise _refuse_temperature(student, temperature)

    def learns_mixtures(self, student: Any) -> bool:
        return not _softens_itself(student)

    def check_fine_tuning(self, student: Any) -> None:
        """Every net can train on."""

    def blends_labels(self, student: Any) -> bool:
        return not _softens_itself(student)

    def can_scale_logits(self, student: Any, n_classes: int) -> bool:
        """Whether the module surely ends in a linear layer (under NLLLoss, softmax)."""
        return _find_logits_layer(student) is not None

    def can_shift_logits(self, student: Any) -> bool:
        """Whether that layer has a bias."""
        layer = _find_logits_layer(student)
        return layer is not None and layer.bias is not None

    def epochs_parameter(self, student: Any) -> str | None:
        return "max_epochs"

    def fit_chunks(self, student: Any, spill: Spill, validation: MaybeRows) -> Any:
        """Fit each epoch on the training rows and then on all others.

        The net's `train_split` splits the training rows, which its callbacks see as its
        dataset; where none of them is labelled, the first buffer of the others.
        """
        data = spill.train if spill.train.n_samples else next(spill.shuffle(None))
        return _fit(student, data, spill.params, spill)

    def fit_rows(self, student: Any, rows: SoftDataset, validation: MaybeRows) -> Any:
        """Fit the net, which splits validation rows off by its `train_split`."""
        return _fit(student, rows, rows.params)

    def scale_logits(self, student: Any, factor: float) -> None:
        import torch

        from ._torch_layers import find_last_layer

        layer = find_last_layer(student)
        if layer is None:
            raise _refuse_temperature(student, factor)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.mul_(factor)

    def shift_logits(self, student: Any, shift: FloatArray) -> None:
        import torch

        from ._torch_layers import find_last_layer

        bias = find_last_layer(student).bias
        added = fold_shift(shift, len(bias))
        with torch.no_grad():
            bias.add_(torch.as_tensor(added, dtype=bias.dtype, device=bias.device))

    def fine_tune(self, student: Any, rows: SoftDataset, epochs: int) -> Any:
        """Train on at a tenth of the learning rate, the optimiser starting afresh.

        All rows are trained on. Callbacks that stop, schedule, print or write belong
        to the first fit and rest; those that clip gradients go on.
        """
        from ._skorch_net import fit_net

        tuned = copy.deepcopy(student)
        kept = {name: getattr(tuned, name) for name in ("train_split", "callbacks_")}
        tuned.train_split, regular = None, "skorch.callbacks.regularization"
        tuned.callbacks_ = [
            pair for pair in tuned.callbacks_ if type(pair[1]).__module__ == regular
        ]
        # Its moments belong to the soft targets.
        tuned.initialize_optimizer()
        for group in tuned.optimizer_.param_groups:
            group["lr"] *= RATE_SHARE
        fit_net(tuned, rows, "partial_fit", epochs=epochs)
        tuned.initialize_optimizer()
        vars(tuned).update(kept)
        return tuned

    def encode_labels(self, student: Any, y: Any, classes: Any) -> Any:
        return np.searchsorted(classes, y)

    def read_labels(self, student: Any, predicted: Any, classes: Any) -> Any:
        # A net predicts positions among the classes.
        return classes[predicted]


# Checks -------------------------------------------------------------------------------


def _name_kind(student: Any) -> str:
    for name in ("NeuralNetClassifier", "NeuralNetBinaryClassifier"):
        if inherits(student, "skorch.classifier.", name):
            return name
    raise TypeError(
        "A net as a student must have classes and their probabilities; received a "
        f"{type(student).__name__}. Use skorch's NeuralNetClassifier or "
        "NeuralNetBinaryClassifier."
    )


def _check_criterion(student: Any, kind: str) -> Any:
    """Return a criterion as the net makes it; raise where it has no soft form."""
    from ._skorch_net import KNOWN, build_criterion

    criterion = build_criterion(student)
    known = KNOWN[kind]
    if type(criterion) not in known:
        raise TypeError(
            f"A {kind} learns soft targets under "
            f"{', '.join(k.__name__ for k in known)}; received the criterion "
            f"{type(criterion).__name__}. Use {known[-1].__name__}."
        )
    asked = {"reduction": criterion.reduction}
    if criterion.reduction in ("mean", "sum"):
        asked = {}
    if getattr(criterion, "ignore_index", -1) >= 0:
        asked["ignore_index"] = criterion.ignore_index
    if kind == "NeuralNetBinaryClassifier" and criterion.weight is not None:
        asked["weight"] = criterion.weight
    if asked:
        raise ValueError(
            "Soft targets need a loss that is a sum or mean over all rows and classes; "
            f"received {type(criterion).__name__} with {asked}. Leave those settings "
            "out; weights of rows go to fit as sample_weight."
        )
    return criterion


def _refuse_temperature(student: Any, temperature: Any) -> ValueError:
    name = getattr(student.module, "__name__", type(student.module).__name__)
    return ValueError(
        "A temperature other than 1 multiplies the one linear layer that makes a "
        f"module's logits; received temperature={temperature} with "
        f"{name}, in which no such layer can be followed from its "
        "forward to predict_proba. Set temperature=1, or soften in the loss: "
        "criterion=skdistill.torch.DistillationLoss."
    )


def _find_logits_layer(student: Any) -> Any:
    """Return the linear layer that makes, or would make, a net's logits, or None."""
    from ._torch_layers import find_last_layer

    if _softens_itself(student):
        return None
    if getattr(student, "initialized_", False):
        return find_last_layer(student)
    net = clone(student)
    net.callbacks, net.compile = "disable", False
    # Weights are drawn from torch's global generator, which is the fit's.
    with keep_generator():
        net.initialize()
    return find_last_layer(net)


def _softens_itself(student: Any) -> bool:
    """Whether the criterion is the package's own; it is not imported to see."""
    return inherits(student.criterion, "skdistill.torch.", "DistillationLoss")


# The fit ------------------------------------------------------------------------------


def _fit(
    student: Any, data: SoftDataset, params: Any, more: Spill | None = None
) -> Any:
    """Fit a net, and make it what it would be without this package."""
    from ._skorch_net import fit_net

    fit_net(student, data, "fit", more=more, **(params or {}))
    if _softens_itself(student):
        import torch

        for name in [n for n in vars(student) if n.startswith("criterion__")]:
            delattr(student, name)
        student.criterion = torch.nn.CrossEntropyLoss
        student.initialize_criterion()
    return student
