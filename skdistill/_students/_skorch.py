"""skorch nets: `NeuralNetClassifier` and `NeuralNetBinaryClassifier`.

A net learns by its own `fit`: module, optimiser, callbacks, device, `train_split`,
iterators and custom datasets are the user's, and the criterion meets the soft
targets (`_skorch_net`). Callbacks see true labels, so that `valid_acc` is accuracy,
while `valid_loss`, and with it `EarlyStopping`, is the soft loss.

A temperature is folded into the module's last linear layer. Whether the module ends
in one is read off its `forward` by symbolic execution before anything is trained,
not guessed from the order of its layers. What can't be followed is left alone: such
nets learn at temperature 1, or soften in `skdistill.torch.DistillationLoss`.

The fitted net is of the user's class. Its `predict` returns positions among the
classes, as that of every skorch net; `predict_proba` has a column a class, in order.

torch and skorch are imported where a student is a net, and nowhere else.
"""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.base import clone

from .._outofcore._spill import Spill
from .._soft_data import SoftDataset
from ._tuning import SMALL_STEP

#: Methods that stand between the module's output and what is served.
_SERVING = ("infer", "evaluation_step", "forward_iter", "predict_proba")

#: Steps of a `forward` that leave every value as it is.
_SHAPING = ("squeeze", "flatten", "view", "reshape", "contiguous", "identity")

#: What a module ends in where its criterion takes probabilities.
_NONLINEARITIES = {"NLLLoss": "softmax", "BCELoss": "sigmoid"}

#: torch has one generator for all threads: one net at a time may draw from it.
_TURN = threading.RLock()


def accepts(student: Any) -> bool:
    """Every net: those without class probabilities are named by the checks."""
    return _inherits(student, "skorch.", "NeuralNet")


def refuse_module(student: Any) -> None:
    """Raise where a bare torch module, or its class, stands for a student."""
    if not _inherits(student, "torch.nn.", "Module"):
        return
    module = student if isinstance(student, type) else type(student)
    raise TypeError(
        f"A student must have fit and predict_proba; received the module "
        f"{module.__name__}. Wrap it: skorch.NeuralNetClassifier({module.__name__}, "
        "criterion=torch.nn.CrossEntropyLoss), for a module that returns logits."
    )


def check_parameters(student: Any, n_classes: int) -> None:
    """Raise where the net can't learn soft targets of that many classes.

    Raises
    ------
    TypeError
        The net, or its criterion, is of another kind.
    ValueError
        A binary net for several classes, labels of a validation set of its own,
        settings of the criterion that have no meaning on soft targets, or outputs
        that are served without a nonlinearity.
    """
    kind = _name_kind(student)
    if kind == "NeuralNetBinaryClassifier" and n_classes != 2:
        raise ValueError(
            f"A NeuralNetBinaryClassifier has one output, for two classes; received "
            f"{n_classes} classes. Use NeuralNetClassifier."
        )
    criterion = _check_criterion(student, kind)
    takes_logits = type(criterion).__name__ not in _NONLINEARITIES
    if student.predict_nonlinearity is None and takes_logits:
        raise ValueError(
            f"A module under {type(criterion).__name__} returns logits, which "
            "predict_nonlinearity=None would serve as if they were probabilities. "
            'Leave it at "auto".'
        )
    if "valid_ds" in getattr(student.train_split, "keywords", ()):
        raise ValueError(
            "A net must validate on rows of the training set, which have soft targets; "
            "received train_split=predefined_split(...). Use "
            "skorch.dataset.ValidSplit, or train_split=None."
        )


#: The parameter that counts passes over the rows.
PASSES = "max_epochs"


def check_blend(student: Any, temperature: float | str, alpha: float) -> None:
    """Raise where targets would be softened twice, or not served as they were.

    Raises
    ------
    ValueError
        The criterion blends and softens as well, or the module's logits can't be
        multiplied by the temperature.
    """
    plain = temperature in ("auto", 1)
    if _softens_itself(student) and not (plain and alpha == 1):
        raise ValueError(
            "DistillationLoss blends and softens by itself, on the teacher's own "
            f"probabilities; received temperature={temperature!r} and alpha={alpha!r} "
            "for the targets as well. Leave temperature at 'auto' and alpha at 1, and "
            "set criterion__temperature and criterion__alpha on the net."
        )
    if not plain and not rescales(student, 0):
        raise _refuse_temperature(student, temperature)


