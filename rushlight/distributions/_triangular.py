"""Solving and factoring for the distributions that hold a Cholesky factor."""

import rushlight as rl


def exactly_one(**given):
    """The name of the one argument that is not None; ValueError otherwise."""
    names = [name for name, value in given.items() if value is not None]
    if len(names) != 1:
        raise ValueError(f"Exactly one of {' or '.join(given)} may be specified, got {names}")
    return names[0]


def factor_of(name, matrix):
    """The lower Cholesky factor of the covariance that ``matrix`` gives in the way of its name."""
    if name == "scale_tril":
        return matrix
    if name == "covariance_matrix":
        return rl.linalg.cholesky(matrix)
    return factor_of_precision(matrix)


def factor_of_precision(precision):
    """The Cholesky factor of the inverse, by that of the reversed matrix: if P = U U^T with U upper
    triangular, then P^-1 = U^-T U^-1, and U^-T is lower triangular."""
    upper = rl.linalg.cholesky(precision.flip((-2, -1))).flip((-2, -1))
    identity = rl.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device)
    return rl.linalg.solve_triangular(upper.mT, identity, upper=False)


def inverse_from_factor(factor):
    """The inverse of L L^T."""
    return rl.cholesky_inverse(factor)


def half_log_det(factor):
    """½ log det(L L^T)."""
    return factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def squared_distance(factor, difference):
    """|L^-1 x|^2 for vectors x, Mahalanobis' distance; batches of L and x broadcast.

    Dimensions along which L does not vary become columns of one solve.
    """
    n = difference.shape[-1]
    lead = difference.dim() - 1 - (factor.dim() - 2)
    if factor.shape[:-2].numel() == 1 and difference.dim() > 1:
        columns = difference.reshape(-1, n).mT
        solved = rl.linalg.solve_triangular(factor.reshape(n, n), columns, upper=False)
        shape = rl.broadcast_shapes(difference.shape[:-1], factor.shape[:-2])
        return solved.pow(2).sum(-2).reshape(shape)
    if lead <= 0:
        column = difference.unsqueeze(-1)
        return rl.linalg.solve_triangular(factor, column, upper=False).pow(2).sum((-2, -1))
    columns = difference.flatten(0, lead - 1).movedim(0, -1)
    solved = rl.linalg.solve_triangular(factor, columns, upper=False)
    squares = solved.pow(2).sum(-2).movedim(-1, 0)
    return squares.unflatten(0, difference.shape[:lead])
