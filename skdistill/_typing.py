"""Types of arrays, one name each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
#: Row numbers, or positions among the classes.
IndexArray = NDArray[np.intp]
#: Rows to learn from, and rows that are held out.
Split = tuple[IndexArray, IndexArray]
Int32Array = NDArray[np.int32]
Int64Array = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
AnyArray = NDArray[Any]
