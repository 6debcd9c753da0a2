"""Names for annotations of scripted code, which are Python's."""

from typing import Any, Dict, List, Optional, Tuple, Union  # noqa: F401, UP035

from rushlight.jit import Future  # noqa: F401
