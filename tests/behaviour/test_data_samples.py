"""Datasets, samplers and collating: values, orders, errors.
Worker processes are in test_data_workers.py.
"""

import collections
import json
import pathlib

import pytest

import rushlight as rl
from rushlight.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)

ITEMS = list(range(13))
RECORDED = json.loads(
    (pathlib.Path(__file__).parent.parent / "data/loader_orders.json").read_text()
)


class Stream(IterableDataset):
    def __iter__(self):
        return iter(range(7))

    def __len__(self):
        return 7


def _batches(**options):
    return [b.tolist() for _ in range(2) for b in DataLoader(ITEMS, 4, **options)]


ORDERS = {
    "shuffle": lambda: _batches(shuffle=True),
    "generator": lambda: _batches(
        shuffle=True, generator=rl.Generator().manual_seed(3), drop_last=True
    ),
    "split": lambda: [list(part) for part in random_split(ITEMS, [0.5, 0.3, 0.2])],
    "replacement": lambda: list(RandomSampler(ITEMS, True, 70)),
    "longer": lambda: list(RandomSampler(ITEMS, False, 30)),
    "weighted": lambda: list(WeightedRandomSampler([1, 2, 3.0], 10)),
    "subset": lambda: list(SubsetRandomSampler([4, 5, 6])),
}


@pytest.mark.parametrize("name", ORDERS)
def test_seed_gives_pytorchs_order_and_leaves_its_generator_state(name):
    order, later = RECORDED[name]
    rl.manual_seed(5)
    assert ORDERS[name]() == order
    assert rl.rand(2).tolist() == later


def test_distributed_sampler_deals_as_pytorch_does():
    dealt = [
        list(DistributedSampler(ITEMS, 4, rank, shuffle=shuffle, drop_last=drop))
        for rank in range(4)
        for shuffle in (False, True)
        for drop in (False, True)
    ]
    assert dealt == RECORDED["distributed"]


def test_set_epoch_changes_the_permutation():
    sampler = DistributedSampler(ITEMS, 1, 0)
    first = list(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first


def test_combined_datasets():
    both = ConcatDataset([ITEMS, [100, 101]])
    assert len(both) == 15 and both[13] == 100 and both[-1] == 101
    with pytest.raises(ValueError, match="should not exceed"):
        both[-16]
    assert StackDataset(a=ITEMS, b=ITEMS).__getitems__([1, 2]) == [
        {"a": 1, "b": 1},
        {"a": 2, "b": 2},
    ]
    assert StackDataset(ITEMS, ITEMS)[3] == (3, 3)
    assert list(ChainDataset([Stream(), Stream()])) == [*range(7), *range(7)]
    assert Subset(ITEMS, [5, 3]).__getitems__([1, 0]) == [3, 5]
    rows = TensorDataset(rl.arange(6).reshape(3, 2), rl.arange(3))
    assert len(rows) == 3 and rows[1][0].tolist() == [2, 3] and rows[1][1].item() == 1


def test_bad_combinations_are_refused():
    with pytest.raises(AssertionError):
        TensorDataset(rl.ones(2), rl.ones(3))
    with pytest.raises(ValueError, match="mismatch"):
        StackDataset([1], [1, 2])
    with pytest.raises(AssertionError, match="ChainDataset"):
        ConcatDataset([Stream()])
    with pytest.raises(ValueError, match="sum of input lengths"):
        random_split(ITEMS, [5, 5])


def test_fractions_left_over_go_round():
    assert [len(p) for p in random_split(range(10), [0.3, 0.3, 0.4])] == [3, 3, 4]
    assert [len(p) for p in random_split(range(11), [0.3, 0.3, 0.4])] == [4, 3, 4]
    with pytest.warns(UserWarning, match="index 1 is 0"):
        random_split(range(1), [0.5, 0.5])


def test_batch_sampler():
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, False)) == 3
    with pytest.raises(ValueError, match="batch_size"):
        BatchSampler(range(5), 0, False)


def test_collate_walks_containers():
    pair = collections.namedtuple("pair", "x y")
    sample = {"n": 1, "f": 0.5, "s": "a", "t": (rl.ones(2), True), "p": pair([1, 2], b"q")}
    batch = default_collate([sample, sample])
    assert batch["n"].tolist() == [1, 1] and batch["n"].dtype == rl.int64
    assert batch["f"].dtype == rl.float64 and batch["s"] == ["a", "a"]
    assert batch["t"][0].shape == (2, 2) and batch["t"][1].dtype == rl.bool
    assert [c.tolist() for c in batch["p"].x] == [[1, 1], [2, 2]] and batch["p"].y == (b"q", b"q")


