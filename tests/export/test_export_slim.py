"""What is deployed: the same predictions, fewer bytes, and no skdistill to load it."""

import pickle
import warnings

import numpy as np
import pytest
from _core import PLAIN
from lightgbm import LGBMClassifier
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, DistilledRegressor
from skdistill.export import slim
from skdistill.metrics import agreement_score

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore::FutureWarning"
)

RNG = np.random.RandomState(0)
X = RNG.normal(size=(300, 4))
CODES = (X @ RNG.normal(size=(4, 3)) + RNG.normal(size=(300, 3))).argmax(axis=1)
Y = np.array(["ant", "bee", "cow"])[CODES]

FAMILIES = {
    "mlp-adam": MLPClassifier((8, 4), max_iter=5),
    "mlp-stopped": MLPClassifier((8, 4), max_iter=8, early_stopping=True),
    "mlp-sgd": MLPClassifier((8,), solver="sgd", max_iter=5),
    "mlp-lbfgs": MLPClassifier((8,), solver="lbfgs", max_iter=5),
    "logistic": LogisticRegression(),
    "logistic-cv": LogisticRegressionCV(Cs=2, cv=2),
    "sgd": SGDClassifier(loss="log_loss", average=True),
    "tree": DecisionTreeClassifier(max_depth=4),
    "forest": RandomForestClassifier(5, oob_score=True, bootstrap=True),
    "extra": ExtraTreesClassifier(5),
    "bagging": BaggingClassifier(n_estimators=3),
    "boosting": GradientBoostingClassifier(n_estimators=3, subsample=0.5),
    "histogram": HistGradientBoostingClassifier(
        max_iter=5, early_stopping=True, categorical_features=[1]
    ),
    "lightgbm": LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1),
    "vote": VotingClassifier(
        [("a", MLPClassifier((4,), max_iter=3)), ("b", GaussianNB())], voting="soft"
    ),
    "pipeline": make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=5)),
    "imputed": make_pipeline(SimpleImputer(), LogisticRegression()),
    "selected": make_pipeline(SelectKBest(k=2), LogisticRegression()),
}


def make_rows(name):
    if name != "histogram":
        return X
    rows = X.copy()
    rows[:, 1] = RNG.randint(0, 5, len(X))
    return rows


@pytest.fixture(scope="module")
def fitted():
    models = {}
    for name, model in FAMILIES.items():
        rows = make_rows(name)
        model = clone(model)
        if "random_state" in model.get_params():
            model.set_params(random_state=0)
        models[name] = (model.fit(rows, Y), rows)
    return models


def make_distilled(student=None):
    student = student or MLPClassifier((8,), max_iter=5)
    return DistilledClassifier(GaussianNB(), student, random_state=0, **PLAIN)


@pytest.mark.parametrize("name", FAMILIES)
def test_predictions_stay_the_same_bit_for_bit(name, fitted):
    model, rows = fitted[name]
    before = pickle.dumps(model)

    slimmed = slim(model)

    assert type(slimmed) is type(model)
    assert b"skdistill" not in pickle.dumps(slimmed)
    np.testing.assert_array_equal(
        slimmed.predict_proba(rows), model.predict_proba(rows)
    )
    np.testing.assert_array_equal(slimmed.predict(rows), model.predict(rows))
    # The model that was given is left alone.
    assert pickle.dumps(model) == before


@pytest.mark.parametrize(
    ("name", "attributes"),
    {
        "mlp-stopped": ["_optimizer", "_best_coefs", "_best_intercepts"],
        "logistic-cv": ["scores_", "coefs_paths_"],
        "sgd": ["_average_coef", "_standard_coef", "_loss_function_"],
        "forest": ["oob_decision_function_"],
        "boosting": ["train_score_", "oob_improvement_"],
        "histogram": ["validation_score_", "train_score_"],
    }.items(),
)
def test_training_residue_is_left_out(name, attributes, fitted):
    model, _ = fitted[name]
    slimmed = slim(model)
    for attribute in attributes:
        assert hasattr(model, attribute)
        assert not hasattr(slimmed, attribute)
    assert len(pickle.dumps(slimmed)) < len(pickle.dumps(model))


def test_a_network_costs_little_more_than_its_weights(fitted):
    model = MLPClassifier((64, 32), max_iter=3).fit(X, Y)
    slimmed = slim(model)
    weights = sum(part.nbytes for part in [*model.coefs_, *model.intercepts_])
    assert len(pickle.dumps(model)) > 3 * weights
    assert len(pickle.dumps(slimmed)) < weights + 2000
    assert slimmed.loss_curve_ == []
    assert slimmed.n_iter_ == 3


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_a_slim_network_trains_on(solver):
    model = MLPClassifier((8,), solver=solver, max_iter=5, random_state=0).fit(X, Y)
    slimmed = slim(model)
    slimmed.partial_fit(X, Y)
    assert not np.array_equal(slimmed.coefs_[0], model.coefs_[0])


