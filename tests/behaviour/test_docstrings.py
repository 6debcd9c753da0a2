"""Everything public says what it is: docstrings of the package's names and of its types' members.

Examples of ops are run by the conformance tests; here, those of what is defined natively.
"""

import doctest
import inspect

import pytest

import rushlight as rl

TYPES = [rl.Tensor, rl.Generator, rl.UntypedStorage, rl.Size, rl.device, rl.dtype]
MADE = type((rl.ones(1, requires_grad=True) * 2).grad_fn)  # the class of a graph node


def members(kind):
    """{name: value} of a type's public methods and attributes; plain values have no docstring."""
    found = {name: inspect.getattr_static(kind, name) for name in dir(kind) if name[0] != "_"}
    return {
        f"{kind.__name__}.{name}": value
        for name, value in found.items()
        if callable(value) or hasattr(type(value), "__get__")
    }


def is_native(value):
    """Is it defined natively, and no op?"""
    described = inspect.ismethoddescriptor(value) or inspect.isgetsetdescriptor(value)
    if isinstance(value, (staticmethod, classmethod)) or hasattr(value, "record"):
        return False
    return inspect.isbuiltin(value) or described


PUBLIC = {name: getattr(rl, name) for name in dir(rl) if name[0] != "_"}
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isbuiltin(value)}
CLASSES = {kind.__name__: kind for kind in (*TYPES, rl.layout, rl.memory_format)}
CLASSES["Node"] = rl.autograd.graph.Node
MEMBERS = {name: value for kind in (*TYPES, MADE) for name, value in members(kind).items()}
NATIVE_MEMBERS = {name: value for name, value in MEMBERS.items() if is_native(value)}
EXAMPLES = {
    name: value.__doc__
    for name, value in (FUNCTIONS | CLASSES | NATIVE_MEMBERS).items()
    if ">>>" in (value.__doc__ or "")
}


def test_every_public_callable_has_a_docstring():
    bare = [name for name, value in PUBLIC.items() if callable(value) and not value.__doc__]
    assert len(PUBLIC) > 800 and not bare


@pytest.mark.parametrize("kind", [*TYPES, MADE], ids=lambda kind: kind.__name__)
def test_every_public_member_has_a_docstring(kind):
    found = members(kind)
    assert found and not [name for name, value in found.items() if not value.__doc__]


@pytest.mark.parametrize("name", FUNCTIONS | CLASSES)
def test_native_names_have_an_example(name):
    assert "Example::" in (FUNCTIONS | CLASSES)[name].__doc__


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_native_names(name):
    names = {"rl": rl, "torch": rl}
    test = doctest.DocTestParser().get_doctest(EXAMPLES[name], names, name, None, 0)
    said = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=said.append)
    assert not said, "".join(said)


def test_native_functions_have_a_signature():
    functions = FUNCTIONS | {n: f for n, f in NATIVE_MEMBERS.items() if callable(f)}
    assert len(functions) > 60
    for name, function in functions.items():
        assert inspect.signature(function), name  # ValueError if there is none


def test_signatures_promise_what_is_accepted():
    """Each parameter that may be given by name is known by the function of that name."""
    wanted = {"tensor": "data", "as_tensor": "data", "asarray": "obj", "frombuffer": "buffer"}
    for name, first in wanted.items():
        function, given = getattr(rl, name), {first: [1]}
        parameters = inspect.signature(function).parameters
        assert next(iter(parameters)) == first
        if name == "frombuffer":
            given = {first: bytearray(4), "dtype": rl.uint8}
        made = function(**{p: given.get(p, parameters[p].default) for p in parameters})
        assert isinstance(made, rl.Tensor)


def test_arguments_go_by_pytorchs_names():
    x = rl.zeros(2, 3)
    assert x.size(dim=1) == 3 and x.size(dim=None) == (2, 3)
    assert x.stride(dim=0) == 3 and x.stride(None) == (3, 1)
    assert x.is_same_size(other=rl.ones(2, 3)) and not x.is_pinned(device="cuda")
    assert x.resize_(size=(3, 1)).shape == (3, 1)
    assert rl.Tensor(size=(2, 3)).shape == (2, 3)
    assert rl.Tensor(data=[1, 2]).tolist() == rl.Tensor(other=rl.tensor([1, 2])).tolist() == [1, 2]
    assert rl.UntypedStorage(size=3).size() == 3
    storage = rl.UntypedStorage(sequence=[1, 2])
    assert rl.UntypedStorage(2).copy_(src=storage).tolist() == [1, 2]
    assert rl.device(device="meta") == rl.device("meta")
    assert rl.can_cast(from_=rl.int8, to=rl.float32)
    assert rl.promote_types(type1=rl.int8, type2=rl.uint8) == rl.int16
    assert rl.result_type(tensor=x, other=2) == rl.result_type(scalar=2, tensor=x) == rl.float32
    assert rl.result_type(2, tensor=x) == rl.result_type(scalar1=1, scalar2=2.0) == rl.float32


@pytest.mark.parametrize(
    "call",
    [
        lambda: rl.ones(2).size(0, 1),
        lambda: rl.Tensor(3, size=(2,)),
        lambda: rl.Tensor(data=3),
        lambda: rl.Tensor(sequence=[1]),
        lambda: rl.UntypedStorage(2, sequence=[1]),
        lambda: rl.ones(2).resize_(2, size=(2,)),
        lambda: rl.device(device="cpu", index=1),
        lambda: rl.can_cast(rl.int8),
        *(lambda kind=kind: kind() for kind in (rl.dtype, rl.layout, rl.memory_format, MADE)),
    ],
)
def test_what_cannot_be_called_so_is_a_type_error(call):
    with pytest.raises(TypeError):
        call()
