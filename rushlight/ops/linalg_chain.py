"""Products of several matrices, in the order that needs the fewest operations."""

import rushlight as rl
from rushlight._interpose import overridable
from rushlight.ops._record import namespaces, op


@op("multi_dot(Tensor[] tensors) -> Tensor", at="linalg", out="exact")
def multi_dot(tensors):
    """The product of matrices (the first and last may be vectors), in the order that needs the
    fewest operations.

    Example::

        >>> rl.linalg.multi_dot([rl.ones(2, 3), rl.ones(3, 4), rl.ones(4, 1)])
        tensor([[12.],
                [12.]])
    """
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    first, last = tensors[0], tensors[-1]
    matrices = [first.unsqueeze(0) if first.dim() == 1 else first, *tensors[1:-1]]
    matrices.append(last.unsqueeze(1) if last.dim() == 1 else last)
    for i, matrix in enumerate(matrices):
        if matrix.dim() != 2:
            raise RuntimeError(
                f"multi_dot(): tensor {i} must be 2D (the first and last may be 1D) but got "
                f"{matrix.dim()}D"
            )
    product = _in_best_order(matrices)
    product = product.squeeze(-1) if last.dim() == 1 else product
    return product.squeeze(0) if first.dim() == 1 else product


@overridable
def chain_matmul(*matrices, out=None):
    """Product of several matrices in the order that needs the fewest operations.

    Example::

        >>> rl.chain_matmul(rl.ones(2, 3), rl.ones(3, 4), rl.ones(4, 1)).shape
        torch.Size([2, 1])
    """
    for i, matrix in enumerate(matrices):
        if not isinstance(matrix, rl.Tensor):
            raise TypeError(
                f"chain_matmul(): expected Tensor as element {i}, got {type(matrix).__name__}; "
                "matrices are separate arguments"
            )
    if not matrices:
        raise RuntimeError("chain_matmul(): expects one or more matrices, got none")
    for matrix in matrices:
        if matrix.dim() != 2:
            raise RuntimeError(
                f"chain_matmul(): Tensor dimension is {matrix.dim()}, expected 2 instead."
            )
    if len(matrices) == 1:
        return matrices[0]
    return _in_best_order(matrices, out)


def _in_best_order(matrices, out=None):
    sizes = (*[x.shape[0] for x in matrices], matrices[-1].shape[1])
    split = _known_splits.get(sizes)
    if split is None:
        if len(_known_splits) >= 256:
            _known_splits.clear()
        split = _known_splits[sizes] = _chain_splits(sizes)
    return _chain_product(matrices, split, 0, len(matrices) - 1, out)


_known_splits = {}  # sizes: where to split; programs repeat themselves


def _chain_splits(sizes):
    """Where to split each range of factors: the classical dynamic programme."""
    n = len(sizes) - 1
    cost, split = {(i, i): 0 for i in range(n)}, {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            best = min(
                range(i, j),
                key=lambda k: cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1],
            )
            split[i, j] = best
            cost[i, j] = (
                cost[i, best] + cost[best + 1, j] + sizes[i] * sizes[best + 1] * sizes[j + 1]
            )
    return split


def _chain_product(matrices, split, i, j, out=None):
    if i == j:
        return matrices[i]
    k = split[i, j]
    left = _chain_product(matrices, split, i, k)
    return rl.mm(left, _chain_product(matrices, split, k + 1, j), out=out)


namespaces["torch"]["chain_matmul"] = chain_matmul
