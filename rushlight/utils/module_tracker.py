"""`ModuleTracker`: which modules are at work, forwards and backwards."""

import weakref

import rushlight as rl
from rushlight import _native
from rushlight.autograd.graph import register_multi_grad_hook
from rushlight.utils._pytree import tree_leaves

__all__ = ["ModuleTracker"]


class ModuleTracker:
    """``with ModuleTracker() as tracker``: ``tracker.parents`` are the names of the modules inside
    of which the program is, and "Global".

    In a backward pass a module begins when the gradients of its results are there, and ends when
    those of its arguments are.

    Example::

        >>> net = rl.nn.Sequential(rl.nn.ReLU())
        >>> with rl.utils.module_tracker.ModuleTracker() as tracker:
        ...     handle = net[0].register_forward_hook(lambda *_: print(sorted(tracker.parents)))
        ...     _ = net(rl.ones(1))
        ['Global', 'Sequential', 'Sequential.0']
    """

    def __init__(self):
        self.parents = {"Global"}
        self._names = weakref.WeakKeyDictionary()
        self._listed = weakref.WeakSet()
        self._pass = None  # the backward pass that `parents` are of

    @property
    def is_bw(self):
        """Is a backward pass at work?"""
        return _native.current_backward_id() != -1

    def _name(self, module):
        name = self._names.setdefault(module, type(module).__name__)
        if module not in self._listed:
            self._listed.add(module)
            for part, inner in module.named_children():
                self._names[inner] = f"{name}.{part}"
                self._name(inner)
        return name

    def _begin(self, name):
        self._follow_pass()
        self.parents.add(name)

    def _end(self, name):
        self._follow_pass()
        self.parents.discard(name)

    def _follow_pass(self):
        """A pass begins outside of all modules."""
        current = _native.current_backward_id()
        if current != self._pass:
            self._pass = current
            if current != -1:
                self.parents = {"Global"}

    def _before(self, module, args):
        name = self._name(module)
        self._begin(name)
        self._when_gradients_come(args, self._end, name)

    def _after(self, module, args, result):
        name = self._name(module)
        self._end(name)
        self._when_gradients_come(result, self._begin, name)

    def _when_gradients_come(self, values, action, name):
        wanted = [x for x in tree_leaves(values) if isinstance(x, rl.Tensor) and x.requires_grad]
        if wanted and not self.is_bw:
            register_multi_grad_hook(wanted, lambda grads: action(name))

    def __enter__(self):
        hooks = rl.nn.modules.module
        self.parents, self._pass = {"Global"}, -1
        self._hooks = [
            hooks.register_module_forward_pre_hook(self._before),
            hooks.register_module_forward_hook(self._after, always_call=True),
        ]
        return self

    def __exit__(self, *exception):
        for hook in self._hooks:
            hook.remove()
