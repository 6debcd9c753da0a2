"""The chi-squared distribution."""

from rushlight.distributions import constraints
from rushlight.distributions.distribution import expand_parameters
from rushlight.distributions.gamma import Gamma

__all__ = ["Chi2"]


class Chi2(Gamma):
    """The sum of the squares of ``df`` normal numbers, where df is any positive real number.

    Example::

        >>> rl.distributions.Chi2(3.).variance
        tensor(6.)
    """

    arg_constraints = {"df": constraints.positive}
    expand = expand_parameters

    def __init__(self, df, validate_args=None):
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self):
        """Degrees of freedom."""
        return self.concentration * 2
