"""What every test sees: one random seed, and as few threads as the machine is meant to use.

Fixtures for one file belong in that file. To add an option, add it in `pytest_addoption`.
"""

import pytest

import rushlight as rl


def pytest_addoption(parser):
    parser.addoption(
        "--all-dtypes",
        action="store_true",
        help="conformance tests also in half precision and complex",
    )


@pytest.fixture(autouse=True)
def _same_start():
    """Tests neither see each other's random numbers nor each other's default dtype."""
    rl.manual_seed(0)
    before = rl.get_default_dtype()
    yield
    rl.set_default_dtype(before)
