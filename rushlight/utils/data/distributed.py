"""The sampler that deals a dataset out to the processes of a distributed run.

Other samplers are in `sampler.py`.
"""

import math

import rushlight as rl

from .sampler import Sampler


class DistributedSampler(Sampler):
    """Indices `rank, rank + num_replicas, ...` of one order that all processes share.

    The order is a permutation seeded by `seed + epoch`; call `set_epoch` before each epoch, or
    every epoch repeats the first. Without `drop_last` the order is padded from its own start so
    that all processes get equally many samples. `num_replicas` and `rank` default to the process
    group's.
    """

    def __init__(
        self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False
    ):
        if num_replicas is None:
            num_replicas = _process_group().get_world_size()
        if rank is None:
            rank = _process_group().get_rank()
        if rank >= num_replicas or rank < 0:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        per_process = len(dataset) / num_replicas
        self.num_samples = math.floor(per_process) if drop_last else math.ceil(per_process)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self):
        order = self._order()
        if not self.drop_last and order:
            repeats = math.ceil(self.total_size / len(order))
            order = order * repeats
        return iter(order[: self.total_size][self.rank :: self.num_replicas])

    def _order(self):
        if not self.shuffle:
            return list(range(len(self.dataset)))
        generator = rl.Generator()
        generator.manual_seed(self.seed + self.epoch)
        return rl.randperm(len(self.dataset), generator=generator).tolist()

    def __len__(self):
        return self.num_samples

    def set_epoch(self, epoch):
        """Choose the permutation of the coming epoch."""
        self.epoch = epoch


def _process_group():
    try:
        import rushlight.distributed as dist
    except ModuleNotFoundError:
        raise RuntimeError(
            "DistributedSampler: there is no process group; give num_replicas= and rank="
        ) from None
    if not dist.is_available():
        raise RuntimeError("Requires distributed package to be available")
    return dist
