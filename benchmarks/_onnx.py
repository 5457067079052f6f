"""A student as ONNX Runtime serves it: one row at a time, one thread."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any

import numpy as np
from sklearn.base import is_regressor

#: What an input takes.
KINDS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(string)": object,
}


def open_session(content: bytes) -> Any:
    """A session of one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options)


def serve_onnx(distilled, X_test) -> dict[str, Any]:
    """Median microseconds for one row, and bytes; or why there are none."""
    try:
        import onnxruntime  # noqa: F401

        from skdistill.export import to_onnx

        content = to_onnx(distilled, X_test[:500], grouped=True).SerializeToString()
    except (ImportError, TypeError, ValueError) as error:
        return {"onnx": f"{type(error).__name__}: {str(error)[:200]}"}
    session = open_session(content)
    inputs = session.get_inputs()
    output = "values" if is_regressor(distilled) else "probabilities"
    feeds = [feed_row(inputs, X_test, k) for k in range(min(50, len(X_test)))]
    times = []
    for k in range(2000):
        start = perf_counter_ns()
        session.run([output], feeds[k % len(feeds)])
        times.append(perf_counter_ns() - start)
    return {"onnx_us": float(np.median(times[100:])) / 1e3, "onnx_bytes": len(content)}


def feed_row(inputs, X, k: int) -> dict[str, np.ndarray]:
    """One input of all columns, or one of all numbers and one of all strings."""
    row = X[k : k + 1]
    if len(inputs) == 1 and inputs[0].name == "X":
        return {"X": np.asarray(row).astype(KINDS[inputs[0].type])}
    texts = np.array([dtype.kind not in "biuf" for dtype in row.dtypes])
    parts = {"numbers": row.loc[:, ~texts], "texts": row.loc[:, texts]}
    return {p.name: parts[p.name].to_numpy().astype(KINDS[p.type]) for p in inputs}
