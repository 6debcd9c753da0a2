"""Gradient modes as context managers, decorators and plain calls."""

import functools

import pytest
import rushlight as torch


def records():
    return (torch.ones(1, requires_grad=True) * 2).requires_grad


def test_no_grad_and_enable_grad_nest_and_restore():
    assert records()
    with torch.no_grad():
        assert not records()
        with torch.enable_grad():
            assert records()
        assert not records()
    assert records() and torch.is_grad_enabled()


def test_mode_is_restored_after_an_error():
    with pytest.raises(KeyError), torch.no_grad():
        raise KeyError
    assert torch.is_grad_enabled()


def test_explicit_leaves_require_grad_inside_no_grad():
    with torch.no_grad():
        assert torch.ones(1, requires_grad=True).requires_grad


def test_set_grad_enabled_works_as_a_call_and_a_block():
    torch.set_grad_enabled(False)
    try:
        assert not records()
        with torch.set_grad_enabled(True):
            assert records()
        assert not records()
    finally:
        torch.set_grad_enabled(True)
    with pytest.raises(TypeError, match="must be bool"):
        torch.set_grad_enabled(0)


@pytest.mark.parametrize("decorate", [torch.no_grad(), torch.no_grad])
def test_decorated_functions_run_in_the_mode(decorate):
    @decorate
    def inside(number, *, more=0):
        """A docstring."""
        return records(), number + more

    assert inside.__name__ == "inside" and inside.__doc__ == "A docstring."
    assert inside(1, more=2) == (False, 3)
    assert records()


def test_decorating_with_set_grad_enabled_leaves_the_mode_alone():
    @torch.set_grad_enabled(False)
    def inside():
        return records()

    assert records() and not inside() and records()


def test_decorated_methods_bind():
    class Thing:
        @torch.no_grad()
        def run(self):
            return self, records()

    thing = Thing()
    assert thing.run() == (thing, False)


def test_recursive_decorated_functions():
    @torch.no_grad()
    def down(n):
        return records() if n == 0 else down(n - 1) or records()

    assert not down(5) and records()


def test_generators_hold_the_mode_only_while_they_run():
    @torch.no_grad()
    def numbers():
        seen = []
        try:
            while True:
                seen.append((yield records()))
        except ValueError:
            yield "caught", records()
        return seen

    generator = numbers()
    assert next(generator) is False and records()
    assert generator.send(1) is False and records()
    assert generator.throw(ValueError()) == ("caught", False) and records()
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == [1]


def test_generators_that_yield_from_and_close():
    closed = []

    @torch.enable_grad()
    def inner():
        try:
            yield records()
        finally:
            closed.append(records())

    with torch.no_grad():
        generator = inner()
        assert next(generator) is True and not records()
        generator.close()
        assert closed == [True] and not records()


def test_partial_generators_are_recognised():
    def count(n):
        for _ in range(n):
            yield records()

    assert list(torch.no_grad()(functools.partial(count))(2)) == [False, False]


def test_decorating_a_class_warns_and_wraps_the_constructor():
    with pytest.warns(FutureWarning):

        @torch.no_grad()
        class Thing:
            def __init__(self):
                self.recorded = records()

    assert not Thing().recorded


def test_inference_mode():
    assert not torch.is_inference_mode_enabled()
    with torch.inference_mode():
        assert torch.is_inference_mode_enabled() and not records()
        x = torch.ones(2)
        with torch.inference_mode(False):
            assert not torch.is_inference_mode_enabled() and records()
        assert torch.is_inference_mode_enabled()
    assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
    assert x.is_inference() and not torch.ones(1).is_inference()


def test_inference_tensors_cannot_be_saved_for_backward():
    with torch.inference_mode():
        x = torch.ones(2)
    with pytest.raises(RuntimeError, match="[Ii]nference tensors"):
        torch.ones(2, requires_grad=True) * x


def test_inference_mode_decorates_with_and_without_arguments():
    @torch.inference_mode
    def bare():
        return torch.is_inference_mode_enabled()

    @torch.inference_mode()
    def called():
        return torch.is_inference_mode_enabled()

    @torch.inference_mode(False)
    def off():
        return torch.is_inference_mode_enabled()

    with torch.inference_mode():
        assert not off()
    assert bare() and called() and not torch.is_inference_mode_enabled()
