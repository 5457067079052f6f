"""
Distilling values
=================

`DistilledRegressor` does for values what `DistilledClassifier` does for classes. A
Gaussian process, which keeps all of its training rows, teaches a small boosted model
the progression of diabetes.
"""

# %%
# Diabetes has 442 rows and 10 columns.

import pickle

import matplotlib.pyplot as plt
from lightgbm import LGBMRegressor
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledRegressor
from skdistill.export import slim

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
process = GaussianProcessRegressor(
    RBF(5) + WhiteKernel(1), normalize_y=True, random_state=0
)
teacher = make_pipeline(StandardScaler(), process)
student = LGBMRegressor(n_estimators=60, num_leaves=6, verbose=-1, n_jobs=1)
distilled = DistilledRegressor(teacher, student, random_state=0).fit(X_train, y_train)
hard = clone(student).fit(X_train, y_train)

# %%
# The distilled trees predict like the process, from a smaller file.

models = {"teacher": distilled.teacher_, "true values": hard, "distilled": distilled}
error = {
    name: root_mean_squared_error(y_test, model.predict(X_test))
    for name, model in models.items()
}
size = len(pickle.dumps(distilled.teacher_)), len(pickle.dumps(slim(distilled)))
print("kB, teacher and student:", *(round(n / 1000) for n in size))

fig, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
bars = left.bar(list(error), list(error.values()), color=["C7", "C1", "C0"])
left.bar_label(bars, fmt="%.1f")
left.set(title="Root mean squared error", ylim=(0, 1.2 * max(error.values())))
expected = distilled.teacher_.predict(X_test)
for name, model, color in (("true values", hard, "C1"), ("distilled", distilled, "C0")):
    right.scatter(expected, model.predict(X_test), s=12, c=color, alpha=0.7, label=name)
right.axline((150, 150), slope=1, c="C7", lw=1)
right.set(xlabel="teacher", ylabel="student", title="What each predicts")
_ = right.legend(title="learned from")
