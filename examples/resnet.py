"""A residual network on small images.

    python resnet.py

Blocks learn a correction to what passes by (He et al., arXiv:1512.03385), here three stages on
scikit-learn's digits; `train_digits.py --data cifar10` reads larger ones.
"""

import rushlight as torch
from common import digits, progress, settings
from rushlight import nn


class Block(nn.Module):
    def __init__(self, channels, out, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.norm1, self.norm2 = nn.BatchNorm2d(out), nn.BatchNorm2d(out)
        self.shortcut = nn.Identity()
        if stride != 1 or channels != out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        y = self.norm1(self.conv1(x)).relu()
        return (self.norm2(self.conv2(y)) + self.shortcut(x)).relu()


def resnet(channels=1, classes=10, width=16):
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, 1, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        Block(width, width),
        Block(width, 2 * width, stride=2),
        Block(2 * width, 4 * width, stride=2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, classes),
    )


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=400).parse_args(argv)
    torch.manual_seed(args.seed)
    images, labels = digits()
    order = torch.randperm(len(images))
    train, test = order[:1437], order[1437:]
    model = resnet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=args.steps)
    for _ in progress(args.steps, args.quiet):
        chosen = train[torch.randint(len(train), (64,))]
        loss = nn.functional.cross_entropy(model(images[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        right = (model.eval()(images[test]).argmax(1) == labels[test]).float().mean().item()
    print(f"held-out accuracy {right:.4f}")
    return right


if __name__ == "__main__":
    main()
