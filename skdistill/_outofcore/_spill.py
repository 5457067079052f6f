"""Rows with soft targets that do not fit into memory, in a folder during a fit.

Rows are written block by block, once. A student that learns epoch by epoch (networks,
SGD) reads them back in buffers. Each buffer is made of short runs of rows from all over
the file, which shuffles rows that are sorted. Any other student learns all rows, mapped
from the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from .._frames import count_columns
from .._soft_data import SoftDataset, weigh_classes
from ._store import ArrayStore, open_store

#: Cells of a buffer, its fewest and most rows, and the runs of rows that make it up.
_CELLS = 2**21
_BOUNDS = (2**12, 2**16)
_RUNS = 64


class SoftStream:
    """Blocks of rows with soft targets, made as they are read; they are read once."""

    def __init__(self, blocks: Iterable[SoftDataset]) -> None:
        self._blocks = blocks

    def __iter__(self) -> Iterator[SoftDataset]:
        return iter(self._blocks)

    def transform(self, transform: Callable[[Any], Any]) -> SoftStream:
        """Return the same targets for transformed rows."""
        return SoftStream(block.transform(transform) for block in self)


@contextmanager
def spill_rows(train: SoftDataset, transfer: SoftStream) -> Iterator[Spill]:
    """Write training rows, then those of a stream; the folder is removed at the end."""
    with TemporaryDirectory(prefix="skdistill-") as folder:
        spill = Spill(train, Path(folder))
        for block in chain([train], transfer):
            spill.append(block)
        yield spill


class Spill:
    """Rows, soft targets and weights in files of a folder, which is empty at first.

    All rows have the container and types of `train`, whose metadata belong to its rows
    alone.
    """

    def __init__(self, train: SoftDataset, folder: Path) -> None:
        self.train = train
        self.classes, self.params = train.classes, train.params
        self.n_samples = 0
        self._stores: dict[str, Any] = {
            "X": open_store(train.X, folder / "rows"),
            "targets": ArrayStore(train.targets[:0], folder / "targets"),
            "labels": ArrayStore(train.labels[:0], folder / "labels"),
        }
        for name in ("weight", "alpha"):
            if getattr(train, name) is not None:
                self._stores[name] = ArrayStore(np.empty(0), folder / name)
        self._sum_weight = 0.0
        self._change: Callable[[SoftDataset], SoftDataset] | None = None
        self._mass = np.zeros(len(train.classes))

    def append(self, data: SoftDataset) -> None:
        ones = np.ones(data.n_samples)
        weight = ones if data.weight is None else data.weight
        for name, store in self._stores.items():
            part = getattr(data, name)
            store.append(ones if part is None else part)
        self._mass += data.sum_classes()
        self._sum_weight += float(weight.sum())
        self.n_samples += data.n_samples

    @property
    def mean_weight(self) -> float:
        return self._sum_weight / self.n_samples

    def weigh_classes(self, class_weight: dict[Any, float] | str) -> None:
        """Apply a student's `class_weight` to whatever is read from now on."""
        factors = weigh_classes(class_weight, self.classes, self._mass)
        self.change(lambda data: data.scale_classes(factors))

    def change(self, change: Callable[[SoftDataset], SoftDataset]) -> None:
        """Apply a function to whatever is read from now on."""
        self._change = change

    def map(self) -> SoftDataset:
        """Return all rows, mapped from the files."""
        return self._build({k: store.map() for k, store in self._stores.items()})

    def shuffle(
        self, rng: np.random.RandomState | None, start: int = 0
    ) -> Iterator[SoftDataset]:
        """Yield the rows from `start` on in buffers, once around.

        `rng` draws which runs of rows make up a buffer; within one, rows are in the
        order of the file. None: all rows are.
        """
        width = self.train.targets.shape[1] + count_columns(self.train.X)
        n_buffer = int(np.clip(_CELLS // width, *_BOUNDS))
        n_buffers = max(1, (self.n_samples - start) // n_buffer)
        n_runs = n_buffers * _RUNS if n_buffers > 1 else 1
        cuts = np.linspace(start, self.n_samples, n_runs + 1).astype(int).tolist()
        runs = [slice(*cut) for cut in pairwise(cuts)]
        order = np.arange(n_runs)
        if rng is not None and n_runs > 1:
            order = rng.permutation(order)
        for chosen in np.array_split(order, n_buffers):
            parts = [runs[k] for k in chosen]
            yield self._build({k: s.read(parts) for k, s in self._stores.items()})

    def _build(self, parts: dict[str, Any]) -> SoftDataset:
        y = self.train.read_labels(parts.pop("labels"))
        data = replace(self.train, y=y, **parts)
        return data if self._change is None else self._change(data)
