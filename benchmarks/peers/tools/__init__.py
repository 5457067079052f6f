"""One file a peer: what it needs, and how it comes to a student.

Each has `REQUIREMENTS` (what pip installs into its own environment; empty: the
environment of the benchmark is used), `NEEDS` (modules without which it can't run)
and `fit(task)`, which yields a `Student` or a `Failure` for each student. The files
import their peer where they use it, and run in its environment.
"""

from importlib import import_module
from types import ModuleType

#: In the order of the tables.
PEERS = (
    "skdistill",
    "lightgbm",
    "script",
    "autogluon",
    "tabtune",
    "imodels",
    "deepbridge",
)


def open_peer(name: str) -> ModuleType:
    return import_module(f"{__name__}.{name}")
