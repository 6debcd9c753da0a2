// Docstrings of the types, functions and methods that are defined natively and need more than a
// line; shorter ones stand in the method tables, and ops have theirs in their records. The first
// line is the signature that `inspect` shows: name only parameters that are accepted. To add one,
// write it below its neighbours and give it as the table's doc, or as a type's Py_tp_doc.
#pragma once

namespace rl::py::docs {

// ---- small types
inline constexpr char kDtype[] =
    R"(The type of a tensor's elements, such as ``rl.float32``: one object for each type.

Dtypes are compared and hashed by identity, and pickled by name; they cannot be made. Some can be
named and compared, but have no tensors (``rl.qint8``, ``rl.int4``): using these raises
NotImplementedError.

Example::

    >>> rl.ones(2).dtype
    torch.float32
    >>> rl.int16.itemsize, rl.int16.is_floating_point
    (2, False)
)";

inline constexpr char kLayout[] =
    R"(How the elements of a tensor are kept: ``rl.strided``, or a sparse one such as ``rl.sparse_coo``.

Layouts are compared by identity; they cannot be made.

Example::

    >>> rl.eye(2).layout
    torch.strided
    >>> rl.eye(2).to_sparse().layout
    torch.sparse_coo
)";

inline constexpr char kMemoryFormat[] =
    R"(The order in memory of a strided tensor's dimensions.

``rl.contiguous_format``: the last dimension runs fastest. ``rl.channels_last`` (4-d) and
``rl.channels_last_3d`` (5-d): dimension 1 does. ``rl.preserve_format``: that of the source.
They are compared by identity and cannot be made.

Example::

    >>> images = rl.zeros(1, 3, 4, 5).to(memory_format=rl.channels_last)
    >>> images.shape, images.stride()
    (torch.Size([1, 3, 4, 5]), (60, 1, 15, 3))
)";

inline constexpr char kDevice[] = R"(device(type, index=None)
--

Where the data of tensors are: the CPU, or "meta", for shapes and dtypes without data.

Other devices of PyTorch can be named and compared; to make a tensor there raises AssertionError.
As a context manager, a device is that of the tensors made within which are given no other.

Args:
    type (str, int or device): the kind, "cuda:1" with the index in it, or the number of a GPU.
    index (int): which of the devices of that kind; None for the current one.

Raises:
    RuntimeError: if no kind of that name is known, or the index is negative or given twice.

Example::

    >>> rl.device("cuda", 1)
    device(type='cuda', index=1)
    >>> with rl.device("meta"):
    ...     rl.ones(2).device
    device(type='meta')
)";

inline constexpr char kSize[] = R"(Size(iterable=(), /)
--

The sizes of a tensor: a tuple of ints. Slices, sums and multiples of it are Sizes too.

Raises:
    TypeError: if an item is no int.

Example::

    >>> size = rl.zeros(2, 3, 4).shape
    >>> size[1:], size.numel()
    (torch.Size([3, 4]), 24)
)";

inline constexpr char kGenerator[] = R"(Generator(device=None)
--

A stream of random numbers, as ``generator=`` of functions that draw; on the CPU only.

Equal seeds give equal numbers: PyTorch's, of its Mersenne twister. `rl.manual_seed` and others
that name no generator mean ``rl.default_generator``.

Raises:
    RuntimeError: for the device "meta".

Example::

    >>> generator = rl.Generator().manual_seed(7)
    >>> state = generator.get_state()
    >>> first = rl.rand(2, 3, generator=generator)
    >>> again = rl.rand(2, 3, generator=generator.set_state(state))
    >>> rl.equal(first, again)
    True
)";

inline constexpr char kManualSeed[] = R"(manual_seed($self, seed, /)
--

Starts the stream of this seed, an int in [-2**63, 2**64); returns the generator.

Raises:
    RuntimeError: if the seed is less.
    OverflowError: if it is more.
)";

inline constexpr char kNode[] =
    R"(An operation of the graph that gradients are computed by: the ``grad_fn`` of its results.

Nodes come of operations on tensors that require grad; they cannot be made by hand. Each has the
class of its rule, such as ``MulBackward0``, and keeps what that rule reads as ``_saved_*``.

Example::

    >>> x = rl.ones(2, requires_grad=True)
    >>> node = (x * 2).grad_fn
    >>> node.name()
    'MulBackward0'
    >>> node.next_functions[0][0].variable is x
    True
)";

