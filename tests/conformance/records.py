"""The op records as the conformance tests see them: `Case` joins a record with its public forms.

Everything here is derived from `rushlight.ops`; no operator is named, except in `UNSEEDED`.
"""

import rushlight as rl
from rushlight.ops import _record
from rushlight.testing.check import Sample

#: Results are new at each call: random numbers, or memory that nobody wrote.
UNSEEDED = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided"}


class Case:
    """One record: what `rushlight.testing.check_op` wants, and what else can be derived."""

    def __init__(self, record):
        self.record, self.name, self.public_name = record, record.name, record.public_name
        self.at = record.at
        self.has_body = record.reference is not None and not _record._is_empty(record.reference)
        self.reference = record.reference if self.has_body and record.native_name else None
        self.function = self.method = self.inplace = None
        self.differentiable = bool(record.differentiable_inputs) or (
            self.has_body and not record.native_name
        )
        self._find_forms()

    def _find_forms(self):
        key = self.public_name, "torch" in self.at or "Tensor" in self.at or self.at
        self.function = _record.publics[key].function
        if "Tensor" in self.at:
            self.method = getattr(rl.Tensor, self.public_name)
        if self.record.inplace and "Tensor" in self.at:
            self.inplace = getattr(rl.Tensor, self.public_name + "_")

    def samples(self, dtype):
        """The record's samples with tensors of ``dtype``, each a `Sample`;
        seeded by the op's name.
        """
        rl.manual_seed(sum(map(ord, self.name)))
        return [_as_sample(drawn) for drawn in self.record.sample_function(_maker(dtype))]

    def __repr__(self):
        return self.name


def _maker(dtype):
    def make(*sizes, **options):
        options = {"low": -2, "high": 2, **options}
        return rl.testing.make_tensor(*sizes, **{"dtype": dtype, "device": "cpu", **options})

    return make


def _as_sample(drawn):
    if isinstance(drawn, Sample):
        return drawn
    drawn = drawn if isinstance(drawn, tuple) else (drawn,)
    if drawn and type(drawn[-1]) is dict:
        return Sample(*drawn[:-1], **drawn[-1])
    return Sample(*drawn)


cases = [Case(record) for record in _record.records.values()]
sampled = [case for case in cases if case.record.sample_function]
