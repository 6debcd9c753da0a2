"""Lists and dicts that nodes keep as arguments. Changing one would bypass the graph; it raises."""

from rushlight.utils import _pytree

__all__ = ["immutable_dict", "immutable_list"]


def _refusing(base, names):
    def refuse(self, *args, **kwargs):
        raise TypeError(
            f"{type(self).__name__!r} object does not support mutation. If you are attempting to "
            "modify the kwargs or args of a torch.fx.Node object, instead create a new copy of it "
            "and assign the copy to the node"
        )

    return {name: refuse for name in names if hasattr(base, name)}


_LIST = ("__delitem__ __iadd__ __imul__ __setitem__ append clear extend insert pop remove "
         "reverse sort").split()  # fmt: skip
_DICT = "__delitem__ __ior__ __setitem__ clear pop popitem setdefault update".split()

immutable_list = type(
    "immutable_list",
    (list,),
    {
        **_refusing(list, _LIST),
        "__doc__": "A list that cannot be changed.",
        "__module__": __name__,
        "__hash__": lambda self: hash(tuple(self)),
        "__reduce__": lambda self: (immutable_list, (tuple(self),)),
    },
)
immutable_dict = type(
    "immutable_dict",
    (dict,),
    {
        **_refusing(dict, _DICT),
        "__doc__": "A dict that cannot be changed.",
        "__module__": __name__,
        "__hash__": lambda self: hash(frozenset(self.items())),
        "__reduce__": lambda self: (immutable_dict, (tuple(self.items()),)),
    },
)

_pytree.register_pytree_node(
    immutable_list,
    lambda x: (list(x), None),
    lambda children, _: immutable_list(children),
    flatten_with_keys_fn=_pytree._list_flatten_with_keys,
)
_pytree.register_pytree_node(
    immutable_dict,
    lambda x: (list(x.values()), list(x)),
    lambda children, keys: immutable_dict(zip(keys, children)),
    flatten_with_keys_fn=_pytree._dict_flatten_with_keys,
)
