"""``functorch.experimental.control_flow``: the first place of `cond` and `map`."""

from rushlight._higher_order_ops import cond, map  # noqa: F401
