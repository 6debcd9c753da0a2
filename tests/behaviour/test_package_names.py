"""Small things that packages of PyTorch's world count on: names they import, sizes they add up.

What programs say through ``import torch`` as a whole is in test_run_launcher.py.
"""

import math
import pathlib
import subprocess
import sys
import textwrap

import numpy
import pytest

import rushlight as rl
from rushlight import _C


def test_memory_counters_see_the_bytes_of_storages():
    few, many = rl.zeros(0), rl.zeros(100)
    for storage in ("untyped_storage", "storage"):
        sizes = [sys.getsizeof(getattr(t, storage)()) for t in (few, many)]
        assert sizes[1] - sizes[0] == 400 and sizes[0] > 0


def test_distribution_helpers_by_the_names_packages_import():
    from rushlight.distributions.transforms import ExpTransform, _InverseTransform
    from rushlight.distributions.utils import _standard_normal, _sum_rightmost

    rl.manual_seed(3)
    drawn = _standard_normal((2, 3), dtype=rl.float64, device="cpu")
    rl.manual_seed(3)
    assert drawn.dtype == rl.float64
    assert rl.equal(drawn, rl.empty(2, 3, dtype=rl.float64).normal_())
    assert _sum_rightmost(rl.ones(2, 3, 4), 2).tolist() == [12, 12]
    assert isinstance(ExpTransform().inv, _InverseTransform)


def test_singular_systems_raise_what_packages_catch():
    with pytest.raises(_C._LinAlgError):
        rl.linalg.inv(rl.zeros(2, 2))


LATE_MODULES = """autograd.forward_ad distributed.algorithms.join distributed.rpc.api functional
    fx.experimental.proxy_tensor fx.passes.shape_prop jit.annotations nn.common_types
    nn.parallel.distributed nn.parallel.scatter_gather return_types"""


