"""The tree models of scikit-learn, by kind."""

from __future__ import annotations

from typing import TypeAlias

from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

Tree: TypeAlias = DecisionTreeClassifier | DecisionTreeRegressor
Forest: TypeAlias = (
    RandomForestClassifier
    | RandomForestRegressor
    | ExtraTreesClassifier
    | ExtraTreesRegressor
)
Boosted: TypeAlias = GradientBoostingClassifier | GradientBoostingRegressor
Histograms: TypeAlias = HistGradientBoostingClassifier | HistGradientBoostingRegressor
