"""
What a first distillation keeps
===============================

An ensemble of 100 trees teaches a network of 64 and 32 units. The picture compares the
teacher, the same network trained on the true labels, and the distilled network.
"""

# %%
# Letter has 16 columns and 26 classes. The student is a stock scikit-learn pipeline.

import matplotlib.pyplot as plt
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier
from skdistill.datasets import load_letter

X, y = load_letter(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1000, test_size=2000, stratify=y, random_state=0
)
teacher = ExtraTreesClassifier(100, random_state=0)
student = make_pipeline(
    StandardScaler(), MLPClassifier((64, 32), max_iter=100, random_state=0)
)
distilled = DistilledClassifier(teacher, student, random_state=0)
distilled.fit(X_train, y_train)
hard = clone(student).fit(X_train, y_train)

# %%
# The fitted object says what the student learned. A calibration below 1 means that the
# teacher was underconfident.

chosen = [pilot["learns from"] for pilot in distilled.pilots_ if pilot["chosen"]]
print(chosen, f"calibration {distilled.calibration_:.2f}")

# %%
# The student keeps most of the ensemble's accuracy. Its log loss is lower than the
# ensemble's, since it learned calibrated probabilities.

models = {"teacher": distilled.teacher_, "hard labels": hard, "distilled": distilled}
accuracy = {name: model.score(X_test, y_test) for name, model in models.items()}
loss = {name: log_loss(y_test, m.predict_proba(X_test)) for name, m in models.items()}

fig, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for ax, title, values in zip(
    axes, ("Accuracy", "Log loss"), (accuracy, loss), strict=True
):
    bars = ax.barh(list(values), list(values.values()), color=["C7", "C1", "C0"])
    ax.bar_label(bars, fmt="%.3f", padding=3)
    ax.set(title=title, xlim=(0, 1.2 * max(values.values())))
    ax.invert_yaxis()
