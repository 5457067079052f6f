"""Seeing whether a student may replace its teacher.

Displays in scikit-learn's convention, drawn with matplotlib: `FidelityDisplay`
compares the student with its teacher row by row, `ReliabilityDisplay` compares both
with what happened, and `TradeoffDisplay` compares scores with what they cost.
"""

from ._displays import FidelityDisplay, ReliabilityDisplay, TradeoffDisplay

__all__ = ["FidelityDisplay", "ReliabilityDisplay", "TradeoffDisplay"]
