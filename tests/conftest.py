"""Fixtures of the tests of chunks, and what the tests of all files share."""

import gc
import os
import tempfile

# Workers of pytest-xdist share the cores: more threads inside each slow them all down.
# Set before NumPy is imported, which reads it once.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from sklearn.datasets import make_classification

from skdistill._outofcore import _chunks, _spill
from skdistill.inspection import _costs

# A report times each model for .7 s, on which no test depends.
_costs._SECONDS = _costs._BATCH_SECONDS = 0.01

#: Doctests are looked for in every module, and these would be modules of one name.
collect_ignore_glob = ["conftest.py", "*/conftest.py"]


@pytest.fixture(scope="module")
def chunk_data():
    given = {"n_informative": 8, "n_redundant": 0, "n_classes": 3}
    return make_classification(9000, 10, **given, random_state=0)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks and buffers of 500 rows, so that some thousand rows are many."""
    monkeypatch.setattr(_chunks, "_BOUNDS", (500, 500))
    monkeypatch.setattr(_spill, "_BOUNDS", (500, 500))


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The folder for temporary files, which must be empty in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    gc.collect()
    assert list(tmp_path.glob("skdistill-*")) == []
