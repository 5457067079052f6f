"""A table of a CSV file, by pandas; what can't be a table is refused."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ._errors import Refusal, one_line
from ._written_numbers import find_commas, list_thousandths, read_numbers

_SEPARATORS = ",", ";", "\t", "|"


@dataclass(frozen=True)
class CsvFile:
    """What a file holds."""

    frame: Any
    #: The target as it is written in the file.
    labels: Any
    #: Columns with decimal commas.
    commas: list[str]
    #: A number of each column whose points separate thousands, and where they may.
    thousands: dict[str, str]
    doubtful: dict[str, str]


def read_csv(
    path: Path,
    target: str,
    text: Collection[str] = (),
    known: CsvFile | None = None,
) -> CsvFile:
    """Read columns as pandas does, those of `text` as strings.

    Commas and points mean what they do in the `known` file; None: this one tells.
    pandas takes "NA", "None" and other words for missing values, and 007
    for 7; in the labels they stand as they are, and a blank is "".
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise Refusal(
            'reading a CSV file needs pandas: pip install "skdistill[cli]".'
        ) from error
    with _refusing(path):
        open_again = _open(path)
        sep = _check_header(path, target, open_again)
        # The whole of a column decides its type, not a chunk of it.
        given: dict[str, Any] = {"sep": sep, "low_memory": False}
        frame = pd.read_csv(open_again(), dtype=dict.fromkeys(text, str), **given)
        _check_columns(frame, path, target)
        given |= {"keep_default_na": False, "dtype": str}
        exact = list_thousandths(frame)
        written = pd.read_csv(open_again(), usecols={target, *exact}, **given)
    commas = []
    if sep != ",":
        certain = [] if known is None else known.commas
        commas = find_commas(frame.drop(columns=[*text]), certain)
    thousands = None if known is None else known.thousands
    numbers = read_numbers(frame, written[exact], commas, thousands)
    return CsvFile(frame, written[target], commas, *numbers)


def _check_columns(frame: Any, path: Path, target: str) -> None:
    import pandas as pd

    if not isinstance(frame.index, pd.RangeIndex):
        # pandas takes the first fields for names of rows, and shifts the others.
        raise Refusal(f"{path} has rows with more fields than its first line names.")
    if target not in frame.columns:
        names = ", ".join(map(str, frame.columns[:10]))
        more = ", ..." if len(frame.columns) > 10 else ""
        near = get_close_matches(target, map(str, frame.columns), 1)
        meant = f". Is {near[0]!r} meant?" if near else "."
        raise Refusal(f"{path} has no column {target!r}; it has {names}{more}{meant}")


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Turn whatever the readers of text and archives raise into a refusal."""
    import pandas as pd

    try:
        yield
    except Refusal:
        raise
    except OSError as error:
        reason = error.strerror or one_line(error)
        raise Refusal(f"can't read {path}: {reason}.") from error
    except UnicodeDecodeError as error:
        raise Refusal(f"{path} is not text in UTF-8; save it as such.") from error
    except pd.errors.EmptyDataError as error:
        raise Refusal(f"{path} is empty.") from error
    except ValueError as error:
        raise Refusal(f"{path} is not a CSV file: {one_line(error)}") from error
    except Exception as error:
        # Each kind of archive has errors of its own; a reader may be missing, too.
        raise Refusal(f"can't read {path}: {one_line(error)}") from error


def _open(path: Path) -> Callable[[], Any]:
    """Return what gives pandas the file, each time from its start."""
    if path.suffix == ".zst":
        _check_zst(path)
    if path.is_file():
        return lambda: path
    # A pipe can be read once.
    content = path.read_bytes()
    return lambda: io.BytesIO(content)


def _check_zst(path: Path) -> None:
    """Refuse a truncated archive: pandas would read the rows that are left."""
    zstandard: Any = importlib.import_module("zstandard")
    rest = path.read_bytes()
    while rest:
        frame = zstandard.ZstdDecompressor().decompressobj()
        frame.decompress(rest)
        if not frame.eof:
            raise EOFError("compressed file ended before its end was reached.")
        rest = frame.unused_data


def _check_header(path: Path, target: str, open_again: Callable[[], Any]) -> str:
    """Return the separator: the one by which the first line names the target."""
    import pandas as pd

    headers = {}
    given: dict[str, Any] = {"header": None, "nrows": 1, "keep_default_na": False}
    # pandas' default reader ends a name at a NUL before pandas 3.
    given["engine"] = "python"
    for sep in _SEPARATORS:
        first = pd.read_csv(open_again(), sep=sep, dtype=str, **given)
        headers[sep] = first.iloc[0].tolist()
        if target in headers[sep]:
            break
    sep = max(headers, key=lambda sep: (target in headers[sep], len(headers[sep])))
    names = [name for name in headers[sep] if name]
    if any("\0" in name for name in names):
        raise Refusal(f"{path} is not a CSV file: its first line holds a NUL.")
    twice = sorted(name for name in {*names} if names.count(name) > 1)
    if target in twice:
        raise Refusal(f"{path} names the target {target!r} twice; rename one.")
    if twice:
        raise Refusal(f"{path} names columns twice: {twice}; rename them.")
    return sep
