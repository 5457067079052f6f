"""Benchmarks: `python -m benchmarks.quality.quality`, at the root of the repository.

- `quality`: what distillation gains, on public data, with the package's defaults.
- `students`: what each family of students costs and learns on soft targets.
- `peers`: other tools beside this one.
- `serving`: latency, size and memory of what is deployed.
- `scale`: time and memory as rows and workers grow.

Each script keeps its results beside it as CSV, one row a run, and makes only the runs
that are missing. Options of every script: `--smoke` (seconds, tiny models, writes
nothing), `--report` (runs nothing), `--again` (repeats what is there).
"""

import os

# This package is imported before NumPy, which reads these at its import.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
