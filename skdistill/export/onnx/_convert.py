"""Which converter makes a graph of which model.

Networks and linear models behind arithmetic preprocessing are written directly
(`_dense`), skorch nets go through torch's exporter, CatBoost writes itself, and the
rest goes through skl2onnx with the converters of onnxmltools.
"""

from __future__ import annotations

import copy
import io
import os
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from .._require import require
from .._slim import is_skorch
from ._columns import TABLE, Inputs
from ._dense import emit_dense, emit_folded, emit_label, read_dense
from ._graph import IR_VERSION, OPSET, Graph, emit_features, is_untouched
from ._preprocessing import Table, UnsupportedError, start_table, transform_table
from ._skl2onnx import is_from, run_skl2onnx, split_steps


def build_models(
    served: Any, inputs: Inputs, classes: Any, *, most_fused: float = np.inf
) -> Iterator[Any]:
    """Make the candidates, the fastest first, each an `onnx.ModelProto`.

    Parameters
    ----------
    served : estimator
        Fitted, without anything of this package.
    inputs : Inputs
        What the model is fed.
    classes : ndarray of shape (n_classes,)
        What a net predicts: skorch answers positions, whatever its labels were.
    most_fused : float, default=inf
        Up to how many weights a network's last layer and its ending are one node.

    Raises
    ------
    TypeError
        No converter takes the model.
    """
    if not inputs.is_table:
        inputs.check_names()
    steps, learner = split_steps(served)
    try:
        table = _read_steps(steps, inputs)
    except UnsupportedError:
        yield _convert_whole(served, inputs)
        return
    dense = read_dense(learner)
    if dense is None:
        exact = is_untouched(table) or is_skorch(learner)
        graph = Graph(inputs, np.float32 if exact else np.float64)
        features = emit_features(graph, table)
        yield _convert_learner(graph, features, table.width, learner, classes)
        return
    # Where columns are of very different sizes, or far from 0, the sums of the first
    # layer need more digits than float32 has.
    for dtype in (np.float32, np.float64):
        graph = Graph(inputs, dtype)
        hidden = emit_folded(graph, table, dense)
        emit_dense(graph, hidden, dense, np.asarray(learner.classes_), most_fused)
        yield _assemble(graph, learner.classes_)


def _read_steps(steps: list[Any], inputs: Inputs) -> Table:
    table = start_table(len(inputs.columns), inputs.texts)
    for step in steps:
        table = transform_table(step, table)
    if any(raw is not None and raw.column in inputs.texts for raw in table.raw):
        raise UnsupportedError("strings that are not encoded")
    return table


def _convert_learner(
    graph: Graph, features: str, width: int, learner: Any, classes: Any
) -> Any:
    """Append a learner that takes one matrix of numbers."""
    if is_skorch(learner):
        _append(graph, _convert_net(learner, features, width))
        emit_label(graph, "probabilities", classes)
        return _assemble(graph, classes)
    if is_from(learner, "catboost"):
        _append(graph, _convert_catboost(learner, features))
        return _assemble(graph, learner.classes_)
    types = require("skl2onnx.common.data_types")
    given = [(features, types.FloatTensorType([None, width]))]
    _append(graph, run_skl2onnx(learner, given))
    return _assemble(graph, learner.classes_)


def _convert_whole(served: Any, inputs: Inputs) -> Any:
    """Convert a Pipeline whose preprocessing only skl2onnx knows."""
    inputs.check_names()
    types = require("skl2onnx.common.data_types")
    if inputs.is_table and not inputs.named:
        given = [(TABLE, types.FloatTensorType([None, len(inputs.columns)]))]
    else:
        text, number = types.StringTensorType, types.FloatTensorType
        given = [
            (name, (text if k in inputs.texts else number)([None, 1]))
            for k, name in enumerate(inputs.columns)
        ]
    graph = Graph(inputs)
    if inputs.is_grouped or (inputs.is_table and inputs.named):
        _take_apart(graph)
    _append(graph, run_skl2onnx(served, given))
    return _assemble(graph, served.classes_)


def _take_apart(graph: Graph) -> None:
    """Append what gives skl2onnx each column on its own."""
    for name, columns in graph.inputs.parts.items():
        for place, k in enumerate(columns):
            one = graph.hold(np.array([place]))
            graph.add("Gather", [name, one], graph.inputs.columns[k], axis=1)


def _append(graph: Graph, model: Any) -> None:
    """Append another model's nodes; its input is a tensor of the graph already."""
    graph.nodes.extend(model.graph.node)
    graph.tensors.extend(model.graph.initializer)
    ours = {(entry.domain or "") for entry in model.opset_import} - set(OPSET)
    graph.domains |= dict.fromkeys(ours, 1)


def _assemble(graph: Graph, classes: Any) -> Any:
    """Make the model of a graph whose outputs are `label` and `probabilities`."""
    helper = require("onnx.helper")
    kinds = require("onnx").TensorProto
    given = [
        helper.make_tensor_value_info(
            name,
            kinds.STRING if columns[0] in graph.inputs.texts else kinds.FLOAT,
            ["n", len(columns)],
        )
        for name, columns in graph.inputs.parts.items()
    ]
    label = {"O": kinds.STRING, "U": kinds.STRING, "T": kinds.STRING}
    label |= {"f": kinds.FLOAT, "b": kinds.BOOL}
    kind = label.get(np.asarray(classes).dtype.kind, kinds.INT64)
    outputs = [
        helper.make_tensor_value_info("label", kind, ["n"]),
        helper.make_tensor_value_info(
            "probabilities", kinds.FLOAT, ["n", len(classes)]
        ),
    ]
    made = helper.make_graph(graph.nodes, "model", given, outputs, graph.tensors)
    used = {node.domain for node in graph.nodes}
    versions = (OPSET | graph.domains).items()
    opsets = [helper.make_opsetid(d, v) for d, v in versions if not d or d in used]
    model = helper.make_model(
        made, opset_imports=opsets, ir_version=IR_VERSION, producer_name="skdistill"
    )
    for node in model.graph.node:
        # Names of nodes are nothing but bytes.
        node.ClearField("name")
        node.ClearField("doc_string")
    require("onnx.checker").check_model(model)
    return model


def _convert_net(net: Any, features: str, width: int) -> Any:
    """Convert a skorch net with torch's exporter, softmax included."""
    torch = require("torch")
    nonlinearity = net._get_predict_nonlinearity()
    base: Any = torch.nn.Module

    class Served(base):
        def __init__(self) -> None:
            super().__init__()
            self.module = copy.deepcopy(net.module_).cpu().eval()

        def forward(self, X: Any) -> Any:
            output = self.module(X)
            output = output[0] if isinstance(output, tuple) else output
            return nonlinearity(output)

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter by tracing, which needs no further library.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Served().eval(),
            (torch.zeros(2, width),),
            buffer,
            dynamo=False,
            input_names=[features],
            output_names=["probabilities"],
            dynamic_axes={features: {0: "n"}, "probabilities": {0: "n"}},
            opset_version=OPSET[""],
        )
    return require("onnx").load_from_string(buffer.getvalue())


def _convert_catboost(learner: Any, features: str) -> Any:
    """Let CatBoost write itself, without the list of dictionaries it ends in."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        learner.save_model(path, format="onnx")
        model = require("onnx").load(path)
    mapped = {n.input[0]: "" for n in model.graph.node if n.op_type == "ZipMap"}
    nodes = [node for node in model.graph.node if node.op_type != "ZipMap"]
    names = dict.fromkeys(mapped, "probabilities")
    names[model.graph.input[0].name] = features
    for node in nodes:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model
