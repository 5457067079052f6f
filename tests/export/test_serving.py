"""Serving what was exported: the documented session, and Node.js."""

import json
import shutil
import subprocess
import textwrap
from pathlib import Path

import numpy as np
import pytest
from _core import PLAIN
from lightgbm import LGBMClassifier
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
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


# --- The documented session ----------------------------------------------------


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


# --- Node.js -------------------------------------------------------------------

#: Reads {input: {type, shape, data}}, where null is NaN, and answers with the outputs
#: as lists.
NODE_PROGRAM = """
const fs = require("fs");
const ort = require(process.argv[2]);
const given = JSON.parse(fs.readFileSync("feed.json"));
const feed = {};
for (const [name, { type, shape, data }] of Object.entries(given)) {
  const values = type === "string" ? data
    : Float32Array.from(data, (x) => (x === null ? NaN : x));
  feed[name] = new ort.Tensor(type, values, shape);
}
ort.env.wasm.numThreads = 1;
ort.InferenceSession.create(new Uint8Array(fs.readFileSync("model.onnx")), {
  intraOpNumThreads: 1,
}).then((session) => session.run(feed)).then(({ label, probabilities }) => {
  console.log(JSON.stringify({
    label: Array.from(label.data, String),
    shape: probabilities.dims,
    proba: Array.from(probabilities.data),
  }));
});
"""


@pytest.fixture(params=["onnxruntime-node", "onnxruntime-web"])
def ask_node(request, tmp_path):
    """Serve `model.onnx` of the folder from Node.js, if that is here."""
    pytest.importorskip("onnxruntime")
    package, node = request.param, shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed, or not on the PATH")

    def run(*arguments):
        return subprocess.run(
            [node, *arguments], cwd=tmp_path, capture_output=True, text=True
        )

    if run("-e", f"require.resolve({package!r})").returncode:
        pytest.skip(
            f"Node.js finds no {package}: run `npm install {package}`, and set "
            "NODE_PATH to the node_modules it made"
        )

    def ask(feed):
        given = {
            name: {
                "type": "float32" if values.dtype == np.float32 else "string",
                "shape": values.shape,
                # What is not equal to itself is NaN.
                "data": [x if x == x else None for x in values.ravel().tolist()],
            }
            for name, values in feed.items()
        }
        (tmp_path / "feed.json").write_text(json.dumps(given))
        (tmp_path / "serve.js").write_text(NODE_PROGRAM)
        result = run("serve.js", package)
        assert result.returncode == 0, result.stderr
        answer = json.loads(result.stdout)
        return answer["label"], np.reshape(answer["proba"], answer["shape"])

    return ask


@pytest.mark.parametrize("name", STUDENTS)
def test_node_is_equal(name, ask_node, distilled, tmp_path):
    to_onnx(distilled[name], X[TRAIN], path=tmp_path / "model.onnx")

    label, proba = ask_node({"X": UNSEEN.astype(np.float32)})

    expected = distilled[name].predict_proba(UNSEEN)
    np.testing.assert_allclose(proba, expected, rtol=0, atol=1e-5)
    assert label == distilled[name].predict(UNSEEN).tolist()


@pytest.mark.parametrize("quantize", ["float16", "int8-weights"])
def test_node_serves_quantised_files(quantize, ask_node, distilled, tmp_path):
    path = tmp_path / "model.onnx"
    settings = {"quantize": quantize, "tolerance": 1.0, "path": path}
    model = to_onnx(distilled["network"], X[TRAIN], **settings)
    rows = UNSEEN.astype(np.float32)
    label, proba = ask_node({"X": rows})

    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(model.SerializeToString())
    expected = session.run(None, {"X": rows})
    np.testing.assert_allclose(proba, expected[1], rtol=0, atol=1e-5)
    assert label == expected[0].tolist()


def test_node_takes_strings_and_missing_numbers(ask_node, tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"size": X[:, 0], "kind": NAMES[CODES]})
    frame.loc[::7, "size"] = np.nan
    student = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["size"]),
            (OneHotEncoder(handle_unknown="ignore"), ["kind"]),
        ),
        LogisticRegression(),
    )
    fitted = student.fit(frame, (X[:, 1] + CODES > 1).astype(int))
    to_onnx(fitted, frame, path=tmp_path / "model.onnx")

    size = frame[["size"]].to_numpy(np.float32)
    label, proba = ask_node({"size": size, "kind": frame[["kind"]].to_numpy(object)})

    expected = fitted.predict_proba(frame)
    np.testing.assert_allclose(proba, expected, rtol=0, atol=1e-5)
    assert label == [str(code) for code in fitted.predict(frame)]
