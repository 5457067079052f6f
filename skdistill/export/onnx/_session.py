"""ONNX Runtime sessions, and what serves with one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..._typing import AnyArray
from .._libraries import import_for_onnx
from .._reading._inputs import Inputs
from ._feed import Feeder, Part

#: What must stand in a file's metadata.
_ENTRIES = (
    *("classes", "classes_dtype", "feature_names", "n_features"),
    *("inputs", "accepts"),
)
#: What must stand in the entry `accepts`: columns that take such values.
_ACCEPTED = ("missing", "infinite", "double", "empties")
#: Up to so many numbers Python adds up faster than NumPy.
_FEW = 64
#: The types of numbers and strings in ONNX's words.
_DTYPES: dict[str, Any] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(string)": object,
}


def open_session(model: Any, n_threads: int = 1) -> Any:
    """Return an ONNX Runtime session on the processor, of bytes or a ModelProto."""
    runtime = import_for_onnx("onnxruntime", "serve")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    content = model if isinstance(model, bytes) else model.SerializeToString()
    return runtime.InferenceSession(
        content, options, providers=["CPUExecutionProvider"]
    )


def serve_output(model: Any, inputs: Inputs, output: str) -> Callable[[Any], Any]:
    """Return a function from rows to one output of a model."""
    run = open_session(model).run
    return lambda X: run([output], inputs.feed(X))[0]


class Served:
    """An open session with what its file, `content`, says of rows and labels."""

    def __init__(self, content: bytes, n_threads: int, owner: str) -> None:
        self.content = content
        self.session = open_session(content, n_threads)
        entries = _read_metadata(self.session, owner)
        classes = entries["classes"]
        self.classes = np.array(classes, dtype=entries["classes_dtype"])
        names = entries["feature_names"]
        self.feature_names = None if names is None else np.array(names, dtype=object)
        self.n_features = entries["n_features"]
        self._owner = owner
        self._feeder = _make_feeder(self.session, entries, owner)
        self._run = self.session.run

    def ask(self, X: Any, outputs: list[str]) -> list[AnyArray]:
        """Return what the session answers on rows; the last output holds numbers.

        Raise a TypeError or ValueError where the model does not take the rows.
        """
        feed = self._feeder(X)
        if not len(next(iter(feed.values()))):
            return self._answer_no_rows(outputs)
        answers = self._run(outputs, feed)
        numbers = answers[-1]
        if numbers.size > _FEW:
            is_finite = np.isfinite(numbers).all()
        else:
            # The fastest for a single row.
            is_finite = math.isfinite(sum(numbers.ravel().tolist()))
        if not is_finite:
            self._check_answers(feed, numbers)
        return answers

    def _answer_no_rows(self, outputs: list[str]) -> list[AnyArray]:
        """Return outputs without rows; not every operator takes none."""
        declared = {entry.name: entry for entry in self.session.get_outputs()}
        return [
            np.empty(
                (0, *declared[name].shape[1:]), _DTYPES.get(declared[name].type, object)
            )
            for name in outputs
        ]

    def _check_answers(self, feed: dict[str, AnyArray], answers: AnyArray) -> None:
        """Raise where answers are not finite for what the rows hold."""
        infinite = ~np.isfinite(answers).all(axis=1)
        self._feeder.check_large(feed, np.flatnonzero(infinite))
        # The graph answers NaN where the encoder of the estimator raises.
        refused = np.flatnonzero(np.isnan(answers).any(axis=1))
        if len(refused):
            raise ValueError(
                f"Found unknown categories in row {refused[0]} during transform: it "
                "holds a string, or a missing one, that the encoder was not fitted on "
                f"and refuses. This {self._owner} does as the encoder does; set "
                'handle_unknown="ignore" before the fit to serve such rows.'
            )


def _read_metadata(session: Any, owner: str) -> dict[str, Any]:
    texts = session.get_modelmeta().custom_metadata_map
    entries = {key: json.loads(texts[key]) for key in _ENTRIES if key in texts}
    lacking = [key for key in _ENTRIES if key not in entries]
    lacking += [key for key in _ACCEPTED if key not in entries.get("accepts", {})]
    if lacking:
        raise ValueError(
            f"{owner} serves a file of skdistill.export.to_onnx, which says in its "
            f"metadata what columns and labels are; this one lacks {lacking}. Export "
            "the model again."
        )
    return entries


def _make_feeder(session: Any, entries: dict[str, Any], owner: str) -> Feeder:
    names, n_features = entries["feature_names"], entries["n_features"]
    columns = names or [f"x{k}" for k in range(n_features)]
    given = session.get_inputs()
    # Without a word about inputs there is one of all columns, or one a column.
    held = entries["inputs"] or (
        {given[0].name: columns} if len(given) == 1 else {n: [n] for n in columns}
    )
    places = {name: k for k, name in enumerate(columns)}
    parts = [
        Part(
            entry.name,
            tuple(places[name] for name in held[entry.name]),
            _DTYPES[entry.type],
        )
        for entry in given
    ]
    return Feeder(
        columns,
        names is not None,
        parts,
        **{kind: set(entries["accepts"][kind]) for kind in _ACCEPTED},
        owner=owner,
    )