def wants_validation(student: Any, n_samples: int) -> bool:
    """A net splits rows off by its `train_split`, one target a row."""
    return False


def check_stopping(student: Any) -> None:
    """Nothing to say: callbacks stop on the net's own split."""


def rescales(student: Any, n_classes: int) -> bool:
    """Whether the module surely ends in a linear layer (and softmax, under NLLLoss)."""
    import torch

    if _softens_itself(student):
        return False
    pilot = clone(student)
    pilot.callbacks, pilot.compile = "disable", False
    # Weights are drawn from torch's global generator, which is the fit's.
    with _TURN, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        pilot.initialize()
    return find_last_layer(pilot) is not None


def fit(student: Any, train: SoftDataset, validation: SoftDataset | None) -> Any:
    """Fit the net in place; it splits validation rows off by itself."""
    from ._skorch_net import learn

    _check_labels(student, train.classes)
    learn(student, train, "fit", **(train.params or {}))
    return _leave_stock(student, train.classes)


def fit_chunks(student: Any, spill: Spill, validation: SoftDataset | None) -> Any:
    """Fit the net in place, each epoch on the training rows and then on all others.

    Its `train_split` splits the training rows, which its callbacks see as its dataset;
    where it is to learn none of them, the first buffer of the others.
    """
    from ._skorch_net import learn

    _check_labels(student, spill.classes)
    data = spill.train if spill.train.n_samples else next(spill.shuffle(None))
    learn(student, data, "fit", more=spill, **(spill.params or {}))
    return _leave_stock(student, spill.classes)


def _leave_stock(student: Any, classes: Any) -> Any:
    """Make a fitted net what it would be without this package."""
    if hasattr(student, "classes") and student.classes is None:
        student.classes_inferred_ = classes
    if _softens_itself(student):
        _leave_plain_criterion(student)
    return student


def fold(student: Any, temperature: float) -> None:
    """Multiply the logits by the temperature in the last layer."""
    import torch

    layer = find_last_layer(student)
    if layer is None:
        raise _refuse_temperature(student, temperature)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.mul_(temperature)


def check_fine_tuning(student: Any) -> None:
    """Every net can continue."""


def tune(student: Any, data: SoftDataset, passes: int) -> Any:
    """Continue at a tenth of the learning rate, the optimiser starting afresh.

    All rows are trained on. Callbacks that stop, schedule, print or write belong to
    the first fit and rest; those that clip gradients go on.
    """
    from ._skorch_net import learn

    tuned = copy.deepcopy(student)
    kept = {name: getattr(tuned, name) for name in ("train_split", "callbacks_")}
    tuned.train_split = None
    regular = "skorch.callbacks.regularization"
    tuned.callbacks_ = [c for c in tuned.callbacks_ if type(c[1]).__module__ == regular]
    # Its moments belong to the soft targets.
    tuned.initialize_optimizer()
    for group in tuned.optimizer_.param_groups:
        group["lr"] *= SMALL_STEP
    learn(tuned, data, "partial_fit", epochs=passes)
    tuned.initialize_optimizer()
    vars(tuned).update(kept)
    if hasattr(tuned, "classes") and tuned.classes is None:
        tuned.classes_inferred_ = data.classes
    return tuned


def predicts_positions(student: Any) -> bool:
    """Whether `predict` returns positions among the classes in place of labels."""
    return accepts(student)


