"""The weights of the default teacher's members, chosen on out-of-fold rows."""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification, make_regression
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import log_loss, mean_squared_error
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from skdistill import DistilledClassifier, DistilledRegressor

X, Y = make_classification(
    700, 10, n_informative=6, n_classes=3, flip_y=0.1, random_state=3
)
X_TEST, Y_TEST = X[400:], Y[400:]
X, Y = X[:400], Y[:400]
VALUES = X[:, 0] * X[:, 1] + 3 * X[:, 2]
VAL = {"X_val": X_TEST, "y_val": Y_TEST}
#: Neither synthetic rows nor pilots: held-out rows calibrate and weigh.
FEW = {"augmenter": None, "pilot": 0, "random_state": 0}
STUDENT = {**FEW, "student": LogisticRegression()}
MEMBERS = [
    ("bayes", GaussianNB()),
    ("logistic", LogisticRegression()),
    ("neighbours", KNeighborsClassifier(20)),
    ("tree", DecisionTreeClassifier(max_depth=4, random_state=0)),
]
REGRESSORS = [
    ("line", LinearRegression()),
    ("neighbours", KNeighborsRegressor(10)),
    ("tree", DecisionTreeRegressor(max_depth=4, random_state=0)),
]


@pytest.fixture
def use_members(monkeypatch):
    """Make the default teacher of small members, so that a fit takes no time."""

    def use(members):
        def make(rows, n_outputs=None):
            vote = VotingClassifier(members, voting="soft")
            if n_outputs is not None:
                vote = VotingRegressor(members)
            return Pipeline([("scaler", StandardScaler()), ("vote", vote)])

        monkeypatch.setattr("skdistill._labels._task.default_teacher", make)

    return use


def make_quarters():
    """Two classes that no column tells apart alone."""
    rows = np.random.RandomState(0).normal(size=(300, 2))
    return rows, (rows.prod(axis=1) > 0).astype(int)


def select(said, loss, n_rounds=20):
    """Greedy selection with replacement from the equal vote, written out."""
    chosen = list(said)
    path = [(loss(np.mean(chosen, axis=0)), len(chosen))]
    for _ in range(n_rounds):
        found = [loss(np.mean([*chosen, own], axis=0)) for own in said]
        chosen.append(said[int(np.argmin(found))])
        path.append((min(found), len(chosen)))
    _, n_kept = min(path)
    counts = [sum(own is one for one in chosen[:n_kept]) for own in said]
    return np.array(counts) / n_kept


def clip(proba, y):
    """Mix in a thousandth of the class shares, as every label is clipped."""
    return 0.999 * proba + 0.001 * np.bincount(y) / len(y)


def test_weights_are_those_of_greedy_selection(use_members):
    use_members(MEMBERS)
    distilled = DistilledClassifier(**STUDENT).fit(X, Y, **VAL)
    scaler = StandardScaler().fit(X)
    rows, held_out = scaler.transform(X), scaler.transform(X_TEST)
    said = [
        clip(clone(member).fit(rows, Y).predict_proba(held_out), Y)
        for _, member in MEMBERS
    ]
    expected = select(said, lambda proba: log_loss(Y_TEST, proba))
    vote = distilled.teacher_[-1]
    np.testing.assert_allclose(vote.weights, expected)
    served = clip(distilled.teacher_.predict_proba(X_TEST), Y)
    np.testing.assert_allclose(served, np.average(said, axis=0, weights=expected))
    assert log_loss(Y_TEST, served) < log_loss(Y_TEST, np.mean(said, axis=0))


def test_row_weights_count(use_members):
    use_members([pair for pair in MEMBERS if pair[0] != "neighbours"])
    weight = np.where(np.arange(len(Y_TEST)) < 200, 1.0, 0.0)
    weighted, cut = (
        DistilledClassifier(**STUDENT)
        .fit(X, Y, sample_weight=np.ones(len(Y)), **given)
        .teacher_[-1]
        .weights
        for given in (
            {**VAL, "sample_weight_val": weight},
            {"X_val": X_TEST[:200], "y_val": Y_TEST[:200]},
        )
    )
    assert weighted == cut


