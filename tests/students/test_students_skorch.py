"""skorch nets as students: against skorch itself, and against loops written out."""

import pickle

import numpy as np
import pytest
import torch
from _core import PLAIN
from _learners import (
    check_labels,
    check_student,
    fine_tune,
    fit_student,
    validation_fraction,
)
from _nets import STOCK, Net, Several, SizeSetter, fit_seeded, make_data, make_net
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetClassifier
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
)
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split
from torch import nn

from skdistill import DistilledClassifier
from skdistill.torch import DistillationLoss


class DeafNet(NeuralNetClassifier):
    def get_loss(self, y_pred, y_true, *args, **kwargs):
        return nn.functional.cross_entropy(y_pred, y_true)


def weights_of(net):
    return [p.detach().numpy().copy() for p in net.module_.parameters()]


def assert_same_weights(ours, theirs, atol=1e-5):
    for mine, other in zip(weights_of(ours), weights_of(theirs), strict=True):
        np.testing.assert_allclose(mine, other, atol=atol)


@pytest.mark.parametrize("name", STOCK)
def test_certain_targets_are_the_stock_fit(name):
    """Same draws, same weights, same history as skorch alone on labels."""
    net = STOCK[name]
    binary = type(net) is NeuralNetBinaryClassifier
    data = make_data(2 if binary else 3).harden()
    check_student(net, 1.0, len(data.classes), 150)
    ours = fit_seeded(clone(net), data)
    torch.manual_seed(0)
    stock = clone(net).fit(data.X, data.y.astype(np.float32) if binary else data.y)
    assert type(ours) is type(stock)
    assert set(vars(ours)) == set(vars(stock))
    assert_same_weights(ours, stock)
    np.testing.assert_array_equal(ours.classes_, stock.classes_)
    for column in ("train_loss", "valid_loss", "valid_acc"):
        if net.train_split or column == "train_loss":
            np.testing.assert_allclose(
                ours.history[:, column], stock.history[:, column], atol=1e-5
            )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ["logits", "proba", "class weights", "binary"])
def test_soft_targets_are_the_weighted_copies(name, weighted):
    """Plain gradient descent on K copies of each row, written out in torch."""
    net = clone(STOCK[name]).set_params(train_split=None, batch_size=-1, max_epochs=5)
    n_classes = 2 if name == "binary" else 3
    data = make_data(n_classes, weighted)
    ours = fit_seeded(net, data)

    torch.manual_seed(0)
    module = clone(STOCK[name]).initialize().module_
    X = torch.tensor(data.X).repeat_interleave(n_classes, 0)
    y = torch.arange(n_classes).repeat(len(data.X))
    w = torch.tensor(data.targets, dtype=torch.float32)
    row = torch.ones(len(w)) if data.weight is None else torch.tensor(data.weight)
    w = (w * row[:, None] / row.mean()).flatten().float()
    normaliser = torch.tensor(len(data.X), dtype=torch.float32)
    if name == "class weights":
        factor = torch.tensor([1.0, 4.0, 0.5])[y]
        normaliser = (torch.tensor(data.targets).flatten() * factor).sum()
        w = w * factor
    for _ in range(5):
        output = module(X)
        if name == "binary":
            rows = nn.functional.binary_cross_entropy_with_logits(
                output[:, 0], y.float(), reduction="none"
            )
        elif name == "proba":
            rows = -torch.log(output[torch.arange(len(y)), y])
        else:
            rows = nn.functional.cross_entropy(output, y, reduction="none")
        module.zero_grad()
        ((w * rows).sum() / normaliser).backward()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter -= 0.1 * parameter.grad
    for mine, other in zip(weights_of(ours), module.parameters(), strict=True):
        np.testing.assert_allclose(mine, other.detach().numpy(), atol=1e-5)


