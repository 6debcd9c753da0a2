"""The version of torchvision whose names and semantics `rushlight.vision` follows."""

__version__ = "0.28.0+rushlight"
