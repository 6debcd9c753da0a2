"""What is changed in place through views, and by whom it may be."""

import pytest

import rushlight as torch
from rushlight.autograd import Function


def test_a_view_made_without_recording_may_not_be_changed_with_it():
    base = torch.ones(2, 3, requires_grad=True).clone()
    with torch.no_grad():
        view = base.view(6)
        view.mul_(2)
    for change in (torch.Tensor.exp_, lambda x: x.unsqueeze_(0)):
        with pytest.raises(RuntimeError, match="no_grad"):
            change(view)


@pytest.mark.parametrize("name, args", [("transpose_", (0, 0)), ("squeeze_", (0,)), ("t_", ())])
def test_one_of_several_views_may_not_change_its_sizes(name, args):
    base = torch.ones(2, 3, requires_grad=True).clone()
    with pytest.raises(RuntimeError, match="multiple views"):
        getattr(base.unbind()[0], name)(*args)
    with torch.no_grad():
        part = base.unbind()[0]
        getattr(part, name)(*args)
    with pytest.raises(RuntimeError):
        part.add_(1)


def test_inference_tensors_are_changed_in_inference_mode_only():
    with torch.inference_mode():
        x = torch.ones(1, 2)
        x.transpose_(0, 1)
    with pytest.raises(RuntimeError, match="inference"):
        x.transpose_(0, 1)
    with pytest.raises(RuntimeError, match="inference"):
        torch.mul(torch.ones(2, 1), 2, out=x)


def test_retained_gradients_follow_changes_through_views():
    base = torch.ones(1, requires_grad=True).clone()
    changed, other = base[:], base[:]
    changed.retain_grad()
    other.retain_grad()
    changed.mul_(2)
    (changed + other).sum().backward()
    assert changed.grad.tolist() == other.grad.tolist() == [1.0]


class Adding(Function):
    """Adds its second argument to its first, in place."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.mark_dirty(x)
        return x.add_(y)

    @staticmethod
    def backward(ctx, grad):
        return grad, grad * 2


def test_functions_that_change_views_change_their_base():
    a, b = torch.zeros(3, 3, requires_grad=True), torch.ones(2, requires_grad=True)
    x = a.clone()
    view = x[1, 1:]
    assert Adding.apply(view, b) is view
    Adding.apply(x[2, :2], b)
    weights = torch.arange(9.0).view(3, 3)
    from_base = torch.autograd.grad((x * weights).sum(), (a, b), retain_graph=True)
    assert from_base[0].equal(weights) and from_base[1].tolist() == [20, 24]
    from_view = torch.autograd.grad((view * 3).sum(), (a, b))
    assert from_view[0].tolist() == [[0, 0, 0], [0, 3, 3], [0, 0, 0]]
    assert from_view[1].tolist() == [6, 6]


def test_functions_that_change_views_are_checked():
    class Both(Adding):
        @staticmethod
        def forward(ctx, x, y):
            ctx.mark_dirty(x)
            return x.add_(y), y * 2

    b = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="first argument"):
        Both.apply(torch.zeros(3).clone()[1:], b)
    with pytest.raises(RuntimeError, match="leaf"):
        Adding.apply(torch.zeros(3, requires_grad=True)[1:], b)


def test_second_derivatives_of_changed_views():
    x = torch.tensor([0.5, 2.0], requires_grad=True)
    view = (x + 1).view_as(x)
    torch.nn.functional.relu_(view)
    (g,) = torch.autograd.grad(view.pow(3).sum(), x, create_graph=True)
    assert torch.autograd.grad(g.sum(), x)[0].tolist() == [9.0, 18.0]


def test_resizing_counts_as_a_change():
    x = torch.rand(1)
    versions = [x.resize_(n)._version for n in (1, 3, 3)]
    assert versions == [0, 1, 1]


def test_a_view_made_without_recording_requires_what_its_base_does():
    for base in (torch.ones(4, requires_grad=True), torch.ones(4, requires_grad=True) * 2):
        with torch.no_grad():
            views = base[:2], base.view(2, 2), base.unbind()[0], base.expand(2, 4)
            apart = base.detach(), base.clone()
        assert all(v.requires_grad and v.grad_fn is None for v in views)
        assert not any(x.requires_grad for x in apart)