def test_folds_choose_together(use_members):
    use_members(MEMBERS)
    cv = StratifiedKFold(4, shuffle=True, random_state=0)
    distilled = DistilledClassifier(**STUDENT, cv=cv).fit(X, Y)
    said = [
        clip(
            cross_val_predict(
                Pipeline([("scaler", StandardScaler()), ("member", member)]),
                *(X, Y),
                cv=cv,
                method="predict_proba",
            ),
            Y,
        )
        for _, member in MEMBERS
    ]
    expected = select(said, lambda proba: log_loss(Y, proba))
    np.testing.assert_allclose(distilled.teacher_[-1].weights, expected)


def test_values_are_weighed_by_squared_error(use_members):
    use_members(REGRESSORS)
    given = {"X_val": X_TEST, "y_val": X_TEST[:, 0] * X_TEST[:, 1] + 3 * X_TEST[:, 2]}
    distilled = DistilledRegressor(student=Ridge(), **FEW)
    distilled.fit(X, VALUES, **given)
    scaler = StandardScaler().fit(X)
    rows, held_out = scaler.transform(X), scaler.transform(X_TEST)
    said = [clone(m).fit(rows, VALUES).predict(held_out) for _, m in REGRESSORS]
    expected = select(said, lambda mean: mean_squared_error(given["y_val"], mean))
    np.testing.assert_allclose(distilled.teacher_[-1].weights, expected)
    np.testing.assert_allclose(
        distilled.teacher_.predict(X_TEST),
        np.average(said, axis=0, weights=expected),
    )


def test_the_best_member_has_the_weight(use_members):
    poor = [(f"prior{k}", DummyClassifier(strategy="prior")) for k in range(3)]
    use_members([*poor, ("neighbours", KNeighborsClassifier(20))])
    vote = DistilledClassifier(**STUDENT).fit(*make_quarters()).teacher_[-1]
    np.testing.assert_allclose(vote.weights, np.array([1, 1, 1, 21]) / 24)


def test_equal_members_have_equal_weights(use_members):
    trees = [
        (str(k), DecisionTreeClassifier(max_depth=4, max_features=1, random_state=k))
        for k in range(3)
    ]
    use_members(trees)
    weights = DistilledClassifier(**STUDENT).fit(X, Y, **VAL).teacher_[-1].weights
    assert weights is None or np.ptp(weights) < 0.25
    # Weights of members that say the same gain nothing.
    use_members([(name, trees[0][1]) for name, _ in trees])
    assert DistilledClassifier(**STUDENT).fit(X, Y, **VAL).teacher_[-1].weights is None


class Noise(ClassifierMixin, BaseEstimator):
    """Probabilities that no label has anything to do with."""

    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        return self

    def predict_proba(self, X):
        factors = np.random.RandomState(self.seed).normal(size=X.shape[1])
        p = np.sin(1000 * X @ factors) ** 2
        return np.column_stack([p, 1 - p])


def test_what_is_noise_chooses_no_weights(use_members):
    use_members([(str(k), Noise(k)) for k in range(12)])
    rows, y = make_quarters()
    distilled = DistilledClassifier(**STUDENT).fit(rows[:60], y[:60])
    assert distilled.teacher_[-1].weights is None


class CountedBayes(GaussianNB):
    fits = []

    def fit(self, X, y, sample_weight=None):
        self.fits.append(len(y))
        return super().fit(X, y, sample_weight)


@pytest.mark.parametrize(
    ("n_samples", "given", "expected"),
    [(300, {}, [240] * 5 + [300]), (400, VAL, [400])],
)
def test_no_member_is_fitted_for_its_weight(use_members, n_samples, given, expected):
    use_members([("counted", CountedBayes()), *MEMBERS[1:]])
    CountedBayes.fits = []
    DistilledClassifier(**STUDENT).fit(X[:n_samples], Y[:n_samples], **given)
    assert CountedBayes.fits == expected


def test_the_same_seed_gives_the_same_bytes(use_members):
    use_members(MEMBERS)
    first, second = (DistilledClassifier(**STUDENT).fit(X, Y) for _ in range(2))
    assert pickle.dumps(first.teacher_) == pickle.dumps(second.teacher_)
    loaded = pickle.loads(pickle.dumps(first.teacher_))
    assert type(loaded[-1]) is VotingClassifier
    np.testing.assert_array_equal(
        loaded.predict_proba(X_TEST), first.teacher_.predict_proba(X_TEST)
    )
    # What was fitted can be fitted again, with the same weights.
    again = clone(first.teacher_).fit(X, Y)
    np.testing.assert_allclose(
        again.predict_proba(X_TEST), first.teacher_.predict_proba(X_TEST)
    )


