"""Pictures in scikit-learn's convention; `skdistill.inspection` makes them public."""

from ._fidelity import FidelityDisplay
from ._reliability import ReliabilityDisplay
from ._tradeoff import TradeoffDisplay

__all__ = ["FidelityDisplay", "ReliabilityDisplay", "TradeoffDisplay"]
