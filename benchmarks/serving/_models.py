"""The models that latency.py serves: fitted, converted, and stored in a folder."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.metrics import accuracy_score, log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier
from skdistill.export import prune, slim, to_onnx

from .._measure import fit_quietly
from ._clock import BLOCK, SINGLE, open_model

#: What is timed, in the order of the tables.
VOTE = "vote"
VOTE_1 = "vote, n_jobs=1"
VOTE_ONNX = "vote, ONNX Runtime"
MEMBERS_ONNX = "vote, ONNX Runtime, members averaged"
MEMBER_LLEAVES = "its LightGBM, lleaves"
LIGHTGBM = "LightGBM, 100 trees"
DISTILLED = "DistilledClassifier"
STUDENT = "student"
SLIM = "student, slim"
ONNX = "student, ONNX Runtime"
BLOCKS = f"student, ONNX Runtime, blocks of {BLOCK:,}"
INT8 = "student, ONNX Runtime int8"
INT8_WEIGHTS = f"{INT8}-weights"
PRUNED = "student pruned by half, ONNX Runtime"
PRUNED_INT8 = "student pruned by half, ONNX Runtime int8-weights"
IDENTITY = "floor: Identity, ONNX Runtime"
MATMULS = "floor: NumPy matmuls"
MATMULS_BLOCKS = f"floor: NumPy matmuls, blocks of {BLOCK:,}"
#: Blocks are no other file, and the products no model.
NO_MODELS = (BLOCKS, MATMULS, MATMULS_BLOCKS)

NEEDS = {"onnx": ("onnx", "onnxruntime", "skl2onnx", "onnxmltools"), "lleaves": None}
#: Of the thousands of trees that many classes take.
COMPILE_SECONDS = 400


@dataclass(frozen=True)
class Size:
    """How large the models are; how often they are called stands in `plan`."""

    n_rounds: int = 200  # of boosting
    n_trees: int = 100
    teacher_layers: tuple[int, ...] = (128, 64)
    student_layers: tuple[int, ...] = (64, 32)
    plan: tuple[dict, ...] = (
        {"rows": 1, "turns": 20, "seconds": 0.05, "cap": 4.0},
        {"rows": 32, "turns": 12, "seconds": 0.05, "cap": 4.0},
        {"rows": 1024, "turns": 8, "seconds": 0.05, "cap": 2.0},
        {"rows": 100_000, "turns": 3, "seconds": 0.3, "cap": 4.0},
    )


SMOKE = Size(
    *(5, 3, (8,), (8,)),
    ({"rows": 1, "turns": 2, "seconds": 0.01, "cap": 0.1},),
)


def list_missing() -> dict[str, list[str]]:
    """Kinds of models that can't be served here, with the packages they lack."""
    missing = {
        kind: [name for name in names or (kind,) if find_spec(name) is None]
        for kind, names in NEEDS.items()
    }
    return {kind: names for kind, names in missing.items() if names}


def make_vote(size: Size) -> VotingClassifier:
    network = MLPClassifier(size.teacher_layers, early_stopping=True)
    members = [
        ("lightgbm", LGBMClassifier(n_estimators=size.n_rounds, verbose=-1)),
        ("forest", RandomForestClassifier(size.n_trees)),
        ("extra", ExtraTreesClassifier(size.n_trees)),
        ("mlp", make_pipeline(StandardScaler(), network)),
    ]
    return VotingClassifier(members, voting="soft")


def fit_distilled(X, y, size: Size) -> DistilledClassifier:
    student = make_pipeline(StandardScaler(), MLPClassifier(size.student_layers))
    distilled = DistilledClassifier(make_vote(size), student, random_state=0)
    return fit_quietly(distilled, X, y)


def use_one_job(vote: VotingClassifier) -> VotingClassifier:
    """The same fitted vote, each member in one thread."""
    vote = copy.deepcopy(vote).set_params(n_jobs=1)
    for member in vote.estimators_:
        if "n_jobs" in member.get_params():
            member.set_params(n_jobs=1)
    return vote


