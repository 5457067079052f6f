"""Errors that the command reports in one line."""

from __future__ import annotations


class Refusal(Exception):
    """An error that the user can mend; its text is one line."""


def one_line(error: BaseException) -> str:
    """Return the text of an error without line breaks, cut to 400 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 400 else f"{text[:397]}..."
