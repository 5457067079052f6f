"""One C99 file of a fitted model, compared with it before it is written."""

from ._to_c import to_c

__all__ = ["to_c"]