class Store:
    """Writes files and the lines of the manifest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[dict] = []

    def add(self, name: str, kind: str, files: list[str], **settings) -> None:
        n_bytes = sum((self.folder / file).stat().st_size for file in files)
        self.entries.append(
            {
                "name": name,
                "kind": kind,
                "files": files,
                "bytes": n_bytes,
                "only": None,
                **settings,
            }
        )

    def pickle(self, name: str, model, file: str, **settings) -> None:
        data = pickle.dumps(model, pickle.HIGHEST_PROTOCOL)
        (self.folder / file).write_bytes(data)
        self.add(name, "pickle", [file], **settings)


def store_stock(store: Store, distilled: DistilledClassifier, X, y) -> None:
    """What scikit-learn and LightGBM serve themselves."""
    boosted = LGBMClassifier(n_estimators=100, verbose=-1, n_jobs=1, random_state=0)
    store.pickle(VOTE, distilled.teacher_, "vote.pkl")
    store.pickle(VOTE_1, use_one_job(distilled.teacher_), "vote_1.pkl")
    store.pickle(LIGHTGBM, boosted.fit(X, y), "lightgbm.pkl")
    store.pickle(DISTILLED, distilled, "distilled.pkl", only=1)
    store.pickle(STUDENT, distilled.student_, "student.pkl")
    store.pickle(SLIM, slim(distilled), "slim.pkl")


def store_onnx(store: Store, distilled: DistilledClassifier, X, y) -> None:
    """Student and teacher as ONNX."""
    path, example = store.folder, X[:300]
    to_onnx(distilled, example, path=path / "student.onnx")
    store.add(ONNX, "onnx", ["student.onnx"])
    store.add(BLOCKS, "onnx in blocks", ["student.onnx"], only=100_000)
    pruned = prune(distilled, X, y, tolerance=1.0, random_state=0).estimator
    for name, model, kind in (
        (INT8_WEIGHTS, distilled, "int8-weights"),
        (PRUNED, pruned, None),
        (PRUNED_INT8, pruned, "int8-weights"),
    ):
        file = f"{'pruned' if model is pruned else 'student'}_{kind}.onnx"
        # What is lost is shown, not refused.
        to_onnx(model, X, y, quantize=kind, tolerance=1.0, path=path / file)
        store.add(name, "onnx", [file])
    identity = make_identity(X.shape[1]).SerializeToString()
    (path / "identity.onnx").write_bytes(identity)
    store.add(IDENTITY, "onnx", ["identity.onnx"])
    store_vote_onnx(store, distilled.teacher_, example)


def store_vote_onnx(store: Store, vote: VotingClassifier, example) -> None:
    """The vote as one graph, if it is equal, and as one graph a member."""
    try:
        to_onnx(vote, example, path=store.folder / "vote.onnx")
        store.add(VOTE_ONNX, "onnx", ["vote.onnx"])
    except (TypeError, ValueError) as error:
        print(f"not timed: {VOTE_ONNX} ({error})")
    files = []
    for (name, _), member in zip(vote.estimators, vote.estimators_, strict=True):
        files.append(f"member_{name}.onnx")
        to_onnx(member, example, path=store.folder / files[-1])
    store.add(MEMBERS_ONNX, "onnx", files)


def make_identity(n_features: int) -> Any:
    """The least that a session can be asked to do, a ModelProto."""
    from onnx import TensorProto, helper

    shape = [None, n_features]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in ("X", "probabilities")
    ]
    node = helper.make_node("Identity", ["X"], ["probabilities"])
    graph = helper.make_graph([node], "identity", ends[:1], ends[1:])
    opset = helper.make_opsetid("", 17)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8)


def start_lleaves(folder: Path, vote: VotingClassifier) -> subprocess.Popen:
    """Begin to compile the vote's boosted trees; many classes take minutes."""
    text, code = folder / "lightgbm.txt", folder / "lightgbm.o"
    vote.named_estimators_["lightgbm"].booster_.save_model(text)
    compiler = "import sys, lleaves as l; l.Model(sys.argv[1]).compile(sys.argv[2])"
    return subprocess.Popen([sys.executable, "-c", compiler, text, code])


