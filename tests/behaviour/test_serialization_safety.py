"""What a checkpoint may and may not do when it is loaded. Damaged files are in tests/fault."""

import collections
import io
import os
import pickle

import pytest

import rushlight as rl
from rushlight import serialization


class Point:
    def __init__(self, x):
        self.x = x


class Trap:
    """Would create a file if it were loaded carelessly."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def saved(obj, **options):
    buffer = io.BytesIO()
    rl.save(obj, buffer, **options)
    buffer.seek(0)
    return buffer


def with_pickle(body):
    """A checkpoint whose pickle is `body`."""
    from rushlight._serialization.writer import ZipWriter

    buffer = io.BytesIO()
    writer = ZipWriter(buffer, "archive")
    writer.add("data.pkl", body)
    writer.add("data/0", bytes(16))
    writer.finish()
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("zipped", [True, False])
def test_code_never_runs_by_default(tmp_path, protocol, zipped):
    path = str(tmp_path / "made")
    file = saved([Trap(path)], pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        rl.load(file)
    assert not os.path.exists(path)


def test_classes_must_be_allowed():
    file = saved(Point(3))
    with pytest.raises(pickle.UnpicklingError, match="add_safe_globals"):
        rl.load(file)
    with serialization.safe_globals([Point]):
        file.seek(0)
        assert rl.load(file).x == 3
        assert serialization.get_safe_globals() == [Point]
    file.seek(0)
    with pytest.raises(pickle.UnpicklingError):
        rl.load(file)
    file.seek(0)
    assert serialization.get_unsafe_globals_in_checkpoint(file) == [f"{__name__}.Point"]


def test_allowing_and_clearing():
    serialization.add_safe_globals([Point, (collections.deque, "collections.deque")])
    try:
        assert rl.load(saved([Point(1), collections.deque([2])]))[1] == collections.deque([2])
    finally:
        serialization.clear_safe_globals()
    assert serialization.get_safe_globals() == []


def hostile(*instructions):
    return b"\x80\x02" + b"".join(instructions) + b"."


FORGED = {
    "attribute of a class": hostile(
        b"ctorch.nn.parameter\nParameter\n", b"}", b"X\x01\x00\x00\x00xK\x01s", b"b"
    ),
    "calling a dtype": hostile(b"ctorch\nfloat32\n", b")R"),
    "instance of a function": hostile(b"ctorch._utils\n_rebuild_tensor_v2\n", b")\x81"),
    "unknown reference": hostile(b"X\x03\x00\x00\x00abc", b"Q"),
    "extension code": hostile(b"\x82\x01"),
    "old instance instruction": hostile(b"(ios\nsystem\n"),
    "stack underflow": hostile(b"a"),
    "memo underflow": hostile(b"h\x05"),
    "no mark": hostile(b"]e"),
    "rebuilding by an allowed class": hostile(
        b"ctorch._tensor\n_rebuild_from_type_v2\n",
        b"(ccollections\nOrderedDict\n", b"ctorch\nTensor\n", b")}tR",
    ),
    "too old": b"\x80\x01N.",
    "attribute path": b"\x80\x04\x8c\x05torch\x8c\x10nn.Module.forward\x93.",
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_forged_pickles_are_refused(name):
    with pytest.raises((pickle.UnpicklingError, RuntimeError)):
        rl.load(with_pickle(FORGED[name]))


@pytest.mark.parametrize(
    "offset, size, stride", [(0, (5,), (1,)), (4, (1,), (1,)), (-1, (1,), (1,))]
)
@pytest.mark.parametrize("forge", [(2**40, 2**40), None])
def test_tensors_cannot_reach_outside_their_storage(offset, size, stride, forge):
    from rushlight._serialization import rebuild

    storage = rebuild.TypedBuffer(rl.empty(16, dtype=rl.uint8).untyped_storage(), rl.float32)
    with pytest.raises(RuntimeError, match="storage|geometry"):
        rebuild._rebuild_tensor_v2(storage, offset, forge or size, forge or stride, False, {})


def test_pickles_use_only_instructions_that_the_reader_knows():
    state = {"a": [1, (2, 3.5), {4}, b"x" * 300, "y" * 300, 2**100, -7, 70000], "t": rl.ones(2)}
    for protocol in (2, 3, 4, 5):
        assert rl.load(saved(state, pickle_protocol=protocol))["a"] == state["a"]


def test_environment_can_force_the_safe_reader(monkeypatch, tmp_path):
    file = saved([Trap(str(tmp_path / "made"))])
    monkeypatch.setenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(pickle.UnpicklingError):
        rl.load(file, weights_only=False)
    assert not (tmp_path / "made").exists()


MALFORMED = {
    "a tuple without a mark": b"K\x01t.",
    "a list without a mark": b"K\x01l.",
    "a pair of one": b"K\x01\x86.",
    "three of two": b"K\x01K\x02\x87.",
    "nothing to keep": b"q\x00.",
    "nothing to keep, numbered by itself": b"\x94.",
    "what was not kept": b"h\x07.",
    "what was not kept, far away": b"j\xff\xff\xff\xff.",
    "a text that is not UTF-8": b"X\x02\x00\x00\x00\xff\xfe.",
    "a text longer than the file": b"X\xff\xff\xff\xffab.",
    "a short text longer than the file": b"\x8c\x09ab.",
    "an operand cut short": b"J\x01\x02",
    "no end": b"K\x01",
    "nothing at the end": b".",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_pickles_are_refused(name):
    with pytest.raises(pickle.UnpicklingError, match="pickle"):
        serialization.load(with_pickle(b"\x80\x02" + MALFORMED[name]))


@pytest.mark.parametrize("protocol", (2, 3, 4, 5))
@pytest.mark.parametrize("count", (0, 1, 2, 3, 4, 300))
def test_plain_values_are_what_pickle_makes_of_them(protocol, count):
    texts = ["", "a", "\ud800 alone", "é" * 200, "\0", "x" * 70_000]
    numbers = [0, 1, 255, 256, 65535, 65536, 2**31 - 1, -1, -(2**31), 2**31, 2**63, -(2**70)]
    plain = [None, True, False, (), [], {}, 1.5, *numbers, *texts]
    kept = tuple((n, str(n)) for n in range(count))
    given = [plain, kept, kept, tuple(plain[:3]), [[[kept]]], {k: kept for k in texts}]
    got = serialization.load(with_pickle(pickle.dumps(given, protocol)))
    assert got == given and got[1] is got[2] is got[4][0][0][0]
    assert [type(x) for x in got[0]] == [type(x) for x in plain]
