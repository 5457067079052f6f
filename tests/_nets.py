"""Nets, rows and helpers for tests of skorch students."""

import numpy as np
import torch
from _learners import SoftDataset, fit_student
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from torch import nn


class Net(nn.Module):
    """As in skorch's quickstart: probabilities at the end, or not."""

    def __init__(self, n_classes=3, ending=None, dtype=torch.float32):
        super().__init__()
        self.hidden = nn.Linear(4, 8)
        self.output = nn.Linear(8, n_classes)
        self.ending = ending or nn.Identity()
        self.to(dtype)

    def forward(self, X, **kwargs):
        return self.ending(self.output(torch.relu(self.hidden(X))))


class SizeSetter(Callback):
    """The way skorch's documentation sizes a module by its data."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        net.set_params(module__n_classes=len(np.unique(y)))


class L1Net(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, *args, **kwargs):
        loss = super().get_loss(y_pred, y_true, *args, **kwargs)
        penalty = sum(p.abs().sum() for p in self.module_.parameters())
        # The user's own term on labels.
        return loss + 1e-3 * penalty + 0.1 * y_true.float().mean() * y_pred.mean()


def make_net(cls=NeuralNetClassifier, criterion=nn.CrossEntropyLoss, **params):
    params = {"lr": 0.1, "max_epochs": 4, "batch_size": 32, "verbose": 0} | params
    if cls is NeuralNetBinaryClassifier:
        params.setdefault("module__n_classes", 1)
    return cls(params.pop("module", Net), criterion=criterion, **params)


def make_data(n_classes=3, weighted=False, labels=None, n_samples=150):
    """Soft targets whose largest is often another class than the label."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(n_samples, 4)).astype(np.float32)
    logits = 2 * X @ rng.normal(size=(4, n_classes))
    targets = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    classes = np.arange(n_classes) if labels is None else np.array(labels)
    codes = np.array([rng.choice(n_classes, p=row) for row in targets])
    weight = rng.uniform(0.0, 2, n_samples) if weighted else None
    return SoftDataset(X, targets, classes, classes[codes], weight)


def fit_seeded(student, data):
    torch.manual_seed(0)
    return fit_student(student, data)


STOCK = {
    "logits": make_net(),
    "proba": make_net(criterion=nn.NLLLoss, module__ending=nn.Softmax(dim=-1)),
    "class weights": make_net(criterion__weight=torch.tensor([1.0, 4.0, 0.5])),
    "proba, class weights": make_net(
        criterion=nn.NLLLoss,
        criterion__weight=torch.tensor([1.0, 4.0, 0.5]),
        module__ending=nn.Softmax(dim=-1),
    ),
    "smoothing": make_net(
        criterion__label_smoothing=0.1,
        criterion__weight=torch.tensor([1.0, 4.0, 0.5]),
    ),
    "sum": make_net(criterion=nn.CrossEntropyLoss(reduction="sum"), lr=0.001),
    "own terms": make_net(L1Net),
    "binary": make_net(NeuralNetBinaryClassifier, nn.BCEWithLogitsLoss),
    "binary, weight": make_net(
        NeuralNetBinaryClassifier,
        criterion__pos_weight=torch.tensor(3.0),
        criterion=nn.BCEWithLogitsLoss,
    ),
    "binary, proba": make_net(
        NeuralNetBinaryClassifier, nn.BCELoss, module__ending=nn.Sigmoid()
    ),
    "optimiser, split": make_net(
        optimizer=torch.optim.Adam,
        lr=0.01,
        train_split=ValidSplit(0.3, stratified=True, random_state=1),
        iterator_train__shuffle=True,
        iterator_train__drop_last=True,
    ),
    "repeated steps": make_net(optimizer=torch.optim.LBFGS, train_split=None),
}


class Several(Net):
    def forward(self, X):
        hidden = torch.relu(self.hidden(X))
        return self.output(hidden), hidden
