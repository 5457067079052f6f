"""The temperature folds into the last layer of a net, or is not taken."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from _core import give_means, soften
from _learners import check_student, fit_student
from _nets import STOCK, L1Net, Net, Several, fit_seeded, make_data, make_net
from sklearn.base import clone
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn

from skdistill._students._properties import choose_temperature, scale_logits
from skdistill.torch import DistillationLoss


class SquashingNet(NeuralNetClassifier):
    def infer(self, x, **fit_params):
        return super().infer(x, **fit_params).tanh()


class HeadFirst(Net):
    """Layers in another order than they are called in."""

    def __init__(self, n_classes=3):
        super().__init__(n_classes)
        self.hidden = nn.Linear(4, 8)


class Functional(Net):
    def forward(self, X):
        return torch.softmax(super().forward(X), dim=1)


class Squeezing(Net):
    def forward(self, X):
        return super().forward(X).squeeze(-1)


class Tied(Net):
    def __init__(self, n_classes=3):
        super().__init__(n_classes)
        self.hidden = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        self.hidden.append(nn.Linear(3, 8))
        self.hidden[2].weight = self.output.weight


class Twice(Net):
    def forward(self, X):
        logits = super().forward(X)
        return self.output(torch.relu(self.hidden(X + logits.mean())))


class Reading(Net):
    def forward(self, X):
        hidden = torch.relu(self.hidden(X)) + self.output.weight.mean()
        return self.output(hidden)


class Branching(Net):
    def forward(self, X):
        logits = super().forward(X)
        return logits if logits.sum() > 0 else logits / 2


class Mapping(Net):
    def forward(self, X):
        return {"logits": super().forward(X)}


def hook(module, args, output):
    return output.tanh()


def make_hooked():
    module = Net()
    module.register_forward_hook(hook)
    return module


class FirstNet(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return super().get_loss(y_pred[0], y_true, *args, **kwargs)


FOLDABLE = {
    "plain": make_net(),
    "softmax layer": STOCK["proba"],
    "softmax function": make_net(criterion=nn.NLLLoss, module=Functional),
    "binary": make_net(NeuralNetBinaryClassifier, nn.BCEWithLogitsLoss),
    "binary, squeezed": make_net(
        NeuralNetBinaryClassifier, nn.BCEWithLogitsLoss, module=Squeezing
    ),
    "binary, sigmoid": STOCK["binary, proba"],
    "other order": make_net(module=HeadFirst),
    "instance": make_net(
        module=nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3), nn.Flatten())
    ),
    "without bias": make_net(module=nn.Linear(4, 3, bias=False)),
    "several outputs": make_net(FirstNet, module=Several),
    "own loss": make_net(L1Net),
}


@pytest.mark.parametrize("name", FOLDABLE)
def test_logits_are_multiplied_and_shifted_to_the_mean_labels(name):
    net = FOLDABLE[name]
    data = make_data(2 if "binary" in name else 3)
    check_student(net, 2.5, len(data.classes), 150)
    assert choose_temperature(net, len(data.classes)) == 3.0
    plain = fit_seeded(clone(net), data).predict_proba(data.X)
    torch.manual_seed(0)
    served = fit_student(clone(net), replace(data, temperature=2.5))
    expected = soften(plain, 1 / 2.5)
    if name != "without bias":
        expected = give_means(expected, soften(data.targets, 1 / 2.5).mean(axis=0))
    np.testing.assert_allclose(served.predict_proba(data.X), expected, atol=1e-5)


UNSURE = {
    "activation": make_net(module__ending=nn.ReLU()),
    "tied": make_net(module=Tied),
    "called twice": make_net(module=Twice),
    "weight read": make_net(module=Reading),
    "values": make_net(module=Branching),
    "mapping": make_net(module=Mapping),
    "hook": make_net(module=make_hooked()),
    "own infer": make_net(SquashingNet),
    "own nonlinearity": make_net(predict_nonlinearity=torch.sigmoid),
    "own softening": make_net(criterion=DistillationLoss),
    "no linear layer": make_net(module=nn.Sequential(nn.Conv1d(1, 3, 4), nn.Flatten())),
    "softmax before logits": make_net(module__ending=nn.Softmax(dim=-1)),
}


@pytest.mark.parametrize("name", UNSURE)
def test_what_is_not_sure_to_fold_learns_at_temperature_one(name):
    net = UNSURE[name]
    assert choose_temperature(net, 3) == 1.0
    match = r"temperature=2 .*" + ("criterion__alpha" if "soften" in name else "Loss")
    with pytest.raises(ValueError, match=match):
        check_student(net, 2, 3, 150)


def test_fold_of_what_changed_since_is_refused():
    fitted = fit_student(make_net(max_epochs=1), make_data())
    fitted.module_.register_forward_hook(hook)
    with pytest.raises(ValueError, match="with Net, in which no such layer"):
        scale_logits(fitted, 2.0)


def test_choosing_a_temperature_draws_nothing():
    net = make_net(module=make_hooked().train())
    torch.manual_seed(3)
    state = torch.get_rng_state()
    choose_temperature(net, 3)
    assert torch.equal(torch.get_rng_state(), state)
    assert net.module.training
