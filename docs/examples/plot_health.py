"""
Health: probabilities that can be trusted
=========================================

A risk of 20% should mean that one such case in five is positive. The picture shows how
often that holds, for a forest and for the network that it taught.
"""

# %%
# Digits blurred by noise stand for a diagnosis that is uncertain by nature: does the
# image show a digit of at least five? Rows that neither teacher nor student learns,
# `X_val`, calibrate and choose.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import brier_score_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier
from skdistill.inspection import ReliabilityDisplay
from skdistill.metrics import expected_calibration_error

rng = np.random.default_rng(0)
X, digits = load_digits(return_X_y=True)
y = (digits >= 5).astype(int)
X = X + rng.normal(scale=6, size=X.shape)
X_train, X_rest, y_train, y_rest = train_test_split(
    X, y, train_size=800, random_state=0
)
X_val, X_test, y_val, y_test = train_test_split(
    X_rest, y_rest, train_size=300, random_state=0
)

student = make_pipeline(
    StandardScaler(), MLPClassifier((32, 16), max_iter=200, random_state=0)
)
forest = RandomForestClassifier(150, random_state=0)
distilled = DistilledClassifier(
    forest, student, augmenter="munge", n_synthetic=6000, random_state=0
)
distilled.fit(X_train, y_train, X_val=X_val, y_val=y_val)
hard = student.fit(X_train, y_train)

# %%
# The forest is underconfident: its curve is steeper than the diagonal. The distilled
# network learned calibrated labels, and its curve is closer.

models = {"forest": distilled.teacher_, "hard labels": hard, "distilled": distilled}
for name, model in models.items():
    proba = model.predict_proba(X_test)
    error = expected_calibration_error(y_test, proba)
    brier = brier_score_loss(y_test, proba[:, 1])
    print(f"{name:12} calibration error {error:.3f}, Brier score {brier:.3f}")
ReliabilityDisplay.from_estimator(distilled, X_test, y_test, n_bins=8)
_ = plt.title("How often it happens, by what is predicted")
