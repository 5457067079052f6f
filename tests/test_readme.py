"""The README's code runs as it stands, and prints what it says."""

import re
from pathlib import Path

import numpy as np
import pytest

import skdistill

ROOT = Path(__file__).resolve().parents[1]


def read_block(mark, text):
    found = re.search(rf"{mark}\n+```\w+\n(.*?)```", text, re.S)
    return found[1]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_quick_start_and_the_deployment_run(capsys, monkeypatch, tmp_path):
    pytest.importorskip("skl2onnx")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    scope = {}
    exec(read_block("<!-- quick-start -->", text), scope)
    printed = capsys.readouterr().out
    expected = read_block("<!-- quick-start-output -->", text)
    number = re.compile(r"\d\.\d+")
    assert number.sub("", printed) == number.sub("", expected)
    # Other processors and versions sum in another order.
    found, said = (
        np.array(number.findall(x), dtype=float) for x in (printed, expected)
    )
    np.testing.assert_allclose(found, said, atol=0.03)
    exec(read_block("## Deployment", text), scope)
    assert {path.name for path in tmp_path.iterdir()} == {
        "student.joblib",
        "student.onnx",
    }


#: The students of the table of other tools, as the results name them.
PEERS = {
    "**skdistill**, best of MLP 256-256 and LightGBM": (
        "skdistill",
        "best of MLP and LightGBM",
    ),
    "TabTune, mlp": ("tabtune", "mlp"),
    "**skdistill**, MLP 64-32": ("skdistill", "MLP 64-32"),
    "LightGBM, tuned, not distilled": ("lightgbm", "tuned, not distilled"),
    "AutoGluon, NN_TORCH": ("autogluon", "NN_TORCH"),
    "a script of thirty lines, MLP 64-32": ("script", "MLP 64-32"),
}


@pytest.fixture(scope="module")
def peers():
    table = read_results("peers/peers.csv")
    return table[table["failed"].isna()].set_index(["data", "peer", "student"])


def read_results(name):
    return pytest.importorskip("pandas").read_csv(ROOT / "benchmarks" / name)


def read_readme():
    return (ROOT / "README.md").read_text(encoding="utf-8")


def show_mean(values):
    return f"{values.mean():.4f} ± {values.sem():.4f}"


def describe_vote():
    """Accuracy, log loss and microseconds of the vote on the rows of the table."""
    table = read_results("quality/quality.csv").query(
        "teacher == 'vote' and data == 'letter' and student == 'mlp'"
    )
    assert len(table) == 5
    assert {*table["rows"]} == {4000}
    times = read_results("serving/latency.csv").query(
        "data == 'letter' and model == 'vote' and threads == 1 and rows == 1"
    )
    return [
        show_mean(table["uncalibrated.accuracy"]),
        show_mean(table["uncalibrated.log_loss"]),
        f"{times['median'].item():,.0f}",
    ]


def test_the_table_of_other_tools_is_that_of_the_results(peers):
    part = read_readme().split("## Beside other tools")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    ensemble, *students = found[2:]
    assert ensemble == ["the ensemble itself, a vote", *describe_vote(), ""]
    assert [row[0] for row in students] == list(PEERS)
    for name, *figures in students:
        runs = peers.loc[("letter", *PEERS[name])]
        microseconds = f"{runs['p50_us'].median():,.0f}"
        if PEERS[name][0] == "skdistill":
            microseconds += f" (ONNX: {runs['onnx_us'].median():,.0f})"
        assert figures == [
            show_mean(runs["accuracy"]),
            show_mean(runs["log_loss"]),
            microseconds,
            f"{runs['fit_seconds'].median():,.0f}",
        ]
        assert len(runs) == 5
        assert {*runs["rows"]} == {4000}


