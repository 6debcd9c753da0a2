"""`DistributedDataParallel` over several processes: gradients are those of the whole batch."""

from distributed_runs import run

MODEL = """
    from rushlight import nn
    from rushlight.nn.parallel import DistributedDataParallel as DDP

    def model(seed):
        rl.manual_seed(seed)
        layers = nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)
        return nn.Sequential(*layers)

    def batch():
        generator = rl.Generator().manual_seed(7)
        return [rl.randn(6 * size, width, generator=generator) for width in (4, 1)]

    def loss(net, whole):
        x, y = whole
        return nn.functional.mse_loss(net(x), y)

    def part(whole):
        return [t[rank * 6 : rank * 6 + 6] for t in whole]
"""


def test_training_steps_are_those_of_the_whole_batch():
    run(
        MODEL
        + """
    alone = model(0)
    for options in ({}, dict(bucket_cap_mb=0.0001), dict(gradient_as_bucket_view=True)):
        for p in alone.parameters():
            p.grad = None
        own = model(rank)
        net = DDP(own, **options)
        assert rl.equal(own[0].weight, model(0)[0].weight)
        reference = model(0)
        steps = [rl.optim.SGD(m.parameters(), 0.1, momentum=0.9) for m in (net, reference)]
        for _ in range(3):
            for net_or_reference, optimizer, data in (
                (net, steps[0], part(batch())), (reference, steps[1], batch())
            ):
                optimizer.zero_grad()
                loss(net_or_reference, data).backward()
                optimizer.step()
        for mine, whole in zip(own.parameters(), reference.parameters()):
            assert rl.allclose(mine, whole, atol=1e-6), options
            all_of_them = [rl.empty_like(mine) for _ in range(size)]
            dist.all_gather(all_of_them, mine.detach())
            assert all(rl.equal(all_of_them[0], other) for other in all_of_them)
    """,
        size=3,
    )


def test_gradients_add_up_without_exchange_until_the_next_with():
    run(
        MODEL
        + """
    layer = nn.Linear(2, 1, bias=False)
    net = DDP(layer)
    x = rl.ones(1, 2) * (rank + 1)
    with net.no_sync():
        net(x).sum().backward()
    assert layer.weight.grad.tolist() == [[rank + 1] * 2]
    net(x).sum().backward()
    assert layer.weight.grad.tolist() == [[3, 3]]
    with rl.no_grad():
        net(x)
    with raises(NotImplementedError, "join"):
        with net.join():
            pass
    """
    )


def test_parameters_without_gradients():
    run(
        MODEL
        + """
    class Choice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (nn.Linear(1, 1, bias=False) for _ in range(3))

        def forward(self, x, which):
            return {"out": (getattr(self, which)(x),)}

    one = rl.ones(1, 1)
    net = DDP(Choice(), find_unused_parameters=True)
    for count in (1, 2):
        net(one * (rank + 1), "ab"[rank])["out"][0].sum().backward()
        grads = [p.grad for p in net.parameters()]
        assert grads[2] is None and [g.item() for g in grads[:2]] == [0.5 * 1, 1.0]
        net.zero_grad()
    strict = DDP(Choice())
    strict(one, "a")["out"][0].sum().backward()
    with raises(RuntimeError, "finished reduction.* b.weight, c.weight|for b.weight, c.weight"):
        strict(one, "a")
    """
    )


def test_buffers_and_modules_are_those_of_rank_0():
    run(
        MODEL
        + """
    norm = nn.BatchNorm1d(2)
    net = DDP(norm)
    x = rl.arange(8.0).view(4, 2) * (rank + 1)
    net(x).sum().backward()
    net(x)
    means = [rl.empty(2), rl.empty(2)]
    dist.all_gather(means, norm.running_mean)
    assert not rl.equal(means[0], means[1])  # each has seen its own batch since
    net.eval()(x)
    dist.all_gather(means, norm.running_mean)
    assert rl.equal(means[0], means[1])
    with raises(RuntimeError, "rank 1 of the group has other parameters .*weight"):
        DDP(nn.Linear(2 + rank, 1))
    with raises(RuntimeError, "is not needed"):
        DDP(nn.ReLU())
    with raises(NotImplementedError, "mixed_precision"):
        DDP(norm, mixed_precision=object())
    """
    )


