"""Mixed precision: `autocast` chooses the dtype of each op, `GradScaler` keeps small gradients.

What ``torch.is_autocast_enabled`` and its like read is in `rushlight._autocast_state`, the lists of
ops and the casting in `_casts`.
"""

from .autocast_mode import autocast, custom_bwd, custom_fwd, is_autocast_available
from .grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
