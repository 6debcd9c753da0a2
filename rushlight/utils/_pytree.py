"""Nested containers as trees: flatten to leaves and a spec, and back.

A container type is known when it is registered (`register_pytree_node`); everything else, None
included, is a leaf.
"""

from collections import OrderedDict, defaultdict, deque, namedtuple

from rushlight._native import Size

SUPPORTED_NODES = {}
SUPPORTED_SERIALIZED_TYPES = {}
BUILTIN_TYPES = frozenset({tuple, list, dict, OrderedDict, defaultdict, deque})
PyTree = object
Context = object


class SequenceKey:
    """A step into a sequence, in a path to a leaf."""

    def __init__(self, idx):
        self.idx = idx

    def __str__(self):
        return f"[{self.idx!r}]"

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in vars(self).items())})"

    def __eq__(self, other):
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self):
        return hash((type(self), *vars(self).values()))

    def get(self, container):
        return container[self.idx]


class MappingKey(SequenceKey):
    """A step into a dict."""

    def __init__(self, key):
        self.key = key

    def __str__(self):
        return f"[{self.key!r}]"

    def get(self, container):
        return container[self.key]


class GetAttrKey(SequenceKey):
    """A step to a named field."""

    def __init__(self, name):
        self.name = name

    def __str__(self):
        return f".{self.name}"

    def get(self, container):
        return getattr(container, self.name)


class NodeDef:
    """How a registered type is taken apart and put together."""

    def __init__(self, type, flatten_fn, unflatten_fn, flatten_with_keys_fn):
        self.type, self.flatten_fn, self.unflatten_fn = type, flatten_fn, unflatten_fn
        self.flatten_with_keys_fn = flatten_with_keys_fn


class TreeSpec:
    """The shape of a tree: type and context of the root, specs of its children."""

    def __init__(self, type, context=None, children_specs=()):
        self.type, self.context, self.children_specs = type, context, list(children_specs)
        self.num_nodes = 1 + sum(c.num_nodes for c in self.children_specs)
        self.num_leaves = 1 if type is None else sum(c.num_leaves for c in self.children_specs)
        self.num_children = len(self.children_specs)

    def is_leaf(self):
        return self.type is None

    def children(self):
        return list(self.children_specs)

    def child(self, index):
        return self.children_specs[index]

    def unflatten(self, leaves):
        """The tree of this shape with the given leaves."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise ValueError(
                f"treespec.unflatten(leaves): `leaves` has length {len(leaves)} but the spec "
                f"refers to a pytree that holds {self.num_leaves} items"
            )
        return self._build(iter(leaves))

    def _build(self, leaves):
        if self.type is None:
            return next(leaves)
        children = [child._build(leaves) for child in self.children_specs]
        return SUPPORTED_NODES[self.type].unflatten_fn(children, self.context)

    def flatten_up_to(self, tree):
        """The subtrees of `tree` at the places where this shape has leaves."""
        if self.type is None:
            return [tree]
        if _get_node_type(tree) is not self.type:
            raise ValueError(
                f"Type mismatch; expected {self.type!r}, but got {_get_node_type(tree)!r}"
            )
        children, context = SUPPORTED_NODES[self.type].flatten_fn(tree)
        if self.type in (dict, OrderedDict, defaultdict):
            children = self._children_by_key(tree)
        elif len(children) != self.num_children or context != self.context:
            raise ValueError(
                f"Node arity or context mismatch; expected {self.num_children} children and "
                f"{self.context!r}, but got {len(children)} and {context!r}"
            )
        return [
            x
            for child, spec in zip(children, self.children_specs)
            for x in spec.flatten_up_to(child)
        ]

    def _children_by_key(self, tree):
        keys = self.context[1] if self.type is defaultdict else self.context
        if set(keys) != set(tree):
            raise ValueError(f"Node keys mismatch; expected {list(keys)!r}, but got {list(tree)!r}")
        return [tree[key] for key in keys]

    def _facts(self):
        return self.type, self.context, self.children_specs

    def __eq__(self, other):
        if not isinstance(other, TreeSpec):
            return NotImplemented
        return self._facts() == other._facts()

    def __hash__(self):
        context = tuple(self.context) if isinstance(self.context, list) else self.context
        return hash((self.type, context, tuple(self.children_specs)))

    def __repr__(self):
        if self.type is None:
            return "*"
        return f"TreeSpec({self.type.__name__}, {self.context!r}, {self.children_specs!r})"


class LeafSpec(TreeSpec):
    """The shape of a leaf."""

    def __init__(self):
        super().__init__(None)


def _is_namedtuple(tree):
    return isinstance(tree, tuple) and hasattr(tree, "_fields")


def _is_struct_sequence(tree):
    return isinstance(tree, tuple) and hasattr(tree, "n_sequence_fields")


def _get_node_type(tree):
    """The registered type by which `tree` is taken apart; `namedtuple` for all of those."""
    if type(tree) in SUPPORTED_NODES:
        return type(tree)
    return namedtuple if _is_namedtuple(tree) or _is_struct_sequence(tree) else type(tree)


def _is_leaf(tree, is_leaf=None):
    return (is_leaf is not None and is_leaf(tree)) or _get_node_type(tree) not in SUPPORTED_NODES


def tree_is_leaf(tree, is_leaf=None):
    """Is it no container that is registered, or one that `is_leaf` keeps whole?"""
    return _is_leaf(tree, is_leaf)


def is_namedtuple_instance(obj):
    """Is it a named tuple?"""
    return _is_namedtuple(obj)


def is_structseq_instance(obj):
    """Is it a result with names, such as that of ``x.max(0)``, rather than a named tuple?"""
    return _is_struct_sequence(obj)


def register_pytree_node(
    cls,
    flatten_fn,
    unflatten_fn,
    *,
    serialized_type_name=None,
    to_dumpable_context=None,
    from_dumpable_context=None,
    flatten_with_keys_fn=None,
):
    """Make `cls` a container: `flatten_fn(x) -> (children, context)` and the reverse.

    Raises ValueError if it is registered already.
    """
    if cls in SUPPORTED_NODES:
        raise ValueError(f"{cls} is already registered as pytree node.")
    SUPPORTED_NODES[cls] = NodeDef(cls, flatten_fn, unflatten_fn, flatten_with_keys_fn)
    if serialized_type_name is not None:
        SUPPORTED_SERIALIZED_TYPES[cls] = (
            serialized_type_name, to_dumpable_context, from_dumpable_context,
        )  # fmt: skip


_register_pytree_node = register_pytree_node


def tree_flatten(tree, is_leaf=None):
    """(leaves, spec) of a tree; `is_leaf(x)` true keeps a container whole.

    >>> from rushlight.utils._pytree import tree_flatten
    >>> tree_flatten({"a": 1, "b": [2, 3]})[0]
    [1, 2, 3]
    """
    leaves = []
    return leaves, _flatten_into(tree, leaves, is_leaf)


def _flatten_into(tree, leaves, is_leaf):
    if _is_leaf(tree, is_leaf):
        leaves.append(tree)
        return LeafSpec()
    kind = _get_node_type(tree)
    children, context = SUPPORTED_NODES[kind].flatten_fn(tree)
    return TreeSpec(kind, context, [_flatten_into(child, leaves, is_leaf) for child in children])


def tree_unflatten(leaves, treespec):
    """The tree of shape `treespec` with these leaves."""
    if not isinstance(treespec, TreeSpec):
        raise TypeError(f"tree_unflatten: expected a TreeSpec, got {type(treespec).__name__}")
    return treespec.unflatten(leaves)


def tree_iter(tree, is_leaf=None):
    """The leaves, one by one."""
    yield from tree_flatten(tree, is_leaf)[0]


def tree_leaves(tree, is_leaf=None):
    """The leaves, in a list."""
    return tree_flatten(tree, is_leaf)[0]


def arg_tree_leaves(*args, **kwargs):
    """The leaves of a call's arguments, in a list."""
    return tree_leaves((args, kwargs))


