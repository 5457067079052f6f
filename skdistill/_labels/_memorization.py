"""How far a teacher repeats the labels of the rows that it was fitted on."""

from __future__ import annotations

import numpy as np

from .._dataset import Dataset
from .._soft_data import row_blocks
from .._typing import FloatArray, Split
from ._cross_fit import OutOfFold
from ._soft_targets import clip_probabilities

#: A teacher this accurate on its own rows, and this certain (in nats), repeats their
#: labels.
_ACCURACY, _ENTROPY = 0.999, 0.1


def measure_memorization(
    data: Dataset, split: Split, oof: OutOfFold
) -> dict[str, float]:
    """Accuracy and entropy of a teacher on rows that it was fitted on, and on others.

    Parameters
    ----------
    data : Dataset
        Training rows.
    split : pair of ndarrays
        The rows that the teacher of the first fold was fitted on, and those that it
        was not.
    oof : OutOfFold
        Its labels of both.

    Returns
    -------
    figures : dict
        `accuracy_in_sample`, `accuracy_out_of_fold`, and the mean `entropy_in_sample`
        and `entropy_out_of_fold`, in nats.
    """
    train, held_out = split
    figures = {}
    for name, rows, proba in (
        ("in_sample", train, oof.in_sample[0]),
        ("out_of_fold", held_out, oof.take(held_out)),
    ):
        weight = None if data.weight is None else data.weight[rows]
        hits = proba.argmax(axis=1) == data.codes[rows]
        figures[f"accuracy_{name}"] = float(np.average(hits, weights=weight))
        entropy = np.concatenate(
            [
                _entropy(clip_probabilities(proba[block], data.priors))
                for block in row_blocks(*proba.shape)
            ]
        )
        figures[f"entropy_{name}"] = float(np.average(entropy, weights=weight))
    return figures


def _entropy(proba: FloatArray) -> FloatArray:
    return -(proba * np.log(proba)).sum(axis=1)


def repeats_labels(memorization: dict[str, float] | None) -> bool:
    """Whether the in-sample labels of the teacher are the true labels."""
    return (
        memorization is not None
        and memorization["accuracy_in_sample"] >= _ACCURACY
        and memorization["entropy_in_sample"] <= _ENTROPY
    )