@contextmanager
def seed_torch(student: Any, seed: int | None) -> Iterator[None]:
    """Seed what a net draws, and leave torch's global generator as it was.

    Parameters
    ----------
    student : estimator
        Nothing happens where it is no net.
    seed : int or None
        None: the global generator decides, as it does for skorch.
    """
    if seed is None or not accepts(student):
        yield
        return
    import torch

    with _TURN, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def find_last_layer(net: Any) -> Any:
    """Return the linear layer that makes an initialised net's logits, or None.

    None wherever it is not sure that multiplying the layer's weights multiplies the
    logits and changes nothing else.
    """
    import torch

    stock = all(
        getattr(type(net), name).__module__.startswith("skorch.") for name in _SERVING
    )
    module, criterion = _unwrap(net.module_), _unwrap(net.criterion_)
    hooked = any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    if not stock or hooked or net.predict_nonlinearity not in ("auto", None):
        return None
    if type(module) is torch.nn.Linear:
        return module
    ending = _NONLINEARITIES.get(type(criterion).__name__)
    layer = _trace_last_layer(module, [*_SHAPING, ending])
    if layer is None:
        return None
    # A tied weight is another layer's as well.
    uses = [id(p) for _, p in module.named_parameters(remove_duplicate=False)]
    return layer if all(uses.count(id(p)) == 1 for p in layer.parameters()) else None


def _trace_last_layer(module: Any, passing: list[str | None]) -> Any:
    """Follow the symbolic `forward` back from its output to a linear layer."""
    import torch

    was_training = module.training
    module.eval()
    try:
        graph = torch.fx.Tracer().trace(module)
    except Exception:
        # A forward that depends on values can't be followed symbolically.
        return None
    finally:
        module.train(was_training)
    layers = dict(module.named_modules())
    node = next(n for n in graph.nodes if n.op == "output").args[0]
    while isinstance(node, tuple | list):
        node = node[0]
    while (name := _name_step(node, layers)) in passing:
        node = node.args[0]
    if name != "linear" or node.op != "call_module":
        return None
    calls = [n for n in graph.nodes if n.op == "call_module"]
    reads = [n for n in graph.nodes if n.op == "get_attr"]
    once = sum(layers[n.target] is layers[node.target] for n in calls) == 1
    alone = not any(n.target.startswith(f"{node.target}.") for n in reads)
    return layers[node.target] if once and alone else None


def _name_step(node: Any, layers: dict[str, Any]) -> str:
    """Name of a step of a symbolic `forward`, however it is written."""
    op = getattr(node, "op", None)
    if op == "call_module":
        cls = type(layers[node.target])
        return cls.__name__.lower() if cls.__module__.startswith("torch.nn.") else ""
    if op == "call_method":
        return str(node.target)
    return getattr(node.target, "__name__", "") if op == "call_function" else ""


def _unwrap(module: Any) -> Any:
    """Return what `torch.compile` was given."""
    return getattr(module, "_orig_mod", module)


def _inherits(student: Any, package: str, name: str) -> bool:
    """Whether an object or a class descends from a class of a package."""
    # A package that was not imported has no objects.
    if package.split(".")[0] not in sys.modules:
        return False
    cls = student if isinstance(student, type) else type(student)
    return any(
        base.__name__ == name and f"{base.__module__}.".startswith(package)
        for base in cls.__mro__
    )


def _name_kind(student: Any) -> str:
    for name in ("NeuralNetClassifier", "NeuralNetBinaryClassifier"):
        if _inherits(student, "skorch.classifier.", name):
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
        "A temperature other than 1 is folded into the one linear layer that makes a "
        f"module's logits; received temperature={temperature} with "
        f"{name}, in which no such layer can be followed from its "
        "forward to predict_proba. Set temperature=1, or soften in the loss: "
        "criterion=skdistill.torch.DistillationLoss."
    )


def _softens_itself(student: Any) -> bool:
    """Whether the criterion is the package's own; it is not imported to see."""
    return _inherits(student.criterion, "skdistill.torch.", "DistillationLoss")


def _check_labels(student: Any, classes: Any) -> None:
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


def _leave_plain_criterion(student: Any) -> None:
    """Put `CrossEntropyLoss` where the package's own loss was."""
    import torch

    for name in [n for n in vars(student) if n.startswith("criterion__")]:
        delattr(student, name)
    student.criterion = torch.nn.CrossEntropyLoss
    student.initialize_criterion()
