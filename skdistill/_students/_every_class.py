"""Labels by which meta-estimators name the classes and stratify folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._soft_data import SoftDataset


def label_every_class(rows: SoftDataset, n_folds: int) -> SoftDataset:
    """Return rows among whose labels is every class, if possible one a fold.

    Soft targets are learned, not labels. The label of a synthetic row is its likeliest
    class, which a rare one may never be: the rows that have most of its probability
    take its label, as many as it sums to, or one.
    """
    codes, n_classes = rows.codes.copy(), len(rows.classes)
    if rows.n_samples < n_classes:
        raise ValueError(
            f"A student made of students needs a row for each of {n_classes} classes; "
            f"received {rows.n_samples}. Pass more rows, or use a single classifier."
        )
    most = min(n_folds, rows.n_samples // n_classes)
    wanted = np.clip(np.ceil(rows.targets.sum(axis=0)), 1, most)
    counts = np.bincount(codes, minlength=n_classes)
    for k in np.flatnonzero(counts < wanted):
        for row in np.argsort(-rows.targets[:, k], kind="stable"):
            if counts[k] >= wanted[k]:
                break
            if counts[codes[row]] > wanted[codes[row]]:
                counts[codes[row]] -= 1
                counts[k] += 1
                codes[row] = k
    return replace(rows, y=rows.classes[codes])
