"""True labels with a share at a temperature other than 1, and class weights there."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from _core import give_means
from _learners import SoftDataset, fit_student
from lightgbm import LGBMClassifier
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn

from skdistill import DistilledClassifier

P = {
    3: np.array([[0.7, 0.25, 0.05], [0.1, 0.1, 0.8], [0.3, 0.35, 0.35]]),
    2: np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]),
}
SETTINGS = [(0.6, 0.5), (0.6, 3.0), (0.2, 3.0), (0.0, 3.0), (1.0, 3.0)]


def draw_labels(n_classes, copies=20):
    """Rows of three patterns, labels in exact proportion to P, and their patterns."""
    counts = (copies * P[n_classes]).round().astype(int)
    pattern = np.repeat(np.arange(3), counts.sum(axis=1))
    y = np.concatenate([np.repeat(np.arange(n_classes), row) for row in counts])
    order = np.random.default_rng(0).permutation(len(y))
    return np.eye(3)[pattern[order]], y[order], pattern[order]


def distil(student, n_classes, *, copies=20, **params):
    X, y, pattern = draw_labels(n_classes, copies)
    model = DistilledClassifier(
        None, student, augmenter=None, calibrate=False, random_state=0, **params
    )
    return model.fit(X, y, teacher_proba=P[n_classes][pattern])


@pytest.mark.parametrize(("alpha", "T"), SETTINGS)
def test_held_out_rows_measure_the_loss_that_is_learned(alpha, T):
    """α CE(q, p) + (1 - α) / T² CE(y, p^T), of the weighted rows."""
    X, y, pattern = draw_labels(3)
    rng = np.random.default_rng(0)
    logits, weight = rng.normal(size=(len(y), 3)), rng.uniform(0.5, 2, len(y))
    data = SoftDataset(
        *(X, P[3][pattern], np.arange(3), y),
        weight=weight,
        temperature=T,
        alpha=np.full(len(y), alpha),
    )
    soft = -(P[3][pattern] * log_softmax(logits, axis=1)).sum(axis=1)
    hard = -log_softmax(T * logits, axis=1)[np.arange(len(y)), y]
    expected = np.average(alpha * soft + (1 - alpha) / T**2 * hard, weights=weight)
    assert data.measure(softmax(logits, axis=1)) == pytest.approx(expected)


class Patterns(ClassifierMixin, BaseEstimator):
    """A teacher that serves the row of its table whose pattern X shows."""

    def __init__(self, table=None):
        self.table = table

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return self.table[np.argmax(X, axis=1)]


STUDENTS = {
    "logistic": LogisticRegression(C=1e6, tol=1e-9, max_iter=5000),
    "lbfgs": MLPClassifier(
        (8,), "tanh", solver="lbfgs", alpha=0, tol=1e-9, max_iter=3000
    ),
    "adam": MLPClassifier(
        (16,),
        "tanh",
        alpha=0,
        learning_rate_init=0.01,
        max_iter=900,
        n_iter_no_change=900,
    ),
}


#: Adam's many updates take long, and its loss is that of L-BFGS.
CASES = [
    *((name, *pair) for name in ("logistic", "lbfgs") for pair in SETTINGS),
    ("adam", 0.6, 3.0),
]


@pytest.mark.parametrize(("name", "alpha", "temperature"), CASES)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_true_probabilities_are_served(name, n_classes, alpha, temperature):
    model = distil(STUDENTS[name], n_classes, alpha=alpha, temperature=temperature)
    # Clipping moves them by up to .001; Adam stays in motion.
    atol = 0.02 if name == "adam" else 0.002
    np.testing.assert_allclose(
        model.student_.predict_proba(np.eye(3)), P[n_classes], atol=atol
    )
    assert model.temperature_ == (temperature if alpha else 1)


@pytest.mark.parametrize(("alpha", "temperature"), [(0.6, 3.0), (0.2, 0.5)])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("refits", [False, True])
def test_lightgbm_serves_true_probabilities(n_classes, alpha, temperature, refits):
    X, y, _ = draw_labels(n_classes, copies=60)
    student = LGBMClassifier(
        n_estimators=200, min_child_samples=1, n_jobs=1, deterministic=True, verbose=-1
    )
    stored = FrozenEstimator(Patterns(P[n_classes]).fit(X, y))
    model = DistilledClassifier(
        stored,
        student,
        alpha=alpha,
        temperature=temperature,
        augmenter=None,
        calibrate=False,
        random_state=0,
    )
    model.fit(X, y, X_unlabeled=np.eye(3) if refits else None)
    served = model.student_.predict_proba(np.eye(3))
    np.testing.assert_allclose(served, P[n_classes], atol=0.006)
    saved = model.student_.booster_.predict(np.eye(3))
    np.testing.assert_allclose(saved, served if n_classes == 3 else served[:, 1])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_lightgbm_serves_the_labels_of_rows_that_no_teacher_was_asked_for(n_classes):
    X, y, pattern = draw_labels(n_classes, copies=60)
    data = SoftDataset(
        *(X, P[n_classes][::-1][pattern], np.arange(n_classes), y),
        temperature=2.5,
        alpha=np.zeros(len(y)),
    )
    student = LGBMClassifier(
        n_estimators=200, min_child_samples=1, n_jobs=1, verbose=-1
    )
    served = fit_student(student, data).predict_proba(np.eye(3))
    np.testing.assert_allclose(served, P[n_classes], atol=0.006)


@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_xgboost_serves_true_probabilities(n_classes, booster):
    xgboost = pytest.importorskip("xgboost")
    student = xgboost.XGBClassifier(
        n_estimators=150, reg_lambda=0, booster=booster, n_jobs=1
    )
    if booster != "gblinear":
        student.set_params(min_child_weight=0)
    model = distil(student, n_classes, copies=60, alpha=0.6, temperature=3)
    served = model.student_.predict_proba(np.eye(3))
    # Linear boosting converges slowly.
    atol = 0.03 if booster == "gblinear" else 0.006
    np.testing.assert_allclose(served, P[n_classes], atol=atol)
    again = xgboost.XGBClassifier()
    again.load_model(model.student_.get_booster().save_raw("json"))
    np.testing.assert_array_equal(again.predict_proba(np.eye(3)), served)
    assert model.student_.objective == (
        "binary:logistic" if n_classes == 2 else "multi:softprob"
    )


@pytest.mark.parametrize(
    ("booster", "stopped"),
    [("gbtree", False), ("gbtree", True), ("dart", False), ("gblinear", False)],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_logits_of_xgboost_are_multiplied(n_classes, booster, stopped, capfd):
    xgboost = pytest.importorskip("xgboost")
    X, y, pattern = draw_labels(n_classes)
    student = xgboost.XGBClassifier(n_estimators=12, booster=booster, n_jobs=1)
    student.set_params(early_stopping_rounds=2 if stopped else None)
    data = SoftDataset(X, P[n_classes][pattern], np.arange(n_classes), y)
    validation = data.take(np.arange(20)) if stopped else None
    plain, scaled = (
        fit_student(clone(student), replace(data, temperature=T), None, validation)
        for T in (1, 2.5)
    )
    proba = plain.predict_proba(np.eye(3)).astype(float)
    expected = softmax(2.5 * np.log(proba), axis=1)
    np.testing.assert_allclose(scaled.predict_proba(np.eye(3)), expected, atol=1e-6)
    if stopped:
        assert scaled.best_iteration == plain.best_iteration
        # Nothing is shown of the rounds.
        assert capfd.readouterr().out == ""


class Linear(nn.Module):
    """One layer, and perhaps the nonlinearity before the criterion."""

    def __init__(self, n_outputs, ending):
        super().__init__()
        self.layer, self.ending = nn.Linear(3, n_outputs), ending

    def forward(self, X):
        z = self.layer(X)
        if self.ending == "softmax":
            return z.softmax(dim=1)
        if self.ending == "sigmoid":
            return z.sigmoid().squeeze(1)
        return z.squeeze(1) if self.ending == "flat" else z


NETS = {
    "cross entropy": (NeuralNetClassifier, nn.CrossEntropyLoss, 3, None),
    "nll": (NeuralNetClassifier, nn.NLLLoss, 3, "softmax"),
    "binary logits": (NeuralNetBinaryClassifier, nn.BCEWithLogitsLoss, 1, "flat"),
    "binary": (NeuralNetBinaryClassifier, nn.BCELoss, 1, "sigmoid"),
}


@pytest.mark.parametrize("name", NETS)
def test_nets_serve_true_probabilities(name):
    kind, criterion, n_outputs, ending = NETS[name]
    n_classes = max(n_outputs, 2)
    X, y, pattern = draw_labels(n_classes)
    net = kind(
        Linear,
        module__n_outputs=n_outputs,
        module__ending=ending,
        criterion=criterion,
        optimizer=torch.optim.LBFGS,
        lr=1.0,
        max_epochs=8,
        batch_size=-1,
        train_split=None,
        verbose=0,
    )
    model = DistilledClassifier(
        None,
        net,
        alpha=0.6,
        temperature=3,
        augmenter=None,
        calibrate=False,
        random_state=0,
    )
    model.fit(X.astype(np.float32), y, teacher_proba=P[n_classes][pattern])
    served = model.student_.predict_proba(np.eye(3, dtype=np.float32))
    np.testing.assert_allclose(served, P[n_classes], atol=0.003)


def clip_table(n_classes, y):
    prior = np.bincount(y) / len(y)
    return 0.999 * P[n_classes] + 0.001 * prior


@pytest.mark.parametrize("class_weight", [None, {0: 1, 1: 4, 2: 2}])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_logistic_regression_minimises_the_objective(n_classes, class_weight):
    """Alpha, temperature, penalty and class weights, by a minimiser of the formulas."""
    alpha, T, C = 0.7, 2.5, 0.05
    if class_weight is not None:
        class_weight = {k: class_weight[k] for k in range(n_classes)}
    X, y, pattern = draw_labels(n_classes)
    w = np.array([(class_weight or {}).get(k, 1) for k in range(n_classes)])
    p = clip_table(n_classes, y)[pattern] * w
    soft_weight, p = p.sum(axis=1), p / p.sum(axis=1, keepdims=True)
    q = softmax(np.log(p) / T, axis=1)

    def objective(v):
        # The margin of two classes is one vector of coefficients.
        flat = v.reshape(-1, 4)
        z = X @ flat[:, :3].T + flat[:, 3]
        z = np.column_stack([0 * z, z]) if n_classes == 2 else z
        soft = -(q * log_softmax(z, axis=1)).sum(axis=1)
        hard = -log_softmax(T * z, axis=1)[np.arange(len(y)), y]
        loss = alpha * soft_weight * soft + (1 - alpha) / T**2 * w[y] * hard
        return C * loss.sum() + 0.5 * (flat[:, :3] ** 2).sum()

    start = np.zeros((1 if n_classes == 2 else n_classes) * 4)
    best = minimize(objective, start, method="BFGS", options={"gtol": 1e-7}).x
    best = best.reshape(-1, 4)
    student = LogisticRegression(
        C=C, tol=1e-10, max_iter=5000, class_weight=class_weight
    )
    fitted = distil(student, n_classes, alpha=alpha, temperature=T).student_
    np.testing.assert_allclose(fitted.coef_, T * best[:, :3], atol=1e-4)
    z = T * (X @ best[:, :3].T + best[:, 3])
    expected = softmax(np.column_stack([0 * z, z]) if n_classes == 2 else z, axis=1)
    shares = alpha * soft_weight, (1 - alpha) * w[y]
    labels = shares[0] @ p + shares[1] @ np.eye(n_classes)[y]
    expected = give_means(expected, labels, sum(shares))
    np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_network_updates_by_the_gradient(n_classes):
    """One step of SGD at rate 1 moves the last weights by minus the mean gradient."""
    alpha, T = 0.7, 2.5
    X, y, pattern = draw_labels(n_classes)
    student = MLPClassifier(
        (4,),
        solver="sgd",
        alpha=0,
        learning_rate_init=1,
        momentum=0,
        nesterovs_momentum=False,
        max_iter=1,
        batch_size=len(y),
    )
    with pytest.warns(match="Maximum iterations"):
        model = distil(student, n_classes, alpha=alpha, temperature=T)
    stock = MLPClassifier((4,), random_state=model.student_.random_state)
    stock.set_params(max_iter=1, learning_rate_init=1e-300)
    with pytest.warns(match="Maximum iterations"):
        # What Adam at no learning rate leaves is the network as it began.
        start = stock.fit(X, y)
    hidden = np.maximum(X @ start.coefs_[0] + start.intercepts_[0], 0)
    q = softmax(np.log(clip_table(n_classes, y)[pattern]) / T, axis=1)

    def objective(coef):
        z = hidden @ coef.reshape(4, -1) + start.intercepts_[1]
        z = np.column_stack([0 * z, z]) if n_classes == 2 else z
        soft = -(q * log_softmax(z, axis=1)).sum(axis=1)
        hard = -log_softmax(T * z, axis=1)[np.arange(len(y)), y]
        return (alpha * soft + (1 - alpha) / T**2 * hard).mean()

    begin, step = start.coefs_[1].ravel(), 1e-5
    gradient = [
        (objective(begin + e) - objective(begin - e)) / (2 * step)
        for e in step * np.eye(len(begin))
    ]
    np.testing.assert_allclose(
        model.student_.coefs_[1].ravel() / T, begin - gradient, atol=1e-8
    )
    assert model.student_.loss_ == pytest.approx(objective(begin), abs=1e-8)


@pytest.mark.parametrize("weight", [None, [1.0, 3.0, 0.5]])
def test_a_net_updates_by_the_gradient(weight):
    """One step of SGD at rate 1; class weights divide what they have weighed."""
    alpha, T = 0.7, 2.5
    X, y, pattern = draw_labels(3)
    torch.manual_seed(0)
    module = nn.Linear(3, 3)
    given = {} if weight is None else {"criterion__weight": torch.tensor(weight)}
    net = NeuralNetClassifier(
        module,
        criterion=nn.CrossEntropyLoss,
        **{"lr": 1.0, "max_epochs": 1, "batch_size": -1, "train_split": None},
        **given,
        verbose=0,
    )
    student = make_pipeline(FunctionTransformer(np.float32), net)
    fitted = distil(student, 3, alpha=alpha, temperature=T).student_[-1]
    q = torch.tensor(softmax(np.log(clip_table(3, y)[pattern]) / T, axis=1))
    w = torch.tensor(weight or [1.0, 1.0, 1.0]).double()
    hard = torch.eye(3).double()[y]
    z = module.double()(torch.tensor(X))
    soft_loss = -(w * q * z.log_softmax(1)).sum() * alpha
    hard_loss = -(w * hard * (T * z).log_softmax(1)).sum() * (1 - alpha) / T**2
    share = (alpha * w * q + (1 - alpha) * w * hard).sum()
    ((soft_loss + hard_loss) / share).backward()
    moved = (module.weight - module.weight.grad).detach().numpy()
    np.testing.assert_allclose(
        fitted.module_.weight.detach().numpy() / T, moved, atol=1e-6
    )


@pytest.mark.parametrize("temperature", [1.0, 3.0])
@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_class_weights_multiply_the_served_odds(alpha, temperature):
    student = LogisticRegression(
        C=1e6, tol=1e-9, max_iter=5000, class_weight={0: 1, 1: 4, 2: 1}
    )
    model = distil(student, 3, alpha=alpha, temperature=temperature)
    served = model.student_.predict_proba(np.eye(3))
    factor = served[:, 1] / served[:, 0] / (P[3][:, 1] / P[3][:, 0])
    np.testing.assert_allclose(factor, 4, rtol=0.03)


def test_balanced_weights_count_probabilities_before_softening():
    student = LogisticRegression(
        C=1e6, tol=1e-9, max_iter=5000, class_weight="balanced"
    )
    served = [
        distil(student, 3, alpha=alpha, temperature=T).predict_proba(np.eye(3))
        for alpha, T in ((1, 1), (1, 3), (0.5, 3))
    ]
    np.testing.assert_allclose(served[1], served[0], atol=2e-3)
    np.testing.assert_allclose(served[2], served[0], atol=2e-3)


REFUSED = {
    "sgd": SGDClassifier(loss="log_loss"),
    "hist": HistGradientBoostingClassifier(),
    "tree": DecisionTreeClassifier(),
    "boosting": GradientBoostingClassifier(),
    "vote": VotingClassifier([("a", LogisticRegression())], voting="soft"),
    "copies": GaussianNB(),
    "liblinear": LogisticRegression(solver="liblinear"),
}


def test_catboost_refuses_the_pair():
    catboost = pytest.importorskip("catboost")
    with pytest.raises(ValueError, match=r"temperature=3.*CatBoost.*Set temperature=1"):
        distil(catboost.CatBoostClassifier(), 2, alpha=0.5, temperature=3)


@pytest.mark.parametrize("name", REFUSED)
def test_the_pair_is_refused(name):
    match = rf"temperature=3.*{type(REFUSED[name]).__name__}.*Set temperature=1"
    with pytest.raises(ValueError, match=match):
        distil(REFUSED[name], 2, alpha=0.5, temperature=3)
    if name in ("sgd", "liblinear"):
        with pytest.raises(ValueError, match=r"alpha=0\.5.* or alpha=1"):
            distil(REFUSED[name], 2, alpha=0.5, temperature=3)
        assert distil(REFUSED[name], 2, alpha=0, temperature=3).temperature_ == 1


@pytest.mark.filterwarnings("ignore:The teacher")
def test_auto_chooses_no_pair_that_is_refused():
    X, y = make_classification(600, flip_y=0.2, random_state=0)
    asked = {"temperature": 3.0, "n_synthetic": 600, "calibrate": False}
    pairs = {}
    for student in (SGDClassifier(loss="log_loss"), LogisticRegression()):
        pipeline = make_pipeline(StandardScaler(), student)
        model = DistilledClassifier(GaussianNB(), pipeline, random_state=0, **asked)
        model.fit(X, y)
        pairs[type(student)] = [(p["alpha"], p["temperature"]) for p in model.pilots_]
    assert (0.5, 1.0) in pairs[SGDClassifier]
    assert (0.5, 3.0) in pairs[LogisticRegression]


@pytest.mark.parametrize("name", ["logistic", "lbfgs"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_transfer_rows_keep_the_teacher_alone(name):
    """Rows without a label count as alpha 1, in memory and in chunks."""
    X, y = make_classification(300, random_state=0)
    rows = np.random.default_rng(1).normal(size=(200, 20))
    student = {
        "logistic": LogisticRegression(tol=1e-9, max_iter=1000),
        "lbfgs": MLPClassifier((8,), solver="lbfgs", max_iter=200),
    }[name]
    model = DistilledClassifier(
        GaussianNB(),
        student,
        alpha=0.5,
        temperature=3,
        augmenter=None,
        calibrate=False,
        random_state=0,
    )
    whole = model.fit(X, y, X_unlabeled=rows).predict_proba(X)
    chunked = model.fit(X, y, X_unlabeled=[rows[:120], rows[120:]]).predict_proba(X)
    np.testing.assert_allclose(chunked, whole, atol=1e-3)
