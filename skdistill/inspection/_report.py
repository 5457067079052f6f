"""What both reports share: their figures, and how these are shown."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._files import write_file
from ._report_html import format_fragment, format_page
from ._report_sections import Section
from ._report_text import format_text


@dataclass(frozen=True)
class Measured:
    """What a report was made of, besides the figures: for pictures and the command."""

    #: `ClassRows`, `ValueRows` or a subclass of it.
    rows: Any
    #: None where the student was not compared with one.
    baseline: Any
    #: The student's file, or None where it can't be exported.
    onnx: bytes | None


@dataclass(eq=False, repr=False, kw_only=True)
class Report:
    """Figures as attributes, text, table, page and JSON; a subclass documents them."""

    n_rows: int
    models: dict[str, dict[str, Any]]
    descriptions: dict[str, str]
    against_teacher: dict[str, Any]
    against_baseline: dict[str, Any]
    share_recovered: dict[str, Any]
    ratios: dict[str, float | None]
    by_group: list[dict[str, Any]]
    distilled: bool
    memorization: dict[str, float] | None
    pilots: list[dict[str, Any]]
    warnings: list[str] = field(default_factory=list)
    _measured: Measured

    def _title(self) -> str:
        raise NotImplementedError

    def _count_rows(self) -> str:
        return f"{self.n_rows:,} row{'s' if self.n_rows != 1 else ''}"

    def _sections(self, max_parts: int | None = None) -> list[Section]:
        """Return all sections, with at most so many classes or groups each."""
        raise NotImplementedError

    def _pictures(self) -> Iterable[tuple[str, Callable[..., Any]]]:
        """Return captions, and what draws them on `ax`."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} of {self._count_rows()}, "
            f"{', '.join(self.models)}, {len(self.warnings)} warnings>"
        )

    def __str__(self) -> str:
        return format_text(self)

    def _repr_html_(self) -> str:
        return format_fragment(self)

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write one page with tables and pictures, which needs no other file.

        The page follows the reader's choice of light or dark. An existing page is
        replaced whole, or left as it is after an error.

        Parameters
        ----------
        path : str or path-like
            Where to write it.

        Raises
        ------
        ImportError
            matplotlib can't be imported.
        OSError
            It can't be written there.
        """
        write_file(path, format_page(self).encode())

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, in plain Python types.

        Returns
        -------
        figures : dict
            The attributes by name; NaN where a figure is undefined.
        """
        names = [name for name in vars(self) if not name.startswith("_")]
        return _map_leaves(
            lambda leaf: leaf.item() if isinstance(leaf, np.generic) else leaf,
            {name: getattr(self, name) for name in names},
        )

    def to_json(self) -> str:
        """Return every figure as JSON.

        Returns
        -------
        text : str
            An object with the keys of :meth:`to_dict`; null for NaN and infinity.
        """
        return encode_json(self.to_dict()).decode()


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
