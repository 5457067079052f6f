"""Rows that number themselves, and parts that have noted nothing yet."""

import pytest
from _samplers import forget_fits, number_rows


@pytest.fixture(scope="module")
def data():
    return number_rows()


@pytest.fixture(autouse=True)
def forget():
    forget_fits()
