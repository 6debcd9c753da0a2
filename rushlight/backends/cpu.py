"""What this processor can do."""


def get_cpu_capability():
    """The instruction set of the kernels: "DEFAULT", "AVX2" or "AVX512".

    Example::

        >>> rl.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2", "AVX512")
        True
    """
    from rushlight import _native

    return {3: "AVX2", 4: "AVX512"}.get(_native.isa_level(), "DEFAULT")
