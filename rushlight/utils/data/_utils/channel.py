"""Objects with tensors over a pipe between processes.

Small messages travel inside the pipe. For larger ones the bytes of tensors and arrays lie in an
anonymous file in memory whose descriptor is handed over: it has no name, so nothing can leak,
whoever is killed. The receiver maps it, without a copy. Who talks to whom is the business of
`pool.py` and `worker.py`.
"""

import io
import mmap
import multiprocessing.reduction as reduction
import os
import pickle
import tempfile
import weakref

import rushlight as rl
from rushlight._serialization.buffers import bytes_of
from rushlight._serialization.rebuild import TypedBuffer, reduce_tensor

_INLINE = 32 * 1024  # bytes; more goes through a file in memory
_ALIGN = 64
_MOST_MAPPINGS = 400  # each holds a descriptor while its tensors live; past that, bytes are copied
_CAN_PASS_FILES = hasattr(os, "pwrite")

_live_mappings = weakref.WeakSet()


def send(connection, obj):
    """Send any picklable object; tensors are sent by value."""
    body, buffers = _dump(obj)
    buffers = [buffer.raw() for buffer in buffers]
    if not _CAN_PASS_FILES or sum(map(len, buffers)) + len(body) <= _INLINE:
        connection.send_bytes(pickle.dumps((body, [bytes(b) for b in buffers], None), 5))
        return
    buffers.append(memoryview(body))
    spans, total = _layout(buffers)
    descriptor = _anonymous_file()
    try:
        os.ftruncate(descriptor, total)
        for buffer, (start, _) in zip(buffers, spans):
            _write_all(descriptor, buffer, start)
        connection.send_bytes(pickle.dumps((None, spans, total), 5))
        reduction.send_handle(connection, descriptor, None)
    finally:
        os.close(descriptor)


def receive(connection):
    """The next object; EOFError when the other side is gone."""
    try:
        body, parts, total = pickle.loads(connection.recv_bytes())
        if total is None:
            return pickle.loads(body, buffers=[bytearray(part) for part in parts])
        descriptor = reduction.recv_handle(connection)
    except (ConnectionError, RuntimeError) as error:
        raise EOFError(f"the connection was cut: {error}") from error
    try:
        memory = _memory_of(descriptor, total)
    finally:
        os.close(descriptor)
    *views, body = (memory[start : start + size] for start, size in parts)
    return pickle.loads(body, buffers=views)


def _dump(obj):
    file, buffers = io.BytesIO(), []
    _Pickler(file, buffers).dump(obj)
    return file.getvalue(), buffers


class _Pickler(pickle.Pickler):
    """Puts the bytes of storages (and, by protocol 5, of arrays) beside the pickle."""

    def __init__(self, file, buffers):
        super().__init__(file, 5, buffer_callback=buffers.append)
        self.boxes = {}

    def reducer_override(self, obj):
        if isinstance(obj, rl.Tensor):
            return self._reduce_tensor(obj)
        if isinstance(obj, TypedBuffer):
            return _receive_buffer, (pickle.PickleBuffer(bytes_of(obj.untyped)), obj.dtype)
        if isinstance(obj, rl.dtype):
            return _dtype_named, (repr(obj).rpartition(".")[2],)
        return NotImplemented

    def _reduce_tensor(self, tensor):
        if tensor.requires_grad and not tensor.is_leaf:
            raise RuntimeError(
                "a tensor that is part of a graph cannot be sent to another process; detach() it "
                "first"
            )
        if tensor.layout is rl.strided and tensor.device.type == "cpu":
            tensor = _compact(tensor)
        return reduce_tensor(tensor, self._box)

    def _box(self, tensor):
        storage = tensor.untyped_storage()
        key = (storage.data_ptr(), storage.nbytes()) if storage.nbytes() else len(self.boxes)
        return self.boxes.setdefault(key, TypedBuffer(storage, tensor.dtype))


def _compact(tensor):
    """A row of a large tensor is sent as a row, not with all that it is a view of."""
    if tensor.untyped_storage().nbytes() <= 2 * tensor.numel() * tensor.dtype.itemsize + _ALIGN:
        return tensor
    clone = tensor.detach().clone().requires_grad_(tensor.requires_grad)
    if type(tensor) is rl.Tensor or type(tensor) is not rl.nn.Parameter:
        return clone
    return rl.nn.Parameter(clone, tensor.requires_grad)


def _receive_buffer(data, dtype):
    data = memoryview(data)
    flat = rl.frombuffer(data, dtype=rl.uint8) if data.nbytes else rl.empty(0, dtype=rl.uint8)
    return TypedBuffer(flat.untyped_storage(), dtype)


def _dtype_named(name):
    return getattr(rl, name)


def _layout(buffers):
    spans, position = [], 0
    for buffer in buffers:
        spans.append((position, len(buffer)))
        position += -(-len(buffer) // _ALIGN) * _ALIGN
    return spans, max(position, 1)


def _anonymous_file():
    if hasattr(os, "memfd_create"):
        return os.memfd_create("rushlight-batch", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write_all(descriptor, data, position):
    while len(data):
        written = os.pwrite(descriptor, data, position)
        data, position = data[written:], position + written


def _memory_of(descriptor, total):
    """The file's bytes, mapped; or copied when very many mappings are alive already."""
    if len(_live_mappings) >= _MOST_MAPPINGS:
        data = bytearray(total)
        with open(descriptor, "rb", buffering=0, closefd=False) as file:
            _read_all(file, memoryview(data))
        return memoryview(data)
    flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
    mapping = mmap.mmap(descriptor, total, flags=flags)
    _live_mappings.add(mapping)
    return memoryview(mapping)


def _read_all(file, target):
    file.seek(0)
    while len(target):
        target = target[file.readinto(target) :]
