"""Signal processing: `windows`. Nothing is defined here."""

from rushlight.signal import windows

__all__ = ["windows"]