@pytest.mark.parametrize("path", LATE_MODULES.split())
def test_modules_are_reached_by_attributes(path):
    """After ``import rushlight`` alone, in a process that has loaded nothing else."""
    script = f"import rushlight; print(rushlight.{path}.__name__)"
    root = pathlib.Path(rl.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == f"rushlight.{path}", done.stderr


def test_annotations_of_layers_arguments():
    from rushlight.nn.common_types import _size_2_t, _size_any_opt_t

    assert _size_2_t.__args__ == (int, tuple[int, int])
    assert type(None) in _size_any_opt_t.__args__


def test_functions_by_their_older_module():
    assert rl.functional.einsum is rl.einsum and rl.functional.stft is rl.stft


def test_wrappers_of_vmap_are_made_and_opened_by_packages():
    f = _C._functorch
    rows = rl.arange(6.0).view(2, 3)
    level = f._vmap_increment_nesting(2, "error")
    inside = f._add_batch_dim(rows, 0, level)
    assert f.is_batchedtensor(inside) and not f.is_batchedtensor(rows)
    assert (f.maybe_get_level(inside), f.maybe_get_level(rows)) == (level, -1)
    assert f.get_unwrapped(inside).tolist() == rows.tolist()
    total = f._remove_batch_dim(inside.sum(), level, 2, 0)
    repeated = f._remove_batch_dim(rl.ones(3), level, 2, 1)
    assert f._vmap_decrement_nesting() == level
    assert total.tolist() == [3, 12] and repeated.shape == (3, 2)
    with pytest.raises(RuntimeError, match="expected a wrapper"):
        f.get_unwrapped(rows)
    with pytest.raises(RuntimeError, match="no function transform"):
        f._vmap_decrement_nesting()


def test_transforms_say_that_they_are_active():
    seen = []

    def f(x):
        seen.append(_C._are_functorch_transforms_active())
        return (x * x).sum()

    assert not _C._are_functorch_transforms_active()
    rl.func.grad(f)(rl.ones(2))
    rl.vmap(f)(rl.ones(2, 2))
    rl.func.jvp(f, (rl.ones(2),), (rl.ones(2),))
    assert seen == [True] * 3 and not _C._are_functorch_transforms_active()


def test_a_replaced_part_of_vmap_is_used(monkeypatch):
    parts = rl._functorch.vmap
    original, names = parts._unwrap_batched, []

    def noting(outputs, out_dims, level, size, function):
        names.append((function.__name__, out_dims, level, size))
        return original(outputs, out_dims, level, size, function)

    def double(x):
        return 2 * x

    monkeypatch.setattr(parts, "_unwrap_batched", noting)
    assert rl.vmap(double)(rl.ones(3)).tolist() == [2, 2, 2]
    assert names == [("double", 0, 1, 3)]


def test_aliases_are_told():
    x = rl.arange(4)
    assert _C._is_alias_of(x, x[1:]) and not _C._is_alias_of(x, x.clone())


def test_rows_of_sparse_matrices_as_packages_compress_them():
    rows, columns = rl.tensor([0, 0, 2]), rl.tensor([1, 3, 0])
    starts = rl._convert_indices_from_coo_to_csr(rows, 4, out_int32=True)
    assert starts.dtype is rl.int32 and starts.tolist() == [0, 2, 2, 3, 3]
    back = rl._convert_indices_from_csr_to_coo(starts, columns)
    assert back.dtype is rl.int64 and back.tolist() == [rows.tolist(), columns.tolist()]
    back = rl._convert_indices_from_csr_to_coo(starts, columns, transpose=True, out_int32=True)
    assert back.dtype is rl.int32 and back.tolist() == [columns.tolist(), rows.tolist()]
    with pytest.raises(NotImplementedError, match="int32 or int64"):
        rl._convert_indices_from_coo_to_csr(rl.ones(2), 3)
    with pytest.raises(RuntimeError, match="vector"):
        rl._convert_indices_from_coo_to_csr(rl.zeros(2, 2, dtype=rl.int64), 3)
    sums = rl._segment_reduce(rl.arange(4.0), "sum", offsets=rl.tensor([0, 1, 4]))
    assert sums.tolist() == [0, 6]


def test_segments_by_offsets_may_leave_elements_out():
    x = rl.arange(1.0, 7.0).view(3, 2).T.contiguous()  # rows 1 3 5 and 2 4 6
    offsets = rl.tensor([[0, 1, 2], [1, 1, 3]])
    sums = rl.segment_reduce(x, "sum", offsets=offsets, axis=1)
    assert sums.tolist() == [[1, 3], [0, 10]]
    for reduce, expected in (("amax", [4, 6]), ("max", [4, 6]), ("amin", [3, 5])):
        made = rl.segment_reduce(rl.arange(7.0), reduce, offsets=rl.tensor([3, 5, 7]))
        assert made.tolist() == expected
    x = rl.arange(1.0, 5.0)
    mean = rl.segment_reduce(x, "mean", offsets=rl.tensor([0, 2, 2, 4]), initial=10)
    assert mean.tolist() == [6.5, 10, 8.5]
    assert rl.segment_reduce(x, "sum", lengths=rl.tensor([1, 1]), unsafe=True).tolist() == [1, 2]
    refused = ([0, 5], [-1, 4], [0, 3, 2]), ([1, 1], [5], [-1, 5])
    names = ("offsets", "lengths")
    for given in [{n: rl.tensor(v)} for n, values in zip(names, refused) for v in values]:
        with pytest.raises(RuntimeError, match="segment_reduce"):
            rl.segment_reduce(x, "sum", **given)


@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "min", "prod"])
def test_segments_are_differentiated_and_mapped(reduce):
    x = rl.randn(2, 7, 3, dtype=rl.float64, requires_grad=True)
    offsets = rl.tensor([[0, 2, 3, 7], [1, 4, 5, 6]])

    def reduced(x):
        return rl.segment_reduce(x, reduce, offsets=offsets, axis=1, initial=0.3)

    assert rl.autograd.gradcheck(reduced, x, check_forward_ad=True)
    assert rl.autograd.gradgradcheck(reduced, x)
    many = rl.randn(4, 2, 7, 3)
    assert rl.equal(rl.func.vmap(reduced)(many), rl.stack([reduced(m) for m in many]))


def test_ties_and_nans_share_the_gradient_of_an_extreme():
    x = rl.tensor([3.0, 3.0, 1.0, float("nan"), 2.0], requires_grad=True)
    rl.segment_reduce(x, "max", lengths=rl.tensor([3, 2])).backward(rl.tensor([1.0, 2.0]))
    assert x.grad.tolist() == [0.5, 0.5, 0, 2, 0]
    x = rl.ones(2, requires_grad=True)
    rl.segment_reduce(x, "min", lengths=rl.tensor([2]), initial=0).backward(rl.ones(1))
    assert x.grad.tolist() == [0, 0]


def test_extremes_of_sparse_products_have_two_names():
    matrix = rl.tensor([[1.0, 2.0], [0.0, 3.0]]).to_sparse_csr()
    other = rl.tensor([[5.0], [1.0]])
    for reduce, expected in (("max", [[5], [3]]), ("min", [[2], [3]])):
        assert rl.sparse.mm(matrix, other, reduce).tolist() == expected
        assert rl.sparse.mm(matrix, other, "a" + reduce).tolist() == expected


