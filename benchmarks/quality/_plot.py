"""The plot of quality.py: log loss over that of hard labels, a row a data set."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from ._models import STUDENTS
from ._shares import ByData, group_records, read_hard, read_values

#: Marker, fill and label: told apart by shape, so that grey is enough.
MARKS = {
    "distilled": ("o", "black", "distilled"),
    "uncalibrated": ("^", "white", "teacher"),
    "calibrated": ("s", "0.75", "teacher, calibrated"),
}

#: Where hard labels leave next to no loss, ratios beyond it would flatten all others.
MOST = 2.0


def draw_plot(records: list[dict], path: Path) -> None:
    if not records or find_spec("matplotlib") is None:
        print("No plot: it needs runs, and matplotlib.")
        return
    from matplotlib.figure import Figure

    groups = group_records(records)
    names = sorted({record["data"] for record in records}, reverse=True)
    columns = min(len(groups), len(STUDENTS))
    shape = -(-len(groups) // columns), columns
    figure = Figure(figsize=(1.2 + 2.6 * shape[1], 1.2 + 2.9 * shape[0]))
    axes = figure.subplots(*shape, squeeze=False)
    for ax in axes.flat[len(groups) :]:
        ax.set_axis_off()
    for number, ((teacher, student), by_data) in enumerate(groups.items()):
        ax = axes.flat[number]
        draw_panel(ax, by_data, names)
        ax.set_title(f"{teacher} → {student}", fontsize=9)
        ax.tick_params(labelleft=number % columns == 0)
        if number + columns >= len(groups):
            ax.set_xlabel("log loss / hard labels' (edge: 2 or more)", fontsize=8)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    figure.set_layout_engine("constrained")
    figure.savefig(path, dpi=150)
    print(f"Written: {path.name}")


def draw_panel(ax, by_data: ByData, names: list[str]) -> None:
    """One teacher and student."""
    heights = {data: height for height, data in enumerate(names)}
    hard = {data: read_hard(r, "log_loss").mean() for data, r in by_data.items()}
    ax.axvline(1, color="black", linewidth=0.8, label="hard labels")
    ax.hlines(list(heights.values()), 0, 1, "0.9", transform=ax.get_yaxis_transform())
    # The student on top, where marks fall together.
    for model, (marker, fill, label) in reversed(MARKS.items()):
        ratios = [
            min(read_values(records, model, "log_loss").mean() / hard[data], MOST)
            for data, records in by_data.items()
        ]
        style = {"markerfacecolor": fill, "markeredgecolor": "black", "markersize": 6}
        style["clip_on"] = False  # at the edge a mark is whole
        rows = [heights[data] for data in by_data]
        ax.plot(ratios, rows, marker, label=label, **style)
    ax.set_yticks(list(heights.values()), list(heights))
    ax.set_xlim(0, MOST)
    ax.set_ylim(-0.6, len(names) - 0.4)
    ax.tick_params(labelsize=8)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
