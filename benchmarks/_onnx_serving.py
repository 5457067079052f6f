"""A student as ONNX Runtime serves it: one row at a time, one thread."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any

import numpy as np


def serve_onnx(distilled, X_test) -> dict[str, Any]:
    """Median microseconds for one row, and bytes; or why there are none."""
    try:
        import onnxruntime

        from skdistill.export import to_onnx

        content = to_onnx(distilled, X_test[:500]).SerializeToString()
    except (ImportError, TypeError, ValueError) as error:
        return {"onnx": f"{type(error).__name__}: {str(error)[:200]}"}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options)
    inputs = session.get_inputs()
    feeds = [feed_row(inputs, X_test, k) for k in range(min(50, len(X_test)))]
    times = []
    for k in range(2000):
        start = perf_counter_ns()
        session.run(["probabilities"], feeds[k % len(feeds)])
        times.append(perf_counter_ns() - start)
    return {"onnx_us": float(np.median(times[100:])) / 1e3, "onnx_bytes": len(content)}


def feed_row(inputs, X, k: int) -> dict[str, np.ndarray]:
    """One input of all columns, or one a column."""
    if isinstance(X, np.ndarray):
        return {"X": X[k : k + 1].astype(np.float32)}
    row = X.iloc[[k]]
    kinds = {"tensor(string)": object, "tensor(int64)": np.int64}
    return {
        part.name: row[[part.name]].to_numpy().astype(kinds.get(part.type, np.float32))
        for part in inputs
    }
