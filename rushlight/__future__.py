"""Choices about how modules convert their parameters, by the names PyTorch gives them.

`nn/modules/_convert.py` asks here; nothing else belongs here.
"""

__all__ = [
    "get_overwrite_module_params_on_conversion",
    "get_swap_module_params_on_conversion",
    "set_overwrite_module_params_on_conversion",
    "set_swap_module_params_on_conversion",
]

_overwrite = _swap = False


def set_overwrite_module_params_on_conversion(value):
    """Whether conversions such as ``module.double()`` put new parameters into the module.

    By default they keep the Parameter objects and replace their data.

    Example::

        >>> rl.__future__.set_overwrite_module_params_on_conversion(False)
    """
    global _overwrite
    _overwrite = value


def get_overwrite_module_params_on_conversion():
    """Whether conversions put new parameters into the module.

    Example::

        >>> rl.__future__.get_overwrite_module_params_on_conversion()
        False
    """
    return _overwrite


def set_swap_module_params_on_conversion(value):
    """Whether conversions and ``load_state_dict`` swap parameters with their new forms.

    The Parameter objects then stay the same, whatever the new form is; see
    ``utils.swap_tensors``.

    Example::

        >>> rl.__future__.set_swap_module_params_on_conversion(False)
    """
    global _swap
    _swap = value


def get_swap_module_params_on_conversion():
    """Whether conversions swap parameters with their new forms.

    Example::

        >>> rl.__future__.get_swap_module_params_on_conversion()
        False
    """
    return _swap
