"""Fixtures of the tests of chunks, and what the tests of all files share."""

import gc
import os
import tempfile

# Workers of pytest-xdist share the cores: more threads inside each slow them all down.
# Set before NumPy is imported, which reads it once.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# The imports of a collection make a million objects, and no garbage worth a search.
gc.disable()

import pytest
from sklearn.datasets import make_classification

from skdistill._labels import _defaults
from skdistill._outofcore import _chunks, _spill
from skdistill.inspection import _costs

#: As a user's report has them.
_TIMED = _costs._MIN_CALLS, _costs._MIN_BATCHES
# A report times each model for .7 s and 20 calls, on which few tests depend.
_costs._SECONDS = _costs._BATCH_SECONDS = 0.01
_costs._MIN_CALLS, _costs._MIN_BATCHES = 2, 1

#: Doctests are looked for in every module, and these would be modules of one name.
collect_ignore_glob = ["conftest.py", "*/conftest.py"]


def pytest_collection_modifyitems(config, items):
    """Run common checks untraced: in half the time, for a lower bound of coverage."""
    if config.pluginmanager.hasplugin("_cov"):
        for item in items:
            if "common_checks" in item.name:
                item.add_marker("no_cover")


def pytest_collection_finish():
    """Search for garbage again, but not among the modules that are loaded by now."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def all_timed_calls(monkeypatch):
    """Let a report call each model as often as a user's does."""
    for name, count in zip(("_MIN_CALLS", "_MIN_BATCHES"), _TIMED, strict=True):
        monkeypatch.setattr(_costs, name, count)


@pytest.fixture
def small_default_teacher(monkeypatch):
    """The members of the default teacher with fewer trees and units."""
    monkeypatch.setitem(_defaults._BOOSTED, "n_estimators", 20)
    monkeypatch.setitem(_defaults._SAMPLED, "n_estimators", 20)
    monkeypatch.setitem(_defaults._NETWORK, "hidden_layer_sizes", (8,))


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
