"""What programs do besides the plain loop: hooks that see arguments, nodes called by hand,
generators that are copied, and the messages of common mistakes."""

import copy
import pickle

import pytest

import rushlight as rl
from rushlight.utils.checkpoint import checkpoint


class _Smallest(rl.autograd.Function):
    """The smallest values and their places; keeps the gradients that backward receives."""

    received = None

    @staticmethod
    def forward(ctx, x, k):
        values, places = x.topk(k, largest=False)
        ctx.mark_non_differentiable(places)
        ctx.save_for_backward(places)
        return values, places, "text"

    @staticmethod
    def backward(ctx, g, g_places, g_text):
        _Smallest.received = g_places, g_text
        (places,) = ctx.saved_tensors
        return rl.zeros(4).scatter(0, places, g), None


def test_backward_receives_zeros_for_integer_outputs_and_none_for_others():
    x = rl.tensor([3.0, 1.0, 2.0, 5.0], requires_grad=True)
    values, _, _ = _Smallest.apply(x, 2)
    values.sum().backward()
    g_places, g_text = _Smallest.received
    assert g_places.dtype == rl.int64 and g_places.tolist() == [0, 0]
    assert g_text is None
    assert x.grad.tolist() == [0.0, 1.0, 1.0, 0.0]


def test_node_can_be_called():
    a = rl.tensor([1.0, 2.0], requires_grad=True)
    b = rl.tensor([3.0, 4.0], requires_grad=True)
    node = (a * b).grad_fn
    for _ in range(2):  # nothing is freed
        to_a, to_b = node(rl.tensor([1.0, 10.0]))
        assert to_a.tolist() == [3.0, 40.0] and to_b.tolist() == [1.0, 20.0]
    assert a.exp().grad_fn(rl.zeros(2)).tolist() == [0.0, 0.0]
    assert [g.tolist() for g in node(None)] == [[0.0, 0.0], [0.0, 0.0]]
    leaf = node.next_functions[0][0]
    leaf(rl.ones(2))
    assert a.grad.tolist() == [1.0, 1.0]
    with pytest.raises(TypeError, match="expected Tensor or None as argument 0, got int"):
        node(3)
    with pytest.raises(RuntimeError, match="expected 1 gradients, one for each output, got 2"):
        node(rl.ones(2), rl.ones(2))


def test_node_notes_and_names():
    node = (rl.ones(2, requires_grad=True) * 2).grad_fn
    node.metadata["note"] = 1
    assert node.metadata == {"note": 1}
    assert node.next_functions[0][0].name() == "torch::autograd::AccumulateGrad"
    x = rl.ones(4, requires_grad=True)
    assert "torch.autograd.function._SmallestBackward" in repr(_Smallest.apply(x, 1)[0].grad_fn)


def test_step_hooks_see_and_replace_all_arguments():
    p = rl.nn.Parameter(rl.ones(1))
    opt = rl.optim.SGD([p], lr=1.0)
    seen = []

    def with_closure(opt, args, kwargs):
        seen.append(args)
        return (args[0], lambda: 7.0), kwargs

    opt.register_step_pre_hook(with_closure)
    opt.register_step_post_hook(lambda opt, args, kwargs: seen.append(args))
    assert opt.step() == 7.0
    assert seen[0] == (opt,) and seen[1][0] is opt and len(seen[1]) == 2


