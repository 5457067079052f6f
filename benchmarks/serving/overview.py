"""The picture of the README: the vote against its student as ONNX, on letter.

    python -m benchmarks.serving.overview

It measures nothing: `latency.csv` and `models.csv`, which `latency.py` wrote, are
drawn, once for light and once for dark pages.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
DATA, TEACHER, STUDENT = "letter", "vote", "student, ONNX Runtime"
#: Colours of text, teacher and student.
THEMES = {
    "light": ("#1f2328", "#9a6700", "#0969da"),
    "dark": ("#e6edf3", "#d29922", "#58a6ff"),
}


def read_figures() -> pd.DataFrame:
    """Accuracy, bytes and microseconds of one row on one thread, by model."""
    models = pd.read_csv(HERE / "models.csv").query("data == @DATA")
    times = pd.read_csv(HERE / "latency.csv")
    times = times.query("data == @DATA and threads == 1 and rows == 1")
    figures = models.set_index("model")[["accuracy", "bytes"]]
    figures["microseconds"] = times.set_index("model")["median"]
    return figures.loc[[TEACHER, STUDENT]]


def format_bytes(size: float) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"


def format_time(microseconds: float) -> str:
    if microseconds < 1e3:
        return f"{microseconds:,.0f} µs"
    return f"{microseconds / 1e3:,.0f} ms"


def draw(figures: pd.DataFrame, theme: str, path: Path | None) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    text, *colours = THEMES[theme]
    teacher, student = (figures.loc[name] for name in (TEACHER, STUDENT))
    smaller = teacher["bytes"] / student["bytes"]
    faster = teacher["microseconds"] / student["microseconds"]
    panels = {
        "accuracy": ("accuracy, held-out rows", "{:.1%}".format),
        "bytes": (f"file: {smaller:,.0f} times smaller", format_bytes),
        "microseconds": (f"one row: {faster:,.0f} times faster", format_time),
    }
    style = {"text.color": text, "axes.labelcolor": text, "ytick.color": text}
    with plt.rc_context(style | {"font.size": 12}):
        figure, axes = plt.subplots(1, 3, figsize=(10, 1.9), layout="constrained")
        for ax, (name, (title, show)) in zip(axes, panels.items(), strict=True):
            values = figures[name].to_numpy(dtype=float)
            bars = ax.barh(["ensemble", "student"], values, color=colours, height=0.62)
            ax.bar_label(bars, [show(value) for value in values], padding=5)
            ax.set_title(title, fontsize=12, loc="left", color=text)
            ax.invert_yaxis()
            # Room for the label of the longest bar.
            ax.set_xlim(0, values.max() * 1.35)
            ax.spines[:].set_visible(False)
            ax.tick_params(length=0)
            ax.set_xticks([])
            if ax is not axes[0]:
                ax.set_yticks([])
        if path is not None:
            figure.savefig(path, dpi=160, transparent=True)
            print(f"Written: {path.name}")
        plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="draw, write nothing")
    options = parser.parse_args()
    figures = read_figures()
    for theme in THEMES:
        path = None if options.smoke else HERE / f"overview-{theme}.png"
        draw(figures, theme, path)
    print(figures.to_string())


if __name__ == "__main__":
    main()