def tree_structure(tree, is_leaf=None):
    """The shape alone."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func, tree, *rests, is_leaf=None):
    """The tree with `func(leaf, ...)` in place of every leaf; `rests` must have the same shape."""
    leaves, spec = tree_flatten(tree, is_leaf)
    columns = [leaves] + [spec.flatten_up_to(rest) for rest in rests]
    return spec.unflatten(map(func, *columns))


def tree_map_(func, tree, *rests, is_leaf=None):
    """Call `func` on every leaf for its effect; returns `tree` itself."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _chooser(type_or_types_or_pred):
    if isinstance(type_or_types_or_pred, (type, tuple)):
        return lambda x: isinstance(x, type_or_types_or_pred)
    return type_or_types_or_pred


def map_only(type_or_types_or_pred):
    """Decorator: apply a function to leaves of some types, leave the others alone."""
    chosen = _chooser(type_or_types_or_pred)
    return lambda func: lambda x: func(x) if chosen(x) else x


def tree_map_only(type_or_types_or_pred, func, tree, is_leaf=None):
    """`tree_map` over leaves of some types only."""
    return tree_map(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_map_only_(type_or_types_or_pred, func, tree, is_leaf=None):
    """`tree_map_` over leaves of some types only."""
    return tree_map_(map_only(type_or_types_or_pred)(func), tree, is_leaf=is_leaf)


def tree_all(pred, tree, is_leaf=None):
    """Whether `pred` holds for all leaves."""
    return all(map(pred, tree_iter(tree, is_leaf)))


def tree_any(pred, tree, is_leaf=None):
    """Whether `pred` holds for any leaf."""
    return any(map(pred, tree_iter(tree, is_leaf)))


def tree_all_only(type_or_types, pred, tree, is_leaf=None):
    """Whether `pred` holds for all leaves of some types."""
    chosen = _chooser(type_or_types)
    return all(pred(x) for x in tree_iter(tree, is_leaf) if chosen(x))


def tree_any_only(type_or_types, pred, tree, is_leaf=None):
    """Whether `pred` holds for any leaf of some types."""
    chosen = _chooser(type_or_types)
    return any(pred(x) for x in tree_iter(tree, is_leaf) if chosen(x))


def tree_flatten_with_path(tree, is_leaf=None):
    """([(path, leaf), ...], spec); a path is a tuple of keys."""
    return list(_with_path((), tree, is_leaf)), tree_structure(tree, is_leaf)


def tree_leaves_with_path(tree, is_leaf=None):
    """[(path, leaf), ...]."""
    return list(_with_path((), tree, is_leaf))


def _with_path(path, tree, is_leaf):
    if _is_leaf(tree, is_leaf):
        yield path, tree
        return
    node = SUPPORTED_NODES[_get_node_type(tree)]
    if node.flatten_with_keys_fn is None:
        raise ValueError(
            f"{node.type} was registered without flatten_with_keys_fn: it has no paths"
        )
    for key, child in node.flatten_with_keys_fn(tree)[0]:
        yield from _with_path((*path, key), child, is_leaf)


def tree_map_with_path(func, tree, *rests, is_leaf=None):
    """`tree_map` whose function gets the path as its first argument."""
    pairs, spec = tree_flatten_with_path(tree, is_leaf)
    columns = [list(column) for column in zip(*pairs)] or [[], []]
    columns += [spec.flatten_up_to(rest) for rest in rests]
    return spec.unflatten(map(func, *columns))


def keystr(kp):
    """A path as text: `[0]['a'].field`."""
    return "".join(map(str, kp))


def key_get(obj, kp):
    """What a path leads to."""
    for key in kp:
        obj = key.get(obj)
    return obj


def _broadcast_to_and_flatten(tree, treespec, is_leaf=None):
    """Leaves of `tree` spread over the shape `treespec`; None if it does not fit."""
    if _is_leaf(tree, is_leaf):
        return [tree] * treespec.num_leaves
    if treespec.is_leaf() or _get_node_type(tree) is not treespec.type:
        return None
    children, context = SUPPORTED_NODES[treespec.type].flatten_fn(tree)
    if len(children) != treespec.num_children or context != treespec.context:
        return None
    spread = [
        _broadcast_to_and_flatten(child, spec, is_leaf)
        for child, spec in zip(children, treespec.children_specs)
    ]
    return None if None in spread else [x for part in spread for x in part]


def _sequence_with_keys(sequence):
    return [(SequenceKey(i), child) for i, child in enumerate(sequence)], None


_list_flatten_with_keys = _tuple_flatten_with_keys = _sequence_with_keys


def _dict_flatten_with_keys(d):
    return [(MappingKey(key), child) for key, child in d.items()], list(d)


def _dict_flatten(d):
    return list(d.values()), list(d)


def _dict_unflatten(values, context):
    return dict(zip(context, values))


def _list_flatten(d):
    return d, None


def _list_unflatten(values, context):
    return list(values)


def _namedtuple_with_keys(t):
    names = getattr(t, "_fields", None) or getattr(t, "__match_args__", None)
    if names is None:
        return _sequence_with_keys(t)[0], type(t)
    return [(GetAttrKey(name), child) for name, child in zip(names, t)], type(t)


def _make_namedtuple(children, kind):
    return kind(*children) if hasattr(kind, "_fields") else kind(children)


def _register_builtins():
    register = register_pytree_node
    for kind, name in ((tuple, None), (Size, "torch.Size")):  # sizes come back as plain tuples
        register(
            kind,
            lambda t: (list(t), None),
            lambda c, _: tuple(c),
            serialized_type_name=name,
            flatten_with_keys_fn=_sequence_with_keys,
        )
    register(list, _list_flatten, _list_unflatten, flatten_with_keys_fn=_sequence_with_keys)
    for kind in (dict, OrderedDict):
        register(
            kind,
            lambda d: (list(d.values()), list(d)),
            lambda c, keys, kind=kind: kind(zip(keys, c)),
            flatten_with_keys_fn=_dict_flatten_with_keys,
        )
    register(
        defaultdict,
        lambda d: (list(d.values()), [d.default_factory, list(d)]),
        lambda c, context: defaultdict(context[0], zip(context[1], c)),
        flatten_with_keys_fn=_dict_flatten_with_keys,
    )
    register(
        deque,
        lambda d: (list(d), d.maxlen),
        lambda c, maxlen: deque(c, maxlen=maxlen),
        flatten_with_keys_fn=_sequence_with_keys,
    )
    register(
        namedtuple,
        lambda t: (list(t), type(t)),
        _make_namedtuple,
        flatten_with_keys_fn=_namedtuple_with_keys,
    )


_register_builtins()
