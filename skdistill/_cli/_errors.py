"""Errors that the command reports in one line."""

from __future__ import annotations


class Refusal(Exception):
    """An error that the user can mend; its text is one line."""


def one_line(error: BaseException, length: int = 400) -> str:
    """Return the text of an error without line breaks, cut to `length`."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= length else f"{text[: length - 3]}..."
