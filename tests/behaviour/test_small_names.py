"""Names that few programs use: futures, streams, tensors in files, parts of sparse tensors, batch
normalisation in parts, gradient layouts, data pipes that are checked.
"""

import threading

import pytest

import rushlight as rl
from rushlight.utils import data

# ---- futures, streams -------------------------------------------------------------------------


def test_a_future_is_completed_by_another_thread():
    future = rl.futures.Future()
    later = future.then(lambda f: f.value() + 1)
    assert not future.done()
    with pytest.raises(RuntimeError, match="not completed"):
        future.value()
    thread = threading.Thread(target=future.set_result, args=(3,))
    thread.start()
    assert later.wait() == 4 and future.wait() == 3
    thread.join()
    with pytest.raises(RuntimeError, match="complete again"):
        future.set_result(4)


def test_errors_arrive_where_the_value_is_wanted():
    good, bad = rl.futures.Future(), rl.futures.Future()
    good.set_result(1)
    bad.set_exception(ValueError("x"))
    with pytest.raises(ValueError, match="x"):
        bad.wait()
    with pytest.raises(RuntimeError, match="ValueError: x"):
        bad.then(lambda f: f.value()).wait()
    with pytest.raises(ValueError, match="x"):
        rl.futures.collect_all([good, bad]).wait()
    assert rl.futures.wait_all([good, good]) == [1, 1]
    assert rl.futures.collect_all([]).wait() == []
    with pytest.raises(AssertionError, match="not an Exception"):
        bad.set_exception(3)


def test_the_cpu_has_one_stream_and_no_events():
    stream = rl.Stream("cpu")
    assert stream == rl.Stream() and hash(stream) == hash(rl.Stream()) and stream.query()
    with stream:
        stream.synchronize()
    with pytest.raises(RuntimeError, match="events"):
        rl.Event("cpu").record()
    with pytest.raises(ValueError, match="enable_timing"):
        rl.Event().elapsed_time(rl.Event())
    with pytest.raises(RuntimeError, match="cuda"):
        rl.Stream("cuda")
    with pytest.raises(NotImplementedError, match="record_stream"):
        rl.ones(1).record_stream(stream)


# ---- files, sparse parts, ranges --------------------------------------------------------------


def test_a_shared_file_keeps_what_is_written_to_its_tensor(tmp_path):
    path = str(tmp_path / "numbers")
    shared = rl.from_file(path, shared=True, size=4, dtype=rl.int32)
    shared.copy_(rl.arange(4))
    own = rl.from_file(path, size=4, dtype=rl.int32)
    assert rl.equal(own, rl.arange(4, dtype=rl.int32))
    own.zero_()
    assert rl.from_file(path, size=2, dtype=rl.int32).tolist() == [0, 1]
    with pytest.raises(RuntimeError, match="smaller than the required"):
        rl.from_file(path, size=40)
    with pytest.raises(RuntimeError, match="unable to open"):
        rl.from_file(str(tmp_path / "none"), size=1)


def test_older_names_of_sparse_products():
    s, d = rl.tensor([[0.0, 2.0], [3.0, 0.0]]).to_sparse(), rl.ones(2, 2)
    expected = s.to_dense() @ d
    assert rl.equal(rl.spmm(s, d), expected) and rl.equal(rl.dsmm(s, d), expected)
    assert rl.equal(rl.hsmm(s, d).to_dense(), expected)
    assert rl.equal(rl.saddmm(d, s, d, alpha=2), d + 2 * expected)
    with pytest.raises(RuntimeError, match="sparse"):
        rl.saddmm(d, d, d)
    assert rl.native_norm(s).item() == pytest.approx(13**0.5)
    with pytest.raises(NotImplementedError):
        rl.native_norm(d)
    rows = s.to_sparse_csr()
    copy = rl.crow_indices_copy(rows)
    assert rl.equal(copy, rows.crow_indices())
    assert copy.data_ptr() != rows.crow_indices().data_ptr()


def test_ranges_and_slices():
    rl.sym_constrain_range_for_size(5, min=2, max=9)
    with pytest.raises(RuntimeError, match="Invalid value range for 5"):
        rl.sym_constrain_range(5, min=6)
    with pytest.raises(RuntimeError, match="greater than 2"):
        rl.sym_constrain_range_for_size(1, max=1)
    base = rl.arange(6.0)
    assert rl.equal(rl.slice_inverse(base[:2], base), base)
    assert rl.arange(4)[1:].index(rl.tensor([0, 2])).tolist() == [1, 3]


def test_in_place_functions_and_embedding_bags_with_their_parts():
    x = rl.zeros(2)
    assert rl.addmv_(x, rl.ones(2, 3), rl.ones(3)) is x and x.tolist() == [3, 3]
    assert rl.index_put_(x, (rl.tensor([1]),), rl.tensor(7.0)) is x and x.tolist() == [3, 7]
    w, index, offsets = rl.arange(12.0).reshape(4, 3), rl.tensor([0, 1, 2]), rl.tensor([0, 2])
    total, bags, sizes, rows = rl.embedding_bag(w, index, offsets)
    assert total.tolist() == [[3, 5, 7], [6, 7, 8]] and bags.shape == (0,) and not sizes.any()
    mean, bags, sizes, rows = rl.embedding_bag(w, index, offsets, mode=1)
    assert bags.tolist() == [0, 0, 1] and sizes.tolist() == rows.tolist() == [2, 1]
    top, _, _, rows = rl.embedding_bag(w, index, offsets, mode=2)
    assert rows.tolist() == [[1, 1, 1], [2, 2, 2]] and rl.equal(top, w[1:3])


