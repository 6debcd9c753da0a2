"""Small vision programs whose results were recorded with torchvision and are compared with ours.

Each takes the tensor package and the vision package and returns plain data. The recorder is
tests/data/record_vision.py; a new transform is a line of `TRANSFORMS`.
"""

import json
import random
import zlib

# What is built (T is the transforms module, I its InterpolationMode) and on which images it runs.
TRANSFORMS = {
    "T.Resize(9)": "fb",
    "T.Resize((21, 8), antialias=False)": "uf",
    "T.Resize(9, I.NEAREST)": "ufp",
    "T.Resize(9, I.BICUBIC)": "uf",
    "T.Resize(9, max_size=10)": "uf",
    "T.CenterCrop((9, 30))": "ufp",
    "T.Pad((1, 2, 3, 4), 5)": "ufp",
    "T.Pad(2, padding_mode='reflect')": "ufp",
    "T.Pad((2, 3), padding_mode='symmetric')": "ufp",
    "T.Pad(2, padding_mode='edge')": "ufp",
    "T.FiveCrop(7)": "ufp",
    "T.TenCrop((5, 6), vertical_flip=True)": "ufp",
    "T.RandomCrop(9)": "ufp",
    "T.RandomCrop(15, padding=3, pad_if_needed=True)": "ufp",
    "T.RandomHorizontalFlip()": "ufp",
    "T.RandomVerticalFlip(0.3)": "ufp",
    "T.RandomResizedCrop((8, 10))": "f",
    "T.RandomResizedCrop(9, interpolation=I.NEAREST)": "up",
    "T.RandomRotation(40, I.BILINEAR, fill=7)": "f",
    "T.RandomRotation((20, 70), expand=True)": "u",
    "T.RandomAffine(30, (0.1, 0.2), (0.5, 1.5), (-10, 10, -5, 20), I.BILINEAR, fill=3)": "f",
    "T.RandomPerspective(0.5, 0.9, fill=0.5)": "f",
    "T.ElasticTransform(9.0, 0.5)": "f",
    "T.ColorJitter(0.4, 0.4, 0.4, 0.1)": "f",
    "T.ColorJitter((0.1, 1.4), 0, (0.2, 0.3), (-0.5, 0.5))": "f",
    "T.Grayscale(3)": "ufp",
    "T.RandomGrayscale(0.5)": "uf",
    "T.GaussianBlur((5, 3), (0.1, 2.0))": "f",
    "T.RandomErasing(0.9)": "uf",
    "T.RandomErasing(0.9, value='random')": "f",
    "T.RandomErasing(0.9, value=(1, 2, 3), scale=(0.5, 1.0))": "uf",
    "T.RandomInvert()": "ufp",
    "T.RandomPosterize(3)": "up",
    "T.RandomSolarize(100)": "up",
    "T.RandomAdjustSharpness(2.5)": "f",
    "T.RandomAutocontrast()": "uf",
    "T.RandomEqualize()": "u",
    "T.AutoAugment()": "u",
    "T.AutoAugment(T.AutoAugmentPolicy.SVHN)": "u",
    "T.RandAugment()": "u",
    "T.TrivialAugmentWide()": "u",
    "T.RandomApply([T.RandomCrop(9)], 0.5)": "u",
    "T.RandomChoice([T.RandomCrop(9), T.CenterCrop(8)], [0.3, 0.7])": "u",
    "T.RandomOrder([T.RandomCrop(12), T.RandomHorizontalFlip()])": "u",
    "T.Compose([T.ToTensor(), T.Normalize((0.4, 0.5, 0.6), (0.2, 0.3, 0.1))])": "p",
    "T.ConvertImageDtype(rl.int16)": "uf",
    "T.PILToTensor()": "p",
    "T.ToPILImage('HSV')": "uf",
    "lambda x: T.functional.adjust_gamma(x, 0.7, 1.2)": "ufp",
    "lambda x: T.functional.adjust_hue(x, -0.3)": "f",
    "lambda x: T.functional.rotate(x, 33, I.BILINEAR, center=(2, 9), fill=2)": "f",
    "lambda x: T.functional.crop(x, -3, 4, 30, 10)": "ufp",
}


# Models whose initial weights and outputs are compared, with the size of the image.
MODELS = {
    "mobilenet_v3_small": 64,
    "shufflenet_v2_x0_5": 64,
    "squeezenet1_1": 64,
    "mnasnet0_5": 64,
    "efficientnet_b0": 64,
    "regnet_y_400mf": 64,
    "densenet121": 64,
    "resnet18": 64,
    "swin_t": 40,
    "swin_v2_t": 40,
    "convnext_tiny": 32,
    "googlenet": 64,
}


def state_digest(model):
    """Number of parameters, and the CRC-32 of names, shapes and dtypes of the state, in order."""
    state = [[k, list(v.shape), str(v.dtype)] for k, v in model.state_dict().items()]
    parameters = sum(p.numel() for p in model.parameters())
    return [parameters, zlib.crc32(json.dumps(state).encode())]


def model(rl, models, name, size):
    """Some initial weights and, after evaluation of one picture, some of the logits."""
    rl.manual_seed(0)
    made = models.get_model(name, weights=None).eval()
    weights = [float(p.double().mean()) for p in list(made.parameters())[:40:3]]
    image = rl.linspace(-1, 1, 3 * size * size).view(3, size, size).flip(-1)
    with rl.no_grad():
        logits = made(rl.stack([image, image.transpose(1, 2)]))
    return {"weights": weights, "logits": logits[:, :4].tolist(), "next": float(rl.rand(1))}


def images(rl):
    """A picture of 13x17: bytes (u), floats (f), a batch of floats (b), a Pillow image (p)."""
    from PIL import Image

    y, x = rl.meshgrid(rl.arange(13), rl.arange(17), indexing="ij")
    u = rl.stack([(11 * x + 5 * y) % 256, (7 * x * y) % 256, (19 * y + x * x) % 200]).to(rl.uint8)
    picture = Image.fromarray(u.permute(1, 2, 0).contiguous().numpy())
    return {"u": u, "f": u.float() / 255, "b": rl.stack([u, u.flip(-1)]) / 255, "p": picture}


def _plain(rl, value):
    if isinstance(value, (tuple, list)):
        return [_plain(rl, v) for v in value]
    if not isinstance(value, rl.Tensor):
        bands = len(value.getbands())
        values = rl.frombuffer(bytearray(value.tobytes()), dtype=rl.uint8)
        value = values.view(value.height, value.width, bands).permute(2, 0, 1)
    flat = value.double().flatten()
    weights = rl.arange(flat.numel(), dtype=rl.float64) % 7 - 3
    return [str(value.dtype), list(value.shape), float(flat.mean()), float((flat * weights).mean())]


def transform(rl, transforms, expression, kinds):
    """repr, and for each kind of image and three seeds a digest and the generator's next number."""
    names = {"T": transforms, "I": transforms.InterpolationMode, "rl": rl}
    made = eval(expression, names)
    answers = {"repr": "" if expression.startswith("lambda") else repr(made)}
    pictures = images(rl)
    for kind in kinds:
        for seed in range(3):
            rl.manual_seed(seed)
            random.seed(seed)
            digest = _plain(rl, made(pictures[kind]))
            answers[f"{kind}{seed}"] = [digest, float(rl.rand(1))]
    return answers
