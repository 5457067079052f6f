"""The pictures of the guide: the three displays, and the report as a page.

A soft vote of LightGBM, a random forest, extra trees and a network, distilled on
4,000 rows of magic into an MLP 64-32 with the defaults; for the trade-off into other
students as well. Everything is drawn from the other rows, which are held out.

`pictures.png` holds the displays; `report.html` the page, and `report.png` what
Chromium shows of it, where that is installed.

    python -m benchmarks.quality.pictures
    python -m benchmarks.quality.pictures --smoke                 # writes nothing
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skdistill import DistilledClassifier
from skdistill.inspection import (
    FidelityDisplay,
    ReliabilityDisplay,
    TradeoffDisplay,
    distillation_report,
)
from skdistill.metrics import latency_scorer

from .._data import split_data
from .._measure import fit_quietly
from ._models import (
    SMOKE,
    Size,
    Split,
    make_student,
    make_teacher,
    put_behind_columns,
)

FOLDER = Path(__file__).parent
N_ROWS = 4000
#: Of the page; what is below is cut.
WINDOW = (1000, 1900)


def make_students(split: Split) -> dict:
    """What the trade-off shows; "MLP 64-32" is what the other pictures show."""
    small = MLPClassifier((8,), max_iter=split.size.student_epochs)
    return {
        "MLP 64-32": make_student("mlp", split),
        "MLP 8": put_behind_columns(split.X_train, small),
        "logistic": make_student("logistic", split),
        "tree": make_student("tree", split),
        "LightGBM 50x15": make_student("lightgbm", split),
    }


def distil_all(split: Split) -> dict[str, DistilledClassifier]:
    """All students of one teacher."""
    with TemporaryDirectory() as folder:
        return {
            name: fit_quietly(
                DistilledClassifier(
                    make_teacher("vote", split),
                    student,
                    random_state=split.seed,
                    memory=folder,
                ),
                split.X_train,
                split.y_train,
            )
            for name, student in make_students(split).items()
        }


def draw_displays(models: dict[str, DistilledClassifier], report, split: Split):
    """All three side by side."""
    X, y = split.X_test, split.y_test
    figure = Figure(figsize=(16.5, 5.2), layout="constrained")
    first, second, third = figure.subplots(1, 3)
    shown = models["MLP 64-32"]
    FidelityDisplay.from_estimator(shown, X, ax=first)
    ReliabilityDisplay.from_estimator(shown, X, y, ax=second)
    measure = latency_scorer()

    def read(name):
        figures = report.models[name]
        return figures["log_loss"], figures["latency_p50_us"]

    TradeoffDisplay(
        list(models),
        [log_loss(y, model.predict_proba(X)) for model in models.values()],
        [-measure(model, X) for model in models.values()],
        teacher=read("teacher"),
        baseline=read("baseline"),
        score_name="log loss (less is better)",
        greater_is_better=False,
    ).plot(ax=third)
    return figure


def take_screenshot(page: Path, picture: Path) -> None:
    """The top of the page."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print(f"No {picture.name}: neither chromium nor google-chrome is installed.")
        return
    size = ",".join(map(str, WINDOW))
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--hide-scrollbars", f"--window-size={size}"]
    command += [f"--screenshot={picture}", page.resolve().as_uri()]
    subprocess.run(command, check=True, capture_output=True)
    print(f"Written: {picture.name}")


def draw(split: Split, folder: Path) -> None:
    models = distil_all(split)
    report = distillation_report(
        models["MLP 64-32"],
        split.X_test,
        split.y_test,
        baseline="fit",
        train=(split.X_train, split.y_train),
        random_state=split.seed,
    )
    print(report)
    draw_displays(models, report, split).savefig(folder / "pictures.png", dpi=80)
    report.to_html(folder / "report.html")
    print("Written: pictures.png, report.html")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="tiny, writes nothing")
    args = parser.parse_args()
    if args.smoke:
        X, y = load_digits(n_class=2, return_X_y=True)
        rows = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)
        with TemporaryDirectory() as folder:
            draw(Split("digits", 0, *rows, SMOKE), Path(folder))
        return
    draw(Split("magic", 0, *split_data("magic", 0, N_ROWS), Size()), FOLDER)
    take_screenshot(FOLDER / "report.html", FOLDER / "report.png")


if __name__ == "__main__":
    main()
