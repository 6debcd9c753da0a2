"""Remote procedure calls, which are not supported."""


def _is_current_rpc_agent_set():
    """False."""
    return False
