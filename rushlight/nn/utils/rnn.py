"""Sequences of different lengths: padded to one tensor, or packed without padding.

The recurrent layers in `modules/rnn.py` take both.
"""

from collections import namedtuple

import rushlight as rl

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpad_sequence",
    "pack_sequence",
    "unpack_sequence",
]

PackedSequence_ = namedtuple(
    "PackedSequence_", ["data", "batch_sizes", "sorted_indices", "unsorted_indices"]
)


def bind(optional, fn):
    """None for None, else `fn` of the value."""
    return None if optional is None else fn(optional)


class PackedSequence(PackedSequence_):
    """Sequences step by step: `data` holds all first elements, then all second ones, ...

    Attributes:
        data: the elements, `(sum of lengths, *)`.
        batch_sizes: how many sequences reach each step; int64, on the CPU.
        sorted_indices, unsorted_indices: how the sequences were sorted by length, and the way back;
            None if they were sorted.

    Made by `pack_padded_sequence` and `pack_sequence`.
    """

    def __new__(cls, data, batch_sizes=None, sorted_indices=None, unsorted_indices=None):
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("PackedSequence: expected batch_sizes, or (data, batch_sizes)")
            data, batch_sizes = data
        elif batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be "
                "created manually. They should be instantiated by functions like pack_sequence and "
                "pack_padded_sequences in nn.utils.rnn."
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args, **kwargs):
        """Convert or move the data, as `Tensor.to` does."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        options = {k: v for k, v in kwargs.items() if k not in ("device", "dtype")}

        def move(indices):
            return indices.to(data.device, **options)

        return type(self)(
            data,
            self.batch_sizes,
            bind(self.sorted_indices, move),
            bind(self.unsorted_indices, move),
        )

    def pin_memory(self):
        """With all tensors in page-locked memory."""
        return type(self)(
            self.data.pin_memory(),
            self.batch_sizes,
            bind(self.sorted_indices, lambda t: t.pin_memory()),
            bind(self.unsorted_indices, lambda t: t.pin_memory()),
        )

    def cpu(self):
        """On the CPU."""
        return self.to("cpu")

    def cuda(self, *args, **kwargs):
        """On a CUDA device."""
        return self.to(*args, device="cuda", **kwargs)

    def double(self):
        """In float64."""
        return self.to(dtype=rl.float64)

    def float(self):
        """In float32."""
        return self.to(dtype=rl.float32)

    def half(self):
        """In float16."""
        return self.to(dtype=rl.float16)

    def long(self):
        """In int64."""
        return self.to(dtype=rl.int64)

    def int(self):
        """In int32."""
        return self.to(dtype=rl.int32)

    def short(self):
        """In int16."""
        return self.to(dtype=rl.int16)

    def char(self):
        """In int8."""
        return self.to(dtype=rl.int8)

    def byte(self):
        """In uint8."""
        return self.to(dtype=rl.uint8)

    @property
    def is_cuda(self):
        """Whether the data is on a CUDA device."""
        return self.data.is_cuda

    def is_pinned(self):
        """Whether the data is in page-locked memory."""
        return self.data.is_pinned()


def invert_permutation(permutation):
    """The permutation that undoes `permutation`; None for None."""
    if permutation is None:
        return None
    positions = rl.arange(permutation.numel(), device=permutation.device)
    return rl.empty_like(permutation).scatter_(0, permutation, positions)


def pack_padded_sequence(input, lengths, batch_first=False, enforce_sorted=True):
    """Pack padded sequences `(T, B, *)`, or `(B, T, *)` if `batch_first`.

    Args:
        lengths: length of each sequence, at least 1; a list, or a tensor on the CPU.
        enforce_sorted: whether lengths must be descending; if not they are sorted here.
    """
    lengths = rl.as_tensor(lengths, dtype=rl.int64, device="cpu")
    sorted_indices = None
    if not enforce_sorted:
        lengths, sorted_indices = rl.sort(lengths, descending=True)
        sorted_indices = sorted_indices.to(input.device)
        input = input.index_select(0 if batch_first else 1, sorted_indices)
    if batch_first:
        input = input.transpose(0, 1)
    sizes = lengths.tolist()
    _check_lengths(sizes, input)
    reached = [sum(size > t for size in sizes) for t in range(sizes[0])]
    data = rl.cat([input[t, :n] for t, n in enumerate(reached)])
    return PackedSequence(data, rl.tensor(reached, dtype=rl.int64), sorted_indices, None)


def _check_lengths(sizes, input):
    if not input.numel():
        raise RuntimeError("pack_padded_sequence: cannot pack an empty tensor")
    if len(sizes) != input.size(1):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} "
            f"(batch_size={input.size(1)})"
        )
    if any(a < b for a, b in zip(sizes, sizes[1:])):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You "
            "can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement."
        )
    if sizes[-1] <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if sizes[0] > input.size(0):
        raise RuntimeError(
            f"pack_padded_sequence: the longest length is {sizes[0]}, but the input has only "
            f"{input.size(0)} steps"
        )


def pad_packed_sequence(sequence, batch_first=False, padding_value=0.0, total_length=None):
    """(padded tensor, lengths) of a packed sequence; pads to `total_length` if given."""
    counts = sequence.batch_sizes.tolist()
    length = len(counts)
    if total_length is not None:
        if total_length < length:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, "
                f"but got total_length={total_length} and max sequence length being {length}"
            )
        length = total_length
    data = sequence.data
    steps = [_pad_rows(rows, counts[0], padding_value) for rows in data.split(counts)]
    steps += [data.new_full((counts[0], *data.shape[1:]), padding_value)] * (length - len(counts))
    padded = rl.stack(steps)
    lengths = rl.tensor([sum(n > i for n in counts) for i in range(counts[0])], dtype=rl.int64)
    if batch_first:
        padded = padded.transpose(0, 1)
    order = sequence.unsorted_indices
    if order is not None:
        return padded.index_select(0 if batch_first else 1, order), lengths[order.cpu()]
    return padded, lengths


def _pad_rows(rows, n, value):
    missing = n - rows.size(0)
    if missing == 0:
        return rows
    return rl.cat([rows, rows.new_full((missing, *rows.shape[1:]), value)])


def pad_sequence(sequences, batch_first=False, padding_value=0.0, padding_side="right"):
    """Stack sequences `(L_i, *)` into `(T, B, *)`, or `(B, T, *)` if `batch_first`.

    Example::

        >>> import rushlight as rl
        >>> rl.nn.utils.rnn.pad_sequence([rl.ones(2), rl.ones(1)], batch_first=True)
        tensor([[1., 1.],
                [1., 0.]])
    """
    if isinstance(sequences, rl.Tensor):
        sequences = sequences.unbind(0)
    elif not hasattr(sequences, "__iter__"):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    sequences = tuple(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    longest = max(s.size(0) for s in sequences)
    rest = sequences[0].shape[1:]

    def pad(s):
        if s.size(0) == longest:
            return s
        filler = sequences[0].new_full((longest - s.size(0), *rest), padding_value)
        return rl.cat([filler, s] if padding_side == "left" else [s, filler])

    return rl.stack([pad(s) for s in sequences], dim=0 if batch_first else 1)


def unpad_sequence(padded_sequences, lengths, batch_first=False):
    """The sequences in a padded tensor, as a list."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [s[:length] for s, length in zip(padded_sequences, lengths)]


def pack_sequence(sequences, enforce_sorted=True):
    """Pack a list of sequences `(L_i, *)`; see `pack_padded_sequence`."""
    lengths = rl.tensor([s.size(0) for s in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences):
    """The sequences in a packed one, as a list."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
