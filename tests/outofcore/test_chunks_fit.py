"""Students that learn unlabelled rows chunk by chunk learn what they learn of all."""

import numpy as np
import pytest
from _chunk_fits import cut, distil, distil_both
from _learners import SoftDataset, SoftStream, fit_student
from lightgbm import LGBMClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier
from skdistill.transfer import Munge

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


STUDENTS = {
    "logistic": LogisticRegression(),
    "weighted logistic": LogisticRegression(class_weight="balanced"),
    "tree": DecisionTreeClassifier(max_depth=6),
    "forest": RandomForestClassifier(10, min_samples_leaf=5),
    "boosting": HistGradientBoostingClassifier(max_iter=10),
    "LightGBM": LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1),
    "averaged SGD": SGDClassifier("log_loss", average=True),
    "L-BFGS network": MLPClassifier((8,), solver="lbfgs", max_iter=20),
    "vote": VotingClassifier(
        [("tree", DecisionTreeClassifier(max_depth=4)), ("bayes", GaussianNB())],
        voting="soft",
    ),
    "copies": GaussianNB(),
}


@pytest.mark.parametrize("name", STUDENTS)
def test_students_of_mapped_rows_are_those_of_all_rows(
    chunk_data, name, small_blocks, scratch
):
    """Nothing is drawn, so that the rows are the same ones: so are the students."""
    X, y = chunk_data
    student = make_pipeline(StandardScaler(), STUDENTS[name])
    whole, chunked = distil_both(X, y, student)
    np.testing.assert_allclose(
        chunked.predict_proba(X[3000:]), whole.predict_proba(X[3000:]), atol=1e-10
    )


