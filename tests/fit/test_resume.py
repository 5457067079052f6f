"""With `memory`, a fit that was killed is not paid for twice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="the kernel of this system kills by no limits")
pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[1] / "_resumed.py"


def run(*args):
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[1])}
    command = [sys.executable, str(SCRIPT), *map(str, args)]
    result = subprocess.run(command, env=env, check=True, capture_output=True)
    return result.stderr.decode()


def read_ends(folder):
    lines = (folder / "ends").read_text().splitlines()
    return [tuple(line.split()) for line in lines]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The student's bytes, and the lines of the log."""
    folder = tmp_path_factory.mktemp("undisturbed")
    run("cut", folder)
    return (folder / "student.pickle").read_bytes(), (folder / "log").read_text()


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_fit_repeats_nothing_that_was_done(seed, tmp_path, undisturbed):
    student, log = undisturbed
    assert run("kill", tmp_path, seed) == ""
    ends = read_ends(tmp_path)
    assert {status for _, status in ends[:-1]} == {"9"}
    assert len(ends) > 3
    begun = (tmp_path / "log").read_text().splitlines()
    done, start = set(), 0
    for end in [int(n_lines) for n_lines, _ in ends]:
        assert not done & set(begun[start:end])
        # The last one was perhaps not done, or not kept, when the fit was killed.
        done |= set(begun[start : end - 1])
        start = end
    assert set(begun) == set(log.splitlines())
    assert len(set(begun)) == len(log.splitlines())
    assert (tmp_path / "student.pickle").read_bytes() == student


def test_half_an_entry_is_never_read(tmp_path, undisturbed):
    """The kernel ends each fit in the midst of writing a file of some size."""
    limits = (300, 700, 1_500, 3_000, 20_000)
    assert run("cut", tmp_path, *limits) == ""
    *cut, (_, last) = read_ends(tmp_path)
    assert {os.WTERMSIG(int(status)) for _, status in cut} == {25}
    assert last == "0"
    memory = (tmp_path / "memory").rglob("output.pkl*")
    sizes = {path.stat().st_size for path in memory if path.name != "output.pkl"}
    assert sizes & set(limits)
    assert (tmp_path / "student.pickle").read_bytes() == undisturbed[0]
