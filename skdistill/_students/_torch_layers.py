"""The linear layer that makes a skorch net's logits.

Whether a module ends in one is read from its `forward` by symbolic execution, not
guessed from the order of its layers. Imported only where a student is a net.
"""

from __future__ import annotations

from typing import Any

import torch

#: Methods that stand between the module's output and what is served.
_SERVING = ("infer", "evaluation_step", "forward_iter", "predict_proba")

#: Steps of a `forward` that leave every value as it is.
_SHAPING = ("squeeze", "flatten", "view", "reshape", "contiguous", "identity")

#: What a module ends in where its criterion takes probabilities.
NONLINEARITIES = {"NLLLoss": "softmax", "BCELoss": "sigmoid"}


def find_last_layer(net: Any) -> Any:
    """Return the linear layer that makes an initialised net's logits, or None.

    None wherever it is not sure that multiplying the layer's weights multiplies the
    logits and changes nothing else.
    """
    stock = all(
        getattr(type(net), name).__module__.startswith("skorch.") for name in _SERVING
    )
    module, criterion = _unwrap(net.module_), _unwrap(net.criterion_)
    hooked = any(m._forward_hooks or m._forward_pre_hooks for m in module.modules())
    if not stock or hooked or net.predict_nonlinearity not in ("auto", None):
        return None
    if type(module) is torch.nn.Linear:
        return module
    ending = NONLINEARITIES.get(type(criterion).__name__)
    layer = _trace_last_layer(module, [*_SHAPING, ending])
    if layer is None:
        return None
    # A tied weight is another layer's as well.
    uses = [id(p) for _, p in module.named_parameters(remove_duplicate=False)]
    return layer if all(uses.count(id(p)) == 1 for p in layer.parameters()) else None


def _trace_last_layer(module: Any, passing: list[str | None]) -> Any:
    """Follow the symbolic `forward` back from its output to a linear layer."""
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
