"""What the student learns from: hold-outs, candidates, pilots and the choice."""

from ._choice import choose
from ._hold_outs import draw_splits
from ._label_plan import limit_labels
from ._quantile_shift import hold_out_shift, shift_quantiles
from ._sampling import sample_candidates

__all__ = [
    "choose",
    "draw_splits",
    "hold_out_shift",
    "limit_labels",
    "sample_candidates",
    "shift_quantiles",
]
