"""
From an ensemble to a file of kilobytes
=======================================

What a model weighs after each step of deployment: the ensemble, the student, `slim`, an
ONNX file, `prune`, weights of eight bits, and C.
"""

# %%
# A file that loses more accuracy than `tolerance` is refused, not written.

import os
import pickle
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier
from skdistill.datasets import load_letter
from skdistill.export import prune, slim, to_c, to_onnx

X, y = load_letter(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=1500, test_size=2000, stratify=y, random_state=0
)
student = make_pipeline(
    StandardScaler(), MLPClassifier((64, 32), max_iter=100, random_state=0)
)
distilled = DistilledClassifier(
    ExtraTreesClassifier(100, random_state=0),
    student,
    augmenter="munge",
    n_synthetic=6000,
    fine_tune=2,
    random_state=0,
).fit(X_train, y_train)
pruned = prune(
    distilled, X_train, y_train, sparsity=0.3, steps=2, tolerance=0.05, random_state=0
)
print(f"pruned: {pruned.before} before, {pruned.after} after")

# %%
# Every file serves the same student but for the last digits; the eight-bit file and the
# pruned one lose a little.

small, folder = pruned.estimator, TemporaryDirectory()


def weigh_onnx(model, **options):
    path = os.path.join(folder.name, "model.onnx")
    to_onnx(model, X_test, y_test, path=path, tolerance=0.02, **options)
    return os.path.getsize(path)


size = {
    "ensemble, pickled": len(pickle.dumps(distilled.teacher_)),
    "student, slim": len(pickle.dumps(slim(distilled))),
    "source in C": len(to_c(distilled, X_test)),
    "ONNX": weigh_onnx(distilled),
    "ONNX, pruned": weigh_onnx(small),
    "ONNX, pruned, 8 bits": weigh_onnx(small, quantize="int8-weights"),
}
folder.cleanup()

fig, ax = plt.subplots(figsize=(8, 3.4), layout="constrained")
bars = ax.barh(list(size), list(size.values()), color=["C7"] + ["C0"] * 5)
ax.bar_label(bars, [f"{n / 1000:,.0f} kB" for n in size.values()], padding=4)
ax.set(xscale="log", xlim=(1e3, 3e9), xlabel="bytes", title="What is deployed")
ax.invert_yaxis()
