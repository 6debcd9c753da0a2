"""Objects with tensors over a pipe between processes.

Small messages travel inside the pipe. For larger ones the bytes of tensors and arrays lie in an
anonymous file in memory whose descriptor is handed over: it has no name, so nothing can leak,
whoever is killed. The receiver maps it, without a copy; how a file serves for several messages is
in `segments.py`. Who talks to whom is the business of `pool.py` and `worker.py`.
"""

import io
import multiprocessing.reduction as reduction
import os
import pickle

import rushlight as rl
from rushlight import _native
from rushlight._serialization.buffers import bytes_of
from rushlight._serialization.rebuild import TypedBuffer, reduce_tensor

from . import segments

_INLINE = 32 * 1024  # bytes; more goes through a file in memory
_ALIGN = 64
_CAN_PASS_FILES = hasattr(os, "pwrite")
_PLAIN = b"\0"  # what a message without buffers begins with; no pickle does


def send(connection, obj, shelf=None):
    """Send any picklable object; tensors are sent by value.

    Files of a `segments.Shelf` are used again.
    """
    body, buffers = _dump(obj)
    buffers = [buffer.raw() for buffer in buffers]
    if not buffers and (not _CAN_PASS_FILES or len(body) <= _INLINE):
        connection.send_bytes(_PLAIN + body)
    elif not _CAN_PASS_FILES or sum(map(len, buffers)) + len(body) <= _INLINE:
        connection.send_bytes(pickle.dumps((body, [bytes(b) for b in buffers], None), 5))
    else:
        _send_file(connection, [*buffers, memoryview(body)], shelf or segments.NO_SHELF)


def _send_file(connection, buffers, shelf):
    spans, total = _layout(buffers)
    segment = shelf.take(total)
    try:
        for buffer, (start, _) in zip(buffers, spans):
            segment.write(buffer, start)
        handover = (segment.slot, segment.capacity, segment.is_new)
        connection.send_bytes(pickle.dumps((None, spans, handover), 5))
        if segment.is_new:
            reduction.send_handle(connection, segment.descriptor, None)
    finally:
        segment.sent()


def receive(connection, lender=None):
    """The next object; EOFError when the other side is gone.

    The sender's shelf has its counterpart in a `segments.Lender`.
    """
    try:
        message = connection.recv_bytes()
        if message[:1] == _PLAIN:
            return pickle.loads(memoryview(message)[1:])
        body, parts, handover = pickle.loads(message)
        if handover is None:
            return pickle.loads(body, buffers=[bytearray(part) for part in parts])
        slot, capacity, is_new = handover
        descriptor = reduction.recv_handle(connection) if is_new else None
    except (ConnectionError, RuntimeError) as error:
        raise EOFError(f"the connection was cut: {error}") from error
    if slot is None:
        memory = segments.memory_of(descriptor, capacity)
    else:
        memory = lender.lend(slot, descriptor, capacity)
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
            return _receive_buffer, (pickle.PickleBuffer(bytes_of(obj._untyped_storage)), obj.dtype)
        if isinstance(obj, rl.dtype):
            return _dtype_named, (repr(obj).rpartition(".")[2],)
        return NotImplemented

    def _reduce_tensor(self, tensor):
        if tensor.requires_grad and not tensor.is_leaf:
            raise RuntimeError(
                "a tensor that is part of a graph cannot be sent to another process; detach() it "
                "first"
            )
        if _native.has_torch_dispatch(tensor) and _native.kind_of(tensor):
            return NotImplemented  # it has no memory; the tensors in it come here by themselves
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
