"""The named tuples that ops return: how they are made, called, copied, and what they are not."""

import copy
import pickle

import pytest

import rushlight as rl


def test_they_are_made_of_one_sequence():
    made = rl.return_types.max([rl.ones(1), rl.zeros(1)])
    assert made.values.item() == 1 and made.indices.item() == 0
    with pytest.raises(TypeError, match="takes a 2-sequence"):
        rl.return_types.max((1,))


def test_they_are_no_collections_namedtuple():
    """Programs that find `_fields` call the class with an argument for each field."""
    found = rl.ones(2).sort()
    assert not hasattr(found, "_fields") and found.n_fields == 2
    match found:
        case rl.return_types.sort(values, indices):
            assert values.tolist() == [1.0, 1.0] and indices.tolist() == [0, 1]


@pytest.mark.parametrize("op, name", [("qr", "linalg_qr"), ("slogdet", "linalg_slogdet")])
def test_linear_algebra_has_its_namespace_in_the_name(op, name):
    found = getattr(rl.linalg, op)(rl.eye(2))
    assert type(found) is getattr(rl.return_types, name)
    assert repr(found).startswith(f"torch.return_types.{name}(\n")


def test_overloads_share_a_class():
    x = rl.ones(2, 2)
    assert type(x.sort(dim=0)) is type(x.sort(stable=True)) is rl.return_types.sort
    assert rl.return_types.sort in rl.return_types.all_return_types


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_they_are_copied_and_pickled(again):
    found = again(rl.tensor([1.0, 5.0]).max(0))
    assert type(found) is rl.return_types.max and found.values.item() == 5


def test_files_keep_them(tmp_path):
    rl.save(rl.tensor([1.0, 5.0]).max(0), tmp_path / "x.pt")
    found = rl.load(tmp_path / "x.pt", weights_only=False)
    assert type(found) is rl.return_types.max and found.indices.item() == 1


def test_absent_names():
    with pytest.raises(AttributeError, match="nothing"):
        getattr(rl.return_types, "nothing")  # noqa: B009


def test_classes_of_calls_with_out_have_their_name():
    values, indices = rl.return_types.max_out((1, 2))
    assert (values, indices) == (1, 2) and rl.return_types.max_out((1, 2)).indices == 2
