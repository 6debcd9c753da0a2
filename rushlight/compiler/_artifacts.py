"""What a compiler keeps between runs, and which checks guard it: nothing is compiled, so there is
neither. Kept results cannot be loaded; filters of checks say of each entry that they are handed
what their names say.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import rushlight as rl
from rushlight._notes import unsupported


@dataclass
class CacheInfo:
    """The names of kept results by kind: none, unless `add` is called."""

    artifacts: dict = field(default_factory=lambda: defaultdict(list))

    def add(self, kind, name):
        """Notes a result."""
        self.artifacts[kind].append(name)

    def empty(self):
        """Is nothing noted?"""
        return not self.artifacts

    def clear(self):
        """Forgets all."""
        self.artifacts.clear()


def save_cache_artifacts():
    """What has been compiled, as bytes: None, as nothing has."""
    return None


def load_cache_artifacts(serialized_artifacts):
    """NotImplementedError: what PyTorch compiled cannot be run."""
    raise unsupported("load_cache_artifacts: results of PyTorch's compiler", "run without them")


def load_compiled_function(file, *, f_globals=None, external_data=None):
    """NotImplementedError: what PyTorch compiled cannot be run."""
    raise unsupported("load_compiled_function: results of PyTorch's compiler", "run the function")


# ---- filters: for each check, is it kept? --------------------------------------------------------

_PORTABLE = (
    "TENSOR_MATCH",
    "SHAPE_ENV",
    "GLOBAL_STATE",
    "DEFAULT_DEVICE",
    "DETERMINISTIC_ALGORITHMS",
)


def skip_all_guards_unsafe(guard_entries):
    """False for each check."""
    return [False for _ in guard_entries]


def skip_guard_on_all_nn_modules_unsafe(guard_entries):
    """False for each check of a module."""
    return [not entry.orig_guard.source.is_unspecialized_nn_module() for entry in guard_entries]


def skip_guard_on_inbuilt_nn_modules_unsafe(guard_entries):
    """False for each check of a module of ``torch.nn``."""
    return [
        not entry.orig_guard.source.is_unspecialized_builtin_nn_module() for entry in guard_entries
    ]


def skip_guard_on_globals_unsafe(guard_entries):
    """False for each check of a global variable."""
    return [not entry.is_global for entry in guard_entries]


def keep_tensor_guards_unsafe(guard_entries, keep_parameters=False):
    """True for each check of a tensor; of a parameter only with ``keep_parameters``."""
    return [
        entry.guard_type == "TENSOR_MATCH"
        and (keep_parameters or not isinstance(entry.value, rl.nn.Parameter))
        for entry in guard_entries
    ]


def keep_portable_guards_unsafe(guard_entries):
    """True for each check that other languages can make: of tensors, shapes and global switches."""
    return [entry.guard_type in _PORTABLE for entry in guard_entries]