def test_operators_that_only_aten_has():
    aten, x = rl.ops.aten, rl.arange(3)
    copy = aten._to_copy.default(x, dtype=rl.float64)
    assert copy.dtype is rl.float64 and copy.tolist() == [0, 1, 2]
    assert aten._to_copy(x).data_ptr() != x.data_ptr()
    with pytest.raises(NotImplementedError, match="_to_copy"):
        aten._to_copy(x, layout=rl.sparse_coo)
    matrix = rl.eye(2).to_sparse()
    made = aten._sparse_addmm.default(rl.ones(2, 2), matrix, rl.ones(2, 2), beta=2, alpha=3)
    assert made.tolist() == [[5, 5], [5, 5]]
    with pytest.raises(AttributeError, match="no_such"):
        getattr(aten, "no_such_operator")  # noqa: B009


def test_factor_of_a_precision():
    from rushlight.distributions.multivariate_normal import _precision_to_scale_tril

    precision = rl.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=rl.float64)
    factor = _precision_to_scale_tril(precision)
    assert factor[0, 1] == 0 and rl.allclose(factor @ factor.T @ precision, rl.eye(2).double())


def test_seeds_of_numpy_in_workers():
    from rushlight.utils.data._utils.worker import _generate_state

    seeds = _generate_state(123456789012, 3)
    assert seeds == [769313048, 1460814176, 2980110427, 1364817390]
    numpy.random.seed(seeds)  # takes them


def test_layers_of_vgg():
    from rushlight.vision.models.vgg import make_layers

    layers = make_layers([4, "M", 8], batch_norm=True)
    assert [type(x).__name__ for x in layers] == (
        ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Conv2d", "BatchNorm2d", "ReLU"]
    )
    assert layers(rl.ones(1, 3, 6, 6)).shape == (1, 8, 3, 3)


def test_trees_say_what_is_a_leaf_or_a_result_with_names():
    from rushlight.utils import _pytree

    result = rl.arange(3).max(0)
    assert _pytree.is_structseq_instance(result) and not _pytree.is_namedtuple_instance(result)
    assert _pytree.tree_is_leaf(3) and not _pytree.tree_is_leaf([3])
    assert _pytree.tree_is_leaf([3], is_leaf=lambda x: isinstance(x, list))
    pairs, _ = _pytree._list_flatten_with_keys([5])
    assert [(key.idx, value) for key, value in pairs] == [(0, 5)]


def test_tensors_take_the_place_of_members():
    from rushlight.nn.utils._named_member_accessor import _MISSING, swap_tensor

    layer, tensor = rl.nn.BatchNorm1d(2), rl.zeros(2)
    weight, mean = layer.weight, layer.running_mean
    assert swap_tensor(layer, "weight", tensor) is weight and layer.weight is tensor
    assert swap_tensor(layer, "weight", weight) is tensor and layer.weight is weight
    assert swap_tensor(layer, "running_mean", _MISSING) is mean
    assert "running_mean" not in layer._buffers
    layer.extra = tensor
    assert swap_tensor(layer, "extra", None) is tensor and layer.extra is None
    assert swap_tensor(layer, "other", tensor, allow_missing=True) is _MISSING
    assert layer.other is tensor
    for name, error in (("a.b", KeyError), ("", KeyError), ("no", AttributeError)):
        with pytest.raises(error, match="swap_tensor"):
            swap_tensor(layer, name, tensor)
    with pytest.raises(TypeError, match="int"):
        swap_tensor(layer, "weight", 3)


def test_hooks_of_registration_are_where_packages_look():
    from rushlight.nn.modules import module

    seen = []
    handle = module.register_module_parameter_registration_hook(lambda *args: seen.append(args[1]))
    (hook,) = module._global_parameter_registration_hooks.values()
    hook(None, "name", None)
    handle.remove()
    assert seen == ["name"] and not module._global_parameter_registration_hooks


def test_context_managers_without_arguments_decorate_with_and_without_parentheses():
    from rushlight.utils._contextlib import _NoParamDecoratorContextManager

    class counting(_NoParamDecoratorContextManager):
        entered = 0

        def __enter__(self):
            counting.entered += 1

        def __exit__(self, *exception):
            pass

    assert counting(abs)(-2) == 2 and counting()(abs)(-3) == 3
    with counting():
        pass
    assert counting.entered == 3


