"""DistillationLoss against formulas in NumPy."""

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, softmax

import skdistill.torch
from skdistill.torch import DistillationLoss

N_CLASSES = 5


@pytest.fixture(params=[np.float32, np.float64])
def batch(request):
    rng = np.random.RandomState(0)
    logits = 3 * rng.normal(size=(30, N_CLASSES))
    proba = softmax(3 * rng.normal(size=(30, N_CLASSES)), axis=1)
    labels = rng.randint(N_CLASSES, size=30)
    weight = rng.uniform(0, 2, size=30)
    dtype = request.param
    return logits.astype(dtype), proba.astype(dtype), labels, weight.astype(dtype)


def distance(kind, logits, proba, T):
    """D of the docstring, for each row."""
    if kind == "logits":
        s, z = logits / T, np.log(proba) / T
        s, z = s - s.mean(1, keepdims=True), z - z.mean(1, keepdims=True)
        return ((s - z) ** 2).mean(1)
    softened = softmax(np.log(proba) / T, axis=1)
    entropy = -(softened * np.log(softened)).sum(1)
    cross = -(softened * log_softmax(logits / T, axis=1)).sum(1)
    return cross - entropy if kind == "kl" else cross


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("kind", ["kl", "cross_entropy", "logits"])
def test_loss_is_the_formula(batch, kind, alpha, temperature, weighted):
    logits, proba, labels, weight = batch
    loss = DistillationLoss(temperature, alpha, kind)(
        *map(torch.tensor, (logits, proba, labels)),
        sample_weight=torch.tensor(weight) if weighted else None,
    )
    s, p = logits.astype(float), proba.astype(float)
    hard = -log_softmax(s, axis=1)[np.arange(30), labels]
    rows = alpha * temperature**2 * distance(kind, s, p, temperature)
    rows = rows + (1 - alpha) * hard
    expected = np.average(rows, weights=weight if weighted else None)
    assert loss.dtype == torch.tensor(logits).dtype
    rtol = 1e-12 if logits.dtype == np.float64 else 2e-6
    np.testing.assert_allclose(loss.item(), expected, rtol=rtol)


def gradient(kind, logits, proba, T):
    s = torch.tensor(logits, requires_grad=True)
    DistillationLoss(T, 1.0, kind)(s, torch.tensor(proba)).backward()
    return s.grad.numpy()


def test_gradient_is_hinton_s(batch):
    """T (softmax(s/T) - p_T), whichever of the two equivalent kinds."""
    logits, proba, _, _ = batch
    T = 4.0
    softened = softmax(np.log(proba) / T, axis=1)
    expected = T * (softmax(logits / T, axis=1) - softened) / len(logits)
    for kind in ("kl", "cross_entropy"):
        np.testing.assert_allclose(
            gradient(kind, logits, proba, T), expected, atol=1e-6
        )


def test_logit_matching_is_the_limit_of_high_temperatures():
    """Hinton et al., section 2.1: T² KL tends to half the centred difference."""
    rng = np.random.RandomState(0)
    logits, proba = rng.normal(size=(8, 3)), rng.dirichlet(np.ones(3), size=8)
    limit = gradient("logits", logits, proba, 1.0) / 2
    np.testing.assert_allclose(gradient("kl", logits, proba, 1e4), limit, atol=1e-4)


def test_zeros_have_a_divergence_but_no_logarithm():
    logits = torch.zeros(1, 2)
    proba = torch.tensor([[1.0, 0.0]])
    for T in (1.0, 3.0):
        assert DistillationLoss(T)(logits, proba).item() == pytest.approx(
            T**2 * np.log(2)
        )
    with pytest.raises(ValueError, match=r"a probability of 0 has none\. Mix"):
        DistillationLoss(kind="logits")(logits, proba)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"temperature": 0}, "temperature greater than 0, received 0"),
        ({"temperature": np.nan}, "received nan"),
        ({"temperature": np.inf}, "received inf"),
        ({"alpha": 1.5}, r"alpha in \[0, 1\], received 1\.5"),
        ({"kind": "mse"}, "kl, cross_entropy, logits; received 'mse'"),
    ],
)
def test_bad_parameters(params, match):
    with pytest.raises(ValueError, match=match):
        DistillationLoss(**params)


def test_what_is_missing_is_named():
    logits, proba = torch.zeros(4, 2), torch.full((4, 2), 0.5)
    with pytest.raises(ValueError, match=r"labels by 0\.5 .* received none. Pass"):
        DistillationLoss(alpha=0.5)(logits, proba)
    with pytest.raises(ValueError, match=r"\(4, 2\) and \(4,\)\. Fit the net as the"):
        DistillationLoss()(logits, torch.zeros(4, dtype=torch.int64))


def test_module_is_beside_the_real_torch():
    assert skdistill.torch.torch is torch
    assert isinstance(DistillationLoss(), torch.nn.CrossEntropyLoss)
    assert repr(DistillationLoss(2.0, 0.5)) == (
        "DistillationLoss(temperature=2.0, alpha=0.5, kind='kl')"
    )
