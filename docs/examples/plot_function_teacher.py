"""
A service that bills each row
=============================

A teacher may be a function: a remote service, an AutoML predictor, an in-context model.
`max_labels` bounds the rows that it is asked for.
"""

# %%
# The service is a model that was fitted elsewhere. It counts the rows it answers.

import matplotlib.pyplot as plt
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier, FunctionClassifier
from skdistill.datasets import load_letter

X, y = load_letter(return_X_y=True)
X_theirs, X, y_theirs, y = train_test_split(
    X, y, train_size=8000, stratify=y, random_state=0
)
X_train, X_rest, y_train, y_rest = train_test_split(
    X, y, train_size=1500, stratify=y, random_state=0
)
X_val, X_test, y_val, y_test = train_test_split(
    X_rest, y_rest, train_size=500, test_size=4000, stratify=y_rest, random_state=0
)
remote = ExtraTreesClassifier(100, random_state=0).fit(X_theirs, y_theirs)
billed = 0


def ask(rows):
    """Return probabilities, as a service would."""
    global billed
    billed += len(rows)
    return remote.predict_proba(rows)


teacher = FunctionClassifier(ask, remote.classes_, batch_size=500)

# %%
# `X_val` and `y_val` are rows that the service has not learned: they calibrate and
# judge it.

student = make_pipeline(
    StandardScaler(), MLPClassifier((64, 32), max_iter=60, random_state=0)
)
budgets, losses = [1_000, 2_000, 4_000, 8_000], []
for budget in budgets:
    billed = 0
    distilled = DistilledClassifier(
        teacher, student, augmenter="munge", max_labels=budget, random_state=0
    ).fit(X_train, y_train, X_val=X_val, y_val=y_val)
    losses.append(log_loss(y_test, distilled.predict_proba(X_test)))
    print(f"at most {budget}: {billed} rows billed, {distilled.labels_asked_}")

# %%
# More labels, a lower log loss. The dotted line is the student without a teacher.

hard = student.fit(X_train, y_train)
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(budgets, losses, marker="o", label="distilled")
ax.axhline(
    log_loss(y_test, hard.predict_proba(X_test)), ls=":", c="C1", label="hard labels"
)
ax.axhline(
    log_loss(y_test, remote.predict_proba(X_test)), ls="--", c="C7", label="service"
)
ax.set(xscale="log", xlabel="labels bought", ylabel="log loss on held-out rows")
ax.set_xticks(budgets, [f"{b:,}" for b in budgets])
ax.minorticks_off()
_ = ax.legend()
