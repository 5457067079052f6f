"""The table that ships with the package is the published one."""

import numpy as np
import pandas as pd

from skdistill.datasets import load_letter

#: Published with the table, from A to Z.
COUNTS = [
    *(789, 766, 736, 805, 768, 775, 773, 734, 755, 747, 739, 761, 792),
    *(783, 753, 803, 783, 758, 748, 796, 813, 764, 752, 787, 786, 734),
]


def test_letter_is_the_published_table():
    letter = load_letter()
    assert letter.data.shape == (20_000, 16)
    assert letter.data.dtype == float
    np.testing.assert_array_equal(letter.data, np.rint(letter.data))
    assert {*letter.data.min(axis=0), *letter.data.max(axis=0)} == {0, 15}
    letters, counts = np.unique(letter.target, return_counts=True)
    assert "".join(letters) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert counts.tolist() == COUNTS
    # The means of the published statistics, to their one digit.
    means = dict(zip(letter.feature_names, letter.data.mean(axis=0), strict=True))
    assert round(means["x-box"], 1) == 4.0
    assert round(means["yegvx"], 1) == 7.8
    # A row of the published file.
    published = [2, 8, 3, 5, 1, 8, 13, 0, 6, 6, 10, 8, 0, 8, 0, 8]
    found = (letter.data == published).all(axis=1)
    assert "T" in letter.target[found]
    assert "CC BY 4.0" in letter.DESCR
    assert letter.frame is None


def test_letter_in_other_forms():
    letter = load_letter()
    X, y = load_letter(return_X_y=True)
    np.testing.assert_array_equal(X, letter.data)
    np.testing.assert_array_equal(y, letter.target)
    framed = load_letter(as_frame=True)
    pd.testing.assert_frame_equal(
        framed.frame, framed.data.assign(letter=framed.target)
    )
    assert framed.data.columns.tolist() == letter.feature_names
    np.testing.assert_array_equal(framed.data.to_numpy(), letter.data)
    X, y = load_letter(return_X_y=True, as_frame=True)
    np.testing.assert_array_equal(y.to_numpy(), letter.target)
