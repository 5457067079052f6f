"""Serving what was exported: the documented session."""

import textwrap
from pathlib import Path

import numpy as np
import pytest
from _core import PLAIN
from lightgbm import LGBMClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.export import to_onnx

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.RandomState(0)
X = RNG.normal(size=(300, 5))
CODES = (X @ RNG.normal(size=(5, 3)) + RNG.normal(size=(300, 3))).argmax(axis=1)
NAMES = np.array(["ant", "bee", "cow"])
# The last rows are held out.
TRAIN, UNSEEN = slice(0, 200), X[200:]

STUDENTS = {
    "network": make_pipeline(StandardScaler(), MLPClassifier((16, 8), max_iter=20)),
    "linear": make_pipeline(SimpleImputer(), LogisticRegression()),
    "tree": DecisionTreeClassifier(max_depth=4),
    "lightgbm": LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1),
}


@pytest.fixture(scope="module")
def distilled():
    return {
        name: DistilledClassifier(GaussianNB(), student, random_state=0, **PLAIN).fit(
            X[TRAIN], NAMES[CODES[TRAIN]]
        )
        for name, student in STUDENTS.items()
    }


def read_docstring():
    """The four lines of `to_onnx`'s notes, as a user copies them."""
    notes = to_onnx.__doc__.split("Serve it in four lines::")[1]
    return textwrap.dedent(notes.split("References")[0]).strip().splitlines()


def read_guide():
    """The same of the how-to, after the import."""
    page = Path(__file__).parents[2] / "docs" / "howto" / "service.md"
    code = page.read_text(encoding="utf-8").split("<!-- session -->")[1].split("```")[1]
    return code.split("import onnxruntime\n")[1].strip().splitlines()


@pytest.mark.parametrize(
    ("read", "file"), [(read_docstring, "model.onnx"), (read_guide, "student.onnx")]
)
@pytest.mark.parametrize("name", STUDENTS)
def test_the_documented_session_is_equal(
    name, read, file, distilled, tmp_path, monkeypatch
):
    onnxruntime = pytest.importorskip("onnxruntime")
    # The lines name a file of the working directory.
    monkeypatch.chdir(tmp_path)
    to_onnx(distilled[name], X[TRAIN], path=file)
    lines = read()
    scope = {"onnxruntime": onnxruntime, "X": UNSEEN, "X_test": UNSEEN}
    exec("\n".join(lines), scope)

    assert len(lines) == 4
    proba = distilled[name].predict_proba(UNSEEN)
    np.testing.assert_allclose(scope["proba"], proba, rtol=0, atol=1e-5)
    assert scope["label"].tolist() == distilled[name].predict(UNSEEN).tolist()
    assert scope["session"].get_session_options().intra_op_num_threads == 1
