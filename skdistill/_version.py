"""The version, and what says that a fitted object was saved by another one."""

from __future__ import annotations

from typing import Any

from ._warnings import warn_caller

__version__ = "0.1.0"

_KEY = "_skdistill_version"


class Versioned:
    """Warns where an estimator is loaded under another version of the package.

    scikit-learn does so for its own estimators alone. First among the base classes.
    """

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), _KEY: __version__}  # type: ignore[dict-item]

    def __setstate__(self, state: dict[str, Any]) -> None:
        saved = state.get(_KEY, "unknown")
        if saved != __version__:
            warn_caller(
                f"This {type(self).__name__} of skdistill {saved} is loaded by "
                f"version {__version__}, which may read it wrongly. Install the first, "
                "or fit again; a student_ depends on scikit-learn alone."
            )
        rest = {k: v for k, v in state.items() if k != _KEY}
        super().__setstate__(rest)  # type: ignore[misc]
