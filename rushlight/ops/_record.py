"""What an op record is: the decorator that declares an operator, and its gradient rules.

One record gives the function, the method, the in-place method, ``out=``, the operator, the
signature and docstring, and the gradient node's name. The schema is read natively
(csrc/python/schema.cpp); where an op is offered is `_publish`. To add an op, write one record in
the module of its family; nothing here changes.
"""

from rushlight import _native
from rushlight.ops._publish import namespaces as namespaces, publish, publics as publics
from rushlight.ops._publish import table as table

#: schema name -> record
records = {}

#: Python operator -> slot of the tensor type; the order is that of csrc/python/tensor_type.cpp
_OPERATORS = {
    name: i
    for i, name in enumerate("+ - * / // % ** @ & | ^ << >> neg pos abs ~ < <= == != > >=".split())
}

pointwise, structural = "pointwise", "structural"
promote, to_float, floats_only = 0, 1, 2


class Record(_native.Operator):
    """One operator: its schema, body, gradient rules and samples.

    Attributes:
        name: the schema's name, with the overload: ``"max.dim"``.
        public_name: without it: ``"max"``.
        reference: the composite body, or None if the op is only native.
        native_name: of its kernel, or None.
        at: the namespaces that offer it: ``"torch"``, ``"Tensor"``, ``"nn.functional"`` ...
        arg_names, arg_types, defaults, result_names, returns_list, returns_named, mutated: what
            the schema says (types by number, csrc/python/op.h: ArgType).
        gradients: number of an argument, -1 for all -> (rule, names of what it reads).
    """

    sample_function = None

    def __init__(self, schema, body, options, doc):
        self.schema, self.body, self.options, self.doc = schema, body, options, doc
        self.kind = options.get("kind", structural)
        self.reference = None if _is_empty(body) else body
        self.differentiable_inputs, self.gradients = [], {}
        self._declare(schema, self.reference, options)
        self.at = _places(options.get("at"), options.get("method"), self.arg_types)
        self.inplace = options.get("inplace", self.kind == pointwise)

    def samples(self, function):
        """Decorator: ``function(make)`` yields argument tuples made with ``make(*sizes)``."""
        self.sample_function = function
        return function

    def vjp(self, /, **rules):
        """Gradient rules, one per differentiable argument, to be run in the order given.

        A rule's parameters name what it gets: ``g`` (the output's gradient; a tuple for ops that
        return a list), ``g_NAME`` (that of output NAME), ``grads`` (a tuple of all; ``given``:
        with None for outputs that nothing depended on, where ``grads`` has zeros), arguments,
        ``result`` / ``resultN``, ``ARG_meta``: shape, strides and dtype of an argument, without
        keeping its data; ``ARG_for_OTHER``: the argument if OTHER needs a gradient, else the same.
        """
        for arg, rule in rules.items():
            self._take_rule(self.arg_names.index(arg), rule)
            self.differentiable_inputs.append(arg)
        return self

    def vjp_all(self, rule):
        """Decorator: one rule for all inputs, ``rule(g, needs, ...)`` -> a gradient per tensor."""
        self._take_rule(-1, rule)
        self.differentiable_inputs += [
            a for a, t in zip(self.arg_names, self.arg_types) if t in (0, 1, 2)
        ]
        return rule

    def _take_rule(self, arg, rule):
        code = rule.__code__
        names = code.co_varnames[: code.co_argcount]
        self._add_rule(arg, rule, names)
        self.gradients[arg] = rule, names


def op(schema, **options):
    """Declares an operator; decorates its composite body (``...`` alone: native only).

    What the decorator makes of the body is the public function, seen from this record: its ``vjp``,
    ``vjp_all``, ``samples`` and ``record`` are those of this overload.

    Args:
        schema: ``"name.overload(Type arg=default, *, Type keyword) -> Tensor"``.

    Options:
        kind: `pointwise` ops run one functor over broadcast operands; others have an infer/run pair
            or only a body: `structural`, the default.
        dtype: `promote` (default), `to_float` (integers become the default float) or `floats_only`
            (they are refused), for pointwise ops.
        method: also a method of Tensor (default: if the first argument is a tensor and "torch"
            offers it).
        at: namespaces, by default ``("torch", "Tensor")``.
        inplace: also the method ``name_`` (default: for pointwise ops). It is a function too if the
            op has no other tensor argument, or if ``inplace="function"``.
        repeated: the op that does this in place on a tensor whose dimensions repeat their elements
            (default: that is refused).
        operator: the Python operator it implements.
        differentiable: False for what has no gradient (default: True).
        kernel: the native name, if it differs from the schema's.
        out: accepts ``out=`` (default: yes, except for views, ops that change an argument, and ops
            of ``nn.functional`` whose schemas do not have it).
            ``"exact"``: of the result's very dtype (the default of structural kernels that take no
            ``dtype=``); ``"cast"``: of any dtype that the result's can be cast to (the default of
            others); ``"disjoint"``, ``"disjoint cast"``: and it shares no memory with the inputs.
        numbers: every operand may be a plain number: ``add(1, 2)`` (default: one is a tensor).
        grad_name: the graph node's name, by default the op's with Backward0; several: by the number
            of the result's dimensions, the last for all greater ones. Of a composition, whose inner
            ops are recorded: the name that the result's node has, as it is one node in PyTorch;
            True for the op's own.
        grad_name_without: ``{argument: names}``: those of calls without that argument.
        constants: arguments that are no input of the user's but made for the call, and changed by
            nobody. Rules may read them without making the node one that keeps tensors: no hook
            packs them, and backward() does not free them.
        no_bool: what to use instead, for a pointwise op that bool tensors are refused by.
        no_float8: the 8-bit floats that are refused though the kernel or the body could serve
            them: ``"all"``, or dtypes' names; ``"single"``: where the second operand has one
            element.
    """

    def make(body, doc=None):
        record = Record(schema, body, options, doc or body.__doc__)
        records[record.name] = record
        if "operator" in options:
            _native.set_operator(_OPERATORS[options["operator"]], record)
        return publish(record)

    return make


def other_name(alias, *names):
    """Declares the overloads ``names`` again, all of one op, under another public name.

    All is taken from their records: forms, gradient rules, samples, the text and its example.
    """
    for original in [records[name] for name in names]:
        name = original.public_name
        options = dict(original.options)
        options.update(kernel=original.native_name, grad_name=original.grad_names)
        options.pop("operator", None)
        schema = alias + original.schema[len(name) :]
        doc = f"Another name of `{name}`. " + (original.doc or "").replace(f"{name}(", f"{alias}(")
        made = op(schema, **options)(original.body, doc).record
        made.sample_function = original.sample_function
        for place, (rule, _) in original.gradients.items():
            made.vjp_all(rule) if place < 0 else made.vjp(**{made.arg_names[place]: rule})


def _is_empty(body):
    """Is the body just a docstring and ``...``?"""
    return body.__code__.co_code in _EMPTY


def _documented():
    """."""
    ...


def _bare(): ...


_EMPTY = (_documented.__code__.co_code, _bare.__code__.co_code)


def _places(at, method, arg_types):
    if at is not None:
        places = (at,) if isinstance(at, str) else tuple(at)
        return places + ("Tensor",) if method and "Tensor" not in places else places
    if method is None:
        method = bool(arg_types) and arg_types[0] in (0, 2)
    return ("torch", "Tensor") if method else ("torch",)
