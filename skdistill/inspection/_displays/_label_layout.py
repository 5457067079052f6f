"""Names beside points, where there is room for them."""

from __future__ import annotations

import itertools
import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LINE_WIDTH, _MAX_LINES = 26, 3
#: Offsets in points: close by, or further off with a line that leads to the point.
_DISTANCES = (7, 28, 50, 75, 100)
#: Directions in the order of preference; a front leaves the room up to the left of
#: its points free.
_DIRECTIONS = [(-1, 1), (1, -1), (1, 1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0)]
_HORIZONTAL = {-1: "right", 0: "center", 1: "left"}
_VERTICAL = {-1: "top", 0: "center", 1: "bottom"}
#: What it costs to hide a piece of a line, a point or a text, and to leave the axes.
_LINE_COST, _POINT_COST, _TEXT_COST, _EDGE_COST = 0.5, 3.0, 8.0, 16.0
_DISTANCE_COST = 0.03


def place_labels(
    ax: Any,
    names: list[str],
    points: NDArray[Any],
    *,
    obstacles: NDArray[Any],
    line: NDArray[Any],
) -> list[Any]:
    """Write each name beside its point, clear of points, names and a line.

    Points, obstacles and the vertices of the line have shape (n, 2), in the units of
    the axes. Each name takes the place where it hides least, one after the other, as
    the figure stands: nothing moves when it is resized.
    """
    # The canvas leads to the figure from a part of a figure as well.
    ax.figure.canvas.figure.draw_without_rendering()
    dots = ax.transData.transform(obstacles)
    pieces = _cut_line(ax.transData.transform(line))
    taken: list[Any] = []
    texts = []
    for name, point in zip(names, points, strict=True):
        text = ax.annotate(
            _wrap(name),
            point,
            xytext=(0, 0),
            textcoords="offset points",
            fontsize="small",
            arrowprops={"arrowstyle": "-", "color": "0.6", "lw": 0.6, "shrinkB": 4},
            zorder=4,
        )
        start = ax.transData.transform(point)
        costs = {}
        for place in itertools.product(_DISTANCES, _DIRECTIONS):
            box = _move(text, place)
            hidden = _weigh_hidden(box, dots, pieces, taken, ax.bbox)
            crossed = _count_crossed(_lead(start, box), taken)
            costs[place] = hidden + _TEXT_COST * crossed + _DISTANCE_COST * place[0]
        box = _move(text, min(costs, key=costs.__getitem__))
        taken.append(box)
        pieces = np.vstack([pieces, _lead(start, box)])
        texts.append(text)
    return texts


def _wrap(name: str) -> str:
    lines = textwrap.wrap(
        name,
        _LINE_WIDTH,
        max_lines=_MAX_LINES,
        placeholder=" ...",
        break_on_hyphens=False,
    )
    return "\n".join(lines)


def _cut_line(vertices: NDArray[Any]) -> NDArray[Any]:
    """Points along a line, dense enough that none passes a text unseen."""
    steps = np.linspace(0, 1, 60)[:, None]
    pairs = itertools.pairwise(vertices)
    return np.vstack([vertices, *(a + steps * (b - a) for a, b in pairs)])


def _move(text: Any, place: tuple[int, tuple[int, int]]) -> Any:
    """Put the text there; return the box that it then takes on the canvas."""
    from matplotlib.text import Text

    distance, (right, up) = place
    text.xyann = distance * right, distance * up
    text.set(ha=_HORIZONTAL[right], va=_VERTICAL[up])
    # An annotation's own box holds the line to its point, too. Asking for it puts the
    # text in its place; what is wanted is the box of the words alone.
    text.get_window_extent()
    return Text.get_window_extent(text)


def _lead(start: NDArray[Any], box: Any) -> NDArray[Any]:
    """Points along the line that leads from the middle of the box to its point."""
    return _cut_line(np.array([start, (box.min + box.max) / 2]))


def _count_crossed(line: NDArray[Any], boxes: list[Any]) -> int:
    return sum(bool(_find_inside(box, line).any()) for box in boxes)


def _weigh_hidden(
    box: Any,
    dots: NDArray[Any],
    pieces: NDArray[Any],
    taken: list[Any],
    frame: Any,
) -> float:
    """What it costs to put a text into the box."""
    leaves = (box.min < frame.min).any() or (box.max > frame.max).any()
    return (
        _LINE_COST * bool(_find_inside(box.padded(2), pieces).any())
        + _POINT_COST * int(_find_inside(box.padded(4), dots).sum())
        + _TEXT_COST * sum(bool(box.overlaps(other)) for other in taken)
        + _EDGE_COST * bool(leaves)
    )


def _find_inside(box: Any, points: NDArray[Any]) -> NDArray[np.bool_]:
    return (box.min < points).all(axis=1) & (points < box.max).all(axis=1)
