"""Datasets of images, in the formats in which they are published.

Each downloads on request and checks what it reads. A new dataset is a class in a file of its family
here, and its name below.
"""

from .cifar import CIFAR10, CIFAR100
from .coco import CocoCaptions, CocoDetection
from .fakedata import FakeData
from .folder import DatasetFolder, ImageFolder
from .lsun import LSUN, LSUNClass
from .mnist import EMNIST, KMNIST, MNIST, QMNIST, FashionMNIST
from .phototour import PhotoTour
from .semeion import SEMEION
from .stl10 import STL10
from .svhn import SVHN
from .vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "CocoCaptions",
    "CocoDetection",
    "DatasetFolder",
    "EMNIST",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "KMNIST",
    "LSUN",
    "LSUNClass",
    "MNIST",
    "PhotoTour",
    "QMNIST",
    "SEMEION",
    "STL10",
    "SVHN",
    "VisionDataset",
]
