"""Losses as `torch` offers them, with a number for the reduction. To add one: a line."""

from rushlight.ops._elementwise import with_example
from rushlight.ops.native_forms import _F, _named, _op

_REDUCTIONS = ("none", "mean", "sum")


def _loss(schema, arguments_shown, shown):
    """Declares ``torch.NAME`` from the same arguments as `nn.functional`'s but the reduction."""
    name, _, arguments = schema.partition("(")
    names = [part.split("=")[0].split()[-1] for part in arguments.split(", ") if part != "*"]

    def body(*values):
        given = dict(zip(names, values))
        given["reduction"] = _named(name, "reduction", given["reduction"], _REDUCTIONS)
        return _F[name](**given)

    body.__doc__ = with_example(
        f"As `nn.functional.{name}`; ``reduction`` is 0 (none), 1 (mean) or 2 (sum).",
        f"{name}({arguments_shown})",
        f"tensor({shown})",
    )
    _op(f"{name}.native({arguments}) -> Tensor")(body)


for _declaration in (
    (
        "binary_cross_entropy_with_logits(Tensor input, Tensor target, Tensor? weight=None, "
        "Tensor? pos_weight=None, int reduction=1",
        "rl.zeros(2), rl.ones(2)",
        "0.6931",
    ),
    (
        "cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0.0, "
        "int reduction=1",
        "rl.eye(2), rl.eye(2), rl.tensor([1., -1.])",
        "0.5000",
    ),
    (
        "hinge_embedding_loss(Tensor input, Tensor target, float margin=1.0, int reduction=1",
        "rl.tensor([0.5]), rl.tensor([-1.])",
        "0.5000",
    ),
    (
        "kl_div(Tensor input, Tensor target, int reduction=1, *, bool log_target=False",
        "rl.zeros(2), rl.ones(2), 2",
        "0.",
    ),
    (
        "margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0.0, "
        "int reduction=1",
        "rl.zeros(1), rl.ones(1), rl.ones(1)",
        "1.",
    ),
    (
        "poisson_nll_loss(Tensor input, Tensor target, bool log_input, bool full, float eps, "
        "int reduction",
        "rl.zeros(1), rl.ones(1), True, False, 1e-8, 1",
        "1.",
    ),
    (
        "triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1.0, "
        "float p=2.0, float eps=1e-06, bool swap=False, int reduction=1",
        "rl.zeros(1, 2), rl.zeros(1, 2), rl.zeros(1, 2)",
        "1.",
    ),
    (
        "ctc_loss(Tensor log_probs, Tensor targets, any input_lengths, any target_lengths, "
        "int blank=0, int reduction=1, bool zero_infinity=False",
        "rl.zeros(1, 1, 2), rl.tensor([[1]]), rl.tensor([1]), rl.tensor([1])",
        "0.",
    ),
):
    _loss(*_declaration)
