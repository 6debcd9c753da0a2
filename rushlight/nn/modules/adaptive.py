"""Adaptive softmax (Grave et al. 2016): a classifier for very many classes, rare ones cheaper."""

import rushlight as rl

from .. import functional as F
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class _ASMoutput(tuple):
    """What the layer returns: `output` per sample and the mean `loss`."""

    __slots__ = ()
    _fields = ("output", "loss")

    def __new__(cls, output, loss):
        return super().__new__(cls, (output, loss))

    output = property(lambda self: self[0])
    loss = property(lambda self: self[1])

    def __repr__(self):
        return f"_ASMoutput(output={self.output!r}, loss={self.loss!r})"


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-softmax and loss over classes sorted by frequency, in clusters of falling size.

    Args:
        in_features, n_classes: sizes of input and of the classification.
        cutoffs: increasing class indices at which clusters end.
        div_value: each cluster's inner size is smaller by this factor.
        head_bias: whether the first cluster's layer has a bias.

    Called with input `(N, in_features)` and target `(N)`, or unbatched. Returns `(output, loss)`.
    """

    def __init__(
        self,
        in_features,
        n_classes,
        cutoffs,
        div_value=4.0,
        head_bias=False,
        device=None,
        dtype=None,
    ):
        super().__init__()
        cutoffs = list(cutoffs)
        _check_cutoffs(cutoffs, n_classes)
        options = {"device": device, "dtype": dtype}
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = cutoffs + [n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = self.cutoffs[0]
        self.n_clusters = len(self.cutoffs) - 1
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            inner = int(in_features // (div_value ** (i + 1)))
            size = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, inner, bias=False, **options),
                    Linear(inner, size, bias=False, **options),
                )
            )

    def reset_parameters(self):
        """Draw new initial values."""
        self.head.reset_parameters()
        for inner, outer in self.tail:
            inner.reset_parameters()
            outer.reset_parameters()

    def forward(self, input_, target_):
        _check_shapes(input_, target_)
        batched = target_.dim() > 0
        input = input_ if batched else input_.unsqueeze(0)
        target = target_ if batched else target_.unsqueeze(0)
        head_index, output = target.clone(), input.new_empty(target.shape)
        used = 0
        for i, (low, high) in enumerate(zip([0, *self.cutoffs], self.cutoffs)):
            rows = ((target >= low) & (target < high)).nonzero().squeeze(-1)
            used += rows.numel()
            if i > 0 and rows.numel():
                inside = F.log_softmax(self.tail[i - 1](input.index_select(0, rows)), dim=1)
                relative = (target[rows] - low).unsqueeze(1)
                output = output.index_copy(0, rows, inside.gather(1, relative).squeeze(1))
                head_index = head_index.index_fill(0, rows, self.shortlist_size + i - 1)
            elif rows.numel():
                output = output.index_fill(0, rows, 0.0)
        if used != target.size(0):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found. "
            )
        head = F.log_softmax(self.head(input), dim=1)
        output = output + head.gather(1, head_index.unsqueeze(1)).squeeze(1)
        loss = (-output).mean()
        return _ASMoutput(output if batched else output.squeeze(0), loss)

    def log_prob(self, input):
        """Log-probabilities `(N, n_classes)` of all classes."""
        head = F.log_softmax(self.head(input), dim=1)
        parts = [head[:, : self.shortlist_size]]
        for i, cluster in enumerate(self.tail):
            inside = F.log_softmax(cluster(input), dim=1)
            parts.append(inside + head[:, self.shortlist_size + i].unsqueeze(1))
        return rl.cat(parts, dim=1)

    def predict(self, input):
        """The most probable class of each sample."""
        first = self.head(input).argmax(dim=1)
        beyond = first >= self.shortlist_size
        if not beyond.any():
            return first
        if beyond.all():
            return self.log_prob(input).argmax(dim=1)
        return first.index_copy(
            0, beyond.nonzero().squeeze(-1), self.log_prob(input[beyond]).argmax(dim=1)
        )


def _check_cutoffs(cutoffs, n_classes):
    if not cutoffs:
        raise ValueError("cutoffs should be a sequence of length larger than 0")
    increasing = all(a < b for a, b in zip(cutoffs, cutoffs[1:]))
    whole = all(int(c) == c for c in cutoffs)
    if not increasing or not whole or min(cutoffs) <= 0 or max(cutoffs) > n_classes - 1:
        raise ValueError(
            "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
            "order, where each value is between 1 and n_classes-1"
        )


def _check_shapes(input, target):
    if target.dim() == 1:
        if input.size(0) != target.size(0):
            raise RuntimeError("Input and target should have the same size in the batch dimension.")
        if input.dim() != 2:
            raise RuntimeError(
                "1D target tensor expects 2D input tensors, but found inputs with "
                f"size {input.size()}"
            )
    elif target.dim() == 0:
        if input.dim() != 1:
            raise RuntimeError(
                "0D target tensor expects 1D input tensors, but found inputs with "
                f"size {input.size()}"
            )
    else:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
