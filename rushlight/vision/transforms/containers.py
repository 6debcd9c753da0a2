"""Transforms made of transforms: in sequence, at random, or from a function."""

import random

import rushlight as rl
from rushlight import nn

__all__ = ["Compose", "Lambda", "RandomApply", "RandomChoice", "RandomOrder"]


def listing(owner, transforms, *after):
    """The repr of a container: one transform a line."""
    lines = [f"    {transform}" for transform in transforms]
    return "\n".join([f"{type(owner).__name__}(", *after, *lines, ")"])


class Compose:
    """Applies `transforms` one after the other.

    Example::

        >>> from rushlight.vision import transforms
        >>> transforms.Compose([abs, lambda x: x + 1])(-2)
        3
    """

    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, img):
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self):
        return listing(self, self.transforms)


class Lambda:
    """Applies the function `lambd`; TypeError if it can't be called."""

    def __init__(self, lambd):
        if not callable(lambd):
            raise TypeError(f"Lambda: expected a function, got {type(lambd).__name__}")
        self.lambd = lambd

    def __call__(self, img):
        return self.lambd(img)

    def __repr__(self):
        return f"{type(self).__name__}()"


class _Several:
    """Base of those that choose among `transforms`."""

    def __init__(self, transforms):
        if not isinstance(transforms, (list, tuple)):
            raise TypeError(
                f"{type(self).__name__}: expected a sequence of transforms, got {type(transforms)}"
            )
        self.transforms = transforms

    def __repr__(self):
        return listing(self, self.transforms)


class RandomApply(nn.Module):
    """Applies all of `transforms` with probability `p`, else none."""

    def __init__(self, transforms, p=0.5):
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img):
        if self.p < rl.rand(1):
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self):
        return listing(self, self.transforms, f"    p={self.p}")


class RandomOrder(_Several):
    """Applies `transforms` in an order that Python's `random` shuffles."""

    def __call__(self, img):
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for index in order:
            img = self.transforms[index](img)
        return img


class RandomChoice(_Several):
    """Applies one of `transforms`, which Python's `random` chooses with weights `p`."""

    def __init__(self, transforms, p=None):
        super().__init__(transforms)
        if p is not None and (not isinstance(p, (list, tuple)) or len(p) != len(transforms)):
            raise TypeError(f"RandomChoice: expected p as one weight a transform, got {p!r}")
        self.p = p

    def __call__(self, *args):
        return random.choices(self.transforms, weights=self.p)[0](*args)

    def __repr__(self):
        return f"{super().__repr__()}(p={self.p})"