def test_reentrant_checkpoint_refuses_grad():
    x = rl.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="incompatible with .grad()"):
        rl.autograd.grad(checkpoint(rl.sin, x, use_reentrant=True).sum(), x)
    with pytest.raises(RuntimeError, match="incompatible with .grad()"):
        checkpoint(rl.sin, x, use_reentrant=True).sum().backward(inputs=[x])
    checkpoint(lambda t: checkpoint(rl.exp, t, use_reentrant=True), x, use_reentrant=True)[
        0
    ].backward()
    assert x.grad[0] > 2.7 and x.grad[1] == 0


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g)), lambda g: g.clone_state()],
)
def test_generator_copies_go_on_alike(copied):
    g = rl.Generator().manual_seed(3)
    rl.randn(5, generator=g)
    other = copied(g)
    assert other is not g and other.initial_seed() == 3
    assert rl.rand(4, generator=other).tolist() == rl.rand(4, generator=g).tolist()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rl.stack([rl.ones(1), [1]]), "as element 1 in argument 'tensors'.* got list"),
        (lambda: rl.cat((rl.ones(1), None)), "as element 1 in argument 'tensors'.* got NoneType"),
        (lambda: rl.hstack([1.5]), "as element 0 in argument 'tensors'.* got float"),
        (lambda: rl.meshgrid(1), "as element 0 in argument 0, but got int"),
        (lambda: rl.cartesian_prod(rl.ones(1), "a"), "as element 1 in argument 0, but got str"),
        (lambda: rl.broadcast_tensors(rl.ones(1), [2]), "as element 1 in argument 0, but got list"),
        (lambda: rl.utils.data.default_collate([rl.ones(1), [1]]), "as element 1"),
    ],
)
def test_lists_of_tensors_name_the_item_that_is_none(call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_messages_name_the_functions_that_people_call():
    x = rl.ones(1, 3, 5, 5)
    with pytest.raises(RuntimeError, match=r"^conv2d: Given groups=1, weight of size \[2, 1, 3, 3"):
        rl.nn.Conv2d(1, 2, 3)(x)
    with pytest.raises(RuntimeError, match="^conv2d: .*can't be greater than actual input size"):
        rl.nn.Conv2d(3, 2, 9)(x)
    with pytest.raises(RuntimeError, match="^nll_loss: expected targets of dtype int64"):
        rl.nn.functional.nll_loss(rl.ones(2, 2), rl.ones(2))
    with pytest.raises(RuntimeError, match="^avg_pool: expected a 3D or 4D input"):
        rl.nn.functional.avg_pool2d(rl.ones(3), 2)
    with pytest.raises(RuntimeError, match="mat1 and mat2 shapes cannot be multiplied"):
        rl.nn.Linear(2, 3)(rl.ones(4, 5))


def test_deleting_from_a_named_sequence_numbers_the_rest():
    net = rl.nn.Sequential({"f": rl.nn.Linear(2, 3), "g": rl.nn.Linear(3, 1)})
    net.append(rl.nn.Tanh())
    del net[0]
    net.extend([rl.nn.Identity()])
    assert [type(m).__name__ for m in net] == ["Linear", "Tanh", "Identity"]
    assert list(net._modules) == ["0", "1", "2"]


@pytest.mark.parametrize("dtype", [rl.float32, rl.bfloat16])
@pytest.mark.parametrize("kind", ["float", "bool"])
def test_attention_takes_a_mask_and_is_causal_together(kind, dtype):
    attend = rl.nn.functional.scaled_dot_product_attention
    q, k, v = (rl.randn(1, 2, 4, 8, dtype=dtype) for _ in range(3))
    mask = rl.randn(4, 4, dtype=dtype)
    if kind == "bool":
        mask = mask > 0
        both = mask.tril()
    else:
        both = mask.masked_fill(~rl.ones(4, 4, dtype=rl.bool).tril(), float("-inf"))
    got = attend(q, k, v, attn_mask=mask, is_causal=True)
    assert rl.allclose(got, attend(q, k, v, attn_mask=both), atol=1e-6)
    for bad in ({"dropout_p": 0.5}, {"attn_mask": rl.zeros(4, 4, dtype=dtype, requires_grad=True)}):
        with pytest.raises(RuntimeError, match="Explicit attn_mask should not be set"):
            attend(q, k, v, **{"attn_mask": mask, "is_causal": True, **bad})
    with pytest.raises(RuntimeError, match="Explicit attn_mask should not be set"):
        attend(q[0], k[0], v[0], attn_mask=mask, is_causal=True)
    with pytest.raises(RuntimeError, match="Expected attn_mask dtype to be bool or float"):
        attend(q, k, v, attn_mask=rl.zeros(4, 4, dtype=rl.int64))


def test_attention_checks_the_shapes_of_masks():
    mha = rl.nn.MultiheadAttention(8, 2, batch_first=True)
    x = rl.zeros(2, 5, 8)
    with pytest.raises(RuntimeError, match=r"2D attn_mask is .*3, 3.* should be \(5, 5\)"):
        mha(x, x, x, attn_mask=rl.zeros(3, 3))
    with pytest.raises(RuntimeError, match=r"3D attn_mask is .* should be \(4, 5, 5\)"):
        mha(x, x, x, attn_mask=rl.zeros(2, 5, 5))
    with pytest.raises(AssertionError, match=r"key_padding_mask of shape \(2, 5\).* \(2, 4\)"):
        mha(x, x, x, key_padding_mask=rl.zeros(2, 4, dtype=rl.bool))
    mha(x[0], x[0], x[0], key_padding_mask=rl.zeros(5, dtype=rl.bool), attn_mask=rl.zeros(2, 5, 5))


def test_arguments_that_mean_nothing_are_refused(tmp_path):
    path = tmp_path / "x.pt"
    rl.save({"a": 1}, path)
    with pytest.raises(TypeError, match="load.. got an unexpected keyword argument 'foo'"):
        rl.load(path, foo=1)
    assert rl.load(path, encoding="latin1") == {"a": 1}
    with pytest.raises(RuntimeError, match="arange: expected real numbers"):
        rl.arange(3j)
    with pytest.raises(rl._dynamo.exc.InvalidBackend, match="Invalid backend: 'nope'"):
        rl.compile(lambda x: x, backend="nope")
    with pytest.raises(AssertionError, match="compile: a callable function is expected"):
        rl.compile(rl.ones(1))
    with pytest.raises(RuntimeError, match="Type str cannot be traced"):
        rl.jit.trace(lambda x: x, "s")
    with pytest.raises(ValueError, match="does not exist"):
        rl.jit.load("/nonexistent.pt")
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(RuntimeError, match="no file of torch.jit.save|not a checkpoint"):
        rl.jit.load(path)


def test_profiler_tells_the_time_of_all():
    with rl.autograd.profiler.profile() as prof:
        rl.ones(3).exp()
    assert prof.self_cpu_time_total > 0


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_one_example_takes_a_class_in_a_list_of_one(reduction, smoothing):
    x = rl.tensor([0.5, -1.0, 2.0])
    how = {"reduction": reduction, "label_smoothing": smoothing}
    loss = rl.nn.functional.cross_entropy(x, rl.tensor([1]), **how)
    log_p = x - x.logsumexp(0)
    expected = -(1 - smoothing) * log_p[1] - smoothing * log_p.mean()
    assert loss.shape == () and rl.allclose(loss, expected)
    assert rl.nn.functional.nll_loss(log_p, rl.tensor([1]), reduction=reduction).shape == ()


@pytest.mark.parametrize(
    ("input_shape", "target", "kind", "message"),
    [
        ((), rl.tensor(1), ValueError, "Expected 1 or more dimensions"),
        ((3,), rl.zeros(6, dtype=rl.int64), ValueError, "1D target must have size 1"),
        ((6, 3), rl.zeros(6, 1, dtype=rl.int64), RuntimeError, "multi-target not supported"),
    ],
)
def test_targets_that_do_not_fit(input_shape, target, kind, message):
    with pytest.raises(kind, match=message):
        rl.nn.functional.nll_loss(rl.zeros(input_shape), target)


def test_both_kinds_of_storage_are_storages():
    x = rl.ones(2)
    assert rl.is_storage(x.storage()) and rl.is_storage(x.untyped_storage())
    assert not rl.is_storage(x)


def test_measurements_are_compared_in_tables():
    from rushlight.utils.benchmark import Compare, Measurement, TaskSpec

    def measured(seconds, name, size, threads=1):
        spec = TaskSpec("x", "pass", "add", f"n={size}", name, num_threads=threads)
        return Measurement(10, [10 * seconds * f for f in (1.0, 1.01, 1.02)], spec)

    table = Compare([measured(2.5e-6, "mine", 1), measured(1.234e-4, "theirs", 1)])
    table.extend_results([measured(5e-6, "mine", 10), measured(1e-6, "mine", 1, 4)])
    lines = str(table).splitlines()
    assert lines[0].startswith("[-") and " add " in lines[0]
    assert lines[1].split(" | ")[1:] == ["mine", "theirs"]
    assert lines[2].startswith("1 threads: ---") and lines[5].startswith("4 threads: ---")
    assert lines[3].split() == ["n=1", "|", "2.5", "|", "124.6"]
    assert lines[4].split() == ["n=10", "|", "5.0", "|"]
    assert lines[6].split()[:3] == ["n=1", "|", "1.0"]
    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[-1] == "Times are in microseconds (us)."
    table.trim_significant_figures()
    assert "| 2.5 " not in str(table) and " 120" in str(table)
    table.colorize()
    assert "\033[92m" in str(table)
    with pytest.raises(ValueError, match="Expected an instance of `Measurement`, got int"):
        Compare([3])


def test_embedding_bag_has_no_sparse_maxima():
    bag = rl.nn.EmbeddingBag(3, 2, mode="max", sparse=True)
    with pytest.raises(ValueError, match="max mode does not support sparse weights"):
        bag(rl.tensor([[1]]))


def test_data_parallel_runs_without_the_gpus_that_are_named():
    net = rl.nn.Linear(2, 3)
    wrapped = rl.nn.DataParallel(net, device_ids=[0, 1], output_device=0)
    x = rl.ones(4, 2)
    assert rl.equal(wrapped(x), net(x)) and wrapped.device_ids == []
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]


@pytest.mark.parametrize("name", ["all_reduce", "reduce", "reduce_scatter"])
def test_reductions_refuse_what_is_no_reduction(name):
    dist = rl.distributed
    dist.init_process_group(rank=0, world_size=1)
    try:
        arguments = [rl.ones(2)]
        if name == "reduce_scatter":
            arguments.append([rl.ones(2)])
        if name == "reduce":
            arguments.append(0)
        getattr(dist, name)(*arguments, op=dist.ReduceOp.MAX)
        with pytest.raises(TypeError, match=f"{name}: argument 'op' must be a ReduceOp"):
            getattr(dist, name)(*arguments, op="sum")
    finally:
        dist.destroy_process_group()
