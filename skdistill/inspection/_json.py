"""Figures as plain Python values, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np


class PlainFigures:
    """Gives the public attributes of a report as plain values, and as JSON."""

    def to_dict(self):
        """Return every figure, in plain Python types.

        Returns
        -------
        figures : dict
            The attributes by name; NaN where a figure is undefined.
        """
        names = [name for name in vars(self) if not name.startswith("_")]
        return make_plain({name: getattr(self, name) for name in names})

    def to_json(self):
        """Return every figure as JSON.

        Returns
        -------
        text : str
            An object with the keys of :meth:`to_dict`; null for NaN and infinity.
        """
        return encode_json(self.to_dict()).decode()


def make_plain(value: Any) -> Any:
    """Return the value with Python's own types in place of NumPy's."""
    return _map_leaves(
        lambda leaf: leaf.item() if isinstance(leaf, np.generic) else leaf, value
    )


def encode_json(record: dict[str, Any]) -> bytes:
    """Return a record as JSON, which has no NaN and no infinity: both become null."""
    finite = _map_leaves(
        lambda leaf: (
            None if isinstance(leaf, float) and not math.isfinite(leaf) else leaf
        ),
        record,
    )
    text = json.dumps(finite, indent=2, allow_nan=False, default=repr)
    return f"{text}\n".encode()


def _map_leaves(change: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _map_leaves(change, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_map_leaves(change, item) for item in value]
    return change(value)