def test_hinton_s_loss_meets_both_targets():
    """Gradient descent on the formula, with labels that aren't the largest target."""
    data = make_data()
    T, alpha = 4.0, 0.7
    net = make_net(
        criterion=DistillationLoss,
        criterion__temperature=T,
        criterion__alpha=alpha,
        train_split=None,
        batch_size=-1,
    )
    check_student(net, "auto", 3, 150)
    ours = fit_seeded(net, data)

    torch.manual_seed(0)
    module = Net()
    p, y = torch.tensor(data.targets, dtype=torch.float32), torch.tensor(data.y)
    softened = p ** (1 / T) / (p ** (1 / T)).sum(1, keepdim=True)
    for _ in range(4):
        s = module(torch.tensor(data.X))
        log_q = s / T - torch.logsumexp(s / T, 1, keepdim=True)
        divergence = (softened * (softened.log() - log_q)).sum(1)
        hard = torch.logsumexp(s, 1) - s[torch.arange(len(y)), y]
        module.zero_grad()
        (alpha * T**2 * divergence + (1 - alpha) * hard).mean().backward()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter -= 0.1 * parameter.grad
    for mine, other in zip(weights_of(ours), module.parameters(), strict=True):
        np.testing.assert_allclose(mine, other.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("form", ["class", "instance"])
def test_net_of_hinton_s_loss_is_left_plain(form):
    criterion = DistillationLoss if form == "class" else DistillationLoss(2.0, 0.5)
    params = {"criterion__kind": "logits"} if form == "class" else {}
    data = make_data(labels=["a", "b", "c"])
    fitted = fit_seeded(make_net(criterion=criterion, **params), data)
    assert fitted.criterion is nn.CrossEntropyLoss
    assert type(fitted.criterion_) is nn.CrossEntropyLoss
    assert not [name for name in fitted.get_params() if name.startswith("criterion__")]
    logits = fitted.module_(torch.tensor(data.X))
    np.testing.assert_allclose(
        fitted.predict_proba(data.X), logits.softmax(1).detach().numpy(), atol=1e-6
    )
    dumped = pickle.dumps(fitted)
    assert b"skdistill" not in dumped
    np.testing.assert_array_equal(
        pickle.loads(dumped).predict_proba(data.X), fitted.predict_proba(data.X)
    )
    codes = np.searchsorted(data.classes, data.y)
    clone(fitted).fit(data.X, codes)
    fitted.partial_fit(data.X, codes)
    assert len(fitted.history) == 8


def test_validation_is_soft_and_on_rows_of_its_own():
    data = make_data(weighted=True)
    assert validation_fraction(make_net(), 150) is None
    net = make_net(
        callbacks=[
            ("nll", EpochScoring("neg_log_loss", lower_is_better=False)),
            ("plain", EpochScoring("accuracy", name="plain", use_caching=False)),
        ]
    )
    fitted = fit_seeded(net, data)
    train, held_out = next(StratifiedKFold(5).split(data.X, data.y))
    proba = fitted.predict_proba(data.X[held_out])
    rows = -(data.targets[held_out] * np.log(proba)).sum(axis=1)
    last = fitted.history[-1]
    weight = data.weight / data.weight.mean()
    assert last["valid_loss"] == pytest.approx((weight[held_out] * rows).mean())
    assert sum(b["train_batch_size"] for b in last["batches"][:4]) == len(train)
    assert last["valid_acc"] == (proba.argmax(axis=1) == data.y[held_out]).mean()
    assert last["plain"] == last["valid_acc"]
    assert last["neg_log_loss"] == pytest.approx(-log_loss(data.y[held_out], proba))


class Watcher(Callback):
    """What the user's callbacks are shown."""

    def initialize(self):
        self.seen, self.copies = [], []
        return self

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.given = y

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        if training:
            self.seen.append(batch[1])

    def on_train_end(self, net, **kwargs):
        self.copies.append(pickle.loads(pickle.dumps(net)))


def test_callbacks_see_labels_and_a_stock_net(tmp_path):
    data = make_data(labels=["a", "b", "c"])
    codes = np.searchsorted(data.classes, data.y)
    watcher = Watcher()
    net = make_net(
        max_epochs=40,
        train_split=ValidSplit(3),
        module__n_classes=5,
        callbacks=[
            SizeSetter(),
            watcher,
            EarlyStopping(monitor="valid_loss", patience=2, threshold=0.1),
            LRScheduler("StepLR", step_size=1, gamma=0.5),
            Checkpoint(dirname=tmp_path, f_pickle="net.pkl"),
            GradientNormClipping(1.0),
        ],
    )
    fitted = fit_seeded(net, data)
    assert len(fitted.history) < 40
    np.testing.assert_array_equal(watcher.given, codes)
    first_epoch = torch.cat(watcher.seen[:4]).numpy()
    np.testing.assert_array_equal(first_epoch, codes[50:])
    with open(tmp_path / "net.pkl", "rb") as file:
        saved = pickle.load(file)
    for copied in (saved, watcher.copies[0]):
        assert type(copied) is NeuralNetClassifier
        assert "soft_" not in vars(copied)
    assert_same_weights(watcher.copies[0], fitted, atol=0)


VALID = Dataset(np.zeros((4, 4), np.float32), np.zeros(4, int))


@pytest.mark.parametrize(
    ("net", "error", "match"),
    [
        (
            make_net(NeuralNetBinaryClassifier, nn.BCEWithLogitsLoss),
            ValueError,
            r"received 3 classes\. Use NeuralNetClassifier",
        ),
        (make_net(NeuralNet), TypeError, r"received a NeuralNet\. Use skorch's"),
        (
            make_net(criterion=nn.MultiMarginLoss),
            TypeError,
            r"criterion MultiMarginLoss\. Use DistillationLoss",
        ),
        (make_net(predict_nonlinearity=None), ValueError, 'Leave it at "auto"'),
        (
            make_net(train_split=predefined_split(VALID)),
            ValueError,
            r"predefined_split\(\.\.\.\)\. Use skorch\.dataset\.ValidSplit",
        ),
        (make_net(criterion__ignore_index=1), ValueError, "'ignore_index': 1.*Leave"),
        (
            make_net(criterion=nn.CrossEntropyLoss(reduction="none")),
            ValueError,
            "{'reduction': 'none'}",
        ),
        (
            make_net(criterion=DistillationLoss, criterion__alpha=2),
            ValueError,
            r"alpha in \[0, 1\], received 2",
        ),
        (Net, TypeError, r"the module Net\. Wrap it: skorch\.NeuralNetClassifier\(Net"),
        (Net(), TypeError, r"the module Net\. Wrap it"),
    ],
)
def test_nets_that_cannot_learn_are_named_before_any_work(net, error, match):
    with pytest.raises(error, match=match):
        check_student(net, "auto", 3, 150)
    X, y = np.zeros((6, 4), np.float32), np.arange(6) % 3
    with pytest.raises(error, match=match):
        DistilledClassifier(LogisticRegression(), net).fit(X, y)


def test_binary_weight_of_a_batch_is_refused():
    net = make_net(NeuralNetBinaryClassifier, nn.BCEWithLogitsLoss)
    net.set_params(criterion__weight=torch.tensor(2.0))
    with pytest.raises(ValueError, match=r"'weight': tensor.*sample_weight"):
        check_student(net, "auto", 2, 150)


def test_blending_twice_is_refused():
    net = make_net(criterion=DistillationLoss)
    check_student(net, 1, 3, 150, alpha=1)
    for settings in ({"temperature": 2.0}, {"temperature": "auto", "alpha": 0.5}):
        with pytest.raises(ValueError, match="set criterion__temperature and"):
            check_student(net, n_classes=3, n_samples=150, **settings)


class Halved(Dataset):
    def __len__(self):
        return super().__len__() // 2


def split_foreign(dataset, y=None):
    return dataset, VALID


@pytest.mark.parametrize(
    ("net", "error", "match"),
    [
        (
            make_net(criterion=nn.NLLLoss),
            ValueError,
            r"row of its output sums to .* Use|End it in softmax, or use criterion",
        ),
        (make_net(module__n_classes=5), ValueError, r"\(32, 3\).*received \(32, 5\)"),
        (make_net(module=Several), ValueError, r"received tuple.*super\(\)\.get_loss"),
        (make_net(dataset=Halved), ValueError, "received 75 items for 150 rows"),
        (make_net(train_split=split_foreign), ValueError, "returned a Dataset. Use"),
        (make_net(DeafNet), TypeError, "a DeafNet whose get_loss does not. Add"),
    ],
)
def test_what_shows_up_in_training_names_the_fix(net, error, match):
    net = clone(net)
    cls = type(net)
    with pytest.raises(error, match=match):
        fit_student(net, make_data(labels=["a", "b", "c"]))
    assert type(net) is cls
    assert "soft_" not in vars(net)


def test_classes_that_a_net_would_name_otherwise_are_refused():
    ordered = make_net(classes=["a", "b", "c"])
    check_labels(ordered, np.array(["a", "b", "c"]))
    with pytest.raises(ValueError, match="classes at None"):
        check_labels(ordered, np.array(["b", "c", "d"]))
    binary = make_net(NeuralNetBinaryClassifier, nn.BCEWithLogitsLoss)
    check_labels(binary, np.array([0, 1]))
    with pytest.raises(ValueError, match=r"received \[0, 1\]. Encode y as 0 and 1"):
        check_labels(binary, np.array(["a", "b"]))


def test_rows_of_another_precision():
    data = make_data()
    with pytest.raises(ValueError, match=r"float64.*FunctionTransformer\(numpy\.flo"):
        fit_student(make_net(), data.with_rows(data.X.astype(np.float64)))
    # Only what torch says about precision is explained so.
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit_student(make_net(), data.with_rows(data.X[:, :2]))
    wide = data.with_rows(data.X.astype(np.float64))
    double = make_net(module=nn.Linear(4, 3).double())
    assert fit_student(double, wide).predict_proba(wide.X).dtype == np.float64
    clumsy = make_net(module=nn.Linear(3, 3).double())
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        fit_student(clumsy, wide)


class Interrupted(Net):
    def forward(self, X):
        raise KeyboardInterrupt


class Impatient(Callback):
    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt


def test_interrupt_is_not_swallowed():
    net = make_net(module=Interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit_student(net, make_data())
    assert type(net) is NeuralNetClassifier
    # A callback raises the same to stop, and the net is what it should be.
    fitted = fit_student(make_net(callbacks=[Impatient()]), make_data())
    assert len(fitted.history) == 1


def test_further_passes_are_skorch_s_own_at_a_tenth_of_the_rate(tmp_path):
    data = make_data()
    checkpoint = Checkpoint(monitor=None, dirname=tmp_path, f_params="p.pt")
    net = make_net(
        optimizer=torch.optim.Adam,
        lr=0.02,
        callbacks=[checkpoint, GradientNormClipping(0.05)],
    )
    fitted = fit_seeded(net, data)
    before = weights_of(fitted)
    written = (tmp_path / "p.pt").stat().st_mtime_ns
    tuned = fine_tune(fitted, data.harden(), 3)
    for mine, kept in zip(weights_of(fitted), before, strict=True):
        np.testing.assert_array_equal(mine, kept)
    assert (tmp_path / "p.pt").stat().st_mtime_ns == written
    assert type(tuned) is NeuralNetClassifier
    assert len(tuned.history) == 7
    assert tuned.optimizer_.param_groups[0]["lr"] == 0.02
    assert set(vars(tuned)) == set(vars(fitted))
    assert len(tuned.callbacks_) == len(fitted.callbacks_)

    stock = make_net(
        optimizer=torch.optim.Adam,
        lr=0.002,
        train_split=None,
        callbacks=[GradientNormClipping(0.05)],
    ).initialize()
    stock.module_.load_state_dict(fitted.module_.state_dict())
    stock.partial_fit(data.X, data.y, epochs=3)
    assert_same_weights(tuned, stock)
    assert not np.allclose(weights_of(tuned)[0], before[0], atol=1e-4)


def test_tuned_net_keeps_the_names_of_the_classes():
    data = make_data(labels=["a", "b", "c"])
    fitted = fit_student(make_net(max_epochs=1), data)
    tuned = fine_tune(fitted, data.harden(), 1)
    np.testing.assert_array_equal(tuned.classes_, data.classes)
    assert tuned.predict(data.X).max() <= 2


def test_seed_belongs_to_the_net_alone():
    data = make_data()

    def fit_under(seed, student):
        distilled = DistilledClassifier(None, student, random_state=seed, **PLAIN)
        distilled.fit(data.X, data.y, teacher_proba=data.targets)
        return distilled.student_

    torch.manual_seed(5)
    state = torch.get_rng_state()
    first, second, third = (fit_under(k, make_net(max_epochs=1)) for k in (1, 1, 2))
    fit_under(1, LogisticRegression())
    assert torch.equal(torch.get_rng_state(), state)
    assert_same_weights(first, second, atol=0)
    assert not np.array_equal(weights_of(first)[0], weights_of(third)[0])
    fit_under(None, make_net(max_epochs=1))
    assert not torch.equal(torch.get_rng_state(), state)


def test_rows_reach_worker_processes():
    from skdistill._students._skorch_net import _NumberedRows

    rows = _NumberedRows(Dataset(np.arange(6.0).reshape(3, 2), np.array([5, 6, 7])))
    copied = pickle.loads(pickle.dumps(rows))
    X, number = copied[2]
    np.testing.assert_array_equal(X, [4.0, 5.0])
    assert number == 2
    np.testing.assert_array_equal(copied.y, [5, 6, 7])
    net = make_net(iterator_train__num_workers=1, max_epochs=1)
    assert len(fit_student(net, make_data()).history) == 1


@pytest.mark.parametrize("loss", ["folded", "hinton"])
def test_distilled_pipeline_ends_in_a_net(loss):
    data = make_data(labels=["a", "b", "c"])
    rows = data.X.astype(np.float64) * 50 + 7
    net = make_net(
        criterion=nn.CrossEntropyLoss if loss == "folded" else DistillationLoss,
        optimizer=torch.optim.Adam,
        max_epochs=40,
    )
    student = make_pipeline(StandardScaler(), FunctionTransformer(np.float32), net)
    teacher = make_pipeline(StandardScaler(), LogisticRegression())
    distilled = DistilledClassifier(teacher, student, random_state=0, **PLAIN)
    distilled.fit(rows, data.y, sample_weight=np.ones(150))
    assert distilled.temperature_ == (3.0 if loss == "folded" else 1.0)
    proba = distilled.predict_proba(rows)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-5)
    labels = distilled.classes_[proba.argmax(axis=1)]
    np.testing.assert_array_equal(distilled.predict(rows), labels)
    taught = distilled.teacher_.predict_proba(rows)
    assert np.abs(proba - taught).mean() < 0.05
    loaded = pickle.loads(pickle.dumps(distilled.student_))
    np.testing.assert_array_equal(loaded.predict_proba(rows), proba)
    np.testing.assert_array_equal(loaded.classes_, distilled.classes_)
