"""Helpers of training by several processes."""


def _sync_module_states(module, process_group, broadcast_bucket_size, src, params_and_buffers=()):
    """Gives all processes the parameters of ``src``: the one has them."""