// ---- storages
inline constexpr char kUntypedStorage[] =
    R"(UntypedStorage(size=0, *, sequence=None, device=None)
--

The bytes behind tensors: a sequence of ints from 0 to 255 with a fixed place in memory.

Tensors that are views of each other have one storage. It has the buffer protocol; slices share
its memory; storages are equal if they are the same memory.

Args:
    size (int or sequence): how many bytes, unset; or their values.
    sequence (sequence of int): the values, by keyword.
    device: "cpu", or "meta" for a storage without data.

Raises:
    RuntimeError: if the size is negative.
    ValueError: if a value is no byte.

Example::

    >>> x = rl.tensor([1, 2], dtype=rl.int16)
    >>> storage = x.untyped_storage()
    >>> storage.tolist()
    [1, 0, 2, 0]
    >>> storage[0] = 7
    >>> x
    tensor([7, 2], dtype=torch.int16)
)";

// ---- making tensors
inline constexpr char kTensorType[] = R"(Tensor(*args, device=None)
--

An array of numbers of one dtype, in any number of dimensions, that can record what is done to it.

Make tensors with `rl.tensor`, `rl.zeros` and their like. Called itself, as in early PyTorch, it
makes tensors of the default dtype: unset ones from sizes (ints, a Size, or ``size=``), filled ones
from a sequence (or ``data=``), and from a tensor (or ``other=``) another one on the same memory.

Raises:
    TypeError: for anything else.

Example::

    >>> rl.Tensor([1, 2])
    tensor([1., 2.])
    >>> rl.Tensor(2, 3).shape
    torch.Size([2, 3])
)";

inline constexpr char kTensor[] =
    R"(tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False)
--

A new tensor with a copy of ``data``; a leaf of the graph. See `as_tensor` to share memory.

Args:
    data: a number, nested sequences of numbers of one length on each level, a NumPy array or
        scalar, or a tensor (with a warning: ``clone()`` says it better).
    dtype (dtype): by default that of the data; the default dtype for Python's floats, int64 for
        ints, bool for bools, and for several the type that all can be promoted to.
    device: "cpu" by default, or that of a tensor given as data; "meta" keeps the shape only.
    requires_grad (bool): record operations on it.
    pin_memory (bool): there is no accelerator to pin memory for: True raises RuntimeError.

Raises:
    ValueError: if sequences of one level differ in length.
    TypeError: for text and other objects that are no numbers.
    RuntimeError: if a number does not fit the dtype, or no type is known for it.

Example::

    >>> rl.tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    >>> rl.tensor(0.5, dtype=rl.float64)
    tensor(0.5000, dtype=torch.float64)
)";

inline constexpr char kAsTensor[] = R"(as_tensor(data, dtype=None, device=None)
--

``data`` as a tensor, without a copy if it is a tensor or NumPy array of that dtype and device.

A tensor stays in its graph. Of other data a tensor is made as by `rl.tensor`, with its errors.

Args:
    data: as for `rl.tensor`.
    dtype (dtype), device: those of the data by default.

Example::

    >>> x = rl.ones(2)
    >>> rl.as_tensor(x) is x
    True
    >>> rl.as_tensor([1, 2], dtype=rl.float32)
    tensor([1., 2.])
)";

inline constexpr char kAsarray[] =
    R"(asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=None)
--

``obj`` as a tensor, on its own memory where that is possible and ``copy`` does not forbid it.

Args:
    obj: a tensor, a NumPy array or scalar, an object with DLPack's or the buffer protocol, a number
        or nested sequences. The bytes of a buffer are taken as elements of ``dtype``.
    dtype (dtype), device: those of ``obj`` by default; the default dtype for a buffer.
    copy (bool): True for a copy always, False for none ever, None for one if there is need.
    requires_grad (bool): False for a result outside of the graph; None for that of ``obj``, with
        a warning if it is True.

Raises:
    ValueError: if ``copy`` is False and the memory cannot be shared.

Example::

    >>> data = bytearray(4)
    >>> x = rl.asarray(data, dtype=rl.uint8)
    >>> data[1] = 9
    >>> x
    tensor([0, 9, 0, 0], dtype=torch.uint8)
)";

inline constexpr char kFromNumpy[] = R"(from_numpy(ndarray, /)
--

A tensor of the array's shape and dtype on its memory: each sees what is written to the other.

