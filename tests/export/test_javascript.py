"""ONNX files under Node.js and in a browser, equal to `predict_proba`.

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
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill.export import to_onnx

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
    const { probabilities } = await session.run(given, ["probabilities"]);
    answers.push(Array.from(probabilities.data));
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
    network = make_pipeline(encode, MLPClassifier((16, 8), max_iter=20))
    numbers = MIXED[["a", "b", "code"]]
    tree = DecisionTreeClassifier(max_depth=6)
    texts = {"texts": MIXED[["text"]].to_numpy(dtype=object)}
    made = [
        (network, MIXED, {"grouped": True}, {"numbers": numbers, **texts}),
        (tree, numbers, {}, {"X": numbers}),
        (tree, numbers, {"standard_operators": True}, {"X": numbers}),
    ]
    cases, expected = [], []
    for k, (model, rows, options, feed) in enumerate(made):
        to_onnx(model.fit(rows, Y), rows, path=folder / f"{k}.onnx", **options)
        feeds = {name: describe(np.asarray(part)) for name, part in feed.items()}
        cases.append({"model": f"{k}.onnx", "feeds": feeds})
        expected.append(model.predict_proba(rows))
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
    for answer, proba in zip(answers, expected, strict=True):
        np.testing.assert_allclose(answer, proba.ravel(), rtol=0, atol=1e-5)


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
