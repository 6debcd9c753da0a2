"""Questions that packages ask about the compiler."""


def is_compile_supported(device_type):
    """Can functions be compiled for a device? False."""
    return False
