"""Models and reports that the tests share; times are measured with a fast clock."""

import sys

import pytest
from _clock import hurry
from _reports import distil, report_on_groups


@pytest.fixture(autouse=True, scope="module")
def time_briefly():
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        yield


@pytest.fixture(autouse=True)
def close_figures():
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="module")
def distilled():
    return distil()


@pytest.fixture(scope="module")
def report(distilled):
    return report_on_groups(distilled)