# ---- batch normalisation in parts -------------------------------------------------------------


def test_parts_of_a_batch_normalise_like_the_whole():
    rl.manual_seed(0)
    x, g = rl.randn(6, 3, 2, dtype=rl.float64), rl.randn(6, 3, 2, dtype=rl.float64)
    weight, bias = rl.randn(3, dtype=rl.float64), rl.randn(3, dtype=rl.float64)
    eps, parts = 1e-5, (x[:2], x[2:])
    running = [rl.zeros(3, dtype=rl.float64), rl.ones(3, dtype=rl.float64)]
    expected_running = [r.clone() for r in running]
    whole = x.clone().requires_grad_()
    w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    expected = rl.nn.functional.batch_norm(whole, *expected_running, w, b, True, 0.1, eps)
    expected.backward(g)
    stats = [rl.batch_norm_stats(part, eps) for part in parts]
    counts = rl.tensor([part.numel() // 3 for part in parts])
    mean, invstd = rl.batch_norm_gather_stats_with_counts(
        x,
        rl.stack([s[0] for s in stats]),
        rl.stack([s[1] for s in stats]),
        *running,
        0.1,
        eps,
        counts,
    )
    out = rl.cat([rl.batch_norm_elemt(p, weight, bias, mean, invstd, eps) for p in parts])
    rl.testing.assert_close(out, expected.detach())
    rl.testing.assert_close(running, expected_running)
    sums = [
        rl.batch_norm_backward_reduce(part_g, part, mean, invstd, weight, True, True, True)
        for part_g, part in zip((g[:2], g[2:]), parts)
    ]
    dy, dy_xmu, grad_weight, grad_bias = (a + b for a, b in zip(*sums))
    grad = rl.batch_norm_backward_elemt(g, x, mean, invstd, weight, dy, dy_xmu, counts)
    rl.testing.assert_close((grad, grad_weight, grad_bias), (whole.grad, w.grad, b.grad))


# ---- gradients --------------------------------------------------------------------------------


@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_lie_in_memory_as_their_tensors(create_graph):
    p = rl.empty(2, 3, 4).permute(2, 0, 1).requires_grad_()
    (p * p).sum().backward(create_graph=create_graph)
    assert p.grad.stride() == p.stride() and rl.equal(p.grad, 2 * p)
    gaps = rl.zeros(4, 4)[:, ::2].requires_grad_()
    gaps.backward(rl.ones(2, 4).t())
    assert gaps.grad.is_contiguous()
    with rl.autograd.enforce_grad_layout_policy(False):
        p.grad = None
        p.backward(rl.ones(4, 2, 3))
    assert p.grad.stride() == (6, 3, 1)


def test_settings_are_put_back():
    from rushlight.autograd.grad_mode import is_multithreading_enabled

    with rl.autograd.set_multithreading_enabled(False):
        assert not is_multithreading_enabled()
    assert is_multithreading_enabled()
    rl.autograd.graph.set_override_stale_capture_stream(False)
    rl.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(True)
    with pytest.raises(RuntimeError, match="compiled region"):
        rl.autograd.graph.region_activation_memory_budget(0.5)
    with pytest.raises(ValueError, match="got 2"):
        rl.autograd.graph.region_activation_memory_budget(2)
    with pytest.warns(DeprecationWarning), pytest.raises(RuntimeError, match="not static"):
        rl.autograd.NestedIOFunction()(rl.ones(1))


# ---- data pipes -------------------------------------------------------------------------------


class Numbers(data.IterDataPipe[int]):
    def __init__(self, items):
        self.items = items

    @data.runtime_validation
    def __iter__(self):
        yield from self.items


def test_items_of_another_type_are_found_while_iterating():
    assert list(Numbers([1, 2])) == [1, 2]
    with pytest.raises(RuntimeError, match="str"):
        list(Numbers([1, "2"]))
    with data.runtime_validation_disabled():
        assert list(Numbers(["2"])) == ["2"]
    with pytest.raises(TypeError, match="__next__"):

        @data.runtime_validation
        def __next__(self):
            return 1


def test_arguments_must_be_pipes_of_the_type_asked_for():
    @data.argument_validation
    def total(pipe: data.IterDataPipe[int], start=0):
        return sum(pipe, start)

    assert total(Numbers([1, 2]), 3) == 6
    with pytest.raises(TypeError, match="as a IterDataPipe"):
        total([1, 2])

    class Words(data.IterDataPipe[str]):
        pass

    with pytest.raises(TypeError, match="subtype"):
        total(Words())


def test_pipes_in_random_order_can_be_refused():
    shuffled = data.non_deterministic(lambda items, random=True: random)(Numbers)
    always = data.non_deterministic(Numbers)
    assert list(always([1])) == [1]
    with (
        pytest.raises(TypeError, match="non-deterministic"),
        data.guaranteed_datapipes_determinism(),
    ):
        always([1])
    assert list(always([2])) == [2]
    assert shuffled.__self__.cls is Numbers
    assert data.DataChunk([1, 2]).as_str() == "[1, 2]"
    assert list(data.DataChunk([1]).raw_iterator()) == [1]


# ---- subnormal numbers ------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2])
def test_subnormal_numbers_are_flushed_in_every_thread_that_works(threads):
    few, before = rl.finfo(rl.float32).tiny / 4, rl.get_num_threads()
    many = rl.full((1 << 20,), few)
    rl.set_num_threads(threads)
    try:
        assert rl.set_flush_denormal(True) and not (many * 2).any()
        assert rl.set_flush_denormal(False) and (many * 2).all()
        with pytest.raises(TypeError, match="bool"):
            rl.set_flush_denormal(1)
    finally:
        rl.set_flush_denormal(False)
        rl.set_num_threads(before)


def test_gradient_is_a_tuple():
    found = rl.gradient(rl.tensor([[1.0, 2.0], [4.0, 8.0]]))
    assert isinstance(found, tuple) and found[0].tolist() == [[3.0, 6.0]] * 2


def test_warnings_that_are_given_once_may_be_given_always():
    import warnings

    x = rl.ones(2)
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        rl.set_warn_always(True)
        try:
            rl.addcmul(x, 2, x, x)
            rl.addcmul(x, 2, x, x)
            rl.set_default_tensor_type(rl.FloatTensor)
        finally:
            rl.set_warn_always(False)
    assert [w.category for w in given] == [UserWarning] * 3


def test_the_first_fitting_format_decides_the_order_of_dimensions():
    formats = [rl.contiguous_format, rl.channels_last]
    x = rl.empty(1, 2, 2, 1)
    assert x.dim_order(ambiguity_check=formats) == (0, 1, 2, 3)
    turned = rl.empty(2, 2, 1, 2).to(memory_format=rl.channels_last)
    assert turned.dim_order(ambiguity_check=formats) == (0, 2, 3, 1)
    with pytest.raises(RuntimeError, match="more than one order"):
        x.dim_order(ambiguity_check=[rl.channels_last])
    for wrong in ("yes", [1], 3):
        with pytest.raises(TypeError, match="ambiguity_check"):
            x.dim_order(ambiguity_check=wrong)


def test_new_takes_sizes_tensors_and_data():
    x = rl.tensor([1.0, 2.0])
    assert x.new(size=(3, 4)).shape == x.new(3, 4, device="cpu").shape == (3, 4)
    assert x.new(x).data_ptr() == x.new(x.storage()).data_ptr() == x.data_ptr()
    assert x.new([3, 4]).tolist() == [3.0, 4.0]
    for wrong in (rl.tensor([1]), 3.5, "a"):
        with pytest.raises(TypeError):
            x.new(wrong)


@pytest.mark.parametrize(
    ("kind", "act"),
    [
        (ValueError, lambda: rl.manual_seed(2**64)),
        (ValueError, lambda: rl.manual_seed(-(2**63) - 1)),
        (ValueError, lambda: rl.set_num_interop_threads(2**65)),
        (RuntimeError, lambda: rl.Generator("cuda")),
        (RuntimeError, lambda: rl.device(-1)),
        (TypeError, lambda: rl.arange(3).apply_(lambda k: "text")),
        (TypeError, lambda: type("Mine", (rl.FloatTensor,), {})),
    ],
)
def test_numbers_and_devices_out_of_range(kind, act):
    with pytest.raises(kind):
        act()


def test_sparse_copies_take_their_gradients_along():
    import copy

    x = rl.zeros(3).to_sparse()
    x.grad = rl.ones(3).to_sparse()
    assert copy.deepcopy(x).grad.to_dense().tolist() == [1.0, 1.0, 1.0]


def test_batches_of_datapipes_are_made_by_the_wrapper_class():
    pipe = data.datapipes.iter.IterableWrapper([1, 2, 3])
    assert list(pipe.batch(2)) == [[1, 2], [3]]
    assert list(pipe.batch(2, wrapper_class=sum)) == [3, 3]


def test_init_is_known_by_its_inner_names():
    init, weight = rl.nn.init, rl.nn.Parameter(rl.ones(3))
    assert init._no_grad_uniform_(weight, 2.0, 3.0) is weight and weight.detach().ge(2).all()
    assert init._no_grad_normal_(weight, 5.0, 0.0).tolist() == [5.0] * 3
    assert init._no_grad_trunc_normal_(weight, 0.0, 1.0, -1.0, 1.0).detach().abs().le(1).all()
    assert init._no_grad_fill_(weight, 4.0).tolist() == [4.0] * 3
    assert init._no_grad_zero_(weight).tolist() == [0.0] * 3
