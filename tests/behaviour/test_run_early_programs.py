"""Programs as they were written for PyTorch 0.3, under the launcher."""

from test_run_launcher import output, run

SQUARE = """
import torch
from torch.autograd import Function, Variable

class Square(Function):
    def __init__(self, factor):
        super(Square, self).__init__()
        self.factor = factor

    def forward(self, x):
        self.save_for_backward(x)
        return x * x * self.factor

    def backward(self, grad):
        x, = self.saved_tensors
        assert self.needs_input_grad == (True,)
        return 2 * x * grad * self.factor
"""


def test_functions_with_instance_methods_run_and_say_so_once(tmp_path):
    process = run(
        tmp_path,
        SQUARE
        + """
x = Variable(torch.Tensor([1, 3]), requires_grad=True)
for turn in range(2):
    Square(2.0)(x).sum().backward()
print(x.grad.tolist())
""",
    )
    assert process.stdout == "[8.0, 24.0]\n", process.stderr
    assert process.stderr.count("static methods now") == 1


def test_functions_with_static_methods_are_still_not_called(tmp_path):
    process = run(
        tmp_path,
        """
import torch

class Same(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x

Same()(torch.ones(1))
""",
    )
    assert process.returncode == 1 and "Same.apply" in process.stderr


def test_data_0_of_a_single_number_is_the_number(tmp_path):
    (tmp_path / "beside.py").write_text("def number(loss):\n    return loss.data[0]\n")
    process = run(
        tmp_path,
        """
import torch, beside

class Row:
    data = [5, 6]

loss = torch.ones(3).sum()
print(loss.data[0] + 1, beside.number(loss), torch.ones(2, 2).data[0], Row.data[0])
try:
    loss[0]
except IndexError:
    print("no elements")
""",
    )
    assert process.stdout == "4.0 3.0 tensor([1., 1.]) 5\nno elements\n", process.stderr
    assert process.stderr.count("x.item()") == 1


def test_a_training_loop_of_the_time(tmp_path):
    source = (
        SQUARE
        + """
import torch.nn as nn, torch.optim as optim
torch.manual_seed(0)
x, w = Variable(torch.randn(4, 3)), nn.Parameter(torch.randn(3, 1))
nn.init.xavier_uniform(w)
optimizer, criterion = optim.SGD([w], lr=0.1), nn.MSELoss(size_average=False)
for step in range(3):
    optimizer.zero_grad()
    loss = criterion(Square(2.0)(x.mm(w)), Variable(torch.ones(4, 1), volatile=False))
    loss.backward()
    nn.utils.clip_grad_norm([w], 1.0)
    optimizer.step()
    print("%.4f" % loss.data[0])
"""
    )
    assert output(tmp_path, source) == ["8.4123", "4.2702", "2.5664"]
