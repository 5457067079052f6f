"""Every test of the command runs in a folder of its own, with a fast clock."""

import pytest
from _clock import hurry
from _command import make_frame, write_teacher


@pytest.fixture(autouse=True)
def in_a_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    hurry(monkeypatch)
    # How long a network learns, and the folds of small tables, are no subject of the
    # command, whose tables are small.
    monkeypatch.setattr("skdistill._students._mlp.MIN_UPDATES", 500)
    hold_outs = "skdistill._selection._hold_outs"
    monkeypatch.setattr(f"{hold_outs}._FEWEST_ROWS", 1000)
    monkeypatch.setattr(f"{hold_outs}._warn_of_few_rows", lambda data, few: None)


@pytest.fixture
def data(tmp_path):
    make_frame().to_csv("data.csv", index=False)
    return tmp_path / "data.csv"


@pytest.fixture
def teacher(data):
    return write_teacher(data.with_name("teacher.joblib"))
