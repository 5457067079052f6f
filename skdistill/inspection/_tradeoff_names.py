"""Names of models in a trade-off, as annotations of matplotlib."""

from __future__ import annotations

import textwrap
from typing import Any

import numpy as np

#: Of a name, in characters and lines.
_NAME_WIDTH, _NAME_LINES = 30, 2


def write_names(ax, names, points, on_front, up):
    """Annotate points on the side that the front leaves free.

    A name that would overlap another is left out, first those off the front. `up` is
    1 where a greater score is better, otherwise -1.
    """
    # The layout decides which names overlap; the canvas also leads to the figure
    # from a part of a figure.
    ax.figure.canvas.figure.draw_without_rendering()
    texts: list[Any] = []
    groups = sorted(_group_equal(points), key=lambda members: ~on_front[members[0]])
    for first, *equal in groups:
        name = names[first] + (f" (+{len(equal)}\u00a0equal)" if equal else "")
        point = points[first]
        place = ax.transAxes.inverted().transform(ax.transData.transform(point))
        # The front passes to the right of its points and below them.
        right = place[0] < 0.5
        above = up if on_front[first] and not right else -up
        text = ax.annotate(
            _wrap(name),
            point,
            xytext=(7 if right else -7, 4 * above),
            textcoords="offset points",
            ha="left" if right else "right",
            va="bottom" if above > 0 else "top",
            fontsize="small",
            zorder=4,
        )
        written = [other.get_window_extent() for other in texts]
        if text.get_window_extent().count_overlaps(written):
            text.remove()
        else:
            texts.append(text)
    return texts


def _group_equal(points):
    """Positions of the models at each different point, from left to right."""
    places, group = np.unique(points, axis=0, return_inverse=True)
    return [np.flatnonzero(group.ravel() == k) for k in range(len(places))]


def _wrap(name):
    return textwrap.fill(
        name,
        _NAME_WIDTH,
        max_lines=_NAME_LINES,
        placeholder=" ...",
        break_on_hyphens=False,
    )
