"""`python -m skdistill`: distil a CSV file, or a bundled example."""

from ._main import main

__all__ = ["main"]
