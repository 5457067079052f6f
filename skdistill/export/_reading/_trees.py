"""Fitted trees of every library in one form.

Sums of leaves over all trees, plus a start, are scores; an ending makes them
probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._typing import AnyArray, BoolArray, FloatArray, IndexArray


@dataclass(frozen=True)
class Split:
    """Categories of one column that go left, and where a missing value goes.

    Any other category goes right. A number `truncates` to the category before it.
    """

    column: int
    categories: tuple[int, ...]
    missing_left: bool
    truncates: bool = False


@dataclass(frozen=True)
class Trees:
    """The nodes of all trees, one after the other.

    Attributes
    ----------
    roots : ndarray of shape (n_trees,)
        Position of the first node of each tree.
    column : ndarray of shape (n_nodes,)
        The column that a node compares; -1: it is a leaf.
    threshold : ndarray of shape (n_nodes,)
        A number up to it goes left, or only below it where `strict`.
    missing_left : ndarray of shape (n_nodes,)
    left, right : ndarray of shape (n_nodes,)
        Positions of the nodes below.
    value : ndarray of shape (n_nodes, n_scores)
        What a leaf adds to the scores.
    splits : dict of int to Split
        The nodes that compare categories, by position.
    start : ndarray of shape (n_scores,)
    ending : {"none", "sigmoid", "softmax"}
        How scores become probabilities. A single score is that of the second class.
    strict : bool
    single : bool
        Whether numbers are compared in float32.
    """

    roots: IndexArray
    column: IndexArray
    threshold: FloatArray
    missing_left: BoolArray
    left: IndexArray
    right: IndexArray
    value: FloatArray
    splits: dict[int, Split]
    start: FloatArray
    ending: str
    strict: bool = False
    single: bool = False

    def round_down(self, dtype: Any) -> AnyArray:
        """Return thresholds with which numbers of a type compare as with these."""
        rounded = self.threshold.astype(dtype)
        above = rounded > self.threshold
        return np.where(above, np.nextafter(rounded, dtype(-np.inf)), rounded)

    def center(self) -> Trees:
        """Return the same scores as small sums: the start holds each tree's middle."""
        leaf = (self.column < 0)[:, None]
        low, high = (
            reduce.reduceat(np.where(leaf, self.value, fill), self.roots, axis=0)
            for reduce, fill in ((np.minimum, np.inf), (np.maximum, -np.inf))
        )
        middle = (low + high) / 2
        sizes = np.diff([*self.roots, len(self.column)])
        value = np.where(leaf, self.value - np.repeat(middle, sizes, axis=0), 0.0)
        return replace(self, value=value, start=self.start + middle.sum(axis=0))


def join_trees(parts: list[dict[str, Any]], **settings: Any) -> Trees:
    """Put trees one after the other; nodes below are counted within their tree."""
    sizes = [len(part["column"]) for part in parts]
    roots = np.cumsum([0, *sizes[:-1]])
    names = ("column", "threshold", "missing_left", "value")
    joined: dict[str, Any] = {
        name: np.concatenate([part[name] for part in parts]) for name in names
    }
    for name in ("left", "right"):
        joined[name] = np.concatenate(
            [part[name] + root for part, root in zip(parts, roots, strict=True)]
        )
    splits = {
        int(root) + node: split
        for part, root in zip(parts, roots, strict=True)
        for node, split in part.get("splits", {}).items()
    }
    return Trees(roots=roots, splits=splits, **joined, **settings)


def join_outputs(parts: list[Trees]) -> Trees | None:
    """Put models of one output each together; None: they compare in different ways."""
    settings = {(part.ending, part.strict, part.single) for part in parts}
    if settings - {("none", part.strict, part.single) for part in parts[:1]}:
        return None
    joined = []
    for k, part in enumerate(parts):
        value = spread(part.value[:, 0], k, len(parts))
        # All of its trees are one part, whose roots are counted below.
        names = "column", "threshold", "missing_left", "left", "right", "splits"
        joined.append({**{name: getattr(part, name) for name in names}, "value": value})
    trees = join_trees(
        joined,
        start=np.concatenate([part.start for part in parts]),
        ending="none",
        strict=parts[0].strict,
        single=parts[0].single,
    )
    roots = [part.roots + first for part, first in zip(parts, trees.roots, strict=True)]
    return replace(trees, roots=np.concatenate(roots))


def spread(values: FloatArray, k: int, n_scores: int) -> FloatArray:
    """Return what leaves add to each score, where they add to one of them."""
    spread = np.zeros((len(values), n_scores))
    spread[:, k] = values
    return spread
