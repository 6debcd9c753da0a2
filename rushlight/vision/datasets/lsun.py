"""LSUN: photographs of scenes and objects, published as LMDB databases, which are not read here."""

from rushlight._notes import early_arguments, unsupported

from .vision import VisionDataset

__all__ = ["LSUN", "LSUNClass"]


class LSUNClass(VisionDataset):
    """One class of `LSUN`. Creating it raises NotImplementedError."""

    def __init__(self, root, transform=None, target_transform=None):
        raise unsupported(
            f"{type(self).__name__}: reading LMDB databases",
            "export the pictures with the tool of its authors, and read them with ImageFolder",
        )


class LSUN(LSUNClass):
    """Classes of LSUN together. Creating it raises NotImplementedError."""

    @early_arguments(db_path="root")
    def __init__(self, root, classes="train", transform=None, target_transform=None):
        super().__init__(root, transform, target_transform)
