"""What an op record is: the decorator that parses its schema and derives everything public.

One record gives the function, the method, the in-place method, ``out=``, the operator, the
signature and docstring, and the gradient node's name. To add an op, write one record in the
module of its family; nothing here changes.
"""

from rushlight import _native

#: public name -> callable (shared with the native side); schema name -> record
table = _native.table
records = {}

_TYPES = {
    "Tensor": 0,
    "mask": 0,
    "Tensor[]": 1,
    "Tensor | Scalar": 2,
    "Scalar": 3,
    "int": 4,
    "float": 5,
    "bool": 6,
    "int[]": 7,
    "float[]": 8,
    "dtype": 9,
    "device": 10,
    "memory_format": 11,
    "layout": 12,
    "str": 13,
    "Generator": 14,
    "object": 15,
    "number": 3,
    "Any": 15,
    "any": 15,
}
#: Python operator -> slot of the tensor type; the order is that of csrc/python/tensor_type.cpp
_OPERATORS = {
    name: i
    for i, name in enumerate("+ - * / // % ** @ & | ^ << >> neg pos abs ~ < <= == != > >=".split())
}

pointwise, structural = "pointwise", "structural"
promote, to_float = 0, 1
_OUT_KINDS = {"cast": 1, "exact": 2, "disjoint": 3, "disjoint cast": 4}  # csrc/python/op.h: OutRule


class Record:
    """One operator: its schema, body, gradient rules and samples.

    Attributes:
        name: the schema's name, with the overload: ``"max.dim"``.
        public_name: without it: ``"max"``.
        reference: the composite body, or None if the op is only native.
        at: the namespaces that offer it: ``"torch"``, ``"Tensor"``, ``"nn.functional"`` ...
    """

    def __init__(self, schema, body, doc, at, inplace, kind):
        self.schema, self.doc, self.at, self.inplace, self.kind = schema, doc, at, inplace, kind
        self.name = schema.split("(", 1)[0].strip()
        self.public_name = self.name.split(".")[0]
        self.reference = None if _is_empty(body) else body
        self.sample_function = None
        self.differentiable_inputs = []
        self.gradients = {}  # number of an argument, -1 for all -> (rule, names of what it reads)

    def describe(self, args, result_names, returns_list, native_name, mutated, differentiable):
        """Notes what the schema says, and the kernel's name or None."""
        if native_name is None and self.reference is None:
            raise NotImplementedError(f"op {self.name}: neither a native kernel nor a body")
        self.arg_names, self.arg_types = [a[0] for a in args], [a[1] for a in args]
        self.defaults = {a[0]: a[4] for a in args if a[3]}
        self.result_names, self.returns_list = result_names, returns_list
        self.native_name = native_name
        self.mutated, self.differentiable = mutated, differentiable

    def samples(self, function):
        """Decorator: ``function(make)`` yields argument tuples made with ``make(*sizes)``."""
        self.sample_function = function
        return function

    def vjp(self, /, **rules):
        """Gradient rules, one per differentiable argument.

        A rule's parameters name what it gets: ``g`` (the output's gradient; a tuple for ops that
        return a list), ``g_NAME`` (that of output NAME), ``grads`` (a tuple of all; ``given``:
        with None for outputs that nothing depended on, where ``grads`` has zeros), arguments,
        ``result`` / ``resultN``, ``ARG_meta``: shape, strides and dtype of an argument, without
        keeping its data.
        """
        for arg, rule in rules.items():
            self._add_rule(self.arg_names.index(arg), rule)
            self.differentiable_inputs.append(arg)
        return self

    def vjp_all(self, rule):
        """Decorator: one rule for all inputs, ``rule(g, needs, ...)`` -> a gradient per tensor."""
        self._add_rule(-1, rule)
        self.differentiable_inputs += [
            a for a, t in zip(self.arg_names, self.arg_types) if t in (0, 1, 2)
        ]
        return rule

    def _add_rule(self, arg, rule):
        code = rule.__code__
        names = code.co_varnames[: code.co_argcount]
        _native.add_rule(self.native, arg, rule, [self._rule_input(n) for n in names])
        self.gradients[arg] = rule, names

    def _rule_input(self, name):
        if name in self.arg_names:
            return 0, self.arg_names.index(name)
        if name == "result" or (name.startswith("result") and name[6:].isdigit()):
            return 1, int(name[6:] or 0)
        if name in self.result_names:
            return 1, self.result_names.index(name)
        if name == "g":
            return (3, 0) if self.returns_list else (2, 0)
        if name == "grads":
            return 3, 0
        if name == "given":
            return 6, 0
        if name == "needs":
            return 4, 0
        if name.endswith("_meta") and name[:-5] in self.arg_names:
            return 5, self.arg_names.index(name[:-5])
        if name.startswith("g_") and name[2:] in self.result_names:
            return 2, self.result_names.index(name[2:])
        if name[0] == "g" and name[1:].isdigit():
            return 2, int(name[1:])
        raise TypeError(
            f"{self.name}: a gradient rule asks for {name!r}, which is neither an argument, "
            f"'result' nor 'g'; arguments are {', '.join(self.arg_names)}"
        )


