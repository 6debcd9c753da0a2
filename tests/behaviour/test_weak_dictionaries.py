"""Dictionaries with tensors as keys that they do not keep alive."""

import copy
import gc

import pytest

import rushlight as rl
from rushlight.utils.weak import TensorWeakRef, WeakIdKeyDictionary, WeakTensorKeyDictionary


def test_keys_are_told_apart_by_identity_and_not_kept():
    first, second = rl.ones(2), rl.ones(2)
    entries = WeakIdKeyDictionary({first: 1, second: 2})
    assert entries[first] == 1 and entries[second] == 2 and len(entries) == 2
    assert rl.ones(2) not in entries and 5 not in entries
    assert all(a is b for a, b in zip(entries, (first, second)))
    del first
    gc.collect()
    assert len(entries) == 1 and entries.pop(second) == 2 and not entries
    with pytest.raises(KeyError):
        _ = entries[second]
    with pytest.raises(KeyError):
        del entries[second]


def test_keys_may_die_while_they_are_walked_through():
    held = [rl.ones(1) for _ in range(4)]
    entries = WeakTensorKeyDictionary({x: i for i, x in enumerate(held)})
    seen = []
    for key in entries:
        seen.append(entries[key])
        held.clear()
        del key
        gc.collect()
    assert seen[0] == 0 and len(seen) <= 2 and len(entries) == 0


def test_copies_and_unions():
    a, b = rl.ones(1), rl.zeros(1)
    entries = WeakIdKeyDictionary({a: [1]})
    shallow, deep = entries.copy(), copy.deepcopy(entries)
    assert shallow[a] is entries[a] and deep[a] == [1] and deep[a] is not entries[a]
    assert shallow == entries and entries != {}
    joined = entries | {b: 2}
    assert len(joined) == 2 and len(entries) == 1 and len({b: 2} | entries) == 2
    entries |= {b: 3}
    assert entries[b] == 3 and entries.setdefault(b, 4) == 3 and len(entries.keyrefs()) == 2


def test_references_to_tensors():
    x = rl.ones(1)
    reference = TensorWeakRef(x)
    assert reference() is x
    del x
    gc.collect()
    assert reference() is None
    with pytest.raises(TypeError, match="TensorWeakRef"):
        TensorWeakRef(3)