def test_classes_that_take_themselves_apart():
    from rushlight.utils._python_dispatch import is_traceable_wrapper_subclass

    class Flat(rl.Tensor):
        def __tensor_flatten__(self):
            return [], None

        @staticmethod
        def __tensor_unflatten__(inner, context, size, stride):
            return rl.ones(1).as_subclass(Flat)

    assert is_traceable_wrapper_subclass(rl.ones(1).as_subclass(Flat))
    assert not is_traceable_wrapper_subclass(rl.ones(1)) and not is_traceable_wrapper_subclass(3)


def test_modules_of_devices():
    assert rl._utils._get_device_module("cpu") is rl.cpu
    with pytest.raises(RuntimeError, match="no module"):
        rl._utils._get_device_module("abc")


def test_the_number_of_an_open_dual_level():
    from rushlight.autograd import forward_ad

    assert forward_ad._current_level == -1
    with forward_ad.dual_level():
        assert forward_ad._current_level == 0
    assert forward_ad._current_level == -1


def test_nan_in_a_segment_shares_the_gradient_of_its_extreme():
    for reduce, last in (("max", [0, 1]), ("min", [1, 0])):
        x = rl.tensor([1.0, math.nan, 2, math.nan, 3, 4], requires_grad=True)
        y = rl.segment_reduce(x, reduce, lengths=rl.tensor([4, 2]))
        y.sum().backward()
        assert y[0].isnan() and x.grad.tolist() == [0, 0.5, 0, 0.5, *last]


def test_segments_of_no_elements():
    lengths = rl.zeros(0, dtype=rl.int64)
    assert rl.segment_reduce(rl.ones(0), "sum", lengths=lengths).shape == (0,)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("fft", "rfftn"),
        ("special", "erfcx"),
        ("masked", "MaskedTensor"),
        ("optim", "RMSprop"),
        ("nn.utils", "weight_norm"),
    ],
)
def test_a_star_import_brings_names_that_load_on_first_use(module, name):
    found = {}
    exec(f"from rushlight.{module} import *", found)
    assert callable(found[name])
    assert "namespaces" not in found


def test_gradients_of_segments_pass_by_their_start_and_single_nans():
    nan, lengths = float("nan"), rl.tensor([1, 2, 3])
    x = rl.tensor([1.0, nan, 3, 3, 3, 2], requires_grad=True)
    rl.segment_reduce(x, "max", lengths=lengths, initial=3.0).sum().backward()
    assert x.grad.tolist() == [0, 1, 0, 0.5, 0.5, 0]
    x.grad = None
    rl.segment_reduce(x, "prod", lengths=lengths).sum().backward()
    assert str(x.grad.tolist()) == str([1.0, 3.0, nan, 6.0, 6.0, 9.0])


def test_switches_of_back_ends_can_be_frozen():
    program = """
        import rushlight as rl
        assert not rl.backends.flags_frozen()
        rl.backends.disable_global_flags()
        assert rl.backends.flags_frozen()
        for module in (rl.backends.cudnn, rl.backends.mkldnn):
            try:
                module.enabled = False
            except RuntimeError as error:
                assert "flags(enabled=" in str(error)
            else:
                raise AssertionError
            with module.flags(enabled=False):
                assert not module.enabled
        assert rl.backends.cudnn.enabled
        rl.backends.opt_einsum.enabled = False
    """
    root = pathlib.Path(rl.__file__).absolute().parents[1]
    command = [sys.executable, "-c", textwrap.dedent(program)]
    subprocess.run(command, check=True, timeout=60, cwd=root)


def test_earlier_places_of_spread_tensors():
    from rushlight.distributed import _tensor, tensor
    from rushlight.distributed._tensor.experimental import implicit_replication

    assert _tensor.DTensor is tensor.DTensor
    with implicit_replication():
        pass


def test_parts_of_collate_by_name():
    from rushlight.utils.data._utils import collate

    assert collate.np_str_obj_array_pattern.search(numpy.array(["a"]).dtype.str)
    assert not collate.np_str_obj_array_pattern.search(numpy.zeros(1).dtype.str)
    stacked = collate.collate_numpy_array_fn([numpy.zeros(2), numpy.ones(2)])
    assert stacked.tolist() == [[0, 0], [1, 1]] and stacked.dtype == rl.float64
    assert collate.collate_numpy_scalar_fn([numpy.int8(1)]).dtype == rl.int8
    for batch in ([numpy.array(["a"])], [numpy.array([None])]):
        with pytest.raises(TypeError):
            collate.default_collate(batch)
