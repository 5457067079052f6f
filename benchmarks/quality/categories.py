"""What the defaults keep on few rows whose columns are all categories.

As `others.py`, on public tables of categories cut to 300 and 1,000 training rows (two
thirds of a table at most). At full size some of them leave the ensemble no advantage;
few rows do, and pilots have few to judge by. In 300 rows of fars and kr-vs-k a class
would have one.

    python -m benchmarks.quality.categories --teachers vote --students mlp default
    python -m benchmarks.quality.categories --smoke
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from .._data import DATA, Table
from .._other_data import OTHERS
from .others import run_smoke
from .quality import FOLDER, read_options, run_tables

SIZES = (300, 1000)
NAMES = "car", "chess", "flare", "mushroom", "nursery", "splice", "tic-tac-toe"
TABLES: dict[str, Callable[[], Table]] = {name: (DATA | OTHERS)[name] for name in NAMES}


def main() -> None:
    args = read_options(__doc__, TABLES)
    if args.smoke:
        run_smoke("tic-tac-toe")
        return
    for rows in SIZES:
        print(f"\n{rows} training rows at most")
        sized = Namespace(**{**vars(args), "rows": rows})
        run_tables(sized, TABLES, FOLDER / "categories.csv")


if __name__ == "__main__":
    main()
