"""Hinton's loss for skorch nets; importing this module imports torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, log_softmax

__all__ = ["DistillationLoss"]

_KINDS = ("kl", "cross_entropy", "logits")


class DistillationLoss(torch.nn.CrossEntropyLoss):
    """Mixture of a distance to the teacher and cross-entropy with the true label.

    For a row with logits s, teacher probabilities p and label y the loss is
    ``alpha * T**2 * D(p, s, T) + (1 - alpha) * CE(y, softmax(s))``, where D compares
    ``p_T = softmax(log(p) / T)`` with ``softmax(s / T)``. The factor T**2 keeps the
    teacher's share of the gradient the same at every temperature.

    Parameters
    ----------
    temperature : float > 0, default=3.0
        Softens the teacher and the student alike, in the teacher's term only.
    alpha : float in [0, 1], default=1.0
        Weight of the teacher's term against the label's.
    kind : {"kl", "cross_entropy", "logits"}, default="kl"
        The teacher's term D. "kl": the divergence KL(p_T ‖ softmax(s / T)) [1]_.
        "cross_entropy": the soft cross-entropy of the same two, which has the same
        gradient and at temperature 1 is the plain soft cross-entropy. "logits": the
        squared difference of log(p) / T and s / T, each centred over the classes,
        meaned over them [2]_; with the factor T**2 it is the same at every
        temperature.

    Raises
    ------
    ValueError
        A parameter is out of its range.

    See Also
    --------
    skdistill.DistilledClassifier : Hands both targets to a skorch net's criterion.

    Notes
    -----
    As the criterion of a skorch net that is the student of a
    :class:`~skdistill.DistilledClassifier`::

        NeuralNetClassifier(
            Module,  # returns logits, one a class
            criterion=DistillationLoss,
            criterion__temperature=4.0,
            criterion__alpha=0.9,
        )

    The loss then does the softening and the blending itself: it receives the
    teacher's (clipped) probabilities and the true labels, and the
    `DistilledClassifier` must leave its own `temperature` and `alpha` at 1.

    The class derives from :class:`torch.nn.CrossEntropyLoss`, by which skorch knows
    that the module returns logits and applies softmax in `predict_proba`. The fitted
    net holds a plain `CrossEntropyLoss` instead, so that it loads where skdistill is
    not installed and its `partial_fit` learns from labels.

    References
    ----------
    .. [1] G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural
       network", 2015.
    .. [2] J. Ba, R. Caruana, "Do deep nets really need to be deep?", NeurIPS 2014.

    Examples
    --------
    >>> import torch
    >>> from skdistill.torch import DistillationLoss
    >>> logits = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    >>> proba = torch.tensor([[0.9, 0.1], [0.4, 0.6]])
    >>> labels = torch.tensor([0, 1])
    >>> DistillationLoss(temperature=4.0, alpha=0.5)(logits, proba, labels)
    tensor(0.1222)
    """

    def __init__(
        self, temperature: float = 3.0, alpha: float = 1.0, kind: str = "kl"
    ) -> None:
        super().__init__()
        if not 0 < temperature < float("inf"):
            raise ValueError(
                "DistillationLoss needs a finite temperature greater than 0, received "
                f"{temperature!r}. 1 leaves the probabilities as they are."
            )
        if not 0 <= alpha <= 1:
            raise ValueError(
                f"DistillationLoss needs alpha in [0, 1], received {alpha!r}. 1 learns "
                "from the teacher alone, 0 from the true labels alone."
            )
        if kind not in _KINDS:
            raise ValueError(
                f"DistillationLoss has the kinds {', '.join(_KINDS)}; received "
                f'{kind!r}. Use "kl" for Hinton\'s loss.'
            )
        self.temperature = temperature
        self.alpha = alpha
        self.kind = kind

    def extra_repr(self) -> str:
        """Return the parameters, for the representation of a network."""
        return f"temperature={self.temperature}, alpha={self.alpha}, kind={self.kind!r}"

    def forward(
        self,
        logits: Tensor,
        proba: Tensor,
        labels: Tensor | None = None,
        sample_weight: Tensor | None = None,
    ) -> Tensor:
        """Return the loss, meaned over the rows.

        Parameters
        ----------
        logits : tensor of shape (n_samples, n_classes)
            What the student's last layer returns.
        proba : tensor of shape (n_samples, n_classes)
            The teacher's probabilities; rows sum to 1.
        labels : int tensor of shape (n_samples,), default=None
            Positions of the true labels; may be left out when `alpha` is 1.
        sample_weight : tensor of shape (n_samples,), default=None
            Row weights of the mean.

        Returns
        -------
        loss : tensor of shape ()
            In nats, for "kl" and "cross_entropy".

        Raises
        ------
        ValueError
            `proba` has not the shape of the logits, labels are missing, or `kind` is
            "logits" and a probability is 0.
        """
        losses = self.compute_rows(logits, proba, labels)
        if sample_weight is None:
            return losses.mean()
        return (sample_weight * losses).sum() / sample_weight.sum()

    def compute_rows(
        self, logits: Tensor, proba: Tensor, labels: Tensor | None = None
    ) -> Tensor:
        """Return the loss of each row.

        Parameters
        ----------
        logits, proba : tensors
            As in `forward`.
        labels : tensor, default=None
            As in `forward`.

        Returns
        -------
        losses : tensor of shape (n_samples,)
            Their mean is what `forward` returns.
        """
        if proba.shape != logits.shape:
            raise ValueError(
                "DistillationLoss compares logits with the teacher's probabilities, "
                f"one a class: received shapes {tuple(logits.shape)} and "
                f"{tuple(proba.shape)}. Fit the net as the student of a "
                "DistilledClassifier; on labels alone use torch.nn.CrossEntropyLoss."
            )
        losses = self.alpha * self.temperature**2 * self._compare(logits, proba)
        if self.alpha == 1:
            return losses
        if labels is None:
            raise ValueError(
                f"DistillationLoss weighs the true labels by {1 - self.alpha:g} (alpha="
                f"{self.alpha!r}), received none. Pass labels, or set alpha=1."
            )
        return losses + (1 - self.alpha) * cross_entropy(
            logits, labels, reduction="none"
        )

    def _compare(self, logits, proba):
        """Distance of each row to the teacher, at the temperature."""
        teacher, student = proba.log() / self.temperature, logits / self.temperature
        if self.kind == "logits":
            _check_positive(proba)
            difference = student - teacher
            return difference.var(dim=1, correction=0)
        softened = teacher.softmax(dim=1)
        if self.kind == "cross_entropy":
            return cross_entropy(student, softened, reduction="none")
        # kl_div takes 0 log 0 for 0, where log-probabilities would give NaN.
        rows = kl_div(log_softmax(student, dim=1), softened, reduction="none")
        return rows.sum(dim=1)


def _check_positive(proba):
    if not bool((proba > 0).all()):
        raise ValueError(
            "DistillationLoss(kind='logits') needs the teacher's logarithms, and a "
            f"probability of {proba.min().item():g} has none. Mix a small share of the "
            "class priors in, or use kind='kl'."
        )
