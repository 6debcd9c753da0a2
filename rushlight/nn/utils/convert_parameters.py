"""Parameters as one vector, and back."""

import rushlight as rl

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters):
    """All parameters, flattened and joined."""
    return rl.cat([param.reshape(-1) for param in parameters])


def vector_to_parameters(vec, parameters):
    """Let the parameters be views of consecutive pieces of `vec`."""
    if not isinstance(vec, rl.Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {rl.typename(vec)}")
    start = 0
    for param in parameters:
        end = start + param.numel()
        param.data = vec[start:end].view_as(param).data
        start = end
