"""How the package was built."""


def show():
    """A description of the build.

    Example::

        >>> "oneDNN" in rl.__config__.show()
        True
    """
    import rushlight as rl

    return (
        f"rushlight {rl.version.rushlight}, with the names of PyTorch {rl.__version__}:\n"
        f"  - instruction set {rl.backends.cpu.get_cpu_capability()}\n"
        "  - oneDNN, OpenBLAS, OpenMP\n"
    )


def parallel_info():
    """The numbers of threads."""
    import rushlight as rl

    return (
        f"at::get_num_threads() : {rl.get_num_threads()}\n"
        f"at::get_num_interop_threads() : {rl.get_num_interop_threads()}\n"
    )