def store_lleaves(store: Store, compiler: subprocess.Popen) -> None:
    """Machine code of the vote's boosted trees, if it compiles in time."""
    try:
        if compiler.wait(timeout=COMPILE_SECONDS):
            raise RuntimeError("lleaves could not compile the vote's LightGBM.")
    except subprocess.TimeoutExpired:
        compiler.kill()
        print(f"not timed: {MEMBER_LLEAVES} (compiles for over {COMPILE_SECONDS} s)")
        return
    store.add(MEMBER_LLEAVES, "lleaves", ["lightgbm.txt", "lightgbm.o"])


def store_matmuls(store: Store, student: Any) -> None:
    weights = [part.astype(np.float32) for part in student[-1].coefs_]
    np.savez(store.folder / "matmuls.npz", *weights)
    store.add(MATMULS, "matmuls", ["matmuls.npz"])
    store.add(MATMULS_BLOCKS, "matmuls in blocks", ["matmuls.npz"], only=100_000)


def score_entries(store: Store, X, y, classes) -> None:
    """Accuracy and log loss of what is served, and its distance to the original."""
    served = {}
    for entry in store.entries:
        if entry["name"] in (IDENTITY, MATMULS, MATMULS_BLOCKS):
            continue
        rows = X.astype(np.float32) if entry["kind"] in SINGLE else X
        proba = np.asarray(open_model(entry, store.folder, 1)(rows), dtype=float)
        served[entry["name"]] = proba
        proba = proba / proba.sum(axis=1, keepdims=True)
        entry["accuracy"] = float(accuracy_score(y, classes[proba.argmax(axis=1)]))
        entry["log_loss"] = float(log_loss(y, proba, labels=classes))
        for original in (VOTE, STUDENT):
            if entry["name"].startswith(f"{original}, "):
                difference = abs(proba - served[original]).max()
                entry["max_difference"] = float(difference)


def sort_entries(entries: list[dict]) -> Iterator[dict]:
    order = [
        *(VOTE, VOTE_1, VOTE_ONNX, MEMBERS_ONNX, MEMBER_LLEAVES, LIGHTGBM),
        *(STUDENT, DISTILLED, SLIM, ONNX, BLOCKS, INT8_WEIGHTS),
        *(PRUNED, PRUNED_INT8, IDENTITY, MATMULS, MATMULS_BLOCKS),
    ]
    yield from sorted(entries, key=lambda entry: order.index(entry["name"]))


def build_folder(folder: Path, split, size: Size) -> None:
    """Fit, store and score everything of one data set, unless that was done."""
    if (folder / "manifest.json").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    X_train, X_test, y_train, y_test = split
    distilled = fit_distilled(X_train, y_train, size)
    store, missing = Store(folder), list_missing()
    compiler = None
    if "lleaves" not in missing:
        compiler = start_lleaves(folder, distilled.teacher_)
    store_stock(store, distilled, X_train, y_train)
    if "onnx" not in missing:
        store_onnx(store, distilled, X_train, y_train)
    if compiler is not None:
        store_lleaves(store, compiler)
    store_matmuls(store, distilled.student_)
    store.entries = list(sort_entries(store.entries))
    score_entries(store, X_test, y_test, distilled.classes_)
    np.save(folder / "rows.npy", np.ascontiguousarray(X_test, dtype=float))
    manifest = {
        "plan": size.plan,
        "n_train": len(y_train),
        "n_test": len(y_test),
        "n_features": X_train.shape[1],
        "n_classes": len(distilled.classes_),
        "models": store.entries,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
