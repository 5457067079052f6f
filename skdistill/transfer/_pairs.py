"""Which rows a sample is built on, which of them meet, and what a pair exchanges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._typing import FloatArray

Rows = NDArray[np.intp]
Propose = Callable[[Rows, np.random.Generator], Rows]

#: Passes over a small table are worked on together, up to about this many rows.
BATCH_ROWS = 2**16


@dataclass
class Pairs:
    """Pairs of rows that exchange values.

    Attributes
    ----------
    first, second : ndarrays of int of shape (n_pairs,)
        Rows of the table.
    both : ndarray of bool of shape (n_pairs,)
        Whether the second row is part of the sample as well.
    rate : ndarray of shape (n_pairs,)
        Probability of each attribute to be exchanged.
    """

    first: Rows
    second: Rows
    both: NDArray[np.bool_]
    rate: FloatArray

    @property
    def n_rows(self) -> int:
        return len(self.first) + int(self.both.sum())

    def take(self, part: Rows) -> Pairs:
        return Pairs(
            self.first[part], self.second[part], self.both[part], self.rate[part]
        )

    def weave(self, first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
        """Put what belongs to the rows of the sample in order, pair after pair.

        Parameters
        ----------
        first : ndarray of shape (n_pairs,)
        second : ndarray of shape (number of pairs with both rows,)
        """
        woven = np.empty(self.n_rows, dtype=first.dtype)
        start = np.arange(len(first)) + np.cumsum(self.both) - self.both
        woven[start] = first
        woven[start[self.both] + 1] = second
        return woven


def count_rows(
    weight: FloatArray, n_samples: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """How often each row is a base: its share, rounded down or up at random."""
    share = n_samples * weight / weight.sum()
    counts = np.floor(share).astype(np.intp)
    n_left = n_samples - int(counts.sum())
    if n_left:
        # Systematic sampling of the fractions, over the rows in random order.
        order = rng.permutation(len(share))
        ladder = np.cumsum((share - counts)[order])
        ticks = (rng.random() + np.arange(n_left)) * (ladder[-1] / n_left)
        rungs = np.searchsorted(ladder, ticks, side="right")
        np.add.at(counts, order[np.minimum(rungs, len(order) - 1)], 1)
    return counts


def draw_passes(
    counts: NDArray[np.intp], rng: np.random.Generator
) -> Iterator[tuple[Rows, Rows]]:
    """Yield bases and the number of their pass, no base twice in a pass.

    Pass t holds the rows that are used more than t times, in random order.
    """
    rows = np.repeat(np.arange(len(counts)), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    passes = np.arange(len(rows)) - starts
    order = np.lexsort((rng.random(len(rows)), passes))
    rows, passes = rows[order], passes[order]
    ends = np.append(np.flatnonzero(np.diff(passes)) + 1, len(rows))
    begin = 0
    for end in ends:
        if end - begin >= BATCH_ROWS or end == len(rows):
            yield rows[begin:end], passes[begin:end]
            begin = end


def pair_rows(
    counts: NDArray[np.intp],
    rates: FloatArray,
    propose: Propose,
    rng: np.random.Generator,
) -> Iterator[Pairs]:
    """Yield the pairs of a sample in batches.

    In each pass, in random order, every row that has not met another yet meets the
    one that `propose` names for it. Of that one a row is kept as well if it is due
    in this pass and has not met another either.
    """
    # The pass in which a row last met another.
    met = [-1] * len(counts)
    due = counts.tolist()
    for rows, passes in draw_passes(counts, rng):
        first, second, both = [], [], []
        partners = propose(rows, rng).tolist()
        for row, partner, turn in zip(
            rows.tolist(), partners, passes.tolist(), strict=True
        ):
            if met[row] == turn:
                continue
            free = due[partner] > turn and met[partner] < turn
            met[row] = turn
            if free:
                met[partner] = turn
            first.append(row)
            second.append(partner)
            both.append(free)
        yield Pairs(
            np.array(first, dtype=np.intp),
            np.array(second, dtype=np.intp),
            np.array(both, dtype=bool),
            _share_rates(rates, np.array(both, dtype=bool), rng),
        )


def _share_rates(
    rates: FloatArray, both: NDArray[np.bool_], rng: np.random.Generator
) -> FloatArray:
    """Deal the rates out to the pairs, so that each has as many rows."""
    # Pairs of one row and of two are dealt one after the other.
    order = np.argsort(both, kind="stable")
    turn = (np.arange(len(both)) + rng.integers(len(rates))) % len(rates)
    shared = np.empty(len(both))
    shared[order] = rates[turn]
    return shared


def exchange_numbers(
    own: FloatArray,
    other: FloatArray,
    noise: float,
    low: FloatArray | float,
    high: FloatArray | float,
    whole: NDArray[np.bool_] | bool,
    rng: np.random.Generator,
) -> FloatArray:
    """Draw what rows get in exchange for `own` values.

    A normal around the `other` value with standard deviation `noise` times their
    distance, held to the range and to whole numbers where `whole`. Where either is
    not finite (missing), the other value itself.
    """
    if not noise:
        return other
    # What comes of infinities is put right in the last line.
    with np.errstate(invalid="ignore", over="ignore"):
        drawn = other + noise * np.abs(own - other) * rng.standard_normal(len(own))
        drawn = np.clip(drawn, low, high)
    drawn = np.where(whole, np.rint(drawn), drawn)
    return np.where(np.isfinite(own) & np.isfinite(other), drawn, other)
