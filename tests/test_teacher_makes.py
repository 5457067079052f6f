"""Teachers of every make: other libraries, wrappers, text, meta-estimators, threads."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skdistill import DistilledClassifier, FunctionClassifier

X, Y = make_classification(
    500, 4, n_informative=4, n_redundant=0, n_classes=3, n_clusters_per_class=1,
    class_sep=1.5, random_state=0,
)  # fmt: skip
X = X.astype(np.float32)
TREE = DecisionTreeClassifier(max_depth=5, random_state=0)
LEARNED, HELD_OUT, TEST = slice(0, 250), slice(250, 350), slice(350, None)


def make_xgboost():
    xgboost = pytest.importorskip("xgboost")
    return xgboost.XGBClassifier(n_estimators=20, max_depth=3, n_jobs=1), X, Y, TREE


def make_catboost():
    catboost = pytest.importorskip("catboost")
    model = catboost.CatBoostClassifier(
        iterations=20, depth=3, thread_count=1, verbose=0, allow_writing_files=False
    )
    return model, X, Y, TREE


def make_skorch():
    pytest.importorskip("torch")
    from _nets import make_net

    return make_net(max_epochs=20, train_split=None), X, Y, TREE


class Predictor:
    """As an AutoML tool hands it out: fitted, its own methods, data frames out."""

    def __init__(self):
        self.model = RandomForestClassifier(20, random_state=0)
        self.model.fit(X[LEARNED], Y[LEARNED])
        self.class_labels = [2, 0, 1]

    def predict_proba(self, rows):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame(self.model.predict_proba(rows), columns=[0, 1, 2])
        return frame[self.class_labels]


def make_predictor():
    predictor = Predictor()
    teacher = FunctionClassifier(predictor.predict_proba, predictor.class_labels)
    return teacher, X, Y, TREE


def make_text():
    words = np.array(["red", "green", "blue", "round", "square", "flat"])
    rng = np.random.RandomState(0)
    y = np.array(["even", "odd", "third"])[rng.randint(3, size=500)]
    starts = {"even": 0, "odd": 2, "third": 4}
    texts = [
        " ".join(rng.permutation([*rng.choice(words, 2), words[starts[label]]]))
        for label in y
    ]
    text = np.array(texts, dtype=object)
    teacher = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression())
    return teacher, text, y, make_pipeline(TfidfVectorizer(), TREE)


def make_stacking():
    members = [("bayes", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=4))]
    names = np.array(["a", "b", "c"])
    return StackingClassifier(members, LogisticRegression(), cv=3), X, names[Y], TREE


def make_default_stacking():
    """It has `predict_proba` only once it is fitted, and a search around it too."""
    members = [("bayes", GaussianNB()), ("tree", DecisionTreeClassifier(max_depth=4))]
    search = GridSearchCV(StackingClassifier(members, cv=3), {"passthrough": [False]})
    return search, X, Y, TREE


def make_search():
    logistic = make_pipeline(StandardScaler(), LogisticRegression())
    grid = {"logisticregression__C": [0.1, 1.0]}
    return GridSearchCV(logistic, grid, cv=3), X, Y, TREE


def make_threads():
    return RandomForestClassifier(20, n_jobs=2), X, Y, TREE


MAKES = {
    "XGBoost": make_xgboost,
    "CatBoost": make_catboost,
    "skorch": make_skorch,
    "a predictor behind a function": make_predictor,
    "text": make_text,
    "stacking": make_stacking,
    "stacking by default": make_default_stacking,
    "a search": make_search,
    "threads": make_threads,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", MAKES)
def test_a_teacher_of_every_make(make):
    teacher, rows, y, student = MAKES[make]()
    held_out = {"X_val": rows[HELD_OUT], "y_val": y[HELD_OUT]}
    # Nobody makes synthetic text.
    augmenter = None if make == "text" else "munge"

    def fit(teacher):
        return DistilledClassifier(
            teacher,
            student,
            alpha=1.0,
            augmenter=augmenter,
            n_synthetic=200,
            random_state=0,
        ).fit(rows[LEARNED], y[LEARNED], **held_out)

    distilled = fit(teacher)
    np.testing.assert_array_equal(distilled.classes_, np.unique(y))
    assert type(distilled.teacher_) is type(teacher)
    # Its classes are read in their own order.
    proba = np.asarray(distilled.teacher_.predict_proba(rows[HELD_OUT]))
    said = np.asarray(distilled.teacher_.classes_)[proba.argmax(axis=1)]
    accuracy = accuracy_score(y[HELD_OUT], said)
    assert distilled.memorization_["accuracy_out_of_fold"] == accuracy > 0.6
    n_made = 0 if augmenter is None else 200
    asked = {"validation": 100, "training": 250, "transfer": n_made}
    assert distilled.labels_asked_ == {k: n for k, n in asked.items() if n}
    # The student is that of the same teacher, frozen.
    served = distilled.predict_proba(rows[TEST])
    if not isinstance(teacher, FunctionClassifier):
        frozen = fit(FrozenEstimator(distilled.teacher_)).predict_proba(rows[TEST])
        np.testing.assert_allclose(served, frozen, atol=1e-6)
    prior = np.unique(y[LEARNED], return_counts=True)[1] / 250
    blind = log_loss(y[TEST], np.tile(prior, (150, 1)))
    assert log_loss(y[TEST], np.clip(served, 1e-3, 1)) < 0.9 * blind
