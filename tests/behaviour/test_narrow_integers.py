"""Ops on integers narrower than int64, and complex input with out=: which type is computed in."""

import rushlight as rl


def test_images_of_bytes_are_interpolated_in_floats_and_rounded():
    x = rl.tensor([[[[10, 20], [33, 255]]]], dtype=rl.uint8)
    big = rl.nn.functional.interpolate(x, size=(3, 3), mode="bilinear", align_corners=True)
    assert big.dtype == rl.uint8
    assert big[0, 0].tolist() == [[10, 15, 20], [22, 80, 138], [33, 144, 255]]
    big = rl.nn.functional.interpolate(x, size=(3, 3), mode="bicubic", align_corners=False)
    assert big[0, 0].tolist() == [[9, 4, 1], [12, 80, 138], [14, 155, 255]]


def test_ranges_of_narrow_integers_are_counted_before_rounding():
    assert rl.arange(1.5, 4, 1.5, dtype=rl.int8).tolist() == [1, 2]
    assert rl.arange(1.0, 4.5, dtype=rl.int32).tolist() == [1, 2, 3, 4]
    assert rl.arange(-1, -3.5, -0.9, dtype=rl.int8).tolist() == [-1, -1, -1]


def test_sums_within_einsum_may_be_wider_than_the_other_operand():
    a, b = rl.ones(2, 3, dtype=rl.int8), rl.ones(2, dtype=rl.int8)
    assert rl.einsum("ij,k->k", a, b).tolist() == [6, 6]


def test_coordinates_are_int64():
    rows, columns = rl.unravel_index(rl.tensor([1, 3], dtype=rl.int8), (2, 2))
    assert rows.dtype == columns.dtype == rl.int64


def test_norms_of_complex_matrices_are_the_same_into_out():
    a = rl.tensor([[1 + 2j, 3], [0, 4j]], dtype=rl.complex128)
    for order in ("fro", "nuc", 2, float("inf")):
        out = rl.empty(0, dtype=rl.float64)
        assert rl.equal(rl.linalg.matrix_norm(a, order, out=out), rl.linalg.matrix_norm(a, order))


def test_contractions_of_narrow_integers_stay_narrow():
    a, b = rl.ones(3, 2, 3, dtype=rl.int8), rl.full((1, 2, 3), 50, dtype=rl.int8)
    product = rl.tensordot(a, b, ([1, 0], [1, 0]))
    assert product.dtype == rl.int8 and product.tolist() == [[44] * 3] * 3  # 300 modulo 256
