"""Makes ``import torch`` mean this package: the import finder behind `install_as_torch`.

The folders beside this file do the same for child processes, which find them through PYTHONPATH:
a `torch` that installs the finder, and metadata of the distributions that are stood in for. To
stand in for another package, add it to `STANDS_FOR`, with such folders.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import os
import pathlib
import sys

from rushlight import version, vision

FOLDER = os.path.dirname(os.path.abspath(__file__))
_OWN = "rushlight"
#: package -> the module that takes its place, and the version that its metadata gives; None for a
#: package that comes with another
STANDS_FOR = {
    "torch": (_OWN, version.__version__),
    "torchvision": (_OWN + ".vision", vision.__version__),
    "functorch": (_OWN + "._functorch.deprecated", None),
}


def own_name(name):
    """`torch.nn` -> `rushlight.nn`; None for a module that is not stood in for."""
    top, dot, rest = name.partition(".")
    return STANDS_FOR[top][0] + dot + rest if top in STANDS_FOR else None


class _Alias(importlib.abc.Loader):
    """Loads a module by importing another, so that both names have one object."""

    def __init__(self, name, own):
        self._name, self._own = name, own

    def create_module(self, spec):
        module = importlib.import_module(self._own)
        self._kept = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self._kept  # the import system has put the alias's there
        _name_loaded(self._name, self._own)
        _name_classes(module)

    def is_package(self, name):
        return hasattr(importlib.import_module(self._own), "__path__")

    def get_code(self, name):
        """For ``python -m``, which runs a module's code anew."""
        return importlib.util.find_spec(self._own).loader.get_code(self._own)


# In .egg-info folders: builders of wheels leave .dist-info out of packages.
class _Distribution(importlib.metadata.Distribution):
    def __init__(self, folder):
        self._folder = folder

    def read_text(self, filename):
        path = self._folder / filename
        return path.read_text() if path.is_file() else None

    def locate_file(self, path):
        return self._folder.parent / path


class Finder(importlib.abc.MetaPathFinder):
    """Finds `torch.x` as `rushlight.x`, and the metadata of PyTorch's distributions."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        own = own_name(name)
        # A name that does not exist here is not found by later finders either: they look into
        # the same folders, those of this package.
        if own is None or importlib.util.find_spec(own) is None:
            return None
        return importlib.machinery.ModuleSpec(name, _Alias(name, own), origin=own)

    @staticmethod
    def find_distributions(context=importlib.metadata.DistributionFinder.Context()):
        for folder in pathlib.Path(FOLDER).glob("*.egg-info"):
            if context.name in (None, folder.name.partition("-")[0]):
                yield _Distribution(folder)


def install_as_torch():
    """From now on ``import torch`` and ``import torchvision`` mean rushlight in this process, and
    in the processes that it starts.

    All names of a module are one object: ``torch.nn is rushlight.nn``. A PyTorch that is installed
    is not imported. Child processes find their way through the environment variable PYTHONPATH.
    May be called again.

    Raises:
        RuntimeError: if the process has already imported PyTorch.

    Example::

        >>> rl.install_as_torch()
        >>> import torch
        >>> torch is rl
        True
    """
    import rushlight

    for name in STANDS_FOR:
        loaded = sys.modules.get(name)
        if loaded is not None and not _is_own(loaded):
            raise RuntimeError(
                f"install_as_torch: {name} is already imported from {loaded.__file__}; call "
                "install_as_torch() before anything imports it"
            )
    if Finder not in sys.meta_path:
        sys.meta_path.insert(0, Finder)
    sys.modules["torch"] = rushlight.torch = rushlight
    rushlight.__name__ = "torch"  # packages that patch functions by name compare it
    from rushlight import _early_linalg

    _early_linalg.install_methods()
    for module in (rushlight.nn, rushlight.optim):  # packages walk through their `__dict__`
        for name in dir(module):
            getattr(module, name)
    _name_loaded("torch", _OWN)
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == _OWN and "._" not in name:
            _name_classes(module)
    rushlight._late.loaded = _name_classes
    _lead_children_here()


def _name_loaded(name, own):
    """Gives the modules below a package their other names, so that none of them is imported again.

    An import would make the module an attribute of its package: `torch.autograd.gradcheck` and
    `torch.multiprocessing.spawn` are functions there.
    """
    for loaded, module in list(sys.modules.items()):
        if loaded.startswith(own + "."):
            sys.modules.setdefault(name + loaded[len(own) :], module)


def _name_classes(module):
    """Classes say that they are torch's, as programs ask: ``type(x).__module__``, ``repr``."""
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__.partition(".")[0] == _OWN:
            for place in _places(value):
                if _has(place, value):
                    _set_place(value, place)
                    break


def _places(cls):
    """The modules in which a class might be looked for, as files call them."""
    from rushlight._serialization.names import foreign_module

    if "._" in cls.__module__:
        yield "torch"
    yield foreign_module(cls.__module__)
    yield "torch" + cls.__module__[len(_OWN) :]


def _has(place, cls):
    module = sys.modules.get(own_name(place))
    return getattr(module, cls.__qualname__, None) is cls


def _set_place(cls, place):
    try:
        cls.__module__ = place
    except TypeError:  # a static type, such as dtype
        return


def _is_own(module):
    own = module is sys.modules[_OWN] or module.__name__.startswith(_OWN)
    return own or module.__file__.startswith(FOLDER)


def _lead_children_here():
    inherited = os.environ.get("PYTHONPATH", "")
    if FOLDER not in inherited.split(os.pathsep):
        os.environ["PYTHONPATH"] = FOLDER + (os.pathsep + inherited if inherited else "")
    if FOLDER not in sys.path:  # processes started by `spawn` are given this list
        sys.path.insert(1, FOLDER)
