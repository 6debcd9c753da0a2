"""Smaller public names of `rushlight.serialization`, most of them for code that works like it."""

import contextlib
import enum
import warnings

import rushlight as rl


class LoadEndianness(enum.Enum):
    """In which order files have the bytes of a number."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


@contextlib.contextmanager
def mkdtemp():
    """Context manager: the path of a new directory, which is removed with all in it."""
    import shutil
    import tempfile

    path = tempfile.mkdtemp()
    try:
        yield path
    finally:
        shutil.rmtree(path)


def check_module_version_greater_or_equal(module, req_version_tuple, error_if_malformed=True):
    """Whether the version of a module is at least a tuple of numbers.

    Args:
        error_if_malformed: raise RuntimeError for a version that is not numbers with dots;
            otherwise warn and return True.

    Example::

        >>> import types
        >>> module = types.SimpleNamespace(__name__="m", __version__="1.10.2")
        >>> rl.serialization.check_module_version_greater_or_equal(module, (1, 9))
        True
    """
    try:
        parts = module.__version__.split(".")
        version = tuple(type(wanted)(part) for wanted, part in zip(req_version_tuple, parts))
    except (AttributeError, ValueError) as error:
        message = (
            f"'{module.__name__}' module version string is malformed "
            f"'{getattr(module, '__version__', None)}' and cannot be compared with tuple "
            f"{req_version_tuple}"
        )
        if error_if_malformed:
            raise RuntimeError(message) from error
        warnings.warn(message + ", but continuing assuming that requirement is met", stacklevel=2)
        return True
    return version >= tuple(req_version_tuple)


def normalize_storage_type(storage_type):
    """The class of this package with the name of a storage class."""
    return getattr(rl, storage_type.__name__)


def storage_to_tensor_type(storage):
    """The tensor type of a typed storage: ``FloatTensor`` for a ``FloatStorage``.

    Example::

        >>> rl.serialization.storage_to_tensor_type(rl.FloatStorage(1))
        <class 'torch.FloatTensor'>
    """
    return getattr(rl, storage.type().rpartition(".")[2].replace("Storage", "Tensor"))


def validate_cuda_device(location):
    """RuntimeError: there is no CUDA device to load to."""
    _no_device(location, "CUDA")


def validate_hpu_device(location):
    """RuntimeError: there is no HPU device to load to."""
    _no_device(location, "HPU")


def _no_device(location, kind):
    raise RuntimeError(
        f"Attempting to deserialize object on {location!r}, but there is no {kind} device here. "
        "Use map_location=torch.device('cpu') to load its tensors to the CPU."
    )
