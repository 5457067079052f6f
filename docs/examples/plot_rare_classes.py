"""
Fraud: a rare class keeps its rate
==================================

Fraud is rare, and a model has to keep its rate. Averaging moves small probabilities;
calibration with a shift for each class holds the mean probability of the rare class.
"""

# %%
# Letter Z against the rest: one row of 27 is positive, as in a table of claims. The
# classes are not balanced: a class weight would shift the probabilities.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import PrecisionRecallDisplay, average_precision_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier
from skdistill.datasets import load_letter

X, letters = load_letter(return_X_y=True)
y = (letters == "Z").astype(int)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=2000, test_size=6000, stratify=y, random_state=0
)
teacher = ExtraTreesClassifier(100, random_state=0)
student = make_pipeline(
    StandardScaler(), MLPClassifier((32, 16), max_iter=100, random_state=0)
)
distilled = DistilledClassifier(
    teacher, student, augmenter="munge", n_synthetic=10_000, random_state=0
).fit(X_train, y_train)
hard = student.fit(X_train, y_train)

# %%
# Rank by average precision, and compare the mean probability with the rate. A threshold
# follows from the costs of the two errors: a probability that is right needs no tuning.

models = {"teacher": distilled.teacher_, "hard labels": hard, "distilled": distilled}
positive = {name: m.predict_proba(X_test)[:, 1] for name, m in models.items()}
for name, p in positive.items():
    ranking = average_precision_score(y_test, p)
    ratio = p.mean() / y_test.mean()
    print(f"{name:12} average precision {ranking:.3f}, mean over rate {ratio:.2f}")

cost_miss, cost_alarm = 30, 1
threshold = cost_alarm / (cost_alarm + cost_miss)
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
cost = []
for (name, p), color in zip(positive.items(), ("C7", "C1", "C0"), strict=True):
    PrecisionRecallDisplay.from_predictions(
        y_test, p, name=name, ax=left, curve_kwargs={"color": color}
    )
    alarm = p >= threshold
    errors = cost_miss * (~alarm & (y_test == 1)) + cost_alarm * (alarm & (y_test == 0))
    cost.append(errors.mean())
left.set(title="Precision and recall of the rare class")
bars = right.bar(list(positive), cost, color=["C7", "C1", "C0"])
right.bar_label(bars, fmt="%.3f")
_ = right.set(
    title=f"Mean cost a row at p ≥ {threshold:.3f}", ylim=(0, 1.2 * np.max(cost))
)
