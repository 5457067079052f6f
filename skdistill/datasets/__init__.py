"""The public table that ships with the package, for the first run and the examples."""

from ._letter import load_letter

__all__ = ["load_letter"]
