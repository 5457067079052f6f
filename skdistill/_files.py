"""Files that appear whole or not at all, and the versions that wrote them."""

from __future__ import annotations

import os
import platform
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any


def write_file(path: Any, content: bytes) -> None:
    """Write one file, whole or not at all, as :func:`write_files` does."""
    write_files({path: content})


def write_files(contents: Mapping[Any, bytes]) -> None:
    """Write files so that a reader sees each whole.

    Each file is written under a temporary name next to its target; then all are moved
    there. An error in writing leaves no file; one in moving, which is rare, leaves
    those that were moved before.
    The target's mode is kept, a new file gets the mode of the umask, and a symbolic
    link stays a link. Devices, FIFOs and open descriptors (``/dev/stdout``) can't be
    replaced: they are written to directly. An error names the target.
    """
    contents = {os.fspath(path): content for path, content in contents.items()}
    streams = [path for path in contents if _is_stream(path)]
    targets = {p: os.path.realpath(p) for p in contents if p not in streams}
    parts = {path: _name_part(target) for path, target in targets.items()}
    try:
        for path, part in parts.items():
            with _naming(path):
                _write_part(part, contents[path], targets[path])
        for path in streams:
            with _naming(path):
                _write_stream(path, contents[path])
        for path, part in parts.items():
            with _naming(path):
                os.replace(part, targets[path])
    finally:
        for part in parts.values():
            with suppress(OSError):
                os.unlink(part)


def _name_part(target: str) -> str:
    """Return a name that no other thread or process takes, short on any system."""
    return os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.part")


def _write_part(part: str, content: bytes, target: str) -> None:
    # Created here with the mode of the umask: reading the umask sets it for all
    # threads.
    with open(part, "xb") as file:
        file.write(content)
    with suppress(FileNotFoundError):
        os.chmod(part, stat.S_IMODE(os.stat(target).st_mode))


def _is_stream(path: str) -> bool:
    """Whether a path is neither a regular file nor free for one."""
    try:
        kept = not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        kept = False
    return kept or _find_descriptor(path) is not None


def _find_descriptor(path: str) -> int | None:
    """Return the open descriptor that a path stands for.

    It must be written to as it is, even where it leads to a regular file: the shell
    goes on writing there after ``skdistill ... > log``.
    """
    folder, name = os.path.split(os.path.abspath(path))
    if folder in ("/dev/fd", "/proc/self/fd") and name.isdecimal():
        return int(name)
    return {"stdout": 1, "stderr": 2}.get(name) if folder == "/dev" else None


def _write_stream(path: str, content: bytes) -> None:
    descriptor = _find_descriptor(path)
    if descriptor is None:
        opened: Any = path
    else:
        # What was printed before comes before.
        sys.stdout.flush()
        sys.stderr.flush()
        opened = os.dup(descriptor)
    with open(opened, "wb") as file:
        file.write(content)


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Name the target, not the temporary file, in an error of the system."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, path) from error


def list_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python and of those packages that are installed."""
    versions = {"python": platform.python_version()}
    for package in packages:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions
