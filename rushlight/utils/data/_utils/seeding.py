"""Seeds of worker processes: `base_seed + worker_id`, for every generator a dataset may use.

Drawing `base_seed` is the loader's business.
"""

import importlib.util
import random
import sys

import rushlight as rl


def seed_worker(base_seed, worker_id):
    """Seed Python's, this package's and, where installed, NumPy's global generators."""
    seed = base_seed + worker_id
    random.seed(seed)
    rl.manual_seed(seed)
    if numpy_is_installed():
        import numpy

        numpy.random.seed(_generate_state(base_seed, worker_id))


def _generate_state(base_seed, worker_id):
    """The four words that seed NumPy's global generator, so that it does not follow Python's."""
    import numpy

    words = [worker_id, base_seed & 0xFFFFFFFF, base_seed >> 32, 0]
    return numpy.random.SeedSequence(words).generate_state(4).tolist()


def numpy_is_installed():
    return "numpy" in sys.modules or importlib.util.find_spec("numpy") is not None
