"""The fast path of `nn.MultiheadAttention` in inference: a switch that is kept."""

_state = {"fastpath": True}


def get_fastpath_enabled():
    """What `set_fastpath_enabled` was last told."""
    return _state["fastpath"]


def set_fastpath_enabled(value):
    """Whether the fast path may be taken; both paths compute the same."""
    _state["fastpath"] = value