def test_collate_numpy():
    numpy = pytest.importorskip("numpy")
    arrays, numbers = default_collate([(numpy.ones((2, 3)), numpy.float32(2))] * 2)
    assert arrays.shape == (2, 2, 3) and arrays.dtype == rl.float64
    assert numbers.tolist() == [2, 2]
    with pytest.raises(TypeError):
        default_collate([numpy.array(["text"])])
    converted = default_convert({"a": [numpy.zeros(2)], "s": "text"})
    assert converted["a"][0].tolist() == [0, 0] and converted["s"] == "text"


def test_collate_errors():
    with pytest.raises(TypeError, match="default_collate"):
        default_collate([object()])
    with pytest.raises(RuntimeError, match="equal size"):
        default_collate([[1, 2], [1]])


def test_streams_and_unbatched_loading():
    assert [b.tolist() for b in DataLoader(Stream(), 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [b.tolist() for b in DataLoader(Stream(), 3, drop_last=True)] == [[0, 1, 2], [3, 4, 5]]
    assert list(DataLoader(Stream(), None)) == list(range(7))
    assert len(DataLoader(Stream(), 3)) == 3
    assert list(DataLoader(ITEMS, None, sampler=[4, 2])) == [4, 2]


def test_getitems_is_used_for_whole_batches():
    class Whole(Dataset):
        def __len__(self):
            return 4

        def __getitems__(self, indices):
            return [i * 10 for i in indices]

    assert [b.tolist() for b in DataLoader(Whole(), 2)] == [[0, 10], [20, 30]]


@pytest.mark.parametrize(
    "options",
    [
        {"num_workers": -1},
        {"timeout": -1},
        {"prefetch_factor": 2},
        {"persistent_workers": True},
        {"sampler": [1], "shuffle": True},
        {"batch_sampler": [[1]], "batch_size": 2},
        {"batch_size": None, "drop_last": True},
        {"multiprocessing_context": "fork"},
    ],
)
def test_contradicting_arguments_are_refused(options):
    with pytest.raises(ValueError):
        DataLoader(ITEMS, **options)


def test_loader_keeps_its_order_for_life():
    loader = DataLoader(ITEMS, 2)
    with pytest.raises(ValueError, match="should not be set"):
        loader.batch_size = 3
    with pytest.raises(ValueError, match="shuffle"):
        DataLoader(Stream(), shuffle=True)


def test_pin_memory_warns_without_accelerator():
    with pytest.warns(UserWarning, match="pin_memory"):
        assert len(list(DataLoader(ITEMS, 13, pin_memory=True))) == 1


def test_no_worker_info_in_the_main_process():
    assert get_worker_info() is None


class Doubled(TensorDataset):
    def __getitem__(self, index):
        return tuple(2 * t for t in super().__getitem__(index))


def _rows(dataset):
    """Batches of all rows backwards, and of one row."""
    return list(DataLoader(dataset, batch_sampler=[[2, 1, 0, -1], [1]]))


def test_rows_of_tensors_are_batched_as_any_samples():
    tensors = rl.randn(4, 3), rl.arange(4), rl.rand(4, 2, 2, dtype=rl.float64) > 0.5
    plain, subset = TensorDataset(*tensors), Subset(TensorDataset(*tensors), [3, 1, 0, 2])
    for dataset, order in ((plain, [2, 1, 0, 3]), (subset, [0, 1, 3, 2])):
        first, second = _rows(dataset)
        assert type(first) is list and len(second[0]) == 1
        for got, t in zip(first, tensors):
            assert rl.equal(got, rl.stack([t[i] for i in order]))
            assert got.dtype == t.dtype and got.is_contiguous()
    first, _ = _rows(Doubled(*tensors[:2]))
    assert rl.equal(first[1], 2 * rl.tensor([2, 1, 0, 3]))
    leaf = tensors[0].clone().requires_grad_()
    assert _rows(TensorDataset(leaf))[0][0].grad_fn.name() == "StackBackward0"
    with pytest.raises(IndexError, match="out of bounds for dimension 0 with size 4"):
        list(DataLoader(plain, batch_sampler=[[0, 4]]))


def test_a_random_sampler_draws_its_seed_with_the_first_index():
    sampler = RandomSampler(range(100))
    first, second = iter(sampler), iter(sampler)
    rl.manual_seed(0)
    ahead = next(first)
    rl.manual_seed(0)
    assert next(second) == ahead
