"""Ways to serve a student: its ONNX file, and either on partitions of a Dask frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd


class OnnxRows:
    """An ONNX file as a function of rows; every process opens a session of its own."""

    def __init__(self, file: Path) -> None:
        self.file, self._session = file, None

    def __reduce__(self):
        return OnnxRows, (self.file,)

    def __call__(self, X):
        import onnxruntime

        if self._session is None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self._session = onnxruntime.InferenceSession(self.file, options)
        rows = np.asarray(X, dtype=np.float32)
        return np.concatenate(
            [
                self._session.run(None, {"X": rows[a : a + 1000]})[1]
                for a in range(0, len(rows), 1000)
            ]
        )


def export_student(student: Any, X: np.ndarray, file: Path) -> None:
    try:
        from skdistill.export import to_onnx

        to_onnx(student, X[:200].astype(np.float32), path=file)
    except ImportError:
        print("\nONNX is not installed, and takes no part.")


def list_dask_runs(function: Any, table: np.ndarray) -> list[tuple[str, Any]]:
    try:
        import dask.dataframe as dd
    except ImportError:
        return []
    frame = dd.from_pandas(pd.DataFrame(table), npartitions=len(table) // 2**14 + 1)

    def serve(part: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(function(part.to_numpy()), index=part.index)

    meta = serve(pd.DataFrame(table[:2]))[:0]
    served = frame.map_partitions(serve, meta=meta)
    return [("map_partitions", lambda: served.compute(scheduler="synchronous"))]
