"""Students of every family as they leave the laboratory: stripped, and as ONNX."""

import pickle
import subprocess
import sys
from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.export import slim, to_onnx

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.RandomState(0)
X = RNG.normal(size=(400, 4)).astype(np.float32)
SCORES = X @ RNG.normal(size=(4, 3)) + 0.5 * RNG.normal(size=(400, 3))
TRAIN, TEST = slice(0, 250), slice(250, None)


def make_lightgbm():
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1)


def make_xgboost():
    from xgboost import XGBClassifier

    return XGBClassifier(n_estimators=4, n_jobs=1)


def make_catboost():
    from catboost import CatBoostClassifier

    return CatBoostClassifier(
        n_estimators=4, verbose=0, thread_count=1, allow_writing_files=False
    )


def make_net(n_classes):
    import torch
    from skorch import NeuralNetClassifier

    torch.manual_seed(0)
    layers = [torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, n_classes)]
    return NeuralNetClassifier(
        torch.nn.Sequential(*layers),
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=3,
        train_split=None,
        verbose=0,
    )


FAMILIES = {
    "mlp": lambda: MLPClassifier((8, 4), max_iter=20),
    "logistic": LogisticRegression,
    "sgd": lambda: SGDClassifier(loss="log_loss"),
    "tree": lambda: DecisionTreeClassifier(max_depth=4),
    "entropy-tree": lambda: DecisionTreeClassifier(max_depth=4, criterion="entropy"),
    "forest": lambda: RandomForestClassifier(5, max_depth=4),
    "extra": lambda: ExtraTreesClassifier(5, max_depth=4),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=5),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=3),
    "ada": lambda: AdaBoostClassifier(n_estimators=3),
    "bayes": GaussianNB,
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
    "vote": lambda: VotingClassifier(
        [("a", LogisticRegression()), ("b", GaussianNB())], voting="soft"
    ),
    "stack": lambda: StackingClassifier(
        [("a", LogisticRegression()), ("b", GaussianNB())], cv=2
    ),
    "bagging": lambda: BaggingClassifier(LogisticRegression(), n_estimators=2),
    "one-vs-rest": lambda: OneVsRestClassifier(LogisticRegression()),
    "search": lambda: GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2),
    "calibrated": lambda: CalibratedClassifierCV(GaussianNB(), cv=2),
    "lightgbm": make_lightgbm,
    "xgboost": make_xgboost,
    "catboost": make_catboost,
    "torch": make_net,
}


LIBRARIES = ("xgboost", "catboost", "torch")


@cache
def distil(name, n_classes):
    if name in LIBRARIES and find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    labels = SCORES[:, :n_classes].argmax(axis=1)
    if name != "xgboost":
        # It takes the numbers from 0 alone.
        labels = np.array(["ant", "bee", "cow"])[labels]
    student = make_net(n_classes) if name == "torch" else FAMILIES[name]()
    distilled = DistilledClassifier(
        GaussianNB(), student, augmenter=None, calibrate=False, alpha=1, random_state=0
    )
    return distilled.fit(X[TRAIN], labels[TRAIN])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_slim_serves_the_same_bits(name, n_classes):
    distilled = distil(name, n_classes)
    slimmed = slim(distilled)
    np.testing.assert_array_equal(
        slimmed.predict_proba(X[TEST]), distilled.predict_proba(X[TEST])
    )
    # What a copy no longer shares, such as a dtype, is stored once more.
    assert len(pickle.dumps(slimmed)) < len(pickle.dumps(distilled.student_)) + 300


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", FAMILIES)
def test_onnx_serves_the_same_probabilities(name, n_classes):
    runtime = pytest.importorskip("onnxruntime")
    distilled = distil(name, n_classes)
    model = to_onnx(distilled, X[TRAIN])
    session = runtime.InferenceSession(model.SerializeToString())
    label, proba = session.run(["label", "probabilities"], {"X": X[TEST]})
    np.testing.assert_allclose(proba, distilled.predict_proba(X[TEST]), atol=1e-5)
    assert label.tolist() == distilled.predict(X[TEST]).tolist()


METAS = {
    "bag": lambda part: BaggingClassifier(part, n_estimators=2, random_state=0),
    "one-vs-rest": OneVsRestClassifier,
    "stack": lambda part: StackingClassifier([("a", part)], cv=2),
    "calibrated": lambda part: CalibratedClassifierCV(part, cv=2),
    "calibrated afterwards": lambda part: CalibratedClassifierCV(
        FrozenEstimator(part.fit(X[TRAIN], SCORES[TRAIN].argmax(axis=1)))
    ),
}

PARTS = {
    "distilled": lambda: DistilledClassifier(
        GaussianNB(), LogisticRegression(), pilot=0, random_state=0
    ),
    "histogram": FAMILIES["histogram"],
    "lightgbm": make_lightgbm,
    "xgboost": make_xgboost,
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("meta", METAS)
def test_onnx_serves_what_meta_estimators_hold(meta, part):
    runtime = pytest.importorskip("onnxruntime")
    if part in LIBRARIES:
        pytest.importorskip(part)
    if (meta[:4], part) == ("cali", "lightgbm"):
        pytest.skip("skl2onnx calibrates its scores in place of its probabilities")
    model = METAS[meta](PARTS[part]())
    model.fit(X[TRAIN], SCORES[TRAIN].argmax(axis=1))
    written = to_onnx(model, X[TRAIN])
    session = runtime.InferenceSession(written.SerializeToString())
    (proba,) = session.run(["probabilities"], {"X": X[TEST]})
    np.testing.assert_allclose(proba, model.predict_proba(X[TEST]), atol=1e-5)


@pytest.mark.slow
def test_all_load_where_skdistill_is_not_installed(tmp_path):
    served = {}
    for name in FAMILIES:
        if name in LIBRARIES and find_spec(name) is None:
            continue
        distilled = distil(name, 3)
        for kind, model in (("", distilled.student_), ("slim-", slim(distilled))):
            served[kind + name] = pickle.dumps(model), model.predict_proba(X[TEST])
    (tmp_path / "models.pkl").write_bytes(pickle.dumps((X[TEST], served)))
    code = (
        "import pickle, sys\n"
        "import numpy as np\n"
        "sys.modules['skdistill'] = None\n"
        "X, served = pickle.load(open('models.pkl', 'rb'))\n"
        "for name, (model, proba) in served.items():\n"
        "    again = pickle.loads(model).predict_proba(X)\n"
        "    np.testing.assert_array_equal(again, proba)\n"
        "    print(name)\n"
    )
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.stdout.split() == list(served), result.stderr
