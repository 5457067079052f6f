"""What the models of a report cost: bytes, parameters, time, as pickle and as ONNX."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any

import numpy as np

from .._nested import list_members
from .._sklearn import _num_samples
from ..metrics._costs import dump_deployed, open_deployed, time_predictions

_SECONDS = 0.5
#: A slow model is called so often; a quick one as often as the time allows.
_MIN_CALLS = 20
_BATCH_ROWS, _BATCH_SECONDS, _MIN_BATCHES = 1000, 0.2, 3

_COSTS = (
    *("bytes", "parameters", "latency_p50_us", "latency_p99_us"),
    *("timed_calls", "rows_per_second"),
)
_ONNX_COSTS = (
    *("onnx_bytes", "onnx_latency_p50_us", "onnx_latency_p99_us"),
    *("onnx_rows_per_second", "onnx_error"),
)

Figures = dict[str, Any]


def measure_costs(model: Any | None, X: Any) -> Figures:
    """Measure size and speed of what is deployed; None: all costs are unknown."""
    if model is None:
        return dict.fromkeys(_COSTS)
    return {
        "bytes": _count_bytes(model),
        "parameters": _count_parameters(model),
        **_measure_times(model, X),
    }


def export_measured(model: Any, X: Any) -> tuple[bytes | None, Figures]:
    """Return a model as ONNX and the same figures of it; None where it can't be."""
    figures: Figures = dict.fromkeys(_ONNX_COSTS)
    try:
        content = dump_deployed(model, "onnx", X)
    except Exception as error:
        # Any converter's: what can't be exported is reported all the same.
        return None, figures | {"onnx_error": f"{type(error).__name__}: {error}"}
    times = _measure_times(open_deployed(model, "onnx", X, content), X)
    del times["timed_calls"]
    measured = {"bytes": len(content), **times}
    figures |= {f"onnx_{name}": value for name, value in measured.items()}
    return content, figures


def _measure_times(model: Any, X: Any) -> Figures:
    times = time_predictions(
        model, X, batch_size=1, min_calls=_MIN_CALLS, seconds=_SECONDS
    )
    size = min(_num_samples(X), _BATCH_ROWS)
    batch_times = time_predictions(
        model, X, batch_size=size, min_calls=_MIN_BATCHES, seconds=_BATCH_SECONDS
    )
    return {
        "latency_p50_us": float(np.percentile(times, 50)) / 1000,
        "latency_p99_us": float(np.percentile(times, 99)) / 1000,
        "timed_calls": len(times),
        "rows_per_second": size * 1e9 / float(np.median(batch_times)),
    }


def _count_bytes(model: Any) -> int | None:
    # One of the report's warnings is that it can't be pickled.
    with suppress(TypeError):
        return len(dump_deployed(model))
    return None


def compare_costs(teacher: Figures, student: Figures) -> dict[str, float | None]:
    """Return how many times the student is smaller and faster."""

    def divide(first: Any, second: Any) -> float | None:
        return None if first is None or second is None else first / second

    return {
        "smaller": divide(teacher["bytes"], student["bytes"]),
        "faster_one_row": divide(teacher["latency_p50_us"], student["latency_p50_us"]),
        "faster_batch": divide(student["rows_per_second"], teacher["rows_per_second"]),
    }


def _count_parameters(model: Any) -> int | None:
    """Count weights, split thresholds and leaf values; None for an unknown kind.

    Preprocessing and calibration are left out, and so are the numbers that only
    training needs. A split counts as one, its threshold; a leaf as many as it holds
    values.
    """
    members = list_members(model)
    if members is not None:
        counts = [_count_parameters(member) for member in members]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None
    for count in (_count_weights, _count_tree, _count_boosted, _count_net):
        number = count(model)
        if number is not None:
            return number
    return None


def _count_weights(model: Any) -> int | None:
    """Networks and linear models."""
    if hasattr(model, "coefs_") and hasattr(model, "intercepts_"):
        return sum(int(np.size(w)) for w in [*model.coefs_, *model.intercepts_])
    # LightGBM, XGBoost and support vectors with a kernel raise AttributeError.
    if type(model).__module__.startswith("sklearn.") and hasattr(model, "coef_"):
        return int(np.size(model.coef_) + np.size(model.intercept_))
    return None


def _count_tree(model: Any) -> int | None:
    tree = getattr(model, "tree_", None)
    if tree is None:
        return None
    n_splits = int(tree.node_count - tree.n_leaves)
    return n_splits + int(tree.n_leaves) * int(tree.value[0].size)


def _count_boosted(model: Any) -> int | None:
    """LightGBM and XGBoost, one value a leaf: a tree of n leaves has n - 1 splits."""
    if hasattr(model, "booster_"):
        trees = model.booster_.dump_model()["tree_info"]
        return sum(2 * tree["num_leaves"] - 1 for tree in trees)
    if hasattr(model, "get_booster"):
        dumps = model.get_booster().get_dump()
        return sum(2 * dump.count("leaf=") - 1 for dump in dumps)
    return None


def _count_net(model: Any) -> int | None:
    torch = sys.modules.get("torch")
    module = getattr(model, "module_", None)
    if torch is None or not isinstance(module, torch.nn.Module):
        return None
    return sum(int(tensor.numel()) for tensor in module.parameters())
