"""C99 source: tables of numbers and strings, under names that are counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

#: The longest string literal that every C99 compiler takes is of 4,095 bytes.
_MOST_BYTES = 4000
_PER_LINE = 8
#: The types of whole numbers, and their largest values.
_WHOLE = (("signed char", 127), ("short", 32767), ("int", 2**31 - 1))


class CSource:
    """Tables and statements of a file under construction.

    `answers` is the name of what the statements compute, ``@answers`` in them.
    """

    def __init__(self, answers: str) -> None:
        self.answers = answers
        self.tables: list[str] = []
        self.body: list[str] = []
        self._n_names = 0

    def make_name(self) -> str:
        """Return a new identifier, which nothing of the model is part of."""
        self._n_names += 1
        return f"t{self._n_names}"

    def hold(self, values: Any, single: bool = False) -> str:
        """Store numbers, row by row; return the name of the array."""
        values = np.ravel(values)
        if values.dtype.kind == "f":
            kind = "float" if single else "double"
            return self._store(kind, map(format_number, values.tolist()))
        most = int(np.abs(values).max())
        kind = next(kind for kind, limit in _WHOLE if most <= limit)
        return self._store(kind, map(str, values.astype(int).tolist()))

    def hold_texts(self, texts: list[str]) -> str:
        """Store strings; return the name of the array."""
        return self._store("char *const", map(self._quote, texts))

    def add(self, text: str, **names: Any) -> None:
        """Append statements, in which ``@name`` stands for what is passed."""
        text = fill_in(text, {"answers": self.answers, **names})
        self.body += text.strip("\n").splitlines()

    def _store(self, kind: str, entries: Iterable[str]) -> str:
        name, entries = self.make_name(), list(entries)
        rows = [
            f"    {', '.join(entries[start : start + _PER_LINE])}"
            for start in range(0, len(entries), _PER_LINE)
        ]
        head = f"static const {kind} {name}[{len(entries)}] = {{"
        self.tables.append("\n".join([head, ",\n".join(rows), "};"]))
        return name

    def _quote(self, text: str) -> str:
        content = encode_text(text)
        if len(content) <= _MOST_BYTES:
            return quote(text)
        name = self.make_name()
        codes = ", ".join(str(byte - 256 * (byte > 127)) for byte in (*content, 0))
        # As numbers: plain char may have a sign or not.
        self.tables.append(f"static const signed char {name}[] = {{{codes}}};")
        return f"(const char *){name}"


def fill_in(text: str, names: Mapping[str, Any]) -> str:
    """Put values in place of ``@name``, those of long names first."""
    for key in sorted(names, key=len, reverse=True):
        text = text.replace(f"@{key}", str(names[key]))
    return text


def format_number(value: float) -> str:
    """Return a number as C reads it, to the last bit."""
    if np.isnan(value):
        return "NAN"
    if np.isinf(value):
        return "INFINITY" if value > 0 else "-INFINITY"
    return float(value).hex()


def encode_text(text: str) -> bytes:
    """Return a string as C holds it; raise a ValueError where it can't."""
    try:
        content = text.encode()
    except UnicodeEncodeError:
        content = b"\0"
    if 0 in content:
        raise ValueError(
            "C takes categories and labels that can be encoded as UTF-8 and have no "
            f"NUL; received {text!r}. Replace it before fitting."
        )
    return content


def quote(text: str) -> str:
    """Return a string literal in ASCII."""
    plain = set(range(32, 127)) - set(b'"\\?')
    return '"{}"'.format(
        "".join(
            chr(byte) if byte in plain else f"\\{byte:03o}"
            for byte in encode_text(text)
        )
    )
