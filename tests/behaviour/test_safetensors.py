"""The safetensors format: what is written is read, by its package too; damage is refused."""

import json

import pytest

import rushlight as rl
from rushlight.utils import safetensors


def tensors():
    names = set(safetensors._NAMES.values()) - {"float4_e2m1fn_x2"}
    made = {name: rl.arange(3).to(getattr(rl, name)) for name in sorted(names)}
    return {**made, "empty": rl.empty(0, 3), "number": rl.tensor(2.5), "part": rl.arange(8)[2:5]}


def test_every_dtype_comes_back(tmp_path):
    path = tmp_path / "x.safetensors"
    safetensors.save_file(tensors(), path, metadata={"made": "here"})
    for got in (safetensors.load_file(path), safetensors.load(path.read_bytes())):
        assert list(got) == sorted(tensors(), key=lambda n: (-tensors()[n].dtype.itemsize, n))
        for name, want in tensors().items():
            assert got[name].dtype == want.dtype and rl.equal(got[name], want)
    got["float32"].zero_()
    assert not safetensors.load_file(path)["float32"].eq(0).all()


def test_the_package_reads_and_writes_the_same(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "x.safetensors"
    mine = {k: v for k, v in tensors().items() if v.dtype not in (rl.bfloat16, rl.complex64)}
    safetensors.save_file(mine, path)
    theirs = package.load_file(path)
    assert all(rl.equal(rl.from_numpy(theirs[name]), mine[name]) for name in mine)
    back = safetensors.load(package.save(theirs))
    assert all(rl.equal(back[name], mine[name]) for name in mine)


def test_pairs_of_numbers_count_as_two(tmp_path):
    pairs = rl.arange(6, dtype=rl.uint8).view(rl.float4_e2m1fn_x2).view(2, 3)
    data = safetensors.save({"t": pairs})
    assert b'"dtype":"F4","shape":[2,6]' in data
    back = safetensors.load(data)["t"]
    assert back.dtype is pairs.dtype and rl.equal(back.view(rl.uint8), pairs.view(rl.uint8))
    with pytest.raises(ValueError, match="odd last size"):
        safetensors.load(data.replace(b"[2,6]", b"[4,3]"))
    with pytest.raises(ValueError, match="no dimension"):
        safetensors.save({"t": pairs[0, 0]})
    rl.save(pairs, tmp_path / "t.pt")
    assert rl.equal(rl.load(tmp_path / "t.pt").view(rl.uint8), pairs.view(rl.uint8))


def test_what_the_format_cannot_say_is_refused():
    x = rl.zeros(2, 3)
    for bad, words in (
        ({"a": x, "b": x[0]}, "share memory"),
        ({"a": x.t()}, "contiguous"),
        ({"a": x.to_sparse()}, "strided"),
        ({"a": x.to(rl.complex128)}, "lacks"),
        ({"a": 3}, "no tensor"),
    ):
        with pytest.raises(ValueError, match=words):
            safetensors.save(bad)
    with pytest.raises(ValueError, match="text"):
        safetensors.save({}, metadata={"a": 1})


def forged(header, data=b""):
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return len(text).to_bytes(8, "little") + text + data


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 16,
        forged(b"{"),
        forged(b"\xff"),
        forged([1]),
        forged({"a": ENTRY}, bytes(7)),
        forged({"a": ENTRY}, bytes(9)),
        forged({"a": {**ENTRY, "dtype": "X"}}, bytes(8)),
        forged({"a": {**ENTRY, "shape": [3]}}, bytes(8)),
        forged({"a": {**ENTRY, "shape": [-2, -1]}}, bytes(8)),
        forged({"a": {**ENTRY, "data_offsets": [8, 0]}}, bytes(8)),
        forged({"a": {**ENTRY, "data_offsets": [4, 12]}}, bytes(12)),
        forged({"a": ENTRY, "b": ENTRY}, bytes(8)),
        forged({"a": 3}),
    ],
)
def test_damaged_files_are_refused(data, tmp_path):
    with pytest.raises(ValueError, match="safetensors"):
        safetensors.load(data)
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(ValueError, match="safetensors"):
        safetensors.load_file(tmp_path / "x")


def test_every_truncation_is_noticed():
    whole = safetensors.save({"a": rl.ones(4), "b": rl.ones(2, dtype=rl.int8)})
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="safetensors"):
            safetensors.load(whole[:length])


def test_an_empty_storage_is_an_empty_tensor():
    got = rl.asarray(rl.UntypedStorage(0), dtype=rl.uint8)
    assert got.shape == (0,) and got.dtype == rl.uint8
    with pytest.raises(ValueError, match="must not be 0"):
        rl.asarray(b"", dtype=rl.uint8)
