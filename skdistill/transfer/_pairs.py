"""Bases of a sample, the pairs they form, and the numbers that a pair exchanges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .._typing import AnyArray, BoolArray, FloatArray, IndexArray

Propose = Callable[[IndexArray, np.random.Generator], IndexArray]

#: Rounds over a small table are drawn together, up to about this many rows.
BATCH_ROWS = 2**16


@dataclass
class Pairs:
    """Pairs of rows that exchange values."""

    first: IndexArray
    second: IndexArray
    #: Whether the second row is part of the sample as well.
    both: BoolArray
    #: Probability of each attribute to be exchanged.
    rate: FloatArray

    @property
    def n_rows(self) -> int:
        return len(self.first) + int(self.both.sum())

    def find_starts(self) -> IndexArray:
        """Return the place of each first row in the sample."""
        return np.arange(len(self.first)) + np.cumsum(self.both) - self.both

    def take(self, part: IndexArray) -> Pairs:
        return Pairs(
            self.first[part], self.second[part], self.both[part], self.rate[part]
        )

    def weave(self, first: AnyArray, second: AnyArray) -> AnyArray:
        """Interleave values of first rows with those of second rows that are kept."""
        woven = np.empty(self.n_rows, dtype=first.dtype)
        starts = self.find_starts()
        woven[starts] = first
        woven[starts[self.both] + 1] = second
        return woven


def count_bases(
    weight: FloatArray, n_samples: int, rng: np.random.Generator
) -> IndexArray:
    """Return how often each row is a base: its share, rounded at random."""
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


def draw_rounds(
    counts: IndexArray, rng: np.random.Generator
) -> Iterator[tuple[IndexArray, IndexArray]]:
    """Yield bases and the number of their round, no base twice in a round.

    Round t holds the rows that are used more than t times, in random order.
    """
    rows = np.repeat(np.arange(len(counts)), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    rounds = np.arange(len(rows)) - starts
    order = np.lexsort((rng.random(len(rows)), rounds))
    rows, rounds = rows[order], rounds[order]
    ends = np.append(np.flatnonzero(np.diff(rounds)) + 1, len(rows))
    begin = 0
    for end in ends:
        if end - begin >= BATCH_ROWS or end == len(rows):
            yield rows[begin:end], rounds[begin:end]
            begin = end


def pair_rows(
    counts: IndexArray, rates: FloatArray, propose: Propose, rng: np.random.Generator
) -> Iterator[Pairs]:
    """Yield the pairs of a sample in batches.

    In each round, in random order, every row without a partner is paired with the one
    that `propose` returns for it. That one becomes a base as well if it is one of this
    round and had no partner either.
    """
    # The round in which a row last had a partner.
    paired = [-1] * len(counts)
    n_rounds = counts.tolist()
    for rows, rounds in draw_rounds(counts, rng):
        first, second, both = [], [], []
        partners = propose(rows, rng).tolist()
        for row, partner, turn in zip(
            rows.tolist(), partners, rounds.tolist(), strict=True
        ):
            if paired[row] == turn:
                continue
            free = n_rounds[partner] > turn and paired[partner] < turn
            paired[row] = turn
            if free:
                paired[partner] = turn
            first.append(row)
            second.append(partner)
            both.append(free)
        kept = np.array(both, dtype=bool)
        rate = _share_rates(rates, kept, rng)
        yield Pairs(np.array(first, np.intp), np.array(second, np.intp), kept, rate)


def _share_rates(
    rates: FloatArray, both: BoolArray, rng: np.random.Generator
) -> FloatArray:
    """Share out the rates among the pairs, so that each has as many rows."""
    # Pairs of one row are served first, then pairs of two.
    order = np.argsort(both, kind="stable")
    turn = (np.arange(len(both)) + rng.integers(len(rates))) % len(rates)
    shared = np.empty(len(both))
    shared[order] = rates[turn]
    return shared
