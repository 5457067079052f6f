"""TradeoffDisplay: scores against costs."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..metrics._budget import check_keys
from ._plotting import (
    MUTED_COLOR,
    STUDENT_COLOR,
    TEACHER_COLOR,
    draw_legend,
    make_axes,
    require_matplotlib,
    scatter_two,
    set_log_ticks,
)
from ._tradeoff_figures import check_figures, name_candidates, read_reports

if TYPE_CHECKING:
    from ._distillation_report import DistillationReport

#: With more names, or more characters in all, only those on the front are written.
_MAX_NAMES, _MAX_CHARACTERS = 8, 150
#: The longest name that is written, in characters a line and lines.
_NAME_WIDTH, _NAME_LINES = 30, 2
COST_NAMES = {"latency": "microseconds a row", "bytes": "bytes"}


class TradeoffDisplay:
    """Scores against costs, with the Pareto front.

    Make one of figures and :meth:`plot` it, or draw those :meth:`from_search` or
    :meth:`from_reports`; the parameters are kept as attributes. The cost has a
    logarithmic axis. A model is on the front if no other is at least as good and as
    cheap, and better in one of the two.

    Parameters
    ----------
    names : sequence of str of shape (n_models,)
        What is written at the models.
    scores : array-like of shape (n_models,)
        Their scores.
    costs : array-like of shape (n_models,)
        What they cost, above 0, such as microseconds a row or bytes.
    teacher, baseline : tuple of (float, float), default=None
        Score and cost of the teacher, and of the student trained without one.
    chosen : int, default=None
        Position of the model that was chosen.
    score_name : str, default="score"
        Label of the axis of scores.
    cost_name : str, default="microseconds a row"
        Label of the axis of costs.
    greater_is_better : bool, default=True
        False for a loss or an error.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What it is drawn on.
    figure_ : matplotlib Figure
        What the axes belong to.
    front_ : ndarray of shape (n_front, 2)
        Cost and score of the points on the front, the cheapest first; teacher and
        baseline may be among them.
    line_ : matplotlib Line2D
        The front.
    scatter_ : list of matplotlib PathCollection
        The models on the front and the others, without empty ones.
    teacher_, baseline_, chosen_ : matplotlib PathCollection or None
        Their marks.
    texts_ : list of matplotlib Annotation
        The names, as far as they do not overlap.

    Raises
    ------
    ValueError
        There is not one name, score and cost for each model, or a figure is not
        finite, or a cost is not above 0.

    See Also
    --------
    skdistill.metrics.within_budget : Chooses by a limit on the cost.
    FidelityDisplay : Compares the student with its teacher row by row.

    Examples
    --------
    >>> from skdistill.inspection import TradeoffDisplay
    >>> display = TradeoffDisplay(
    ...     ["tree", "MLP (16)", "MLP (64, 32)"],
    ...     scores=[0.91, 0.95, 0.96],
    ...     costs=[40, 70, 180],
    ...     teacher=(0.97, 20_000),
    ...     baseline=(0.94, 180),
    ...     score_name="accuracy",
    ... ).plot()
    >>> len(display.front_)  # the baseline is no better than MLP (16), and slower
    4
    """

    def __init__(
        self,
        names: Sequence[Any],
        scores: Any,
        costs: Any,
        *,
        teacher: tuple[float, float] | None = None,
        baseline: tuple[float, float] | None = None,
        chosen: int | None = None,
        score_name: str = "score",
        cost_name: str = "microseconds a row",
        greater_is_better: bool = True,
    ) -> None:
        self.names = [str(name) for name in names]
        self.scores, self.costs = check_figures(
            self.names, scores, costs, teacher, baseline
        )
        self.teacher = teacher
        self.baseline = baseline
        self.chosen = chosen
        self.score_name = score_name
        self.cost_name = cost_name
        self.greater_is_better = greater_is_better

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        score: str = "neg_log_loss",
        cost: str = "latency",
        teacher: tuple[float, float] | None = None,
        baseline: tuple[float, float] | None = None,
        cost_name: str | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the candidates of a fitted search, and which of them it chose.

        Parameters
        ----------
        search : GridSearchCV or another search of scikit-learn
            Fitted, with `scoring` a dict that holds both keys.
        score : str, default="neg_log_loss"
            Key in the `scoring` of the search; greater is better.
        cost : str, default="latency"
            Key in the `scoring` of the search of a scorer that gives minus the cost,
            such as :func:`~skdistill.metrics.latency_scorer` and
            :func:`~skdistill.metrics.size_scorer`.
        teacher, baseline : tuple of (float, float), default=None
            Score and cost, such as
            ``(scorer(teacher, X, y), -latency_scorer()(teacher, X))``.
        cost_name : str, default=None
            None: "microseconds a row" or "bytes" where the key is "latency" or
            "bytes", otherwise the key.
        ax, **kwargs
            As in :meth:`plot`.

        Returns
        -------
        display : TradeoffDisplay
            Drawn.

        Raises
        ------
        TypeError
            It is not a fitted search.
        ValueError
            A key is missing, or a mean score is not finite.
        """
        require_matplotlib(f"{cls.__name__}.from_search")
        results = getattr(search, "cv_results_", None)
        if results is None:
            raise TypeError(
                f"{cls.__name__}.from_search needs a fitted search with cv_results_; "
                f"got {type(search).__name__}. Fit it first, or pass figures to "
                f"{cls.__name__}."
            )
        check_keys(results, [score, cost])
        display = cls(
            name_candidates(results["params"]),
            results[f"mean_test_{score}"],
            -np.asarray(results[f"mean_test_{cost}"]),
            teacher=teacher,
            baseline=baseline,
            chosen=getattr(search, "best_index_", None),
            score_name=f"{score} (mean over the splits)",
            cost_name=COST_NAMES.get(cost, cost) if cost_name is None else cost_name,
        )
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def from_reports(
        cls,
        reports: Mapping[str, DistillationReport],
        *,
        score: str = "log_loss",
        cost: str = "latency",
        ax: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Draw the students of several reports, with teacher and baseline of the first.

        Parameters
        ----------
        reports : dict of str to DistillationReport
            By name, all of the same rows.
        score : str, default="log_loss"
            A score among the figures of their `models`.
        cost : {"latency", "bytes"}, default="latency"
            The median for one row, or the size.
        ax, **kwargs
            As in :meth:`plot`.

        Returns
        -------
        display : TradeoffDisplay
            Drawn.

        Raises
        ------
        ValueError
            There is no report, the reports differ in their number of rows, or the
            score or cost is unknown or missing for a student.
        """
        require_matplotlib(f"{cls.__name__}.from_reports")
        given = read_reports(reports, score, cost)
        return cls(list(reports), **given, cost_name=COST_NAMES[cost]).plot(
            ax=ax, **kwargs
        )

    def plot(self, *, ax: Any = None, **kwargs: Any) -> Self:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: those of a new figure.
        **kwargs : dict
            For :meth:`matplotlib.axes.Axes.scatter`, of the models.

        Returns
        -------
        display : TradeoffDisplay
            This one.
        """
        ax = make_axes(self, ax)
        ax.set(xscale="log", xlabel=self.cost_name, ylabel=self.score_name)
        given = [pair for pair in (self.teacher, self.baseline) if pair is not None]
        pairs = np.vstack([np.column_stack([self.scores, self.costs]), *given])
        points = pairs[:, ::-1]
        sign = 1 if self.greater_is_better else -1
        on_front = _find_front(points[:, 0], sign * points[:, 1])
        self.front_ = np.unique(points[on_front], axis=0)
        self.line_ = ax.plot(
            *self.front_.T,
            drawstyle="steps-post",
            color=STUDENT_COLOR,
            linewidth=1.2,
            zorder=1,
        )[0]
        points, on_front = points[: len(self.names)], on_front[: len(self.names)]
        front = {"color": STUDENT_COLOR, "label": "student on the Pareto front"}
        other = {"facecolors": "white", "edgecolors": MUTED_COLOR}
        styles = (
            {"s": 40, "zorder": 2.2, **front},
            {"s": 40, "zorder": 2, "label": "other student", **other},
        )
        self.scatter_ = scatter_two(ax, points, on_front, styles, kwargs)
        self._draw_marks(ax)
        self._finish(ax, points, on_front)
        return self

    def _draw_marks(self, ax):
        def mark(label, pair, **style):
            if pair is None:
                return None
            score, cost = pair
            return ax.scatter([cost], [score], label=label, zorder=3, **style)

        style = {"marker": "^", "s": 90, "color": TEACHER_COLOR}
        self.teacher_ = mark("teacher", self.teacher, **style)
        style = {"marker": "s", "s": 60, "color": "black"}
        self.baseline_ = mark("baseline (no teacher)", self.baseline, **style)
        k = self.chosen
        pair = None if k is None else (self.scores[k], self.costs[k])
        style = {"facecolors": "none", "edgecolors": "black", "linewidths": 1.5}
        self.chosen_ = mark("chosen", pair, marker="o", s=170, **style)

    def _finish(self, ax, points, on_front):
        """Frame, legend and names."""
        ax.margins(x=0.12, y=0.12)
        ax.grid(True, color="0.9", linewidth=0.6)
        ax.set_axisbelow(True)
        set_log_ticks(ax.xaxis)
        draw_legend(ax)
        few = len(self.names) <= _MAX_NAMES
        shown = on_front | (few and len("".join(self.names)) <= _MAX_CHARACTERS)
        self.texts_ = _write_names(
            ax,
            np.asarray(self.names)[shown],
            points[shown],
            on_front[shown],
            1 if self.greater_is_better else -1,
        )


def _find_front(cost, benefit):
    """Mask of the points that no other point dominates."""
    as_cheap = cost[None, :] <= cost[:, None]
    as_good = benefit[None, :] >= benefit[:, None]
    better = (cost[None, :] < cost[:, None]) | (benefit[None, :] > benefit[:, None])
    return ~(as_cheap & as_good & better).any(axis=1)


def _write_names(ax, names, points, on_front, up):
    """Annotate points on the side that the front leaves free.

    A name that would overlap another is left out, first those off the front. `up` is
    1 where a greater score is better, otherwise -1.
    """
    # The layout decides which names overlap; the canvas also leads to the figure
    # from a part of a figure.
    ax.figure.canvas.figure.draw_without_rendering()
    texts: list[Any] = []
    places, group = np.unique(points, axis=0, return_inverse=True)
    groups = [np.flatnonzero(group.ravel() == k) for k in range(len(places))]
    groups.sort(key=lambda members: ~on_front[members[0]])
    for first, *equal in groups:
        name = names[first] + (f" (+{len(equal)}\u00a0equal)" if equal else "")
        point = points[first]
        place = ax.transAxes.inverted().transform(ax.transData.transform(point))
        # The front passes to the right of its points and below them.
        right = place[0] < 0.5
        above = up if on_front[first] and not right else -up
        text = ax.annotate(
            textwrap.fill(
                name,
                _NAME_WIDTH,
                max_lines=_NAME_LINES,
                placeholder=" ...",
                break_on_hyphens=False,
            ),
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
