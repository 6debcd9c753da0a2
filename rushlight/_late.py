"""What the package loads on first use, so that importing it stays cheap: its modules, the names in
it that other modules have, and the methods of Tensor that these set.

To add a name: the module that has it, in `NAMES` or, for methods of Tensor, in `METHODS`.
"""

import sys

_PACKAGE = __name__.rpartition(".")[0]

MODULES = frozenset(
    """_C __config__ __future__ _dynamo _functorch _higher_order_ops _jit_internal _ops _subclasses
    _tensor_str _utils accelerator amp autograd backends compiler cpu cuda distributed
    distributions fft func futures functional fx hub jit library linalg masked mps multiprocessing
    nested nn onnx optim overrides profiler quasirandom random return_types serialization signal
    sparse special storage testing torch_version types utils version vision xpu""".split()
)

#: module -> the names of the package that it has
NAMES = {
    "_as_torch": "install_as_torch",
    "_autocast_state": """autocast_decrement_nesting autocast_increment_nesting
        clear_autocast_cache get_autocast_cpu_dtype get_autocast_dtype get_autocast_gpu_dtype
        is_autocast_cache_enabled is_autocast_cpu_enabled is_autocast_enabled
        set_autocast_cache_enabled set_autocast_cpu_dtype set_autocast_cpu_enabled
        set_autocast_dtype set_autocast_enabled set_autocast_gpu_dtype""",
    "_checks": """_assert _assert_async _check _check_index _check_is_size _check_not_implemented
        _check_tensor_all _check_tensor_all_with _check_type _check_value _check_with""",
    "_early_linalg": "btrifact btrisolve gels gesv potrf potri potrs pstrf trtrs",
    "_forms": """_convert_indices_from_coo_to_csr _convert_indices_from_csr_to_coo
        _log_softmax_backward_data _segment_reduce _softmax_backward_data ccol_indices_copy
        col_indices_copy crow_indices_copy dsmm from_file hsmm indices_copy
        legacy_contiguous_format native_norm resize_as_sparse_ row_indices_copy saddmm
        slice_inverse spmm sym_constrain_range sym_constrain_range_for_size sym_fresh_size
        to_dlpack values_copy""",
    "_removed": "eig lstsq matrix_rank solve symeig",
    "_serialization.file_reader": "PyTorchFileReader",
    "_streams": "Event Stream",
    "_switches": """AcceleratorError OutOfMemoryError SymBool SymFloat SymInt cond
        get_deterministic_debug_mode get_device_module get_float32_matmul_precision
        get_num_interop_threads has_lapack has_openmp has_spectral
        is_deterministic_algorithms_warn_only_enabled is_warn_always_enabled newaxis
        set_deterministic_debug_mode set_float32_matmul_precision set_flush_denormal
        set_num_interop_threads set_warn_always sym_float sym_int sym_ite sym_max sym_min sym_not
        sym_sqrt sym_sum while_loop""",
    "_tags": "Tag",
    "_tensor_str": "set_printoptions",
    "_tensor_types": """BFloat16Tensor BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor
        HalfTensor IntTensor LongTensor ShortTensor set_default_tensor_type""",
    "amp": "GradScaler autocast",
    "autograd.anomaly_mode": "is_anomaly_check_nan_enabled is_anomaly_enabled set_anomaly_enabled",
    "autograd.grad_mode": "enable_grad inference_mode no_grad set_grad_enabled",
    "compiler": "compile",
    "func": "vmap",
    "futures": "Future",
    "jit": "ScriptModule",
    "overrides": "DisableTorchFunction DisableTorchFunctionSubclass",
    "serialization": "load save",
    "sparse": """hspmm smm sparse_bsc_tensor sparse_bsr_tensor sparse_compressed_tensor
        sparse_coo_tensor sparse_csc_tensor sparse_csr_tensor sspaddmm""",
    "storage": """BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage
        ComplexFloatStorage DoubleStorage FloatStorage HalfStorage IntStorage LongStorage
        ShortStorage Storage StorageBase TypedStorage""",
    "torch_version": "__version__",
}

#: module -> the members of Tensor that it sets when it is loaded
METHODS = {
    "_older_methods": """_typed_storage const_data_ptr dim_order eig index is_nonzero lstsq map2_
        record_stream reinforce resize resize_as slice_inverse solve storage_type symeig""",
    "_tensor_copies": "__deepcopy__ __reduce_ex__",
    "sparse": """_coalesced_ _dimI _dimV _indices _nnz _values ccol_indices coalesce col_indices
        crow_indices dense_dim hspmm indices is_coalesced resize_as_sparse_ row_indices smm
        sparse_dim sparse_mask sparse_resize_ sparse_resize_and_clear_ sspaddmm to_dense to_sparse
        to_sparse_bsc to_sparse_bsr to_sparse_coo to_sparse_csc to_sparse_csr values""",
}

#: module -> the members of UntypedStorage that it sets
STORAGE_METHODS = {
    "_storage_methods": """__copy__ __deepcopy__ __reduce__ __repr__ __str__ _flat _new_shared _on
        bfloat16 bool byte byteswap char complex_double complex_float cuda double filename float
        float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz from_buffer from_file get_device
        half hpu int is_hpu is_sparse_csr long mps new pin_memory short to type""",
}

_module_of = {name: module for module, names in NAMES.items() for name in names.split()}


def load(module):
    """The module of the package with this name, ``"autograd.grad_mode"``."""
    name = f"{_PACKAGE}.{module}"
    if name not in sys.modules:
        __import__(name)
        loaded(sys.modules[name])
    return sys.modules[name]


def loaded(module):
    """What is done with a module after `load`: nothing, unless the package runs as torch."""


def find(name):
    """The package's member of this name; AttributeError if it has none."""
    if name == "torch":  # `from torch import torch`
        return sys.modules[_PACKAGE]
    if name in MODULES:
        return load(name)
    if name.startswith("_foreach_"):
        return _found("_foreach", name)
    if name not in _module_of:
        raise load("_removed").absent(_PACKAGE, name)
    return _found(_module_of[name], name)


def _found(module, name):
    loaded_module = load(module)
    if not hasattr(loaded_module, name):
        raise load("_removed").absent(_PACKAGE, name)
    value = getattr(loaded_module, name)
    if name in loaded_module.__dict__:  # what a module's own `__getattr__` finds may change
        sys.modules[_PACKAGE].__dict__[name] = value
    return value


def submodules(package, modules):
    """The `__getattr__` of a package whose modules are loaded when they are asked for."""

    def find_module(name):
        if name not in modules:
            raise load("_removed").absent(package, name)
        return load(f"{package.partition('.')[2]}.{name}")

    return find_module


def names():
    """What `find` finds."""
    return {*MODULES, *_module_of}


class Member:
    """Stands for a class's member until the module that sets it is loaded."""

    __slots__ = ("cls", "module", "name")

    def __init__(self, cls, module, name):
        self.cls, self.module, self.name = cls, module, name

    def __get__(self, instance, owner=None):
        load(self.module)
        member = self.cls.__dict__[self.name]  # not a subclass's, which may be asking by super()
        return member.__get__(instance, owner)


def install(cls, table):
    """Sets the stand-ins for the members of a class that are in a table such as `METHODS`."""
    for module, members in table.items():
        for name in members.split():
            setattr(cls, name, Member(cls, module, name))


def load_all():
    """Loads all that has a name here, for those who list the package's functions and methods."""
    for module in (*NAMES, *METHODS, *STORAGE_METHODS):
        load(module)
    for name in _module_of:
        find(name)
