"""The op table is whole: every native kernel has a record and every record a text,
a name and a form.

To add a check of all records: one test here. Checks that need samples are in test_samples.py.
"""

import doctest

import pytest
from records import cases

import rushlight as rl
from rushlight import _native
from rushlight.ops import _record

by_name = pytest.mark.parametrize("case", cases, ids=repr)


def test_every_kernel_has_a_record():
    pointwise, kernels = map(set, _native.native_names())
    claimed = {case.record.native_name for case in cases}
    orphans = (pointwise | kernels) - claimed
    assert not orphans, f"native kernels that no record names: {sorted(orphans)}"


def test_every_record_has_a_kernel_or_a_body():
    pointwise, kernels = map(set, _native.native_names())
    for case in cases:
        kernel = case.record.native_name
        assert kernel is None or kernel in (
            pointwise if case.record.kind == "pointwise" else kernels
        )
        assert kernel or case.has_body, f"{case.name}: neither a kernel nor a body"


def test_every_record_is_documented():
    bare = [case.name for case in cases if not (case.record.doc or "").strip()]
    assert not bare, f"records without a docstring: {bare}"


def test_record_names_are_those_of_their_schemas():
    assert all(
        name == record.schema.split("(")[0].strip() for name, record in _record.records.items()
    )


@by_name
def test_public_forms(case):
    """The function, the method and the in-place method exist, under their names."""
    assert callable(case.function)
    for form in (case.function, case.method):
        assert form is None or form.__name__ == case.public_name
    if case.inplace is not None:
        assert case.inplace.__name__ == case.public_name + "_"
    for place in case.at:
        owner = rl.Tensor.__dict__ if place == "Tensor" else _record.namespaces[place]
        assert case.public_name in owner
    shown = case.method.__doc__ if "Tensor" in case.at else case.function.__doc__
    assert case.record.schema in shown


@by_name
def test_gradient_rules_are_for_tensors(case):
    kinds = dict(zip(case.record.arg_names, case.record.arg_types))
    for name in case.record.differentiable_inputs:
        assert kinds[name] in (0, 1, 2), f"{case.name}: {name} is not a tensor"


with_examples = [case for case in cases if ">>>" in (case.record.doc or "")]


@pytest.mark.parametrize("case", with_examples, ids=repr)
def test_docstring_example(case):
    names = {"rl": rl, "torch": rl}
    test = doctest.DocTestParser().get_doctest(case.record.doc, names, case.name, None, 0)
    said = []
    options = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    doctest.DocTestRunner(optionflags=options).run(test, out=said.append)
    assert not said, "".join(said)


def test_every_name_has_an_example():
    public = [case for case in cases if set(case.at) - {"internal"}]
    names = {(case.public_name, case.function): False for case in public}
    for case in with_examples:
        names[case.public_name, case.function] = True
    bare = [name for (name, _), shown in names.items() if not shown]
    assert not bare, f"names without an example: {sorted(bare)}"
