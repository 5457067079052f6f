"""Errors that the command reports without a traceback."""

from __future__ import annotations

import re

#: A parameter of the estimators, which the command line does not have.
_PARAMETER = re.compile(r"\b(X_val|y_val|X_unlabeled|max_labels|[a-z_]+=\S)")


class Refusal(Exception):
    """An error that the user can mend; its text is all that is printed."""


def one_line(error: BaseException) -> str:
    """Return the text of an error without line breaks, cut to 400 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 400 else f"{text[:397]}..."


def drop_parameters(text: str) -> str:
    """Leave out the sentences that advise a parameter of the estimators."""
    sentences = re.split(r"(?<=[.!?]) ", text)
    kept = [part for part in sentences if not _PARAMETER.search(part)]
    return " ".join(kept or sentences)
