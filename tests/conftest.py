"""Fixtures of the tests of chunks, and what the tests of all files share.

Nothing of scikit-learn is imported at the top: of several processes, the one that hands
out the tests runs none.
"""

import gc
import os
import pkgutil
import tempfile

# Workers of pytest-xdist share the cores: more threads inside each slow them all down.
# Set before NumPy is imported, which reads it once.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# The imports of a collection make a million objects, and no garbage worth a search.
gc.disable()

import pytest

#: What takes long, and few tests depend on: a report times each model for .7 s and 33
#: calls, and a network makes 20,000 updates over a transfer set.
_TIMES = {
    "skdistill.inspection._costs._SECONDS": 0.01,
    "skdistill.inspection._costs._BATCH_SECONDS": 0.01,
    "skdistill.inspection._costs._MIN_CALLS": 1,
    "skdistill.inspection._costs._MIN_BATCHES": 1,
    "skdistill.metrics._costs._WARM_UP_CALLS": 0,
    "skdistill.metrics._costs._N_BATCHES": 2,
}
_UPDATES = {"skdistill._students._mlp.MIN_UPDATES": 1000}

#: Doctests are looked for in every module, and these would be modules of one name.
collect_ignore_glob = ["conftest.py", "*/conftest.py"]


#: They run code that the tests of the rooms run, and tracing doubles their time.
_UNTRACED = (
    "skdistill/",  # doctests
    "tests/regression/test_regressor.py::test_common_checks",
    "tests/test_concurrency.py",
    "tests/test_contract.py",
    "tests/test_dataframes.py",
    "tests/test_persistence.py",
    "tests/test_properties.py",
    "tests/test_structure.py",
)

#: Markers of tests that plain `pytest` leaves out, whatever their parameters.
_LEFT_OUT = ("slow", "engines", "node")


@pytest.hookimpl(tryfirst=True)  # before the cases that are not asked for are left out
def pytest_collection_modifyitems(config, items):
    """Mark cases that only combine values of others, and those not to be traced."""
    traces = config.pluginmanager.hasplugin("_cov")
    known = {}
    for item in items:
        test, _, case = item.nodeid.partition("[")
        if traces and test.startswith(_UNTRACED):
            item.add_marker("no_cover")
        if not case or any(map(item.get_closest_marker, _LEFT_OUT)):
            continue
        values = set(_list_values(item))
        if values <= known.setdefault(test, set()):
            item.add_marker("combined")
        known[test] |= values


def _list_values(item):
    """Yield what each `parametrize` of a test gives a case: one value, or several."""
    given = dict(item.callspec.params)
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0]
        names = names.split(",") if isinstance(names, str) else names
        names = tuple(name.strip() for name in names)
        yield names, tuple(id(given.pop(name)) for name in names)
    # A fixture's.
    yield from ((name, id(value)) for name, value in given.items())


def pytest_collection_finish():
    """Search for garbage again, but not among the modules that are loaded by now."""
    gc.freeze()
    gc.enable()


def _patch(values):
    """Set the values for a module; yield the ones that users have."""
    given = {name: pkgutil.resolve_name(name) for name in values}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setattr(name, value)
        yield given


@pytest.fixture(autouse=True, scope="module")
def user_times():
    yield from _patch(_TIMES)


@pytest.fixture(autouse=True, scope="module")
def user_updates(request):
    # Slow tests are about what a user's fit gives.
    asked = request.config.option.markexpr
    is_fast = "not slow" in asked or asked == "combined"
    yield from _patch(_UPDATES if is_fast else {})


@pytest.fixture
def all_timed_calls(monkeypatch, user_times):
    """Let reports and scorers call a model as often as a user's do."""
    for name, value in user_times.items():
        if not name.endswith("SECONDS"):
            monkeypatch.setattr(name, value)


@pytest.fixture
def all_updates(monkeypatch, user_updates):
    """Let a network make as many updates over a transfer set as a user's does."""
    for name, count in user_updates.items():
        monkeypatch.setattr(name, count)


@pytest.fixture
def small_default_teacher(monkeypatch):
    """The members of the default teacher with fewer trees and units."""
    from skdistill._labels import _defaults

    monkeypatch.setitem(_defaults._BOOSTED, "n_estimators", 20)
    monkeypatch.setitem(_defaults._SAMPLED, "n_estimators", 20)
    monkeypatch.setitem(_defaults._NETWORK, "hidden_layer_sizes", (8,))


@pytest.fixture(scope="module")
def chunk_data():
    from sklearn.datasets import make_classification

    given = {"n_informative": 8, "n_redundant": 0, "n_classes": 3}
    return make_classification(9000, 10, **given, random_state=0)


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks and buffers of 500 rows, so that some thousand rows are many."""
    monkeypatch.setattr("skdistill._outofcore._chunks._BOUNDS", (500, 500))
    monkeypatch.setattr("skdistill._outofcore._spill._BOUNDS", (500, 500))


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The folder for temporary files, which must be empty in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    gc.collect()
    assert list(tmp_path.glob("skdistill-*")) == []
