"""The pickle inside a checkpoint, written: names as PyTorch spells them, storages by reference.

Reading is in `loading.py` and `safe_pickle.py`; the table of names is in `names.py`.
"""

import collections
import pickle
import sys
import types

import rushlight as rl
from rushlight.storage import TypedStorage

from .locations import tag_of
from .names import UNTYPED, StorageType, file_name_of, function_space, storage_type_of
from .rebuild import TypedBuffer, _get_layout, reduce_tensor


class StorageTable:
    """Gives every distinct storage a key and keeps it alive until its bytes are written."""

    def __init__(self):
        self.stored = {}  # (address, size) -> (key, storage, tag)

    def box(self, tensor):
        """The storage of a tensor, paired with the dtype under which the file keeps it."""
        return self._box(tensor.untyped_storage(), storage_type_of(tensor.dtype) or UNTYPED)

    def box_of_storage(self, storage):
        """The like for a storage that stands outside of tensors."""
        tag = UNTYPED
        if isinstance(storage, TypedStorage):
            storage, tag = storage.untyped(), storage_type_of(storage.dtype)
        box = self._box(storage, tag)
        if box.reference[1] is not tag:
            raise RuntimeError(
                "save: the bytes of a storage are also saved as elements of another dtype; save a "
                "clone of one of them"
            )
        return box

    def _box(self, storage, tag):
        key, nbytes = str(len(self.stored)), storage.nbytes()
        where = (storage.data_ptr(), nbytes) if nbytes else ("empty", key)
        key, storage, tag = self.stored.setdefault(where, (key, storage, tag))
        box = TypedBuffer(storage, tag.dtype)
        box.reference = ("storage", tag, key, tag_of(storage), nbytes // tag.dtype.itemsize)
        return box

    def buffers(self):
        """(key, storage) in the order of keys."""
        return [(key, storage) for key, storage, _ in self.stored.values()]


class _TensorReducer:
    """What all picklers of checkpoints share: storages become persistent ids."""

    def persistent_id(self, obj):
        if isinstance(obj, TypedBuffer):
            return obj.reference
        if isinstance(obj, (rl.UntypedStorage, TypedStorage)):
            return self.table.box_of_storage(obj).reference
        return None

    def reducer_override(self, obj):
        if isinstance(obj, rl.Tensor):
            return reduce_tensor(obj, self.table.box)
        if isinstance(obj, rl.Size):
            return rl.Size, (tuple(obj),)
        if isinstance(obj, rl.device):
            return rl.device, (obj.type,) if obj.index is None else (obj.type, obj.index)
        if isinstance(obj, rl.dtype):
            return repr(obj).rpartition(".")[2]
        if isinstance(obj, rl.layout):
            return _get_layout, (str(obj),)
        return NotImplemented


def _reduce_module(module, protocol):
    """What a module says of itself, plus the empty tables that PyTorch expects every module to
    have.
    """
    from rushlight.nn.modules.module import HOOK_TABLES

    function, args, state, *rest = (*module.__reduce_ex__(protocol), None)
    if isinstance(state, dict):
        tables = {name: collections.OrderedDict() for name in sorted(HOOK_TABLES)}
        state = {**tables, "_is_full_backward_hook": None, **state}
    return (function, args, state, *rest)[:6]


_SMALL, _AGAIN = (
    [code + bytes([n]) for n in range(256)] for code in (pickle.BININT1, pickle.BINGET)
)
_SHORT = 1 << 16  # characters of a text
_EMPTY_CALL = pickle.EMPTY_TUPLE + pickle.REDUCE


class CheckpointPickler(_TensorReducer, pickle._Pickler):
    """Python's own pickler, because only there can the written name of a class be chosen."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, file, protocol, table):
        super().__init__(file, protocol)
        self.table = table

    def reducer_override(self, obj):
        if "rushlight.nn" in sys.modules and isinstance(obj, rl.nn.Module):
            return _reduce_module(obj, self.proto)
        if function_space(obj):
            return obj.__name__  # a global, as PyTorch writes its functions
        return super().reducer_override(obj)

    def save(self, obj, save_persistent_id=True):
        kind = type(obj)
        if kind is str and self.proto >= 2 and len(obj) < _SHORT and id(obj) not in self.memo:
            return self.write(self._first_text(obj))
        plain = kind is rl.Tensor and self.proto >= 2 and id(obj) not in self.memo
        if plain and obj.layout is rl.strided:
            return self._save_tensor(obj)
        return super().save(obj, save_persistent_id)

    def _save_tensor(self, tensor):
        """What reducing it comes to, without looking for other ways to write its parts."""
        function, args = reduce_tensor(tensor, self.table.box)
        code = []
        self._add_known(function, code)
        self._add_args(args, code)
        code.append(pickle.REDUCE)
        self.write(b"".join(code))
        self.memoize(tensor)

    def _add_args(self, args, code):
        """The code of a tuple that nothing else refers to: numbers, the like tuples, and what is
        not plain.
        """
        add = code.append
        add(pickle.MARK)
        for arg in args:
            kind = type(arg)
            if kind is int and 0 <= arg < 256:
                add(_SMALL[arg])
            elif kind is int and -(2**31) <= arg < 2**31:
                add(pickle.BININT + arg.to_bytes(4, "little", signed=True))
            elif kind is bool:
                add(pickle.NEWTRUE if arg else pickle.NEWFALSE)
            elif kind is tuple:
                self._add_args(arg, code)
            elif kind is str and id(arg) not in self.memo:
                add(self._first_text(arg))
            elif kind is TypedBuffer:
                self._add_args(arg.reference, code)
                add(pickle.BINPERSID)
            elif kind is collections.OrderedDict and not arg:
                self._add_known(kind, code)
                add(_EMPTY_CALL)
            else:
                self._add_known(arg, code)
        add(pickle.TUPLE)

    def _first_text(self, text):
        """The code of a short text that was not written before."""
        data, index = text.encode("utf-8", "surrogatepass"), len(self.memo)
        self.memo[id(text)] = index, text
        return pickle.BINUNICODE + len(data).to_bytes(4, "little") + data + self.put(index)

    def _add_known(self, obj, code):
        """The code of what is likely to come again; what is new is written, after the code before
        it.
        """
        seen = self.memo.get(id(obj))
        if seen is not None and seen[0] < 256:
            code.append(_AGAIN[seen[0]])
            return
        self.write(b"".join(code))
        code.clear()
        self.save(obj)

    def save_global(self, obj, name=None):
        own_name = name or getattr(obj, "__qualname__", None) or getattr(obj, "name", None)
        own_module = getattr(obj, "__module__", None)
        if isinstance(obj, rl.dtype):
            own_module = "rushlight"
        module, written = file_name_of(obj, own_module, own_name)
        if not (module == "torch" or module.startswith("torch.")):
            return super().save_global(obj, name)
        self._write_name(module, written)
        self.memoize(obj)

    def _write_name(self, module, name):
        if self.proto >= 4:
            self.save(module)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        elif "." in name:
            raise pickle.PicklingError(
                f"save: nested class {module}.{name} needs pickle_protocol=4"
            )
        else:
            self.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())

    def save_type(self, obj):
        if obj in (type(None), type(NotImplemented), type(...)):
            return pickle._Pickler.save_type(self, obj)
        return self.save_global(obj)

    dispatch[types.FunctionType] = save_global
    dispatch[StorageType] = save_global
    dispatch[type] = save_type


def pickler_for(pickle_module, file, protocol, table):
    """A pickler; one of a `pickle_module` other than the standard one writes class names as they
    are here.
    """
    if pickle_module in (None, pickle):
        return CheckpointPickler(file, protocol, table)

    class ForeignPickler(_TensorReducer, pickle_module.Pickler):
        pass

    pickler = ForeignPickler(file, protocol)
    pickler.table = table
    return pickler
