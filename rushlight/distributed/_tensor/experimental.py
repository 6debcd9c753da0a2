"""An earlier place of the names in `rushlight.distributed.tensor.experimental`."""

from rushlight.distributed.tensor.experimental import *  # noqa: F403