Raises:
    TypeError: if it is no NumPy array, or there is no dtype for its elements.
    ValueError: if a stride is negative, or no whole number of elements.

Example::

    >>> import numpy
    >>> array = numpy.zeros(3)
    >>> x = rl.from_numpy(array)
    >>> x[0] = 5
    >>> array.tolist()
    [5.0, 0.0, 0.0]
)";

inline constexpr char kFromBuffer[] =
    R"(frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False)
--

A 1-d tensor on the memory of an object with the buffer protocol; of a read-only one with a warning.

Args:
    buffer: such as bytes, a bytearray, an ``array.array`` or a memory map.
    dtype (dtype): what the bytes are taken for.
    count (int): how many elements; all that follow the offset if negative.
    offset (int): how many bytes to leave out first.

Raises:
    ValueError: if the buffer is empty, shorter than what is asked for, or has bytes left over.

Example::

    >>> rl.frombuffer(bytearray(b"\x01\x00\x02\x00"), dtype=rl.int16)
    tensor([1, 2], dtype=torch.int16)
)";

inline constexpr char kFromDlpack[] = R"(from_dlpack(ext_tensor, *, device=None, copy=None)
--

A tensor on the memory of another library's array, by the DLPack protocol.

Args:
    ext_tensor: an object with ``__dlpack__``, or a DLPack capsule, which can be used once.
    device: "cpu"; others raise NotImplementedError.
    copy (bool): whether the producer is to make a copy; it decides if None.

Raises:
    RuntimeError: if ``ext_tensor`` is neither, or the capsule has been used.
    TypeError: if there is no dtype for its elements.
    BufferError: if its memory is not the CPU's.

Example::

    >>> import numpy
    >>> rl.from_dlpack(numpy.arange(3, dtype="int32"))
    tensor([0, 1, 2], dtype=torch.int32)
)";

// ---- dtypes of results
inline constexpr char kPromoteTypes[] = R"(promote_types(type1, type2)
--

The smallest dtype that holds the values of both, except that floats need not hold large integers.

Raises:
    TypeError: if either is no dtype.

Example::

    >>> rl.promote_types(rl.int32, rl.float16)
    torch.float16
    >>> rl.promote_types(rl.uint8, rl.int8)
    torch.int16
)";

inline constexpr char kResultType[] = R"(result_type(tensor, other)
--

The dtype of the sum of two tensors or numbers.

Tensors with dimensions count before those without, and these before numbers: what counts less
changes the dtype only if it is of a higher kind (bool, integer, float, complex). Two numbers may
also be given as ``scalar1`` and ``scalar2``, a number and a tensor as ``scalar`` and ``tensor``.

Raises:
    TypeError: if either is neither a tensor nor a number.

Example::

    >>> rl.result_type(rl.ones(2, dtype=rl.int8), 3)
    torch.int8
    >>> rl.result_type(rl.ones(2, dtype=rl.int8), 3.5)
    torch.float32
)";

inline constexpr char kCanCast[] = R"(can_cast(from_, to)
--

Whether an in-place operation may write results of dtype ``from_`` to a tensor of dtype ``to``.

Not from a higher kind to a lower one: complex, float, integer, bool, in this order. That numbers
may lose digits or be cut off is no obstacle.

Raises:
    TypeError: if either is no dtype.

Example::

    >>> rl.can_cast(rl.float64, rl.float32)
    True
    >>> rl.can_cast(rl.float32, rl.int64)
    False
)";

// ---- settings
inline constexpr char kGetDefaultDtype[] = R"(get_default_dtype()
--

The dtype of tensors made of Python's floats, and of new tensors that are given none.

Example::

    >>> rl.get_default_dtype()
    torch.float32
)";

inline constexpr char kSetDefaultDtype[] = R"(set_default_dtype(d, /)
--

Sets the dtype of tensors made of Python's floats, and of new tensors that are given none.

Complex tensors get the dtype that has two of it.

Raises:
    TypeError: if ``d`` is no floating-point dtype.

Example::

    >>> rl.set_default_dtype(rl.float64)
    >>> rl.tensor(0.5).dtype, rl.tensor(1j).dtype
    (torch.float64, torch.complex128)
    >>> rl.set_default_dtype(rl.float32)
)";

inline constexpr char kGetNumThreads[] = R"(get_num_threads()
--

How many threads an operation may use.

Example::

    >>> rl.get_num_threads() >= 1
    True
)";

