"""Trees: taking containers apart and putting them together."""

import collections

import pytest

import rushlight as rl
from rushlight.utils import _pytree as pytree

Pair = collections.namedtuple("Pair", "a b")
TREE = {
    "list": [1, (2, 3)],
    "pair": Pair(4, None),
    "deque": collections.deque([5], maxlen=3),
    "ordered": collections.OrderedDict(y=6, x=7),
    "default": collections.defaultdict(list, k=8),
}


def test_round_trip():
    leaves, spec = pytree.tree_flatten(TREE)
    assert leaves == [1, 2, 3, 4, None, 5, 6, 7, 8]
    again = pytree.tree_unflatten(leaves, spec)
    assert again == TREE and type(again["pair"]) is Pair and again["deque"].maxlen == 3
    assert again["default"].default_factory is list
    assert spec == pytree.tree_structure(TREE) and spec.num_leaves == 9
    with pytest.raises(ValueError, match="holds 9 items"):
        spec.unflatten([1])


def test_map():
    assert pytree.tree_map(lambda a, b: a + b, {"a": 1, "b": 2}, {"b": 10, "a": 20}) == {
        "a": 21,
        "b": 12,
    }
    assert pytree.tree_map_only(int, lambda x: -x, [1, "s", (2.0,)]) == [-1, "s", (2.0,)]
    assert pytree.tree_map(len, [[1, 2], [3]], is_leaf=lambda x: x and isinstance(x[0], int)) == [
        2,
        1,
    ]
    with pytest.raises(ValueError, match="mismatch"):
        pytree.tree_map(lambda a, b: a, [1, 2], [1])


def test_paths():
    pairs, _ = pytree.tree_flatten_with_path(TREE)
    assert [pytree.keystr(path) for path, _ in pairs][:4] == [
        "['list'][0]", "['list'][1][0]", "['list'][1][1]", "['pair'].a",
    ]  # fmt: skip
    assert all(pytree.key_get(TREE, path) == leaf for path, leaf in pairs)


def test_broadcast():
    spec = pytree.tree_structure([{"a": 1, "b": 2}, 3])
    assert pytree._broadcast_to_and_flatten([1, 2], spec) == [1, 1, 2]
    assert pytree._broadcast_to_and_flatten((1, 2), spec) is None


def test_registration():
    class Box:
        def __init__(self, content):
            self.content = content

    pytree.register_pytree_node(Box, lambda b: ([b.content], None), lambda c, _: Box(*c))
    try:
        assert pytree.tree_map(lambda x: x + 1, Box(1)).content == 2
        with pytest.raises(ValueError, match="already registered"):
            pytree.register_pytree_node(Box, None, None)
        with pytest.raises(ValueError, match="no paths"):
            pytree.tree_flatten_with_path(Box(1))
    finally:
        del pytree.SUPPORTED_NODES[Box]


def test_sizes_are_nodes():
    leaves, spec = pytree.tree_flatten({"a": rl.ones(2, 3).shape})
    assert leaves == [2, 3] and pytree.tree_unflatten([4, 5], spec) == {"a": (4, 5)}
    assert type(pytree.tree_map(lambda n: n, rl.ones(1).shape)) is tuple


def test_named_results_are_nodes():
    bounds = rl.tensor([3.0, 1.0]).max(0)
    leaves, _ = pytree.tree_flatten(bounds)
    assert [x.item() for x in leaves] == [3.0, 0]
    moved = pytree.tree_map(lambda x: x + 1, bounds)
    assert type(moved) is rl.return_types.max and moved.indices.item() == 1
    paths, _ = pytree.tree_flatten_with_path(bounds)
    assert [path[0].name for path, _ in paths] == ["values", "indices"]


def test_named_tuples_are_of_the_type_that_makes_them():
    assert pytree.tree_structure(Pair(1, 2)).type is collections.namedtuple


def test_paths_into_immutable_collections():
    from rushlight.fx.immutable_collections import immutable_dict, immutable_list

    tree = immutable_list([immutable_dict(a=1), 2])
    paths = [(pytree.keystr(path), leaf) for path, leaf in pytree.tree_leaves_with_path(tree)]
    assert paths == [("[0]['a']", 1), ("[1]", 2)]
