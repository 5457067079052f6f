"""Figures as plain Python values, and as JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np


def make_plain(value: Any) -> Any:
    """Return the value with Python's own types in place of NumPy's."""
    if isinstance(value, dict):
        return {key: make_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [make_plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def encode_json(record: dict[str, Any]) -> bytes:
    text = json.dumps(_replace_nan(record), indent=2, allow_nan=False, default=repr)
    return f"{text}\n".encode()


def _replace_nan(value: Any) -> Any:
    """JSON has no NaN and no infinity: both become null."""
    if isinstance(value, dict):
        return {key: _replace_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replace_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
