"""Files that PyTorch wrote, files written here, and what both must keep.
Safety has a file of its own.
"""

import collections
import importlib
import io
import pathlib
import pickle
import random
import zipfile
import zlib

import pytest

import rushlight as rl
from rushlight._native import copied, crc32, room

FILES = pathlib.Path(__file__).parent.parent / "data/checkpoints"
DTYPES = ("int64", "int32", "int16", "int8", "uint8")
FRACTIONS = ("float64", "float16", "bfloat16")


def check_tensors(got):
    base = rl.arange(24, dtype=rl.float32).reshape(4, 6)
    assert got["base"].tolist() == base.tolist() and got["view"].tolist() == base.t()[1:3].tolist()
    assert got["view"].stride() == (1, 6)
    got["base"][0, 1] = -1
    assert got["view"][0, 0].item() == -1, "views share the storage of their base"
    for name in DTYPES:
        assert got[name].dtype == getattr(rl, name) and got[name].tolist() == [0, 1, 2, 3, 4]
    for name in FRACTIONS:
        assert got[name].dtype == getattr(rl, name)
        assert got[name].tolist() == [0, 0.125, 0.25, 0.375, 0.5]
    assert got["bool"].tolist() == [True, False]
    assert got["complex64"].tolist() == [1 + 2j, 3 - 4j]
    assert got["empty"].shape == (0, 3) and got["scalar"].item() == 3.5
    assert type(got["parameter"]) is rl.nn.Parameter and got["parameter"].tolist() == [1, 1]
    assert got["leaf"].requires_grad and got["parameter"].requires_grad


@pytest.mark.parametrize("name", ["tensors.pt", "legacy.pt"])
@pytest.mark.parametrize("weights_only", [True, False])
def test_reads_pytorchs_tensors(name, weights_only):
    check_tensors(rl.load(FILES / name, weights_only=weights_only))


def test_reads_mapped_files():
    check_tensors(rl.load(FILES / "tensors.pt", mmap=True))
    check_tensors(rl.load(FILES / "tensors.pt"))  # the file itself was not written to
    with pytest.raises(RuntimeError, match="mmap"):
        rl.load(FILES / "legacy.pt", mmap=True)


def test_reads_pytorchs_plain_values():
    got = rl.load(FILES / "plain.pt")
    assert list(got["ordered"].items()) == [("b", 1), ("a", 2)]
    assert type(got["ordered"]) is collections.OrderedDict
    assert got["size"] == rl.Size([1, 2]) and got["dtype"] is rl.float32
    assert got["device"] == rl.device("cpu")
    assert got["values"] == [
        1,
        -5,
        2**70,
        1.5,
        "é",
        b"by",
        None,
        True,
        {1, 2},
        (1, 2, 3, 4),
        3 + 4j,
    ]


def test_training_state_of_pytorch_goes_on():
    state = rl.load(FILES / "training.pt")
    model = rl.nn.Sequential(rl.nn.Linear(3, 4), rl.nn.ReLU(), rl.nn.Linear(4, 2))
    optimizer = rl.optim.Adam(model.parameters(), lr=0.01)
    assert list(state["model"]) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    model(rl.ones(2, 3)).pow(2).sum().backward()
    optimizer.step()
    assert optimizer.state_dict()["state"][0]["step"].item() == 2


def test_whole_module_of_pytorch():
    with pytest.raises(pickle.UnpicklingError, match="torch.nn.modules.linear.Linear"):
        rl.load(FILES / "module.pt")
    module = rl.load(FILES / "module.pt", weights_only=False)
    assert type(module) is rl.nn.Linear and module(rl.ones(1, 2)).shape == (1, 1)


