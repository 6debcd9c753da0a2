"""Exports models to ONNX, runs the files with onnxruntime, and compares with the models themselves.

The measure is the largest difference relative to the largest magnitude of the output: that is what
float32 can promise. A sum of large terms that cancel has elements near zero whose own relative
error says nothing of the export but much of the model's conditioning (untrained deep networks);
the largest difference by element, relative to the element or to 1, is printed beside it and not
judged. A difference above 1e-4 ends the program with an error.
"""

import io
import warnings

import numpy as np
import onnxruntime
import torch
from torch import nn

warnings.filterwarnings("ignore")
LIMIT = 1e-4


def vision(name):
    def make():
        import torchvision

        return getattr(torchvision.models, name)(weights=None), (torch.randn(1, 3, 96, 96),)

    return make


class Last(nn.Module):
    """The last hidden state of a model of `transformers`."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, given):
        name = "pixel_values" if given.is_floating_point() else "input_ids"
        return self.model(**{name: given}).last_hidden_state


def text(kind, **sizes):
    def make():
        import transformers

        config = getattr(transformers, kind + "Config")(vocab_size=50, **sizes)
        config.use_cache = False
        return Last(getattr(transformers, kind + "Model")(config)), (torch.arange(10).view(2, 5),)

    return make


def image():
    import transformers

    config = transformers.ViTConfig(image_size=16, patch_size=4, **SMALL)
    return Last(transformers.ViTModel(config)), (torch.randn(2, 3, 16, 16),)


SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
         "intermediate_size": 32}  # fmt: skip
MODELS = {
    "mlp": lambda: (
        nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 4)),
        (torch.randn(5, 8),),
    ),
    "convolutions": lambda: (
        nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
            nn.ConvTranspose2d(8, 4, 2, stride=2), nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Softmax(1),
        ),
        (torch.randn(2, 3, 16, 16),),
    ),
    "lstm": lambda: (nn.LSTM(4, 6, 2, bidirectional=True), (torch.randn(7, 2, 4),)),
    "gru": lambda: (nn.GRU(4, 6, batch_first=True), (torch.randn(2, 7, 4),)),
    "encoder": lambda: (
        nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2),
        (torch.randn(2, 5, 16),),
    ),
    "resnet18": vision("resnet18"),
    "mobilenet_v3_small": vision("mobilenet_v3_small"),
    "densenet121": vision("densenet121"),
    "bert": text("Bert", max_position_embeddings=32, **SMALL),
    "gpt2": text("GPT2", n_positions=32, n_embd=16, n_layer=2, n_head=2),
    "llama": text("Llama", num_key_value_heads=1, **SMALL),
    "vit": image,
}  # fmt: skip


def tensors(result):
    """The tensors of a result, in order."""
    if isinstance(result, torch.Tensor):
        return [result]
    return [t for part in result for t in tensors(part)]


def apart(name, model, inputs):
    """(relative to the largest magnitude, by element) of the exported file and the model."""
    with torch.no_grad():
        expected = [t.numpy() for t in tensors(model(*inputs))]
    print(f"{name} largest {np.abs(expected[0]).max():.6f} mean {expected[0].mean():.6f}")
    file = io.BytesIO()
    torch.onnx.export(model, inputs, file, dynamo=False)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    found = session.run(None, {key: t.numpy() for key, t in zip(names, inputs)})
    assert len(found) == len(expected), (len(found), len(expected))
    scaled = by_element = 0.0
    for x, y in zip(found, expected):
        assert x.shape == y.shape and x.dtype == y.dtype, (
            x.shape,
            y.shape,
            x.dtype,
            y.dtype,
        )
        difference = np.abs(x.astype(np.float64) - y)
        scaled = max(scaled, difference.max() / np.abs(y).max())
        by_element = max(by_element, (difference / np.maximum(1, np.abs(y))).max())
    return scaled, by_element


def main():
    """All models; what is compared with PyTorch are the models' outputs.

    PyTorch's own exporter need not know all operators; what runs in its place must.
    """
    wrong = []
    for name, make in MODELS.items():
        torch.manual_seed(0)
        model, inputs = make()
        try:
            scaled, by_element = apart(name, model.eval(), inputs)
        except torch.onnx.errors.UnsupportedOperatorError as error:
            print(f"{name} is not exported: {error}")
            scaled = float("inf") if hasattr(torch.version, "rushlight") else 0
        else:
            print(f"{name} onnxruntime apart {scaled:.0e}, by element {by_element:.0e}")
        if not scaled <= LIMIT:
            wrong.append(name)
    if wrong:
        raise RuntimeError(f"apart by more than {LIMIT}: {', '.join(wrong)}")


main()
