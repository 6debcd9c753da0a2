"""Files of traced and script functions and modules: the graph, or the Python they consist of, and
the tensors, written by `rl.save`.

They are not TorchScript files: PyTorch does not read them, and its files are refused.
"""

import io
import os
import pickle
import zipfile

import rushlight as rl

_FORMAT, _SCRIPT_FORMAT = "rushlight trace 1", "rushlight script 1"


def save(m, f, _extra_files=None):
    """Writes a traced or script function or module for `load`.

    A trace is kept as its graph. What `script` made is kept as Python: the sources of its functions
    and classes, and the values of the names they use; what they import from installed packages has
    to be installed where the file is read.

    Args:
        m: what `trace` or `script` returned.
        f: a file or its path.
        _extra_files: {name: text or bytes} to be kept with it.

    Raises:
        NotImplementedError: for what is neither, and for functions without a source.
    """
    from ._script import ScriptFunction, ScriptModule
    from ._trace import TracedFunction, TracedModule

    if not isinstance(m, (TracedFunction, ScriptFunction, ScriptModule)):
        raise NotImplementedError(
            "torch.jit.save: only script or traced functions and modules can be saved, got "
            f"{type(m).__name__}; torch.save writes other modules' state_dict"
        )
    if isinstance(m, (TracedFunction, TracedModule)):
        name = m.name if isinstance(m, TracedFunction) else m.original_name
        training = getattr(m, "training", None)
        kept = {"format": _FORMAT, "name": name, "training": training, "program": m._program}
    else:
        from ._sources import script_program

        kept = {"format": _SCRIPT_FORMAT, "program": script_program(m)}
    rl.save({**kept, "extra": dict(_extra_files or {})}, f)


def load(f, map_location=None, _extra_files=None, _restore_shapes=False):
    """What `save` wrote. The file can make Python run what it says: load none that you don't trust.

    Args:
        f: a file or its path.
        map_location: as for `rl.load`.
        _extra_files: a dict whose values are replaced by what was kept under their names.

    Raises:
        NotImplementedError: for PyTorch's TorchScript files.
    """
    from ._trace import TracedFunction, _remade

    source = f if hasattr(f, "read") else str(f)
    if not hasattr(f, "read") and not os.path.exists(source):
        raise ValueError(f"The provided filename {source} does not exist")
    if _is_torchscript(source):
        raise NotImplementedError("torch.jit.load: TorchScript files are not supported")
    try:
        kept = rl.load(source, map_location=map_location, weights_only=False)
    except pickle.UnpicklingError as error:
        raise RuntimeError(f"torch.jit.load: this is no file of torch.jit.save: {error}") from error
    if not isinstance(kept, dict) or kept.get("format") not in (_FORMAT, _SCRIPT_FORMAT):
        raise RuntimeError("torch.jit.load: this is no file of torch.jit.save; use torch.load")
    for name in _extra_files or ():
        _extra_files[name] = kept["extra"].get(name, "")
    if kept["format"] == _SCRIPT_FORMAT:
        from ._sources import built

        return built(kept["program"])
    if kept["training"] is None:
        return TracedFunction(kept["name"], kept["program"])
    return _remade(kept["name"], kept["program"], kept["training"])


def _is_torchscript(f):
    if not isinstance(f, str):
        f.seek(0)
        data = io.BytesIO(f.read())
        f.seek(0)
    else:
        data = f
    if not zipfile.is_zipfile(data):
        return False
    with zipfile.ZipFile(data) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())
