"""Where operators are offered: the callables of each public name, in namespaces and on Tensor.

Names, texts and signatures are not made here: a callable reads them from its records when asked.
"""

from sys import intern

from rushlight import _native

#: public name -> callable (shared with the native side)
table = _native.table
#: namespace -> {name: callable}, read by the package's modules when they are assembled
namespaces = {}
#: public name and where it is offered -> its callables
publics = {}

_FUNCTION, _METHOD, _INPLACE = 0, 1, 2


class _Forms:
    """One public name's callables."""

    __slots__ = ("function", "method", "inplace")


def _key(record):
    at = record.at
    return record.public_name, "torch" in at or "Tensor" in at or at


def callables(record):
    """The function, the method and the in-place method that offer an op, as far as it has them."""
    forms = publics[_key(record)]
    inplace = forms.inplace if record.inplace else None
    return [form for form in (forms.function, forms.method, inplace) if form is not None]


def publish(record):
    """Adds the record to its name's callables; makes them on first sight.

    Returns the function, seen from this record.
    """
    name, at = intern(record.public_name), record.at  # found in a namespace by its address
    key = _key(record)
    forms = publics.get(key)
    if forms is None:
        forms = publics[key] = _Forms()
        forms.method = forms.inplace = None
        seen = forms.function = _native.make_callable(record, _FUNCTION, name)
        for place in at:
            if place != "Tensor":
                namespaces.setdefault(place, {})[name] = seen
        table.setdefault(name, seen)
    else:
        seen = _native.add_overload(forms.function, record)
    if "Tensor" in at:
        forms.method = _extend(forms.method, record, name, _METHOD)
    if record.inplace and ("Tensor" in at or "torch" in at):
        _publish_inplace(forms, record, intern(name + "_"))
    return seen


def _publish_inplace(forms, record, name):
    forms.inplace = _extend(forms.inplace, record, name, _INPLACE)
    table.setdefault(name, forms.inplace)
    tensors = [t for t in record.arg_types if t in (0, 1, 2)]
    if record.inplace == "function" or len(tensors) == 1:
        namespaces.setdefault("torch", {})[name] = forms.inplace


def _extend(callable_, record, name, form):
    if callable_ is not None:
        _native.add_overload(callable_, record)
        return callable_
    made = _native.make_callable(record, form, name)
    setattr(_native.Tensor, name, made)
    return made
