"""What the defaults keep on public tables that no default was chosen on.

As `quality.py`, whose runs, figures and report these are, on the tables of
`_other_data.py`: business tables (churn, credit, attrition, mortality), games and
surveys whose columns are all categories, and tables where the ensemble is no better
than a network, which show what the defaults cost there.

    python -m benchmarks.quality.others --teachers vote --students mlp default
    python -m benchmarks.quality.others --smoke
"""

from __future__ import annotations

from .._data import find_readable
from .._other_data import OTHERS
from .._results import Results, make_runs
from ._models import SMOKE
from ._report import print_report
from .quality import FOLDER, KEYS, read_options, run_job, run_tables


def run_smoke(name: str = "attrition") -> None:
    """One small table, where its wheel is at hand."""
    results = Results(None, KEYS)
    job = {"teacher": "vote", "seed": 0, "rows": 300, "students": ["tree"]}
    jobs = [{**job, "data": name} for name in find_readable([name], OTHERS)]
    make_runs(results, jobs, run_job, size=SMOKE)
    print_report(results.records, n_resamples=100)


def main() -> None:
    args = read_options(__doc__, OTHERS)
    if args.smoke:
        run_smoke()
    else:
        run_tables(args, OTHERS, FOLDER / "others.csv")


if __name__ == "__main__":
    main()
