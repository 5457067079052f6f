"""
Near, wide and far transfer sets
================================

A transfer set is made of rows that have no label: the teacher labels them, and the
student learns what it says there. The samplers differ in how far their rows lie from
the training rows. Pilots choose among these three.
"""

# %%
# Two columns of the wine data, so that every row can be drawn.

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.preprocessing import StandardScaler

from skdistill.transfer import Munge, Spunge

X, y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X[:, [9, 12]])
teacher = RandomForestClassifier(200, random_state=0).fit(X, y)

# %%
# `Munge` swaps attributes between neighbours, with one or among ten; `Spunge` swaps
# them between any two rows. A new row has values that occur, in new combinations.

samplers = {
    "near: Munge()": Munge(),
    "wide: Munge(p=0.5, n_neighbors=10)": Munge(p=0.5, n_neighbors=10),
    "far: Spunge(p=0.5)": Spunge(p=0.5),
}
fig, axes = plt.subplots(1, 3, figsize=(11, 4), sharey=True, layout="constrained")
colors = plt.cm.viridis([0.0, 0.5, 1.0])
for ax, (title, sampler) in zip(axes, samplers.items(), strict=True):
    DecisionBoundaryDisplay.from_estimator(
        teacher,
        X,
        response_method="predict",
        alpha=0.2,
        multiclass_colors="viridis",
        ax=ax,
    )
    rows = sampler.fit(X).sample(600, random_state=0)
    ax.scatter(*rows.T, s=7, c=colors[teacher.predict(rows)], label="made")
    ax.scatter(*X.T, s=18, c="none", edgecolors="0.25", linewidths=0.7, label="given")
    ax.set(title=title, xlabel="colour intensity")
axes[0].set_ylabel("proline")
_ = axes[0].legend(loc="upper left")

# %%
# Near rows keep to the training rows, where an overfitted teacher mostly repeats their
# labels. That helps where labels are certain, and hurts where they are noisy: there the
# wide and far rows are better, since the teacher has not memorised them.
