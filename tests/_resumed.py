"""A fit that is killed; run by `test_resume.py`, in a process of its own.

`python _resumed.py kill folder seed` forks a fit, kills it after a while, and again,
until one comes to its end. Each fit of a teacher and each labelled chunk is a line in
the log, when it begins. `python _resumed.py cut folder 300 1000` has the kernel end a
fit that writes a file of more than 300 bytes, one of more than 1000, and then none.
"""

import os
import pickle
import random
import resource
import signal
import sys
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier

X, y = make_classification(640, n_informative=6, random_state=0)
PAUSE = 0.01


class SlowTeacher(LogisticRegression):
    """Writes down what it begins, and takes its time."""

    def __init__(self, log=None, random_state=None):
        super().__init__(random_state=random_state)
        self.log = log

    def fit(self, X, y, sample_weight=None):
        self.note("fit", X, y)
        return super().fit(X, y, sample_weight)

    def predict_proba(self, X):
        self.note("label", self.coef_, X)
        return super().predict_proba(X)

    def note(self, what, *parts):
        with open(self.log, "a") as log:
            log.write(f"{what} {joblib.hash([np.array(part) for part in parts])}\n")
        time.sleep(PAUSE)


def fit(folder, log):
    return DistilledClassifier(
        SlowTeacher(str(log)),
        DecisionTreeClassifier(max_depth=4),
        alpha=1.0,
        cv=5,
        memory=str(folder / "memory"),
        random_state=0,
    ).fit(X, y)


def start(folder, limit=None):
    """Fork a fit; return its process."""
    child = os.fork()
    if child:
        return child
    log = folder / "log"
    if limit is not None:
        # The kernel ends it in the middle of the first file that grows larger.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        log = os.devnull
    # A damaged entry would be read with a warning, and worked for again.
    warnings.simplefilter("error")
    student = fit(folder, log).student_
    (folder / "student.pickle").write_bytes(pickle.dumps(student))
    os._exit(0)


def count_lines(path):
    return path.read_text().count("\n") if path.exists() else 0


def main_kill(folder, seed):
    rng, log = random.Random(seed), folder / "log"
    with open(folder / "ends", "w") as ends:
        ended = 0
        while not ended:
            wanted, child = count_lines(log) + rng.randint(1, 5), start(folder)
            while count_lines(log) < wanted and not ended:
                time.sleep(PAUSE / 10)
                ended, status = os.waitpid(child, os.WNOHANG)
            # In the midst of the work, or of keeping it, or after that.
            time.sleep(rng.uniform(0, 1.5 * PAUSE))
            if not ended:
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
            ends.write(f"{count_lines(log)} {status}\n")


def main_cut(folder, limits):
    with open(folder / "ends", "w") as ends:
        for limit in [*limits, None]:
            _, status = os.waitpid(start(folder, limit), 0)
            ends.write(f"{limit} {status}\n")


if __name__ == "__main__":
    what, path, *numbers = sys.argv[1:]
    if what == "kill":
        main_kill(Path(path), int(numbers[0]))
    else:
        main_cut(Path(path), [int(number) for number in numbers])
