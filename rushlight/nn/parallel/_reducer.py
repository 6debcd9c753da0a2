"""Averages gradients over the processes of a group while backward goes on.

Parameters are in buckets, in reverse order, as their gradients come. A hook of each parameter says
that its gradient is there; when all of a bucket's are, they are copied into one tensor, divided by
the number of processes, and summed over all of them in the background. Buckets begin in the same
order everywhere. The hook of the last parameter waits for the sums and puts them back.
"""

import rushlight as rl
from rushlight._notes import unsupported

MB = 1 << 20
FIRST_BUCKET_BYTES, BUCKET_MB = MB, 25


class Bucket:
    """Parameters whose gradients are exchanged together: ``views`` of ``buffer`` are for each."""

    def __init__(self, parameters):
        self.parameters, self.missing, self.work = parameters, len(parameters), None
        self.buffer = rl.zeros(sum(p.numel() for p in parameters), dtype=parameters[0].dtype)
        pieces = self.buffer.split([p.numel() for p in parameters])
        self.views = [piece.view(p.shape) for piece, p in zip(pieces, parameters)]

    def fill(self, factor):
        """The gradients times a factor; zeros for those that there are not."""
        for parameter, view in zip(self.parameters, self.views):
            if parameter.grad is None:
                view.zero_()
            elif parameter.grad.layout != rl.strided:
                raise unsupported("DistributedDataParallel with sparse gradients", "sparse=False")
            else:
                rl.mul(parameter.grad, factor, out=view)


def bucketed(parameters, limits):
    """Lists of parameters of one type, in reverse order, each full at the next of the limits."""
    buckets, current, held = [], {}, {}
    for parameter in reversed(parameters):
        kind = parameter.dtype
        current.setdefault(kind, []).append(parameter)
        held[kind] = held.get(kind, 0) + parameter.numel() * parameter.element_size()
        if held[kind] >= limits[min(len(buckets), len(limits) - 1)]:
            buckets.append(current.pop(kind))
            held[kind] = 0
    return [*buckets, *current.values()]


class Reducer:
    """The buckets of a module's parameters, and what has become of them in this backward.

    Args:
        parameters: those that are trained, in the module's order.
        names: theirs, for errors.
        group: the `ProcessGroup`.
        limits: bytes after which buckets are full; the last is for all that follow.
        find_unused: whether parameters may get no gradient.
        keep_views: whether gradients become views of the buckets.
    """

    def __init__(self, parameters, names, group, limits, find_unused, keep_views):
        self._group, self._size = group, group.size()
        self._find_unused, self._keep_views = find_unused, keep_views
        self._names = {id(p): name for p, name in zip(parameters, names)}
        self._buckets = [Bucket(part) for part in bucketed(parameters, limits)]
        self._bucket_of = {id(p): bucket for bucket in self._buckets for p in bucket.parameters}
        self._parameters, self._expecting, self._ready = parameters, False, set()
        self._unused, self._begun, self.hook = [], 0, None
        for parameter in parameters:
            parameter.register_post_accumulate_grad_hook(self._gradient_is_there)

    def expect(self, outputs):
        """The next backward is to be exchanged; it begins at tensors somewhere in ``outputs``."""
        if self._ready:
            late = [self._names[id(p)] for p in self._parameters if id(p) not in self._ready]
            raise RuntimeError(
                "Expected to have finished reduction in the prior iteration before starting a new "
                f"one: no gradient came for {', '.join(late[:5])}{', ...' * (len(late) > 5)}; if "
                "parameters take no part in the loss, pass find_unused_parameters=True"
            )
        self._expecting, self._begun = True, 0
        for bucket in self._buckets:
            bucket.missing, bucket.work = len(bucket.parameters), None
        self._unused = []
        if self._find_unused:
            used = reached(outputs)
            self._unused = [p for p in self._parameters if id(p) not in used]

    def _gradient_is_there(self, parameter):
        if not self._expecting:
            return
        with rl.no_grad():
            if not self._ready:
                for unused in self._unused:
                    self._mark(unused)
            self._mark(parameter)

    def _mark(self, parameter):
        if id(parameter) in self._ready:
            raise RuntimeError(
                f"DistributedDataParallel: the parameter {self._names[id(parameter)]} got a "
                "gradient twice in one backward: it is used by several reentrant checkpoints, or "
                "outside of forward"
            )
        self._ready.add(id(parameter))
        self._bucket_of[id(parameter)].missing -= 1
        while self._begun < len(self._buckets) and not self._buckets[self._begun].missing:
            self._begin(self._buckets[self._begun])
            self._begun += 1
        if self._begun == len(self._buckets):
            self._finish()

    def _begin(self, bucket):
        if self.hook is None:
            bucket.fill(1 / self._size)
            bucket.work = rl.distributed.all_reduce(bucket.buffer, group=self._group, async_op=True)
            return
        bucket.fill(1)
        seen, is_last = (
            (bucket.buffer, bucket.views, bucket.parameters),
            bucket is self._buckets[-1],
        )
        bucket.work = self.hook(rl.distributed.GradBucket(*seen, self._begun, is_last))
        if not isinstance(bucket.work, rl.futures.Future):
            raise TypeError(f"a communication hook must return a Future, got {bucket.work!r}")

    def _finish(self):
        self._expecting, self._ready = False, set()
        wanted = self._used_somewhere()
        for bucket in self._buckets:
            received = bucket.work.wait()
            if self.hook is not None:
                received = received[0] if isinstance(received, (list, tuple)) else received
                bucket.buffer.copy_(received)
            for parameter, view in zip(bucket.parameters, bucket.views):
                if id(parameter) in wanted:
                    self._put(parameter, view)

    def _used_somewhere(self):
        """Parameters that any process has a gradient for: the others' stay as they are."""
        if not self._find_unused:
            return self._bucket_of
        unused = {id(p) for p in self._unused}
        used = rl.tensor([id(p) not in unused for p in self._parameters], dtype=rl.int32)
        rl.distributed.all_reduce(used, group=self._group)
        return {id(p) for p, count in zip(self._parameters, used.tolist()) if count}

    def _put(self, parameter, view):
        if self._keep_views:
            parameter.grad = view
        elif parameter.grad is None:
            parameter.grad = view.clone()
        else:
            parameter.grad.copy_(view)


def tensors_in(value):
    """The tensors in nested lists, tuples, dicts and objects with fields, as a list."""
    if isinstance(value, rl.Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    elif hasattr(value, "__dataclass_fields__"):
        value = [getattr(value, name) for name in value.__dataclass_fields__]
    if isinstance(value, (list, tuple)):
        return [tensor for item in value for tensor in tensors_in(item)]
    return []


def reached(outputs):
    """The ids of the leaves that backward from tensors in ``outputs`` comes to."""
    seen, leaves = set(), set()
    line = []
    for tensor in tensors_in(outputs):
        if tensor.grad_fn is not None:
            line.append(tensor.grad_fn)
        elif tensor.requires_grad:
            leaves.add(id(tensor))
    while line:
        node = line.pop()
        if node in seen:
            continue
        seen.add(node)
        leaf = getattr(node, "variable", None)
        if leaf is not None:
            leaves.add(id(leaf))
        line += [following for following, _ in node.next_functions if following is not None]
    return leaves
