"""How a report is shown: as text, in a notebook, and as a page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._files import write_file
from ._json import PlainFigures
from ._report_html import format_fragment, format_page
from ._report_sections import Section
from ._report_text import format_text


class ShownReport(PlainFigures):
    """Shows the sections and pictures that a subclass lists."""

    def _title(self) -> str:
        raise NotImplementedError

    def _sections(self, max_parts: int | None = None) -> list[Section]:
        """Return all sections, with at most so many classes or groups each."""
        raise NotImplementedError

    def _pictures(self) -> Iterable[Any]:
        """Return captions, and what draws them on `ax`."""
        raise NotImplementedError

    def __str__(self):
        return format_text(self)

    def _repr_html_(self):
        return format_fragment(self)

    def to_html(self, path):
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
