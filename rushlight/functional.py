"""``torch.functional``: functions of the package that PyTorch wrote in Python, by that name.

All are ops; to add one, its name.
"""

import rushlight as rl

__all__ = """atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes broadcast_tensors
    cartesian_prod cdist chain_matmul einsum istft lu meshgrid norm pca_lowrank split stft
    svd_lowrank tensordot unique unique_consecutive unravel_index""".split()

globals().update({name: getattr(rl, name) for name in __all__})