def test_bins_of_a_histogram_are_left_out(fitted):
    model, _ = fitted["histogram"]
    edges = slim(model)._bin_mapper.bin_thresholds_
    # The levels of the one categorical column stay: they are compared with.
    assert sorted(len(e) for e in edges) == [0, 0, 0, 5]
    assert max(len(e) for e in model._bin_mapper.bin_thresholds_) > 100


@pytest.mark.parametrize("kind", [BaggingClassifier, CalibratedClassifierCV])
def test_an_unfitted_template_is_no_obstacle(kind):
    model = kind(HistGradientBoostingClassifier(max_iter=2)).fit(X, Y)
    np.testing.assert_array_equal(slim(model).predict_proba(X), model.predict_proba(X))
    assert type(slim(model).estimator) is HistGradientBoostingClassifier


@pytest.mark.parametrize("kind", [BaggingClassifier, CalibratedClassifierCV])
@pytest.mark.parametrize("student", [None, make_pipeline(GaussianNB())])
def test_the_template_of_a_student_is_its_student_unfitted(kind, student):
    est = DistilledClassifier(GaussianNB(), student, augmenter=None)
    parts = {"cv": 2} if kind is CalibratedClassifierCV else {"n_estimators": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = kind(est, **parts).fit(X[:120], Y[:120])
    slimmed = slim(model)
    served = slimmed.estimator
    assert type(served) is Pipeline
    learner = MLPClassifier if student is None else GaussianNB
    assert type(served[-1]) is learner
    with pytest.raises(NotFittedError):
        served.predict(X)
    # A refit trains that student, on the true labels.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = clone(slimmed).fit(X[:120], Y[:120])
    assert again.predict_proba(X).shape == (len(X), len(np.unique(Y)))


def test_the_template_of_a_student_that_nothing_tells_is_a_network():
    """Where a student of values was never fitted, one of values takes its place."""
    model = BaggingRegressor(LinearRegression(), n_estimators=2).fit(X, Y[0] == Y)
    model.set_params(estimator=DistilledRegressor())
    slimmed = slim(model)
    assert type(slimmed.estimator) is MLPRegressor
    np.testing.assert_array_equal(slimmed.predict(X), model.predict(X))


def test_a_distilled_classifier_becomes_its_student():
    distilled = make_distilled().fit(X, Y)
    slimmed = slim(distilled)
    assert type(slimmed) is MLPClassifier
    np.testing.assert_array_equal(slimmed.predict_proba(X), distilled.predict_proba(X))


def wrap_in_pipeline(distilled):
    return make_pipeline(
        StandardScaler(), make_pipeline(FunctionTransformer(), distilled)
    )


WRAPPERS = {
    "pipeline": wrap_in_pipeline,
    "search": lambda d: GridSearchCV(
        make_pipeline(StandardScaler(), d), {"distilledclassifier__alpha": [1.0]}, cv=2
    ),
    "vote": lambda d: VotingClassifier([("d", d), ("b", GaussianNB())], voting="soft"),
    "vote-of-searches": lambda d: VotingClassifier(
        [("s", GridSearchCV(d, {"alpha": [1.0]}, cv=2)), ("b", GaussianNB())],
        voting="soft",
    ),
    "distilled": lambda d: make_distilled(make_pipeline(StandardScaler(), d.student)),
    "searched-student": lambda d: make_pipeline(
        StandardScaler(), GridSearchCV(d, {"alpha": [0.5, 1.0]}, cv=2)
    ),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_the_student_is_taken_wherever_it_stands(wrap):
    model = wrap(make_distilled()).fit(X, Y)
    slimmed = slim(model)
    np.testing.assert_array_equal(slimmed.predict_proba(X), model.predict_proba(X))
    assert b"skdistill" not in pickle.dumps(slimmed)
    assert b"_optimizer" not in pickle.dumps(slimmed)
    assert b"cv_results_" not in pickle.dumps(slimmed)


def test_a_pipeline_keeps_its_settings_but_no_cache(tmp_path):
    pd = pytest.importorskip("pandas")
    pipeline = Pipeline(
        [("scale", StandardScaler()), ("d", make_distilled())], memory=str(tmp_path)
    ).set_output(transform="pandas")
    frame = pd.DataFrame(X, columns=list("abcd"))
    slimmed = slim(pipeline.fit(frame, Y))
    assert slimmed.memory is None
    assert list(slimmed.named_steps) == ["scale", "d"]
    assert isinstance(slimmed[:-1].transform(frame), pd.DataFrame)
    assert list(slimmed.feature_names_in_) == list("abcd")


def test_frozen_students_keep_their_type():
    frozen = FrozenEstimator(GaussianNB().fit(X, Y))
    np.testing.assert_array_equal(slim(frozen).predict(X), frozen.predict(X))


@pytest.mark.parametrize(
    ("name", "untrusted"),
    {
        "mlp-adam": [],
        "mlp-stopped": [],
        "logistic": [],
        "logistic-cv": [],
        "sgd": [],
        "pipeline": [],
        # What skops never trusts by itself, and the docstring says so.
        "imputed": ["numpy.dtype"],
        "tree": ["sklearn.tree._tree.Tree"],
        "forest": ["sklearn.tree._tree.Tree"],
        "histogram": [
            "functools.partial",
            "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
            "sklearn.utils.validation.check_array",
        ],
        "lightgbm": [
            "collections.OrderedDict",
            "lightgbm.basic.Booster",
            "lightgbm.sklearn.LGBMClassifier",
        ],
    }.items(),
)
def test_skops_loads_it(name, untrusted, fitted):
    skops = pytest.importorskip("skops.io")
    model, rows = fitted[name]
    data = skops.dumps(slim(model))
    assert skops.get_untrusted_types(data=data) == untrusted
    loaded = skops.loads(data, trusted=untrusted)
    np.testing.assert_array_equal(loaded.predict_proba(rows), model.predict_proba(rows))


def test_skops_loads_the_default_student_of_a_mixed_table():
    skops = pytest.importorskip("skops.io")
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame(X, schema=list("abcd")).with_columns(
        b=pl.when(pl.col("b") <= 1).then("b"),
        kind=pl.when(pl.col("a") > 0).then(pl.lit("up")).otherwise(pl.lit("down")),
        known=pl.col("c") > 0,
    )
    proba = np.full((300, 3), 1 / 3)
    distilled = DistilledClassifier(**PLAIN).fit(frame, Y, teacher_proba=proba)
    data = skops.dumps(slim(distilled))
    assert skops.get_untrusted_types(data=data) == ["numpy.dtype"]
    assert b"pandas" not in pickle.dumps(slim(distilled))
    loaded = skops.loads(data, trusted=["numpy.dtype"])
    np.testing.assert_array_equal(
        loaded.predict_proba(frame), distilled.predict_proba(frame)
    )


@pytest.mark.parametrize("criterion", ["CrossEntropyLoss", "NLLLoss"])
def test_a_net_keeps_its_softmax_and_drops_its_optimizer(criterion):
    torch = pytest.importorskip("torch")
    skorch = pytest.importorskip("skorch")
    torch.manual_seed(0)
    layers = [torch.nn.Linear(4, 3)]
    if criterion == "NLLLoss":
        layers.append(torch.nn.Softmax(dim=1))
    callbacks = [skorch.callbacks.EpochScoring("accuracy", name="acc")]
    net = skorch.NeuralNetClassifier(
        torch.nn.Sequential(*layers),
        criterion=getattr(torch.nn, criterion),
        optimizer=torch.optim.Adam,
        callbacks=callbacks,
        max_epochs=2,
        verbose=0,
    )
    rows = X.astype(np.float32)
    net.fit(rows, CODES)

    slimmed = slim(make_pipeline(net))[-1]

    np.testing.assert_array_equal(slimmed.predict_proba(rows), net.predict_proba(rows))
    assert slimmed.optimizer_ is None
    assert slimmed.history == []
    assert len(net.history) == 2
    assert net.optimizer_ is not None
    assert len(callbacks) == 1


def test_an_unfitted_model_is_refused():
    with pytest.raises(NotFittedError):
        slim(make_distilled())
    with pytest.raises(NotFittedError):
        slim(LogisticRegression())


def test_a_search_without_its_best_is_refused():
    search = GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, refit=False, cv=2)
    search.fit(X, Y)
    with pytest.raises(TypeError, match="refit=True"):
        slim(search)


def test_what_can_not_be_pickled_is_refused():
    pipeline = make_pipeline(FunctionTransformer(lambda X: X), GaussianNB()).fit(X, Y)
    with pytest.raises(TypeError, match="top of a module"):
        slim(pipeline)


def test_a_function_of_this_package_is_refused():
    pipeline = make_pipeline(FunctionTransformer(agreement_score), GaussianNB())
    pipeline.steps[1][1].fit(X, Y)
    with pytest.raises(TypeError, match=r"holds skdistill\.metrics.*agreement_score"):
        slim(pipeline)
