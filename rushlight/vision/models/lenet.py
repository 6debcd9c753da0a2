"""LeNet-5 (LeCun et al.: Gradient-based learning applied to document recognition, 1998)."""

from rushlight import nn

__all__ = ["LeNet", "lenet"]


class LeNet(nn.Module):
    """Two convolutions and three linear layers, for grey images `(N, 1, 28, 28)`, such as MNIST's.

    As it is built today: ReLU and maxima where the original has tanh and learned means, and a plain
    linear layer at its end. ``num_classes``: the number of scores, `(N, num_classes)`.

    Example::

        >>> LeNet()(rl.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(self, num_classes=10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, kernel_size=5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(16 * 5 * 5, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, num_classes),
        )

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def lenet(**kwargs):
    """LeNet-5; keyword arguments go to `LeNet`. Not torchvision's, and so not in `list_models`."""
    return LeNet(**kwargs)
