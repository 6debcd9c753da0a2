"""What records and the callables made of them tell: schemas, texts, overloads, pickles."""

import copy
import pickle

import pytest

import rushlight as rl
from rushlight import _native
from rushlight.ops import _publish
from rushlight.ops._record import op, records


@pytest.fixture
def declare():
    """`op` in the internal namespace, for the length of a test."""
    before, publics = set(records), set(_publish.publics)
    yield lambda schema, body: op(schema, at=("internal",))(body)
    for name in records.keys() - before:
        del records[name]
    for key in _publish.publics.keys() - publics:
        del _publish.publics[key], _publish.table[key[0]], _publish.namespaces["internal"][key[0]]


@pytest.fixture
def overloads(declare):
    return (
        declare("_seen(Tensor self) -> Tensor", lambda self: self + 1),
        declare("_seen.by(Tensor self, int n) -> Tensor", lambda self, n: self + n),
    )


def test_each_overload_is_seen_from_its_own_record(overloads):
    first, second = overloads
    assert first.record is records["_seen"] and second.record is records["_seen.by"]
    first.vjp(self=lambda g: g)
    assert records["_seen"].differentiable_inputs == ["self"]
    assert records["_seen.by"].differentiable_inputs == []
    x = rl.zeros(1)
    assert first(x, 5).item() == second(x, 5).item() == 5  # either finds both
    assert first.__doc__.endswith("_seen.by(Tensor self, int n) -> Tensor")


def test_handlers_see_one_function_whatever_overload_it_is_called_by(overloads):
    def watch(function, args, kwargs):
        seen.append(function)
        return NotImplemented

    for function in overloads:
        seen = []
        with rl._interpose.interpose(watch):
            function(rl.ones(1), 2)
        assert overloads[0] in seen and overloads[1] not in seen


def test_a_schema_is_a_table_of_arguments():
    record = records["quantile"]
    assert record.arg_names[:2] == ("self", "q")
    assert record.defaults["interpolation"] == "linear" and record.defaults["dim"] is None
    assert records["fft2"].defaults["dim"] == (-2, -1)
    assert records["clone"].defaults["memory_format"] is rl.preserve_format
    assert records["max.dim"].result_names == ("values", "indices")
    assert records["split"].returns_list and records["copy_"].mutated == 0


def test_texts_of_schemas_are_split_outside_of_brackets_and_quotes():
    assert _native.split_arguments("int[2] a=[1, 2], str b='x, y', *, c") == [
        "int[2] a=[1, 2]",
        "str b='x, y'",
        "*",
        "c",
    ]
    assert _native.schema_constant("(1, [2.5, None], -inf)") == (1, (2.5, None), -float("inf"))
    assert _native.schema_constant("mean") == "mean"


@pytest.mark.parametrize(
    "schema, says",
    [
        ("nothing", "expected name(arguments) -> results"),
        ("f(Tensr x) -> Tensor", "no argument type 'Tensr'"),
        ("f(int n=) -> Tensor", "default is missing"),
    ],
)
def test_schemas_that_make_no_sense_say_so(declare, schema, says):
    with pytest.raises((RuntimeError, TypeError)) as raised:
        declare(schema, lambda x: x)
    assert says in str(raised.value)


def test_an_op_without_kernel_and_body_is_refused(declare):
    def body(self): ...

    with pytest.raises(NotImplementedError, match="neither a native kernel nor a body"):
        declare("_nowhere(Tensor self) -> Tensor", body)


def test_rules_may_read_only_what_there_is(declare):
    made = declare("_ruled(Tensor self) -> Tensor", lambda self: self.clone())
    with pytest.raises(TypeError, match="asks for 'other'.*arguments are self"):
        made.vjp(self=lambda g, other: g)


@pytest.mark.parametrize("function", [rl.add, rl.nn.functional.relu, rl.Tensor.add, rl.Tensor.mul_])
def test_ops_are_copied_and_pickled_by_name(function):
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.deepcopy(function) is function


def test_ops_are_made_by_records_only():
    with pytest.raises(TypeError):
        type(rl.add)()
    with pytest.raises(AttributeError):
        rl.add.__doc__ = "another"
    assert rl.add.__module__ == "torch" and rl.add.__qualname__ == "add"