def test_workers_give_the_same_weights_and_pilots(use_members):
    use_members(MEMBERS)
    rows, y = X[:120], Y[:120] > 0
    student = DecisionTreeClassifier(max_depth=3)
    distilled = DistilledClassifier(student=student, n_synthetic=60, random_state=0)
    # A teacher that is no better is said, and is not the subject.
    with warnings.catch_warnings(), joblib.parallel_config("threading"):
        warnings.simplefilter("ignore", UserWarning)
        one, two = (clone(distilled).set_params(n_jobs=n).fit(rows, y) for n in (1, 2))
    assert one.teacher_[-1].weights == two.teacher_[-1].weights
    assert one.pilots_ == two.pilots_
    assert one.labels_asked_ == two.labels_asked_
    np.testing.assert_array_equal(one.predict_proba(rows), two.predict_proba(rows))


def test_weights_come_from_the_memory(use_members, tmp_path):
    use_members([("counted", CountedBayes()), *MEMBERS[1:]])
    plain = DistilledClassifier(**STUDENT).fit(X, Y)
    CountedBayes.fits = []
    for max_iter in (100, 200):
        student = LogisticRegression(max_iter=max_iter)
        found = DistilledClassifier(student=student, memory=tmp_path, **FEW)
        found.fit(X, Y)
        assert found.teacher_[-1].weights == plain.teacher_[-1].weights
    assert CountedBayes.fits == [320] * 5 + [400]


def test_a_vote_of_the_user_stays_as_it_is():
    vote = VotingClassifier(MEMBERS, voting="soft", weights=[1, 2, 3, 4])
    fitted = DistilledClassifier(vote, **STUDENT).fit(X, Y).teacher_
    assert fitted.weights == [1, 2, 3, 4]
    assert len(fitted.estimators_) == len(MEMBERS)


@pytest.mark.parametrize("n_rows", [30, 400])
def test_without_rows_that_tell_weights_are_equal(use_members, n_rows):
    use_members(MEMBERS)
    y = (Y > 0).astype(int)
    calibrate = "auto" if n_rows == 30 else False
    distilled = DistilledClassifier(**STUDENT, calibrate=calibrate)
    assert distilled.fit(X[:n_rows], y[:n_rows]).teacher_[-1].weights is None


def test_several_outputs_have_no_vote():
    rows, y = make_regression(60, 4, n_targets=2, random_state=0)
    distilled = DistilledRegressor(student=Ridge(), **FEW)
    assert not hasattr(distilled.fit(rows, y).teacher_[-1], "weights")


@pytest.mark.parametrize(
    ("kind", "output"), [(pd.DataFrame, "pandas"), (sp.csr_array, "default")]
)
def test_the_members_of_the_default_teacher_are_weighed(kind, output):
    rows, held_out, y = kind(X[:120]), kind(X_TEST[:60]), (Y > 0).astype(int)[:120]
    given = {"X_val": held_out, "y_val": (Y_TEST > 0).astype(int)[:60]}
    student = LogisticRegression()
    with sklearn.config_context(transform_output=output, enable_metadata_routing=True):
        student.set_fit_request(sample_weight=True)
        distilled = DistilledClassifier(student=student, **FEW)
        distilled.fit(rows, y, sample_weight=np.ones(len(y)), **given)
    vote = distilled.teacher_[-1]
    assert list(vote.named_estimators_) == ["lightgbm", "mlp", "mlp2", "sampled"]
    kept = [member for _, member in vote.estimators if member != "drop"]
    assert len(kept) == len(vote.estimators_)
    prepared = distilled.teacher_[:-1].transform(held_out)
    served = [member.predict_proba(prepared) for member in vote.estimators_]
    weights = [weight for weight in vote.weights or [] if weight] or None
    np.testing.assert_allclose(
        distilled.teacher_.predict_proba(held_out),
        np.average(served, axis=0, weights=weights),
    )
