"""C by `to_c`, m2cgen, emlearn and tl2cgen, and ONNX Runtime: time, size, difference.

A network (`MLPClassifier((64, 32))`), a tree of 64 leaves and LightGBM of 50 trees with
15 leaves, fitted on 4,000 rows of magic, letter and adult, whose numbers are
standardised and whose categories are indicators beforehand, since the others do no
preprocessing. Each file is compiled by the same
compiler (-std=c99 -O2) and called by the same loop, 500 test rows in turn; the time is
that of the fastest turn. Bytes are those of code and tables; the difference is the
largest of these rows against `predict_proba`, which the hard votes of emlearn's trees
are far from. A model that a package does not do has no row. ONNX Runtime serves the
file of `to_onnx` from ready feeds, in calls from Python.

The packages are optional: pip install m2cgen emlearn tl2cgen

    python -m benchmarks.serving.generators
    python -m benchmarks.serving.generators --smoke
    python -m benchmarks.serving.generators --report
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from contextlib import chdir
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill.export import to_c, to_onnx

from .._data import load_tutorial, split_data
from .._measure import fit_quietly
from .._onnx import open_session
from .._results import Results, find_missing, make_runs, read_arguments
from .._tables import print_table
from ._c import time_source

PATH = Path(__file__).with_suffix(".csv")
N_TURNS, N_COMPARED = 200, 500

MODELS: dict[str, Callable[[], Any]] = {
    "network": lambda: MLPClassifier((64, 32), max_iter=30),
    "tree": lambda: DecisionTreeClassifier(max_leaf_nodes=64),
    "LightGBM": lambda: LGBMClassifier(
        n_estimators=50, num_leaves=15, n_jobs=1, verbose=-1
    ),
}


def write_ours(model: Any, X: Any) -> tuple[str, str, list[str]]:
    return to_c(model, X), "model_predict_proba(row, proba);", []


def write_m2cgen(model: Any, X: Any) -> tuple[str, str, list[str]]:
    import m2cgen

    return m2cgen.export_to_c(model), "score((double *)row, proba);", []


def write_emlearn(model: Any, X: Any) -> tuple[str, str, list[str]]:
    """Float columns in, float probabilities out."""
    import emlearn

    n_in, n_out = X.shape[1], len(model.classes_)
    # It leaves files in the working directory.
    with TemporaryDirectory() as folder, chdir(folder):
        path = Path(folder, "em.h")
        converted = emlearn.convert(model, method="inline", dtype="float")
        converted.save(name="em", file=str(path))
        text = path.read_text()
    name = "em_predict_proba("
    if isinstance(model, MLPClassifier):
        name = "eml_net_predict_proba(&em, "
    call = (
        f"float in[{n_in}], out[{n_out}]; "
        f"for (int k = 0; k < {n_in}; k++) in[k] = (float)row[k]; "
        f"{name}in, {n_in}, out, {n_out}); "
        f"for (int k = 0; k < {n_out}; k++) proba[k] = out[k];"
    )
    return text, call, [f"-I{emlearn.includedir}"]


def write_tl2cgen(model: Any, X: Any) -> tuple[str, str, list[str]]:
    import tl2cgen
    import treelite

    trees = treelite.frontend.from_lightgbm(model.booster_)
    with TemporaryDirectory() as folder:
        tl2cgen.generate_c_code(trees, folder, params={})
        texts = [Path(folder, name).read_text() for name in ("header.h", "main.c")]
    text = "\n".join(texts).replace('#include "header.h"', "")
    n_in, n_out = X.shape[1], len(model.classes_)
    call = (
        f"union Entry in[{n_in}]; "
        f"for (int k = 0; k < {n_in}; k++) in[k].fvalue = row[k]; "
        f"for (int k = 0; k < {n_out}; k++) proba[k] = 0; "
        "predict(in, 0, proba);"
    )
    if n_out == 2:
        call += " proba[1] = proba[0]; proba[0] = 1 - proba[1];"
    return text, call, []


#: What writes C, the packages that it needs, and the models that it does.
GENERATORS: dict[str, tuple[Callable, tuple[str, ...], tuple[str, ...]]] = {
    "to_c": (write_ours, (), ("network", "tree", "LightGBM")),
    "m2cgen": (write_m2cgen, ("m2cgen",), ("tree", "LightGBM")),
    "emlearn": (write_emlearn, ("emlearn",), ("network", "tree")),
    "tl2cgen": (write_tl2cgen, ("tl2cgen", "treelite"), ("LightGBM",)),
}


@cache
def list_generators() -> list[str]:
    """Names of those whose packages are installed; the others are printed."""
    found = []
    for name, (_, packages, _) in GENERATORS.items():
        try:
            # emlearn lets NumPy raise where a number underflows, from then on.
            with np.errstate():
                for package in packages:
                    importlib.import_module(package)
        except ImportError as error:
            print(f"skipped: {name} ({error})")
        else:
            found.append(name)
    return found


def prepare(X: Any, X_test: Any) -> tuple[np.ndarray, np.ndarray]:
    """Numbers in single precision, which trees of scikit-learn and emlearn compare."""
    frame, frame_test = pd.DataFrame(X), pd.DataFrame(X_test)
    texts = make_column_selector(dtype_exclude="number")(frame)
    encode = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer((encode, texts), remainder=StandardScaler())
    first = columns.fit_transform(frame).astype(np.float32)
    return first, columns.transform(frame_test).astype(np.float32)


def time_generators(data: str, turns: int = N_TURNS) -> list[dict]:
    if data == "smoke":
        X, y = load_tutorial()
        X, X_test, y = X[:400], X[400:600], y[:400]
    else:
        X, X_test, y, _ = split_data(data, 0, 4000)
    X, X_test = prepare(X, X_test)
    y = np.unique(y, return_inverse=True)[1]
    records = []
    for kind, make in MODELS.items():
        model = fit_quietly(make().set_params(random_state=0), X, y)
        expected = model.predict_proba(X_test[:N_COMPARED])
        rows = np.ascontiguousarray(X_test[:N_COMPARED], dtype=float)
        for name in list_generators():
            write, _, kinds = GENERATORS[name]
            if kind not in kinds:
                continue
            text, call, flags = write(model, X_test[:N_COMPARED])
            given = {"flags": flags, "n_outputs": expected.shape[1]}
            figures, found = time_source(text, call, rows, turns, **given)
            off = float(np.abs(found - expected).max())
            record = {"data": data, "model": kind, "by": name, **figures}
            records.append({**record, "difference": off})
        own = time_onnx(model, X_test[:N_COMPARED], expected, turns)
        records.append({"data": data, "model": kind, "by": "ONNX Runtime", **own})
    return records


def time_onnx(model: Any, X: np.ndarray, expected: np.ndarray, turns: int) -> dict:
    """Of one thread, in the fastest turn."""
    content = to_onnx(model, X).SerializeToString()
    session = open_session(content)
    feeds = [{"X": X[k : k + 1]} for k in range(len(X))]
    best = np.inf
    for _ in range(turns):
        start = time.perf_counter_ns()
        for feed in feeds:
            session.run(["probabilities"], feed)
        best = min(best, (time.perf_counter_ns() - start) / len(feeds))
    (proba,) = session.run(["probabilities"], {"X": X})
    off = float(np.abs(proba - expected).max())
    return {"us": best / 1e3, "bytes": len(content), "difference": off}


def print_times(records: list[dict]) -> None:
    for data in dict.fromkeys(r["data"] for r in records):
        rows = [
            [
                r["model"],
                r["by"],
                f"{1e3 * r['us']:,.0f}",
                f"{r['bytes']:,.0f}",
                f"{r['difference']:.1g}",
            ]
            for r in records
            if r["data"] == data
        ]
        head = ["model", "by", "ns", "bytes", "largest difference"]
        print_table(f"{data}: one row", head, rows)


def main() -> None:
    args = read_arguments(__doc__)
    results = Results(None if args.smoke else PATH, ("data",))
    runs = [{"data": data} for data in ("magic", "letter", "adult")]
    if args.smoke:
        runs = [{"data": "smoke"}]
    turns = 2 if args.smoke else N_TURNS
    make_runs(results, find_missing(results, runs, args), time_generators, turns=turns)
    print_times(results.records)


if __name__ == "__main__":
    main()
