"""Helpers of the displays: matplotlib, axes, colours, ticks."""

from __future__ import annotations

from typing import Any

from ._report_sections import escape_controls

#: Blue and vermilion of Okabe and Ito's palette: different for colour-blind readers,
#: and of different lightness in greyscale. Shapes differ as well, always.
STUDENT_COLOR, TEACHER_COLOR = "#0072B2", "#D55E00"
MUTED_COLOR = "0.45"


def require_matplotlib(caller: str) -> None:
    """Raise an ImportError that names the extra where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{caller} draws with matplotlib, which can't be imported: {error}. Run "
            'pip install "skdistill[plot]".'
        ) from error


def make_axes(display: Any, ax: Any) -> Any:
    """Return the axes to draw on, new ones for None, and note them on the display."""
    require_matplotlib(f"{type(display).__name__}.plot")
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(layout="constrained")
    display.ax_, display.figure_ = ax, ax.figure
    return ax


def name_label(label: Any) -> str:
    """Return a class label for a picture: no part of it is mathematics."""
    return escape_controls(label).replace("$", r"\$")


def draw_diagonal(ax: Any, label: str) -> Any:
    """Draw a dashed line with an outline, visible on white and on dark cells."""
    from matplotlib import patheffects

    outline = patheffects.withStroke(linewidth=2.5, foreground="white")
    return ax.plot(
        *([0, 1], [0, 1]),
        color="black",
        linestyle="--",
        linewidth=1.2,
        path_effects=[outline],
        label=label,
    )[0]


def frame_unit_square(ax: Any) -> None:
    # A margin, so that markers at 0 and 1 are not cut.
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")


def scatter_two(ax: Any, points: Any, mask: Any, styles: Any, given: Any) -> list[Any]:
    """Scatter the points where the mask holds, then the others, without empty ones.

    `given` is the caller's style, of which any colour replaces all of the defaults.
    """
    colors = {"c", "color", "facecolor", "facecolors", "edgecolor", "edgecolors"}
    dropped = colors if colors & set(given) else set()
    drawn = []
    for rows, style in zip((mask, ~mask), styles, strict=True):
        if rows.any():
            kept = {name: style[name] for name in style if name not in dropped}
            drawn.append(ax.scatter(*points[rows].T, **{**kept, **given}))
    return drawn


def draw_legend(ax: Any) -> None:
    """Draw the legend in rows above the axes."""
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=3,
        frameon=False,
        fontsize="small",
        borderaxespad=0.2,
        columnspacing=1.2,
        handletextpad=0.4,
    )


def set_log_ticks(axis: Any) -> None:
    """Ticks with plain numbers (20, 500, 64k), however short the axis is."""
    from matplotlib import ticker

    low, high = axis.get_view_interval()
    if high / low < 5:
        axis.set_major_locator(ticker.MaxNLocator(5))
    elif high / low < 300:
        axis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(ticker.EngFormatter(sep=""))
    axis.set_minor_formatter(ticker.NullFormatter())
