"""ONNX files under Node.js and in a browser, equal to the model.

Node.js, npm and Chromium are no packages of Python: install them, then
`pytest -m node tests/export/test_javascript.py`. npm installs ONNX Runtime into a
temporary folder.
"""

import functools
import json
import shutil
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
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
from skdistill.export import OnnxClassifier, to_onnx

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

pytestmark = [
    pytest.mark.node,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

#: What Node.js and the browser share: run each model of cases.json on its feeds.
RUN = """
async function run(ort, cases, load) {
  const answers = [];
  for (const { model, feeds } of cases) {
    const session = await ort.InferenceSession.create(await load(model));
    const given = {};
    for (const [name, { type, dims, data }] of Object.entries(feeds)) {
      const held = type === "string" ? data : Float32Array.from(data, (x) => x ?? NaN);
      given[name] = new ort.Tensor(type, held, dims);
    }
    const { label, probabilities } = await session.run(given);
    answers.push([Array.from(label.data, String), Array.from(probabilities.data)]);
  }
  return answers;
}
"""
NODE = """
const fs = require("fs");
const ort = require(process.argv[2]);
if (ort.env.wasm) ort.env.wasm.numThreads = 1;
const cases = JSON.parse(fs.readFileSync("cases.json"));
run(ort, cases, (name) => new Uint8Array(fs.readFileSync(name)))
  .then((answers) => console.log(JSON.stringify(answers)));
"""
PAGE = """
<!doctype html><script src="node_modules/onnxruntime-web/dist/ort.wasm.min.js"></script>
<script src="run.js"></script><script>
(async () => {
  ort.env.wasm.numThreads = 1;
  const load = async (name) => new Uint8Array(await (await fetch(name)).arrayBuffer());
  const answers = await run(ort, await (await fetch("cases.json")).json(), load);
  await fetch("answers", { method: "POST", body: JSON.stringify(answers) });
})().catch((e) => fetch("answers", { method: "POST", body: JSON.stringify(`${e}`) }));
</script>
"""
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
    *("--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
SECONDS = 120

RNG = np.random.RandomState(0)
N = 300
MIXED = pd.DataFrame(
    {
        "a": RNG.normal(size=N),
        "text": RNG.choice(["x", "žluť 🌲", 'a "b"'], N),
        "b": np.where(RNG.rand(N) < 0.1, np.nan, RNG.normal(size=N)),
        "code": RNG.randint(0, 4, N),
    }
)
Y = (MIXED["a"] > 0).to_numpy().astype(int) + (MIXED["text"] == "x").to_numpy()


FILLED = MIXED[["a", "b", "code"]].fillna(0.0)
NAMES = np.array(["ant", "bee", "cow"])


def distil(student):
    return DistilledClassifier(GaussianNB(), student, random_state=0, **PLAIN)


def find(*names):
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(names)} is installed")
    return found


def describe(values):
    if values.dtype == object:
        kind, data = "string", values.ravel().tolist()
    else:
        data = [None if np.isnan(x) else x for x in values.ravel().tolist()]
        kind = "float32"
    return {"type": kind, "dims": values.shape, "data": data}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with the models, their feeds and the packages of npm."""
    npm, folder = find("npm"), tmp_path_factory.mktemp("node")
    fill = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    encode = make_column_transformer(
        (fill, ["a", "b"]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["text", "code"]),
    )
    network = MLPClassifier((16, 8), max_iter=20)
    mixed = make_pipeline(encode, network)
    numbers = MIXED[["a", "b", "code"]]
    tree = DecisionTreeClassifier(max_depth=6)
    texts = MIXED[["text"]].to_numpy(dtype=object)
    columns = {name: MIXED[[name]] for name in numbers}
    made = [
        (mixed, MIXED, Y, {"grouped": True}, {"numbers": numbers, "texts": texts}),
        (mixed, MIXED, Y, {}, {**columns, "text": texts}),
        (tree, numbers, Y, {}, {"X": numbers}),
        (tree, numbers, Y, {"standard_operators": True}, {"X": numbers}),
    ]
    distilled = distil(make_pipeline(StandardScaler(), network))
    for model in (
        distilled,
        distil(make_pipeline(SimpleImputer(), LogisticRegression())),
        distil(DecisionTreeClassifier(max_depth=4)),
        distil(LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1)),
    ):
        made.append((model, FILLED, NAMES[Y], {}, {"X": FILLED}))
    for quantize in ("float16", "int8-weights"):
        options = {"quantize": quantize, "tolerance": 1.0}
        made.append((distilled, FILLED, NAMES[Y], options, {"X": FILLED}))
    cases, expected = [], []
    for k, (model, rows, y, options, feed) in enumerate(made):
        model.fit(rows, y)
        written = to_onnx(model, rows, path=folder / f"{k}.onnx", **options)
        feeds = {name: describe(np.asarray(part)) for name, part in feed.items()}
        cases.append({"model": f"{k}.onnx", "feeds": feeds})
        # Smaller weights are those of the file.
        served = OnnxClassifier(written) if "quantize" in options else model
        expected.append((served.predict(rows), served.predict_proba(rows)))
    (folder / "cases.json").write_text(json.dumps(cases))
    (folder / "run.js").write_text(RUN)
    (folder / "node.js").write_text(RUN + NODE)
    (folder / "index.html").write_text(PAGE)
    # The scripts fetch what graphics cards need.
    install = ["install", "--ignore-scripts", "--no-audit", "--no-fund"]
    packages = ["onnxruntime-node", "onnxruntime-web"]
    done = subprocess.run(
        [npm, *install, *packages], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"npm can't install {packages}: {done.stderr[-300:]}")
    return folder, expected


def assert_equal(answers, expected):
    assert isinstance(answers, list), answers
    for (label, answer), (named, proba) in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, proba.ravel(), rtol=0, atol=1e-5)
        assert label == named.astype(str).tolist()


@pytest.mark.parametrize("package", ["onnxruntime-node", "onnxruntime-web"])
def test_nodejs(package, folder):
    folder, expected = folder
    done = subprocess.run(
        [find("node"), "node.js", package],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr
    assert_equal(json.loads(done.stdout.splitlines()[-1]), expected)


def test_a_browser(folder, tmp_path):
    folder, expected = folder
    chromium = find("chromium", "chromium-browser", "google-chrome")
    answers, arrived = [], threading.Event()

    class Handler(SimpleHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            answers.append(json.loads(self.rfile.read(length)))
            self.send_response(204)
            self.end_headers()
            arrived.set()

        def log_message(self, *args):
            pass

    serve = functools.partial(Handler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/index.html"
        browser = subprocess.Popen(
            [chromium, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            assert arrived.wait(SECONDS), "the page sent no answer"
        finally:
            browser.terminate()
            browser.wait(SECONDS)
            server.shutdown()
    assert_equal(answers[0], expected)