def test_the_losses_to_other_tools_are_those_of_the_results(peers):
    """The README and the page of limits name each set and figure that is behind."""
    behind = {}
    for data in peers.index.unique("data"):
        for figure, sign in (("accuracy", 1), ("log_loss", -1)):
            means = sign * peers.loc[data].groupby(["peer", "student"])[figure].mean()
            own = ("skdistill", "best of MLP and LightGBM")
            best = means.drop("skdistill").idxmax()
            runs = [
                peers.loc[(data, *who)].set_index("seed")[figure] for who in (own, best)
            ]
            lead = sign * (runs[0] - runs[1]).dropna()
            if lead.mean() < -lead.sem():
                behind[data, figure] = (*best, f"{-lead.mean():.4f}".lstrip("0"))
    tuned = ("lightgbm", "tuned, not distilled")
    by = behind["magic", "accuracy"][-1]
    assert {key: found[:2] for key, found in behind.items()} == {
        ("magic", "accuracy"): ("autogluon", "NN_TORCH"),
        ("adult", "accuracy"): tuned,
        ("adult", "log_loss"): tuned,
    }
    said = (
        f"On magic AutoGluon's network is more accurate by {by}, and on adult a tuned"
    )
    assert said in " ".join(read_readme().split())


def test_the_losses_of_values_are_those_of_the_results():
    """The page of limits names each student that is behind another tool's."""
    table = read_results("peers/regression.csv")
    runs = table.pivot(
        index=["data", "seed"], columns=["peer", "student"], values="rmse"
    )
    behind = set()
    for data, errors in runs.groupby(level="data"):
        for student in errors["skdistill"]:
            for peer, theirs in errors.drop(columns="skdistill").items():
                lead = (theirs - errors["skdistill", student]).dropna()
                if lead.mean() < -lead.sem():
                    behind.add((data, student, peer))
                if student == "all defaults":
                    assert lead.mean() > 3 * lead.sem(), (data, peer)
    every = [key for key in runs if key[0] != "skdistill"]
    assert behind == {
        ("compactiv", "MLP 64-32", ("autogluon", "GBM")),
        *(("compactiv", "LightGBM 50x15", peer) for peer in every),
    }
    assert {*table["seed"]} == {0, 1, 2, 3, 4}


def test_what_the_default_student_keeps_is_that_of_the_results():
    """On the tables that judge the defaults, in log loss, means over the seeds."""
    runs = read_results("quality/others.csv").query("student == 'default'")
    assert (runs.groupby("data")["seed"].nunique() == 2).all()
    ways = [name for name in runs if re.fullmatch(r"hard\..*\.log_loss", name)]
    gains, advantages, worst = [], [], 0.0
    for _, some in runs.groupby("data"):
        hard = some[min(ways, key=lambda way: some[way].mean())]
        lead = hard - some["calibrated.log_loss"]
        gain = (hard - some["distilled.log_loss"]).mean()
        noise = lead.sem() if len(some) > 1 else 0.0
        if lead.mean() > max(noise, 0.002):
            gains.append(gain)
            advantages.append(lead.mean())
        else:
            worst = max(worst, -gain)
    kept = f"{sum(gains) / sum(advantages):.0%}"
    assert (
        f"On {runs['data'].nunique()} public tables that no default was chosen on, the "
        f"default student keeps {kept} of the calibrated ensemble's advantage, and "
        f"loses at most {worst:.3f} without one".replace(" 0.", " .")
    ) in " ".join(read_readme().split())
    assert min(gains) > 0


def test_the_picture_is_described_by_the_results():
    models = read_results("serving/models.csv").query("data == 'letter'")
    times = read_results("serving/latency.csv")
    times = times.query("data == 'letter' and threads == 1 and rows == 1")
    names = ["vote", "student, ONNX Runtime"]
    models, times = (table.set_index("model").loc[names] for table in (models, times))
    accuracy = " and ".join(f"{value:.1%}" for value in models["accuracy"])
    large, small = models["bytes"]
    slow, fast = times["median"]
    assert (
        f'alt="On letter: accuracy {accuracy}, file {large / 1e6:.0f} MB and '
        f"{small / 1e3:.0f} kB, one row {slow / 1e3:.0f} ms and {fast:.0f} µs, for "
        'ensemble and student"'
    ) in read_readme()


def test_the_citation_names_the_version():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {skdistill.__version__}\n" in text
    assert text.startswith("cff-version: 1.2.0\n")
