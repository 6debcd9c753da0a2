"""Page-locked copies of batches. Without an accelerator there is nothing to pin for.

Collating is in `collate.py`.
"""

import warnings


def warn_if_pinning_is_void(requested):
    """Say, as PyTorch does on a machine without an accelerator, that `pin_memory` has no effect."""
    if requested:
        warnings.warn(
            "'pin_memory' argument is set as true but no accelerator is found, then device pinned "
            "memory won't be used.",
            stacklevel=3,
        )
