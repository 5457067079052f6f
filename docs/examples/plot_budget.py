"""
A budget of size and latency
============================

A search measures each student as it is deployed, and `within_budget` takes the one with
the lowest log loss among those that are small and fast enough.
"""

# %%
# The ensemble is fitted once a split: `memory` keeps it for the other candidates.

from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier
from skdistill.datasets import load_letter
from skdistill.inspection import TradeoffDisplay
from skdistill.metrics import latency_scorer, size_scorer, within_budget

X, y = load_letter(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1500, test_size=2000, stratify=y, random_state=0
)
cache = TemporaryDirectory()
distilled = DistilledClassifier(
    ExtraTreesClassifier(100, random_state=0),
    make_pipeline(StandardScaler(), MLPClassifier(max_iter=40)),
    augmenter="munge",
    n_synthetic=3000,
    memory=cache.name,
    random_state=0,
)
search = GridSearchCV(
    distilled,
    {
        "student__mlpclassifier__hidden_layer_sizes": [
            (8,),
            (16,),
            (32,),
            (64, 32),
        ]
    },
    scoring={
        "neg_log_loss": "neg_log_loss",
        "latency": latency_scorer(),
        "bytes": size_scorer(),
    },
    refit=within_budget("neg_log_loss", max_bytes=30_000),
    cv=2,
).fit(X_train, y_train)
cache.cleanup()
print(
    search.best_params_, f"accuracy {search.best_estimator_.score(X_test, y_test):.3f}"
)

# %%
# Each point is a student; the line joins those that none beats in both.

display = TradeoffDisplay.from_search(search, cost="bytes")
display.ax_.axvline(30_000, color="0.5", linestyle=":", label="budget")
_ = plt.legend()