inline constexpr char kSetNumThreads[] = R"(set_num_threads(nthreads, /)
--

Sets how many threads an operation may use, the calling one included.

Raises:
    RuntimeError: if it is less than 1.
    TypeError: if it is no int.

Example::

    >>> before = rl.get_num_threads()
    >>> rl.set_num_threads(1)
    >>> rl.get_num_threads()
    1
    >>> rl.set_num_threads(before)
)";

inline constexpr char kIsGradEnabled[] = R"(is_grad_enabled()
--

Whether this thread records operations for gradients; see `rl.no_grad`.

Example::

    >>> with rl.no_grad():
    ...     rl.is_grad_enabled()
    False
)";

inline constexpr char kIsInferenceModeEnabled[] = R"(is_inference_mode_enabled()
--

Whether this thread is in inference mode; see `rl.inference_mode`.

Example::

    >>> with rl.inference_mode():
    ...     rl.is_inference_mode_enabled()
    True
)";

// ---- methods of tensors
inline constexpr char kItem[] = R"(item($self, /)
--

The value of a tensor of one element as a Python number.

Raises:
    RuntimeError: if there is more than one element, or none.

Example::

    >>> rl.tensor([2.5]).item()
    2.5
)";

inline constexpr char kTolist[] = R"(tolist($self, /)
--

The values as nested lists of Python numbers; one number for a tensor without dimensions.

Example::

    >>> rl.arange(4).view(2, 2).tolist()
    [[0, 1], [2, 3]]
)";

inline constexpr char kNewTensor[] =
    R"(new_tensor($self, data, *, dtype=None, device=None, requires_grad=False, pin_memory=False)
--

A new tensor with a copy of ``data``, by default of this tensor's dtype and device; else as
`rl.tensor`.

Example::

    >>> rl.ones(2, dtype=rl.int8).new_tensor([3, 4])
    tensor([3, 4], dtype=torch.int8)
)";

inline constexpr char kNumpy[] = R"(numpy($self, *, force=False)
--

The values as a NumPy array on this tensor's memory: each sees what is written to the other.

Args:
    force (bool): also of a tensor that requires grad, from outside of its graph.

Raises:
    RuntimeError: if it requires grad and ``force`` is False.
    TypeError: on the meta device, and for dtypes that NumPy lacks.

Example::

    >>> x = rl.zeros(2)
    >>> x.numpy()[0] = 3
    >>> x
    tensor([3., 0.])
)";

inline constexpr char kDetach[] = R"(detach($self, /)
--

The same memory as a tensor outside of the graph, which requires no grad.

Writing to it is seen by backward passes as writing to this one: the version counter is shared.

Example::

    >>> x = rl.ones(2, requires_grad=True)
    >>> (x * 2).detach()
    tensor([2., 2.])
)";

inline constexpr char kRequiresGrad[] = R"(requires_grad_($self, requires_grad=True)
--

Sets whether operations on this tensor are recorded for gradients; returns it.

Raises:
    RuntimeError: if its dtype is neither floating-point nor complex, if it is the result of a
        recorded operation and is to require no grad, or if it comes of inference mode.

Example::

    >>> rl.ones(2).requires_grad_()
    tensor([1., 1.], requires_grad=True)
)";

inline constexpr char kSet[] =
    R"(set_($self, source=None, storage_offset=0, size=None, stride=None)
--

Makes this tensor a view of other memory: of a storage, or of a tensor of its dtype. Returns it.

Args:
    source (storage or Tensor): None for an empty tensor.
    storage_offset (int), size, stride: in elements; by default those of the source, or all of a
        storage in one dimension. The storage grows if it must.

Raises:
    RuntimeError: if dtypes or devices differ, or an offset or stride is negative.

Example::

    >>> rl.zeros(0).set_(rl.arange(6.0).untyped_storage(), 1, (2,), (3,))
    tensor([1., 4.])
)";

inline constexpr char kResize[] = R"(resize_($self, *size, memory_format=...)
--

Changes the sizes, to ints or one sequence of them; returns the tensor.

Elements keep their place in memory, which grows when it must; new ones are unset.

Raises:
    RuntimeError: if the tensor requires grad, or the memory must grow and cannot be moved.

Example::

    >>> rl.tensor([1, 2, 3, 4]).resize_(2, 1)
    tensor([[1],
            [2]])
)";

}  // namespace rl::py::docs
