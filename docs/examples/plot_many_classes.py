"""
Many classes
============

Letter has 26 classes, and soft targets say which letters look alike. The picture shows
that the student confuses mostly the letters that its teacher confuses.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skdistill import DistilledClassifier
from skdistill.datasets import load_letter
from skdistill.metrics import agreement_score

X, y = load_letter(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=2000, test_size=8000, stratify=y, random_state=0
)
student = make_pipeline(
    StandardScaler(), MLPClassifier((64, 32), max_iter=100, random_state=0)
)
distilled = DistilledClassifier(
    ExtraTreesClassifier(100, random_state=0),
    student,
    augmenter="munge",
    n_synthetic=12_000,
    random_state=0,
).fit(X_train, y_train)
teacher = distilled.teacher_

# %%
# The student names the same letter as the teacher for most rows.

said = {"teacher": teacher.predict(X_test), "student": distilled.predict(X_test)}
print(f"agreement {agreement_score(said['teacher'], said['student']):.3f}")
for name, model in {"teacher": teacher, "student": distilled}.items():
    print(f"{name} log loss {log_loss(y_test, model.predict_proba(X_test)):.3f}")

# %%
# Mistakes alone, as a share of each letter's rows.

fig, axes = plt.subplots(1, 2, figsize=(11, 5), sharey=True, layout="constrained")
for ax, (name, labels) in zip(axes, said.items(), strict=True):
    wrong = confusion_matrix(y_test, labels, normalize="true")
    np.fill_diagonal(wrong, 0)
    image = ax.imshow(wrong, cmap="Blues", vmin=0, vmax=0.08)
    ax.set(title=f"Mistakes of the {name}", xlabel="predicted")
    ax.set_xticks(range(26), teacher.classes_, fontsize=7)
    ax.set_yticks(range(26), teacher.classes_, fontsize=7)
axes[0].set_ylabel("true")
_ = fig.colorbar(image, ax=axes, label="share of the letter's rows", shrink=0.8)