@pytest.mark.parametrize("augmenter", [None, "munge"])
@pytest.mark.parametrize("weighted", [False, True])
def test_one_pass_over_one_buffer_is_the_whole_fit(chunk_data, augmenter, weighted):
    """Weight for weight: the blocks are one, and the draws are the same."""
    X, y = chunk_data
    weight = np.random.default_rng(0).integers(1, 4, 600) if weighted else None
    student = make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=1))
    given = {"augmenter": augmenter, "sample_weight": weight, "temperature": 2.0}
    whole, chunked = distil_both(X, y, student, stop=2000, **given)
    for one, other in zip(
        whole.student_[-1].coefs_, chunked.student_[-1].coefs_, strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_synthetic_rows_are_shared_out_to_the_blocks(
    chunk_data, small_blocks, monkeypatch
):
    """Each block of rows is the base of its share, and is learned as it is."""
    X, y = chunk_data
    fits, counts, samplers = [], [], []
    fit, sample = Munge.fit, Munge.sample_with_parents

    def note_fit(self, rows):
        fits.append(len(rows))
        samplers.append(self)
        return fit(self, rows)

    def note_sample(self, n_samples, random_state=None):
        counts.append((n_samples, random_state))
        return sample(self, n_samples, random_state)

    monkeypatch.setattr(Munge, "fit", note_fit)
    monkeypatch.setattr(Munge, "sample_with_parents", note_sample)
    student = MLPClassifier((4,), max_iter=1)
    given = {"augmenter": Munge(), "n_synthetic": 6001}
    distilled = distil(X[:600], y[:600], cut(X[600:3000], 9), student, **given)
    assert sum(fits) == 600 + 2400
    assert len(fits) > 3
    assert sum(n for n, _ in counts) == 6001
    for rows, (n_rows, _) in zip(fits, counts, strict=True):
        assert n_rows == pytest.approx(6001 * rows / 3000, abs=1.01)
    assert len({seed for _, seed in counts}) == len(counts)
    assert distilled.augmenter_ is samplers[0]


@pytest.mark.parametrize("sort", [False, True])
@pytest.mark.parametrize(
    "student",
    [MLPClassifier((32,), max_iter=15), SGDClassifier("log_loss", alpha=1e-2)],
    ids=["network", "SGD"],
)
@pytest.mark.slow
def test_students_that_continue_learn_as_well(chunk_data, student, sort, small_blocks):
    """Sorted rows too: every buffer holds rows from everywhere."""
    X, y = chunk_data
    U = X[600:6000]
    if sort:
        U = U[np.argsort(U[:, 0])]
    student = make_pipeline(StandardScaler(), student)
    whole, chunked = (
        distil(X[:600], y[:600], rows, student, temperature=1.0) for rows in (U, cut(U))
    )
    losses = [
        log_loss(whole.teacher_.predict(X[6000:]), m.predict_proba(X[6000:]))
        for m in (whole, chunked)
    ]
    assert losses[1] == pytest.approx(losses[0], abs=0.02)


@pytest.mark.parametrize("tol", [1e-2, 1e-3])
def test_sgd_ends_about_when_it_ends_over_a_table(chunk_data, tol):
    X, y = chunk_data
    sgd = SGDClassifier("log_loss", tol=tol, n_iter_no_change=3, random_state=0)
    teacher = FrozenEstimator(LogisticRegression().fit(X[:400], y[:400]))
    ended = []
    for unlabeled in (X[400:2400], cut(X[400:2400])):
        model = DistilledClassifier(teacher, sgd, augmenter=None, pilot=0)
        model.set_params(random_state=0).fit(X[:400], y[:400], X_unlabeled=unlabeled)
        ended.append(model.student_.n_iter_)
    assert 3 < ended[0] < 100
    assert ended[0] / 2 < ended[1] < 2 * ended[0]


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_network_keeps_its_best_pass(chunk_data, small_blocks, solver):
    """Adam goes on to the end, its step falling; SGD stops by scikit-learn's rule."""
    X, y = chunk_data
    parts = [
        SoftDataset(rows, np.eye(3)[codes], np.arange(3), codes)
        for rows, codes in zip(cut(X[:2400]), cut(y[:2400]), strict=True)
    ]
    net = MLPClassifier(
        (8,), solver=solver, max_iter=15, tol=0.5, n_iter_no_change=2, random_state=0
    )
    given = net.get_params()
    fit_student(net, parts[0], validation=parts[1], transfer=SoftStream(parts[2:]))
    scores = net.validation_scores_
    n_epochs = 15 if solver == "adam" else 4
    assert net.n_iter_ == len(scores) == len(net.loss_curve_) == n_epochs
    assert net.t_ == net.n_iter_ * 1800
    loss = log_loss(parts[1].y, net.predict_proba(parts[1].X))
    assert loss == pytest.approx(-max(scores))
    assert type(net) is MLPClassifier
    assert net.get_params() == given
    net.partial_fit(X, y)


@pytest.mark.parametrize("learning_rate", ["constant", "adaptive"])
def test_a_network_stops_by_its_loss(chunk_data, small_blocks, learning_rate):
    """Where no row is held out; an adaptive rate goes on until it is tiny."""
    X, y = chunk_data
    targets = np.eye(3)[y]
    parts = [
        SoftDataset(X[a : a + 500], targets[a : a + 500], np.arange(3), y[a : a + 500])
        for a in range(0, 2000, 500)
    ]
    net = MLPClassifier(
        (8,), solver="sgd", learning_rate=learning_rate, learning_rate_init=0.1,
        tol=0.5, n_iter_no_change=2, max_iter=90, random_state=0,
    )  # fmt: skip
    fit_student(net, parts[0], transfer=SoftStream(parts[1:]))
    if learning_rate == "constant":
        assert net.n_iter_ == 4
    else:
        assert net.n_iter_ > 20
        assert net._optimizer.learning_rate <= 1e-6


def test_soft_targets_of_chunks_are_those_of_the_whole(chunk_data, small_blocks):
    """A student without limits serves what it was taught: temperature and all."""
    X, y = chunk_data
    X = X.round()[:, :2]
    given = {"temperature": 3.0, "calibrate": True}
    student = LogisticRegression(C=1e6)
    whole, chunked = distil_both(X, y, student, **given)
    assert chunked.calibration_ == whole.calibration_ != 1
    np.testing.assert_allclose(
        chunked.predict_proba(X), whole.predict_proba(X), atol=1e-6
    )


@pytest.mark.parametrize("kind", [SGDClassifier, MLPClassifier])
def test_students_of_chunks_keep_their_parameters(chunk_data, small_blocks, kind):
    """The generator of a fit is none of them."""
    X, y = chunk_data
    student = kind(random_state=3, max_iter=2)
    if kind is SGDClassifier:
        student.set_params(loss="log_loss", tol=None)
    parts = [
        SoftDataset(
            X[a : a + 500], np.eye(3)[y[a : a + 500]], np.arange(3), y[a : a + 500]
        )
        for a in (0, 500, 1000)
    ]
    given = student.get_params()
    fit_student(student, parts[0], transfer=SoftStream(parts[1:]))
    assert student.get_params() == given
