"""The cache of large blocks: what is freed last is handed out first, while it is warm."""

import rushlight as rl


def test_the_block_freed_last_is_taken_first():
    rl._native.empty_cache()  # a full one would keep none of these
    n = 3 * 1024 * 1024 + 12345
    first, second, third = (rl.empty(n) for _ in range(3))
    last = second.data_ptr()
    del first, third, second
    assert rl.empty(n).data_ptr() == last
    assert rl.empty(n).data_ptr() == last
