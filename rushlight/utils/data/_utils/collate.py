"""From a list of samples to a batch.

Rules by type stand in `default_collate_fn_map`; add an entry there (or pass a map of your own to
`collate`) for a new type. Fetching samples is in `fetch.py`.
"""

import collections.abc
import copy
import re

import rushlight as rl

default_collate_err_msg_format = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)
np_str_obj_array_pattern = re.compile("[SaUO]")


def default_convert(data):
    """Turn NumPy arrays and scalars inside nested containers into tensors; leave the rest alone."""
    if isinstance(data, rl.Tensor):
        return data
    if _is_numpy(data):
        return data if _is_text_array(data) else rl.as_tensor(data)
    if isinstance(data, collections.abc.Mapping):
        return _like_mapping(data, {key: default_convert(value) for key, value in data.items()})
    if _is_namedtuple(data):
        return type(data)(*(default_convert(item) for item in data))
    if isinstance(data, tuple):
        return [default_convert(item) for item in data]
    if isinstance(data, collections.abc.Sequence) and not isinstance(data, (str, bytes)):
        return _like_sequence(data, [default_convert(item) for item in data])
    return data


def default_collate(batch):
    """Stack samples into a batch with a new first dimension, inside containers of any depth.

    Tensors and arrays are stacked, numbers become a tensor (float64 for floats), strings stay a
    list, dicts and tuples are collated entry by entry. Raises TypeError for other types and
    RuntimeError when sizes differ.

    >>> from rushlight.utils.data import default_collate
    >>> default_collate([(1, "a"), (2, "b")])
    [tensor([1, 2]), ('a', 'b')]
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch, *, collate_fn_map=None):
    """`default_collate` with a table of its own: {type or tuple of types: function}.

    Functions are called as `f(batch, collate_fn_map=...)`; an exact type wins over a base class.
    """
    first = batch[0]
    rule = _rule_for(first, collate_fn_map or {})
    if rule is not None:
        return rule(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, collections.abc.Mapping):
        columns = {k: collate([d[k] for d in batch], collate_fn_map=collate_fn_map) for k in first}
        return _like_mapping(first, columns)
    if _is_namedtuple(first):
        return type(first)(*(collate(c, collate_fn_map=collate_fn_map) for c in zip(*batch)))
    if isinstance(first, collections.abc.Sequence):
        return _collate_sequences(first, batch, collate_fn_map)
    raise TypeError(default_collate_err_msg_format.format(type(first)))


def _rule_for(sample, rules):
    exact = rules.get(type(sample))
    if exact is not None:
        return exact
    for types, rule in rules.items():
        if isinstance(sample, types):
            return rule
    return _collate_numpy if rules is default_collate_fn_map and _is_numpy(sample) else None


def _collate_sequences(first, batch, rules):
    if any(len(sample) != len(first) for sample in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    columns = [collate(column, collate_fn_map=rules) for column in zip(*batch)]
    return columns if isinstance(first, tuple) else _like_sequence(first, columns)


def _like_mapping(sample, values):
    """The values in a container of the sample's kind, or in a dict if it cannot be made."""
    try:
        if isinstance(sample, collections.abc.MutableMapping):
            clone = copy.copy(sample)
            clone.update(values)
            return clone
        return type(sample)(values)
    except TypeError:
        return values


def _like_sequence(sample, values):
    """The values in a container of the sample's kind, or in a list if it cannot be made."""
    try:
        if isinstance(sample, collections.abc.MutableSequence):
            clone = copy.copy(sample)
            for i, value in enumerate(values):
                clone[i] = value
            return clone
        return type(sample)(values)
    except TypeError:
        return values


def _is_namedtuple(data):
    return isinstance(data, tuple) and hasattr(data, "_fields")


def _is_numpy(data):
    """Whether `data` is a NumPy array or scalar, found out without importing NumPy."""
    return any(
        kind.__module__ == "numpy" and kind.__name__ in ("ndarray", "generic")
        for kind in type(data).__mro__
    )


def _is_text_array(data):
    return np_str_obj_array_pattern.search(data.dtype.str) is not None


def collate_tensor_fn(batch, *, collate_fn_map=None):
    """Stack tensors."""
    if any(getattr(sample, "layout", rl.strided) is not rl.strided for sample in batch):
        raise RuntimeError(
            "Batches of sparse tensors are not currently supported by the default collate_fn; "
            "please provide a custom collate_fn to handle them appropriately."
        )
    return rl.stack(list(batch), 0)


def _collate_numpy(batch, *, collate_fn_map=None):
    rule = collate_numpy_scalar_fn if batch[0].shape == () else collate_numpy_array_fn
    return rule(batch, collate_fn_map=collate_fn_map)


def collate_numpy_array_fn(batch, *, collate_fn_map=None):
    """Stack NumPy arrays; those of text or objects raise TypeError."""
    _refuse_text(batch[0])
    return rl.stack([rl.as_tensor(sample) for sample in batch], 0)


def collate_numpy_scalar_fn(batch, *, collate_fn_map=None):
    """NumPy scalars, in their dtype."""
    _refuse_text(batch[0])
    return rl.as_tensor([sample.item() for sample in batch], dtype=_dtype_of(batch[0]))


def _refuse_text(sample):
    if _is_text_array(sample):
        raise TypeError(default_collate_err_msg_format.format(sample.dtype))


def _dtype_of(array):
    return rl.as_tensor(array).dtype


def collate_float_fn(batch, *, collate_fn_map=None):
    """Python floats, as float64."""
    return rl.tensor(batch, dtype=rl.float64)


def collate_int_fn(batch, *, collate_fn_map=None):
    """Python ints and bools."""
    return rl.tensor(batch)


def collate_str_fn(batch, *, collate_fn_map=None):
    """Text is not stacked."""
    return batch


default_collate_fn_map = {
    rl.Tensor: collate_tensor_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}
