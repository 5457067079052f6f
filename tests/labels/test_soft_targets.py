"""The arithmetic of soft targets, where no fit can show it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

# The only tests of the core that name a private module: what a student learns at a
# temperature other than 1 can be seen in no public attribute.
from skdistill._dataset import class_priors
from skdistill._labels._soft_targets import (
    blend_targets,
    clip_probabilities,
    soft_targets,
)
from skdistill._soft_data import cross_entropy, one_hot, serve, soften

some = settings(max_examples=25, deadline=None, derandomize=True)
temperatures = st.floats(0.3, 10)


@st.composite
def probabilities(draw):
    shape = draw(st.integers(2, 12)), draw(st.integers(2, 5))
    raw = draw(arrays(float, shape, elements=st.floats(0, 1)))
    raw = raw + 1e-9
    return raw / raw.sum(axis=1, keepdims=True)


@some
@given(proba=probabilities(), temperature=temperatures)
def test_softening_is_undone_by_serving(proba, temperature):
    proba = 0.999 * proba + 0.001 / proba.shape[1]
    softened = soften(proba, temperature)
    np.testing.assert_allclose(softened.sum(axis=1), 1)
    np.testing.assert_allclose(serve(softened, temperature), proba, atol=1e-7)
    # The order of the classes never changes.
    np.testing.assert_array_equal(
        np.take_along_axis(softened, proba.argsort(axis=1), axis=1),
        np.sort(softened, axis=1),
    )


@some
@given(proba=probabilities(), temperature=temperatures, alpha=st.floats(0, 1))
def test_targets_are_probabilities(proba, temperature, alpha):
    n_samples, n_classes = proba.shape
    codes = np.arange(n_samples) % n_classes
    prior = np.full(n_classes, 1 / n_classes)
    targets = soft_targets(
        proba, codes, prior=prior, alpha=alpha, temperature=temperature
    )
    np.testing.assert_allclose(targets.sum(axis=1), 1)
    assert (targets >= 0).all()


def test_targets_by_hand():
    """p = (.8, .2), y = 0, alpha = .5, T = 2: b = (.9, .1), q = (3, 1) / 4."""
    clipped = clip_probabilities(np.array([[0.8, 0.2]]), np.array([0.5, 0.5]), 0.0)
    blend = blend_targets(clipped, one_hot(np.array([0]), 2), 0.5)
    np.testing.assert_allclose(blend, [[0.9, 0.1]])
    np.testing.assert_allclose(soften(blend, 2.0), [[0.75, 0.25]])
    assert cross_entropy(np.array([[0.5, 0.5]]), np.array([[0.25, 0.75]])) == (
        pytest.approx(-0.5 * (np.log(0.25) + np.log(0.75)))
    )


def test_priors_have_an_entry_for_each_class():
    weight = np.array([2.0, 1.0, 1.0])
    codes = np.array([0, 1, 1])
    np.testing.assert_allclose(class_priors(codes, 2, weight), [0.5, 0.5])
    # Of rows that lack the last class, as a part of the rows may.
    np.testing.assert_allclose(class_priors(codes, 3, weight), [0.5, 0.5, 0])
    np.testing.assert_allclose(class_priors(codes, 4, None), [1 / 3, 2 / 3, 0, 0])


def test_clipping_as_documented():
    top = [
        soften(clip_probabilities(np.eye(3)[:1], np.full(3, 1 / 3), eps), 3.0)[0, 0]
        for eps in (1e-3, 1e-5, 1e-7)
    ]
    np.testing.assert_allclose(top, [0.88, 0.97, 0.994], atol=2e-3)
