"""Letter recognition: the table that ships with the package."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Literal, overload

import numpy as np
from sklearn.utils import Bunch

_NAMES = [
    *("x-box", "y-box", "width", "high", "onpix", "x-bar", "y-bar", "x2bar"),
    *("y2bar", "xybar", "x2ybr", "xy2br", "x-ege", "xegvy", "y-ege", "yegvx"),
]

_DESCRIPTION = """\
Letter recognition: 20,000 distorted capital letters of 20 fonts, each described by
sixteen integers from 0 to 15 (position and size of the box around the letter, counts,
moments and correlations of its pixels, and edges). The target is the letter, A to Z,
of which each has 734 to 813 rows.

Author: David J. Slate, 1991. Source: UCI Machine Learning Repository,
https://doi.org/10.24432/C5ZP40, in the order of the KEEL repository. Licence: Creative
Commons Attribution 4.0 International (CC BY 4.0).

P. W. Frey, D. J. Slate, "Letter Recognition Using Holland-Style Adaptive Classifiers",
Machine Learning 6, 1991.
"""


@overload
def load_letter(
    *, return_X_y: Literal[True], as_frame: bool = False
) -> tuple[Any, Any]: ...
@overload
def load_letter(
    *, return_X_y: Literal[False] = False, as_frame: bool = False
) -> Any: ...
def load_letter(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load letter recognition: 20,000 rows, 16 columns, 26 classes.

    Each row describes an image of a capital letter by sixteen integers from 0 to 15.
    The table ships with the package, under the licence CC BY 4.0
    (`skdistill/datasets/LICENSE`).

    Parameters
    ----------
    return_X_y : bool, default=False
        Return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=False
        Return a pandas DataFrame and Series in place of arrays.

    Returns
    -------
    letter : :class:`~sklearn.utils.Bunch` or tuple
        `data`, of shape (20000, 16) and type float64; `target`, the letters, of shape
        (20000,); `frame`, both in one DataFrame, or None; `feature_names`;
        `target_names`; and `DESCR`, with author, source and licence. With
        `return_X_y` ``(data, target)``.

    Raises
    ------
    ImportError
        `as_frame` without pandas.

    References
    ----------
    .. [1] P. W. Frey, D. J. Slate, "Letter Recognition Using Holland-Style Adaptive
       Classifiers", Machine Learning 6, 1991.
    .. [2] D. J. Slate, "Letter Recognition", UCI Machine Learning Repository, 1991,
       https://doi.org/10.24432/C5ZP40.

    Examples
    --------
    >>> from skdistill.datasets import load_letter
    >>> X, y = load_letter(return_X_y=True)
    >>> X.shape, str(y[0])
    ((20000, 16), 'Z')
    """
    with (
        (files(__package__) / "data" / "letter.npz").open("rb") as file,
        np.load(file) as table,
    ):
        data, target = table["X"].astype(float), table["y"].astype(str)
    letters, frame = np.unique(target), None
    if as_frame:
        import pandas as pd

        frame = pd.DataFrame(data, columns=_NAMES).assign(letter=target)
        data, target = frame[_NAMES], frame["letter"]
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        feature_names=list(_NAMES),
        target_names=letters,
        DESCR=_DESCRIPTION,
    )