def _split(text):
    """Splits at commas outside brackets and quotes."""
    if "=(" not in text and "=[" not in text and "'" not in text and '"' not in text:
        return [part.strip() for part in text.split(",")] if text.strip() else []
    parts, depth, start, quote = [], 0, 0, None
    for i, c in enumerate(text):
        if quote:
            quote = None if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([":
            depth += 1
        elif c in ")]":
            depth -= 1
        elif c == "," and not depth:
            parts.append(text[start:i].strip())
            start = i + 1
    last = text[start:].strip()
    return parts + [last] if last else parts


_CONSTANTS = {
    "None": None,
    "True": True,
    "False": False,
    "inf": float("inf"),
    "-inf": float("-inf"),
    "contiguous_format": _native.contiguous_format,
    "preserve_format": _native.preserve_format,
}


def _constant(text):
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] in "'\"":
        return text[1:-1]
    if text[0] in "[(":
        return tuple([_constant(t) for t in _split(text[1:-1])])
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text


_arguments = {}


def _argument(text, keyword_only):
    """``"int[2]? dim=None"`` -> what `_native.make_op` wants, and whether the op changes it."""
    key = text, keyword_only
    if key not in _arguments:  # most arguments are alike: parsing each once halves the import
        _arguments[key] = _parse_argument(text, keyword_only)
    spec, mutated = _arguments[key]
    return spec.copy(), mutated


def _parse_argument(text, keyword_only):
    declaration, equals, default = text.partition("=")
    kind, _, name = declaration.strip().rpartition(" ")
    kind = kind.strip()
    mutated = "(a!)" in kind
    kind = kind.replace("(a!)", "").replace("(a)", "")
    optional = kind.endswith("?")
    repeat = -2 if "?[]" in kind else -3 if kind.startswith("mask") else 0
    kind = kind.rstrip("?").replace("?[]", "[]").replace("Scalar | Tensor", "Tensor | Scalar")
    if kind == "ScalarType":
        kind = "dtype"
    if kind.startswith("int[") and kind != "int[]":
        repeat, kind = int(kind[4:-1]), "int[]"
    value = _constant(default.strip()) if equals else None
    return [
        name,
        _TYPES[kind],
        optional or (bool(equals) and value is None),
        bool(equals),
        value,
        keyword_only,
        repeat,
    ], mutated


def _parse(schema):
    left, arrow, returns = schema.rpartition("->")
    name, _, inside = left.strip()[:-1].partition("(")
    args, mutated, keyword_only, has_out = [], -1, False, False
    for text in _split(inside):
        if text == "*":
            keyword_only = True
            continue
        spec, changes = _argument(text, keyword_only)
        if spec[0] == "out":
            has_out = True
            continue
        if changes:
            mutated = len(args)
        args.append(spec)
    _mark_varargs(args)
    returns = returns.strip()
    names = []
    if returns.startswith("("):
        names = [
            r.split()[-1] if " " in r else f"result{i}" for i, r in enumerate(_split(returns[1:-1]))
        ]
    return name.strip(), args, mutated, has_out, names, returns.endswith("[]")


def _mark_varargs(args):
    """``f(2, 3)`` means ``f((2, 3))`` where sizes or dims are the last positional argument."""
    positional = [a for a in args if not a[5]]
    if positional and positional[-1][1] == 7 and positional[-1][6] == 0:
        positional[-1][6] = -1


def _result_type(name, names):
    if len(names) < 2 or names[0] == "result0":  # unnamed results are a plain tuple
        return None
    from rushlight.ops._results import result_type

    return result_type(name, tuple(names))


def _camel(name):
    """``log1p`` -> ``Log1P``: a capital at the start, after an underscore and after a digit."""
    letters, up = [], True
    for c in name.strip("_"):
        if c != "_":
            letters.append(c.upper() if up else c)
        up = c == "_" or c.isdigit()
    return "".join(letters)


def _grad_name(name, spaces):
    """The graph node's name, from the op's and where it is offered."""
    return ("Special" if spaces == ("special",) else "") + _camel(name) + "Backward0"


def _native_name(name, is_pointwise):
    """The name if there is a kernel of it, else None."""
    pointwise_names, kernel_names = _native_names()
    return name if name in (pointwise_names if is_pointwise else kernel_names) else None


def op(
    schema,
    *,
    kind=structural,
    dtype=promote,
    method=None,
    at=None,
    inplace=None,
    operator=None,
    kernel=None,
    differentiable=True,
    out=None,
    numbers=False,
    no_bool="",
    grad_name=None,
):
    """Declares an operator; decorates its composite body (``...`` alone: native only).

    Args:
        schema: ``"name.overload(Type arg=default, *, Type keyword) -> Tensor"``.
        kind: `pointwise` ops run one functor over broadcast operands; others have an infer/run pair
            or only a body.
        dtype: `promote` or `to_float` (integers become the default float), for pointwise ops.
        method: also a method of Tensor (default: if the first argument is a tensor and "torch"
            offers it).
        at: namespaces, by default ``("torch", "Tensor")``.
        inplace: also the method ``name_`` (default: for pointwise ops). It is a function too if the
            op has no other tensor argument, or if ``inplace="function"``.
        operator: the Python operator it implements.
        kernel: the native name, if it differs from the schema's.
        out: accepts ``out=`` (default: yes, except for views and ops that change an argument).
            ``"exact"``: of the result's very dtype (the default of structural kernels that take no
            ``dtype=``); ``"cast"``: of any dtype that the result's can be cast to (the default of
            others); ``"disjoint"``, ``"disjoint cast"``: and it shares no memory with the inputs.
        numbers: every operand may be a plain number: ``add(1, 2)`` (default: one is a tensor).
        grad_name: the graph node's name, by default the op's with Backward0; several: by the number
            of the result's dimensions, the last for all greater ones.
        no_bool: what to use instead, for a pointwise op that bool tensors are refused by.
    """

    options = dict(locals())

    def make(body, doc=None):
        name, args, mutated, has_out, result_names, returns_list = _parse(schema)
        is_pointwise = kind == pointwise
        in_place = is_pointwise if inplace is None else inplace
        spaces = _namespaces(at, method, args)
        record = Record(schema, body, doc or body.__doc__, spaces, in_place, kind)
        record.options, record.body = options, body
        record.describe(
            args,
            result_names,
            returns_list,
            _native_name(kernel or name, is_pointwise),
            mutated,
            differentiable,
        )
        record.native = _native.make_op(
            name,
            record.public_name,
            _grad_names(grad_name or _grad_name(record.public_name, spaces)),
            record.native_name,
            [tuple(a) for a in args],
            record.reference,
            _result_type(record.public_name, result_names),
            (has_out or mutated < 0) if out is None else out,
            differentiable,
            returns_list,
            is_pointwise,
            dtype,
            mutated,
            _OUT_KINDS.get(out, 0),
            numbers,
            no_bool,
        )
        records[name] = record
        public = _publish(record)
        if operator:
            _native.set_operator(_OPERATORS[operator], record.native)
        return public

    return make


def other_name(alias, *names):
    """Declares the overloads ``names`` again, all of one op, under another public name.

    All is taken from their records: forms, gradient rules, samples, the text and its example.
    """
    for original in [records[name] for name in names]:
        name = original.public_name
        options = dict(original.options)
        options["schema"] = alias + original.schema[len(name) :]
        options["kernel"], options["operator"] = original.native_name, None
        options["grad_name"] = options["grad_name"] or _grad_name(name, original.at)
        doc = f"Another name of `{name}`. " + (original.doc or "").replace(f"{name}(", f"{alias}(")
        op(**options)(original.body, doc)
        made = records[options["schema"].split("(")[0]]
        made.sample_function = original.sample_function
        for place, (rule, _) in original.gradients.items():
            made.vjp_all(rule) if place < 0 else made.vjp(**{made.arg_names[place]: rule})


def _native_names(cache=[]):
    if not cache:
        found, kernels = _native.native_names()
        cache.extend((frozenset(found), frozenset(kernels)))
    return cache


def _grad_names(names):
    return (names,) if isinstance(names, str) else tuple(names)


def _is_empty(body):
    """Is the body just a docstring and ``...``?"""
    return body.__code__.co_code in _EMPTY


def _documented():
    """."""
    ...


def _bare(): ...


_EMPTY = (_documented.__code__.co_code, _bare.__code__.co_code)


def _namespaces(at, method, args):
    if at is not None:
        places = (at,) if isinstance(at, str) else tuple(at)
        return places + ("Tensor",) if method and "Tensor" not in places else places
    first_is_tensor = bool(args) and args[0][1] in (0, 2)
    return ("torch", "Tensor") if (first_is_tensor if method is None else method) else ("torch",)


class _Public:
    """Where one public name's callables are kept while records arrive."""

    __slots__ = ("function", "method", "inplace")


_publics = {}


def _publish(record):
    """Adds the record to its name's callables; makes them on first sight."""
    key = (record.public_name, "torch" in record.at or "Tensor" in record.at or record.at)
    forms = _publics.get(key)
    if forms is None:
        forms = _publics[key] = _Public()
        forms.function = _native.make_callable([record.native], 0)
        forms.method = forms.inplace = None
        _describe(forms.function, record, record.public_name)
        for place in record.at:
            if place != "Tensor":
                _install(_place(place), record.public_name, forms.function)
        table.setdefault(record.public_name, forms.function)
    else:
        _native.add_overload(forms.function, record.native)
        forms.function.__doc__ = (forms.function.__doc__ or "") + "\n\n" + _signature(record)
    if "Tensor" in record.at:
        forms.method = _extend(forms.method, record, record.public_name, 1)
    if record.inplace and ("Tensor" in record.at or "torch" in record.at):
        forms.inplace = _extend(forms.inplace, record, record.public_name + "_", 2)
        table.setdefault(record.public_name + "_", forms.inplace)
        tensors = [t for t in record.arg_types if t in (0, 1, 2)]
        if record.inplace == "function" or len(tensors) == 1:
            _install(_place("torch"), record.public_name + "_", forms.inplace)
    forms.function.vjp, forms.function.vjp_all = record.vjp, record.vjp_all
    forms.function.samples, forms.function.record = record.samples, record
    return forms.function


def _extend(callable_, record, name, form):
    if callable_ is not None:
        _native.add_overload(callable_, record.native)
        callable_.__doc__ += "\n\n" + _signature(record)
        return callable_
    made = _native.make_callable([record.native], form)
    _describe(made, record, name)
    setattr(_native.Tensor, name, made)
    return made


def _describe(callable_, record, name):
    callable_.__name__ = callable_.__qualname__ = name
    callable_.__module__ = "torch"
    callable_.__doc__ = _signature(record) + "\n\n" + (record.doc or "")


def _signature(record):
    return record.schema


#: namespace -> {name: callable}, read by the package's modules when they are assembled
namespaces = {}


def _place(place):
    return namespaces.setdefault(place, {})


def _install(place, name, callable_):
    place[name] = callable_
