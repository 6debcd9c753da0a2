"""Models from a local folder with a ``hubconf.py``; nothing is downloaded.

`load_state_dict_from_url` reads files that are already in the cache folder.
"""

import importlib.util
import os
import sys
from urllib.parse import urlparse  # noqa: F401 - packages import it from here

from rushlight._notes import unsupported

__all__ = [
    "download_url_to_file", "get_dir", "help", "list", "load", "load_state_dict_from_url",
    "set_dir",
]  # fmt: skip

import re  # noqa: E402

HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
_state = {"dir": None}
_NO_DOWNLOAD = "rushlight downloads nothing; fetch the files yourself, and pass source='local'"


def get_dir():
    """The cache folder: `set_dir`'s, or ``hub`` in TORCH_HOME or ~/.cache/torch."""
    if _state["dir"] is not None:
        return _state["dir"]
    return os.path.join(_get_torch_home(), "hub")


def _get_torch_home():
    cache = os.getenv("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.getenv("TORCH_HOME", os.path.join(cache, "torch")))


def set_dir(d):
    """Sets the cache folder."""
    _state["dir"] = os.path.expanduser(d)


def _hubconf(folder, source, what):
    if source != "local":
        raise unsupported(f"torch.hub.{what} from {source!r}", _NO_DOWNLOAD)
    path = os.path.join(os.path.expanduser(folder), "hubconf.py")
    spec = importlib.util.spec_from_file_location("hubconf", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, os.path.dirname(path))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(os.path.dirname(path))
    missing = [
        m for m in getattr(module, "dependencies", ()) if importlib.util.find_spec(m) is None
    ]
    if missing:
        raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
    return module


def _entry(module, name):
    function = getattr(module, name, None)
    if not callable(function):
        raise RuntimeError(f"Cannot find callable {name} in hubconf")
    return function


def list(  # noqa: A001
    github,
    force_reload=False,
    skip_validation=False,
    trust_repo=None,
    verbose=True,
    source="github",
):
    """The names of the models that a folder's ``hubconf.py`` offers.

    The arguments after ``github`` say how to download, except ``source``, which must be "local".
    """
    module = _hubconf(github, source, "list")
    return [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]


def help(  # noqa: A001
    github, model, force_reload=False, skip_validation=False, trust_repo=None, source="github"
):
    """The docstring of a model."""
    return _entry(_hubconf(github, source, "help"), model).__doc__


def load(
    repo_or_dir,
    model,
    *args,
    source="github",
    trust_repo=None,
    force_reload=False,
    verbose=True,
    skip_validation=False,
    **kwargs,
):
    """What a model's function in ``hubconf.py`` returns for the further arguments.

    Args:
        repo_or_dir: a folder.
        source: "local". NotImplementedError otherwise, as nothing is downloaded.
    """
    return _entry(_hubconf(repo_or_dir, source, "load"), model)(*args, **kwargs)


def load_state_dict_from_url(
    url,
    model_dir=None,
    map_location=None,
    progress=True,
    check_hash=False,
    file_name=None,
    weights_only=False,
):
    """A state dict from the cache folder, under the last part of the address.

    Raises:
        NotImplementedError: if the file is not there.
    """
    import rushlight as rl

    folder = model_dir or os.path.join(get_dir(), "checkpoints")
    path = os.path.join(folder, file_name or os.path.basename(url.partition("?")[0]))
    if not os.path.exists(path):
        raise unsupported("torch.hub: downloading", f"put {url} into {path}")
    return rl.load(path, map_location=map_location, weights_only=weights_only)


def download_url_to_file(url, dst, hash_prefix=None, progress=True):
    """Raises NotImplementedError."""
    raise unsupported("torch.hub.download_url_to_file", _NO_DOWNLOAD)


class _Unseen:
    """What `tqdm` is without the package of that name: counts, and shows nothing."""

    def __init__(self, total=None, disable=False, unit=None, *args, **kwargs):
        self.total, self.n = total, 0

    def update(self, n):
        """Adds to the count."""
        self.n += n

    def set_description(self, *args, **kwargs):
        """Shows nothing."""

    def close(self):
        """Nothing is open."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return False


def __getattr__(name):
    if name != "tqdm":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = importlib.util.find_spec("tqdm") is not None
    return importlib.import_module("tqdm").tqdm if found else _Unseen