def test_batch_norm_over_the_batches_of_all():
    run(
        MODEL
        + """
    nets = [nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    for p in (*nets[0].parameters(), *nets[0].buffers()):
        dist.broadcast(p.data, 0)
    nets[1].load_state_dict(nets[0].state_dict())
    net = DDP(nn.SyncBatchNorm.convert_sync_batchnorm(nets[0]))
    loss(net, part(batch())).backward()
    loss(nets[1], batch()).backward()
    for mine, whole in zip(net.parameters(), nets[1].parameters()):
        assert rl.allclose(mine.grad, whole.grad, atol=1e-5), (mine.grad, whole.grad)
    for mine, whole in zip(net.buffers(), nets[1].buffers()):
        assert rl.allclose(mine, whole, atol=1e-5)
    """
    )


def test_gradients_flow_through_collectives():
    run("""
    from rushlight.distributed import _functional_collectives as fc
    from rushlight.distributed.nn import functional

    def gradient(function):
        x = rl.full((2, 2), rank + 1.0, requires_grad=True)
        y = function(x)
        (y * (rank + 1)).sum().backward()
        return y.tolist(), x.grad.tolist()

    def all_of(value):
        return [[value] * 2] * 2

    world = dist.group.WORLD
    assert gradient(functional.all_reduce) == (all_of(3), all_of(3))
    assert gradient(lambda x: functional.broadcast(x, 1)) == (all_of(2), all_of(3 * rank))
    assert gradient(lambda x: functional.all_gather(x)[1]) == (all_of(2), all_of(3 * rank))
    y, grad = gradient(lambda x: fc.all_gather_tensor(x, 0, world))
    assert y == all_of(1) + all_of(2) and grad == all_of(3)
    y, grad = gradient(lambda x: fc.reduce_scatter_tensor(x, "sum", 0, world))
    assert y == [[3, 3]] and grad == [[1, 1], [2, 2]]
    y, grad = gradient(lambda x: fc.all_to_all_single(x, None, None, world))
    assert y == [[1, 1], [2, 2]] and grad == [[1, 1], [2, 2]]
    with raises(NotImplementedError, "pass a ProcessGroup"):
        fc.all_reduce(rl.ones(1), "sum", [0, 1])
    """)


def test_hooks_exchange_gradients():
    run(
        MODEL
        + """
    from rushlight.distributed.algorithms.ddp_comm_hooks import default_hooks as hooks

    reference = model(0)
    loss(reference, batch()).backward()
    seen = []

    def counting(state, bucket):
        seen.append((state, bucket.index(), bucket.is_last(), len(bucket.parameters())))
        return hooks.allreduce_hook(None, bucket)

    wrapped = hooks.fp16_compress_wrapper(hooks.allreduce_hook)
    for state, hook, close in (
        ("mine", counting, 1e-6), (None, hooks.bf16_compress_hook, 1e-2), (None, wrapped, 1e-2),
    ):
        net = DDP(model(0), bucket_cap_mb=0.0002)
        net.register_comm_hook(state, hook)
        loss(net, part(batch())).backward()
        for mine, whole in zip(net.parameters(), reference.parameters()):
            assert rl.allclose(mine.grad, whole.grad, atol=close), hook
    last = len(seen) - 1
    assert [entry[:3] for entry in seen] == [("mine", i, i == last) for i in range(last + 1)]
    assert len(seen) > 1 and sum(entry[3] for entry in seen) == 6
    with raises(RuntimeError, "only be called once"):
        net.register_comm_hook(None, hooks.allreduce_hook)
    with raises(TypeError, "callable"):
        net.register_comm_hook(None, 3)
    """
    )
