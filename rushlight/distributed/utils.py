"""Helpers of training by several processes."""

from ._coalesced import broadcast_all


def _sync_module_states(module, process_group, broadcast_bucket_size, src, params_and_buffers=()):
    """Gives all processes the parameters and buffers of rank ``src`` of the group."""
    if process_group.size() > 1:
        broadcast_all([*module.parameters(), *module.buffers()], process_group, src)
