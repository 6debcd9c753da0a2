"""Arm's KleidiAI, which is not used."""


def is_available():
    """False."""
    return False