def test_layers_are_written_under_public_names():
    from rushlight._serialization.names import file_name_of, own_module

    layers = [v for v in vars(rl.nn).values() if isinstance(v, type)]
    assert rl.nn.MultiheadAttention in layers and rl.nn.TripletMarginLoss in layers
    for layer in layers:
        module, name = file_name_of(layer, layer.__module__, layer.__qualname__)
        assert module.startswith("torch.nn.") and "._" not in module, (module, name)
        assert getattr(importlib.import_module(own_module(module)), name) is layer


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["tensors.pt", "plain.pt"])
def test_round_trip(tmp_path, name, zipped):
    first = rl.load(FILES / name)
    path = tmp_path / "again.pt"
    rl.save(first, path, _use_new_zipfile_serialization=zipped)
    if name == "tensors.pt":
        check_tensors(rl.load(path))
    else:
        assert rl.load(path) == first


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol(protocol):
    buffer = io.BytesIO()
    rl.save(rl.load(FILES / "tensors.pt"), buffer, pickle_protocol=protocol)
    for weights_only in (True, False):
        buffer.seek(0)
        check_tensors(rl.load(buffer, weights_only=weights_only))


def test_container_is_pytorchs(tmp_path):
    path = tmp_path / "model.pt"
    rl.save({"w": rl.ones(3), "m": rl.nn.Linear(1, 1)}, path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert names[0] == "model/data.pkl"
        for name in ("version", "byteorder", ".format_version", ".storage_alignment", "data/0"):
            assert f"model/{name}" in names
        assert archive.read("model/version") == b"3\n"
        assert archive.read("model/data/0") == b"\x00\x00\x80\x3f" * 3
        body = archive.read("model/data.pkl")
        assert b"torch._utils\n_rebuild_tensor_v2" in body and b"torch\nFloatStorage" in body
        assert b"torch.nn.modules.linear\nLinear" in body and b"rushlight" not in body
        _check_alignment(path.read_bytes(), archive)


def _check_alignment(data, archive):
    for info in archive.infolist():
        lengths = data[info.header_offset + 26 : info.header_offset + 30]
        start = info.header_offset + 30 + sum(memoryview(lengths).cast("H"))
        assert start % 64 == 0, info.filename


def test_views_save_their_storage_once(tmp_path):
    base = rl.zeros(100_000)
    rl.save([base, base[10:], base.reshape(100, 1000).t()], tmp_path / "views.pt")
    assert (tmp_path / "views.pt").stat().st_size < 500_000


def test_one_storage_seen_as_two_dtypes():
    base = rl.ones(3)
    buffer = io.BytesIO()
    rl.save([base, base.view(rl.int32)], buffer)
    buffer.seek(0)
    a, b = rl.load(buffer)
    a.zero_()
    assert b.dtype == rl.int32 and b.tolist() == [0, 0, 0]


def test_attributes_of_parameters_survive():
    parameter = rl.nn.Parameter(rl.ones(1))
    parameter.note = "kept"
    buffer = io.BytesIO()
    rl.save(parameter, buffer)
    buffer.seek(0)
    assert rl.load(buffer).note == "kept"


def test_other_file_objects():
    class OnlyWrite:
        parts = []

        def write(self, data):
            self.parts.append(bytes(data))
            return len(data)

    sink = OnlyWrite()
    rl.save(rl.arange(3), sink)
    assert rl.load(io.BytesIO(b"".join(sink.parts))).tolist() == [0, 1, 2]
    with pytest.raises(AttributeError, match="path or a file"):
        rl.save(1, 5)


def test_map_location():
    source = FILES / "training.pt"
    meta = rl.load(source, map_location="meta")["model"]["0.weight"]
    assert meta.device.type == "meta" and meta.shape == (4, 3)
    tags = []
    rl.load(source, map_location=lambda storage, tag: tags.append(tag))
    assert set(tags) == {"cpu"}
    assert rl.load(source, map_location={"cpu": "cpu"})["model"]["0.bias"].device.type == "cpu"
    with pytest.raises(RuntimeError, match="not available"):
        rl.load(source, map_location="cuda:0")
    with pytest.raises(TypeError, match="map_location"):
        rl.load(source, map_location=3)


def test_untyped_storage_round_trip():
    buffer = io.BytesIO()
    rl.save({"s": rl.ones(2).untyped_storage()}, buffer)
    buffer.seek(0)
    assert bytes(rl.load(buffer)["s"]) == b"\x00\x00\x80\x3f" * 2


def test_foreign_pickle_module(tmp_path):
    import types

    module = types.SimpleNamespace(Pickler=pickle.Pickler, Unpickler=pickle.Unpickler)
    rl.save([rl.ones(2), (1, "a")], tmp_path / "f.pt", pickle_module=module)
    got = rl.load(tmp_path / "f.pt", pickle_module=module)
    assert got[0].tolist() == [1, 1] and got[1] == (1, "a")
    with pytest.raises(RuntimeError, match="pickle_module"):
        rl.load(tmp_path / "f.pt", pickle_module=module, weights_only=True)


# ---- byte order, files without data, devices of other packages ---------------------------------


def swapped_file(tmp_path, told):
    """A checkpoint as a machine of the other byte order writes it."""
    import sys

    source, target = tmp_path / "own.pt", tmp_path / "other.pt"
    values = {"f": rl.tensor([1.5, -2.0]), "i": rl.arange(3), "c": rl.tensor([1 + 2j])}
    rl.save(values, source)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if "/data/" in name:
                width = {8: 4, 24: 8}[len(data)]  # both floats and the complex number have 8 bytes
                data = b"".join(data[i : i + width][::-1] for i in range(0, len(data), width))
            elif name.endswith("byteorder"):
                data = {"little": b"big", "big": b"little"}[sys.byteorder]
                if not told:
                    continue
            new.writestr(name, data)
    return values, target


@pytest.mark.parametrize("told", [True, False])
def test_numbers_of_the_other_byte_order_are_turned_around(tmp_path, told):
    import sys

    from rushlight import serialization

    values, path = swapped_file(tmp_path, told)
    other = {"little": "BIG", "big": "LITTLE"}[sys.byteorder]
    assert serialization.get_default_load_endianness() is None
    serialization.set_default_load_endianness(serialization.LoadEndianness[other])
    try:
        assert serialization.get_default_load_endianness().name == other
        got = rl.load(path)
        with pytest.raises(RuntimeError, match="byte order"):
            rl.load(path, mmap=True)
    finally:
        serialization.set_default_load_endianness(None)
    assert all(rl.equal(got[name], value) for name, value in values.items())
    with pytest.raises(TypeError, match="LoadEndianness"):
        serialization.set_default_load_endianness("big")


def test_files_without_data_keep_the_geometry(tmp_path):
    path = tmp_path / "x.pt"
    x = rl.arange(6.0).reshape(2, 3).t()
    with rl.serialization.skip_data():
        rl.save({"x": x}, path)
    empty = rl.load(path)["x"]
    assert empty.shape == x.shape and empty.stride() == x.stride() and not empty.any()
    rl.save({"x": x}, path)
    with rl.serialization.skip_data():
        assert not rl.load(path)["x"].any()
    assert rl.equal(rl.load(path)["x"], x)
    with rl.serialization.skip_data(), pytest.raises(RuntimeError, match="zip format"):
        rl.save({"x": x}, path, _use_new_zipfile_serialization=False)


def test_packages_name_devices_of_their_own(tmp_path):
    from rushlight._serialization import locations

    marked = rl.ones(3).untyped_storage()

    def tag(storage):
        return "lamp:1" if storage.data_ptr() == marked.data_ptr() else None

    def place(storage, location):
        return storage.clone().fill_(1) if location == "lamp:1" else None

    before = list(locations.registry)
    rl.serialization.register_package(5, tag, place)
    try:
        rl.save(rl.empty(0).set_(marked), tmp_path / "x.pt")
        assert rl.serialization.location_tag(marked) == "lamp:1"
        got = rl.load(tmp_path / "x.pt").view(rl.uint8)
        assert got.unique().tolist() == [1]
    finally:
        locations.registry[:] = before
    with pytest.raises(RuntimeError, match="lamp"):
        rl.load(tmp_path / "x.pt")
    assert rl.load(tmp_path / "x.pt", map_location="cpu").tolist() == [1, 1, 1]


def test_small_helpers():
    import os
    import types

    from rushlight import serialization

    with serialization.mkdtemp() as path:
        assert os.path.isdir(path)
    assert not os.path.exists(path)
    newer = serialization.check_module_version_greater_or_equal
    assert newer(types.SimpleNamespace(__name__="m", __version__="2.1.0"), (2, 1))
    assert not newer(types.SimpleNamespace(__name__="m", __version__="1.9"), (1, 10))
    with pytest.raises(RuntimeError, match="malformed"):
        newer(types.SimpleNamespace(__name__="m", __version__="x"), (1,))
    with pytest.warns(UserWarning, match="malformed"):
        assert newer(types.SimpleNamespace(__name__="m", __version__="x"), (1,), False)
    assert serialization.normalize_storage_type(rl.FloatStorage) is rl.FloatStorage
    assert serialization.storage_to_tensor_type(rl.LongStorage(1)) is rl.LongTensor
    for check in (serialization.validate_cuda_device, serialization.validate_hpu_device):
        with pytest.raises(RuntimeError, match="map_location"):
            check("cuda:0")


def test_allclose_of_old_ignores_dtypes():
    with pytest.warns(FutureWarning):
        rl.testing.assert_allclose([1.0, 2.0], rl.tensor([1.0, 2.0 + 1e-6], dtype=rl.float64))
    with pytest.warns(FutureWarning), pytest.raises(AssertionError):
        rl.testing.assert_allclose(rl.ones(1), rl.ones(1) + 1)


@pytest.mark.parametrize("size", [0, 1, 15, 63, 64, 65, 79, 128, 255, 256, 511, 1000, 100_003])
def test_checksums_are_those_of_zip(size):
    data = memoryview(random.Random(size).randbytes(size + 3))
    for start in (0, 1, 3):  # any alignment, and after other bytes
        assert crc32(data[start:]) == zlib.crc32(data[start:])
        assert crc32(data[start:], 12345) == zlib.crc32(data[start:], 12345)


@pytest.mark.parametrize("size", [0, 1, 63, 64, 300, 16383, 16384, 16385, 262143, 262144, 300_001])
@pytest.mark.parametrize("shift", [0, 1, 48])
def test_copies_carry_the_checksum_of_zip(size, shift):
    data = random.Random(size).randbytes(size)
    target = bytearray(size + 128)
    assert copied(memoryview(target)[shift : shift + size], data) == zlib.crc32(data)
    assert target == b"\0" * shift + data + b"\0" * (128 - shift)
    with pytest.raises(ValueError):
        copied(target, data)
    with pytest.raises(TypeError):  # bytes are for reading
        copied(data, data)
    assert len(room(size)) == size


class _OwnFile(io.BytesIO):
    pass


@pytest.mark.parametrize("kind", [io.BytesIO, _OwnFile])
@pytest.mark.parametrize("before", [b"", b"head"])
def test_memory_files_go_on_behind_what_was_saved(kind, before):
    file = kind()
    file.write(before)
    rl.save({"w": rl.arange(5.0)}, file)
    end = file.tell()
    assert end == len(file.getvalue()) > len(before) and file.getvalue().startswith(before)
    file.write(b"tail")
    assert file.getvalue()[end:] == b"tail"
    saved = io.BytesIO(file.getvalue()[len(before) : end])
    assert rl.load(saved)["w"].tolist() == [0, 1, 2, 3, 4]


class _Hesitant(io.BytesIO):
    """Takes at most seven bytes at a time, as raw files may."""

    def write(self, data):
        return super().write(bytes(data[:7]))


@pytest.mark.parametrize("zipped", (True, False))
@pytest.mark.parametrize("checksums", (True, False))
def test_every_kind_of_file_gets_the_same_bytes(tmp_path, zipped, checksums):
    big = rl.arange(200_000)
    given = {"w": rl.arange(5.0), "big": big, "t": big.view(2, -1).t(), "none": rl.empty(0)}
    files = [io.BytesIO(), _OwnFile(), _Hesitant(), open(tmp_path / "direct", "w+b", buffering=0)]
    before = rl.serialization.get_crc32_options()
    rl.serialization.set_crc32_options(checksums)
    try:
        for file in files:
            rl.save(given, file, _use_new_zipfile_serialization=zipped)
    finally:
        rl.serialization.set_crc32_options(before)
    whole = files[0].getvalue()
    for file in files:
        assert file.tell() == len(whole)
        file.seek(0)
        assert file.read() == whole
        file.seek(0)
        got = rl.load(file)
        assert all(rl.equal(got[name], given[name]) for name in given)
        file.close()


def test_what_is_loaded_from_memory_shares_nothing_with_it():
    saved = io.BytesIO()
    rl.save(rl.arange(1000.0), saved)
    held = saved.getvalue()
    for file in (saved, io.BytesIO(held)):
        file.seek(0)
        loaded = rl.load(file)
        file.seek(0)
        file.write(bytes(len(held)))  # not kept open for reading
        assert loaded.equal(rl.arange(1000.0)) and file.getvalue() == bytes(len(held))
    assert rl.load(io.BytesIO(held)).equal(rl.arange(1000.0))


@pytest.mark.parametrize("where", (-400, -1))
def test_damaged_records_in_memory_are_noticed(where):
    saved = io.BytesIO()
    rl.save(rl.zeros(50_000), saved)
    whole = bytearray(saved.getvalue())
    end = whole.rfind(bytes(1000)) + 1000  # of the tensor's bytes
    whole[end + where] ^= 1
    with pytest.raises(RuntimeError, match="wrong checksum"):
        rl.load(io.BytesIO(whole))


def test_a_failed_save_leaves_a_memory_file_empty():
    file = io.BytesIO()
    with pytest.raises((AttributeError, pickle.PicklingError)):
        rl.save({"w": rl.ones(2), "f": lambda: 0}, file)
    assert file.getvalue() == b""


def test_saving_into_a_memory_file_that_is_being_read():
    file = io.BytesIO()
    with file.getbuffer(), pytest.raises(BufferError):
        rl.save(rl.ones(2), file)


@pytest.mark.parametrize("protocol", (2, 3, 4, 5))
@pytest.mark.parametrize("ahead", (1, 3, 64))
@pytest.mark.parametrize("zipped", (True, False))
def test_pickles_are_read_in_pieces_of_any_size(monkeypatch, protocol, ahead, zipped):
    from rushlight._serialization import safe_pickle

    monkeypatch.setattr(safe_pickle, "_READ_AHEAD", ahead)
    shared = (1, 300, 70000, -1, 2**70, True, None, 0.5, "é" * 300, b"x" * 300, {3}, [], {})
    x = rl.arange(6.0).reshape(2, 3)
    given = {"a": shared, "b": [shared, x, x.t(), x], "c": collections.OrderedDict(d=x[:, 1])}
    buffer = io.BytesIO()
    rl.save(given, buffer, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    buffer.seek(0)
    got = rl.load(buffer)
    assert got["a"] == shared and got["b"][0] is got["a"] and got["b"][1] is got["b"][3]
    assert rl.equal(got["b"][2], x.t()) and got["b"][2].data_ptr() == got["b"][1].data_ptr()
    assert rl.equal(got["c"]["d"], x[:, 1])


def test_wide_numbers_of_geometry_are_written():
    x = rl.zeros(2, 300, 70000).as_strided((3, 257), (70001, 258), 65537)
    whole = io.BytesIO()
    rl.save({"x": x, "n": rl.nn.Parameter(x[:, :1].clone()), "e": rl.zeros(0, 300)}, whole)
    whole.seek(0)
    got = rl.load(whole)
    assert (got["x"].stride(), got["x"].storage_offset()) == ((70001, 258), 65537)
    assert rl.equal(got["x"], x) and got["n"].requires_grad and got["e"].shape == (0, 300)
