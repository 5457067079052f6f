"""The picture of latency.py: latency of one row against size, accuracy as colour."""

from __future__ import annotations

from pathlib import Path

from ._models import BLOCKS, DISTILLED, IDENTITY, INT8, MEMBERS_ONNX, VOTE_1
from ._report import select_models, select_times

#: Each would lie on top of another.
HIDDEN = (DISTILLED, VOTE_1, MEMBERS_ONNX, BLOCKS, f"{INT8}-dynamic")


def draw(models: list[dict], times: list[dict], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(record["data"] for record in models))
    figure, axes = plt.subplots(
        *(1, len(names)),
        figsize=(6.5 * len(names), 5.5),
        squeeze=False,
        layout="constrained",
    )
    for ax, data in zip(axes[0], names, strict=True):
        at = select_times(data, times)[1][1]
        draw_panel(ax, select_models(data, models), at)
        ax.set_title(data)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    print(f"Written: {path.name}")


def draw_panel(ax, models: dict[str, dict], times: dict[str, dict]) -> None:
    """The models of one data set, with their times of one row."""
    drawn = {
        name: (record["bytes"], times[name]["median"], record["accuracy"])
        for name, record in models.items()
        if "accuracy" in record and name not in HIDDEN
    }
    sizes, medians, accuracies = zip(*drawn.values(), strict=True)
    style = {"cmap": "viridis", "s": 190, "edgecolors": "black", "zorder": 3}
    points = ax.scatter(sizes, medians, c=accuracies, **style)
    for number, (name, (size, median, accuracy)) in enumerate(drawn.items(), 1):
        write_number(ax, number, (size, median))
        ax.plot([], [], " ", label=f"{number}  {name}: {accuracy:.3f}")
    if IDENTITY in times:
        floor = times[IDENTITY]["median"]
        ax.axhline(floor, color="grey", linestyle="--", label=IDENTITY)
    ax.set(xscale="log", yscale="log", xlabel="bytes on disk")
    ax.set_ylabel("median µs of one row, one thread")
    ax.grid(which="major", alpha=0.3)
    below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12), "ncols": 2}
    ax.legend(**below, fontsize=8, handlelength=1.5, frameon=False)
    ax.figure.colorbar(points, ax=ax, label="held-out accuracy")


def write_number(ax, number: int, at: tuple[float, float]) -> None:
    """Readable on the dark end of the colours and on the bright one."""
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=2, foreground="black")]
    centred = {"ha": "center", "va": "center", "fontsize": 8}
    ax.annotate(str(number), at, color="white", path_effects=outline, **centred)
