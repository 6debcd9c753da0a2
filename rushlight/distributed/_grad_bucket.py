"""`GradBucket`: what a hook of `DistributedDataParallel` is given to exchange."""


class GradBucket:
    """Gradients that are exchanged together, in one piece of memory.

    Args:
        buffer: the piece, of one dimension.
        gradients: views of it, one for each of the parameters.
        parameters: whose gradients they are.
        index: the bucket's number, in the order in which they are exchanged.
        is_last: whether none follows.
    """

    def __init__(self, buffer, gradients, parameters, index, is_last):
        self._buffer, self._gradients, self._parameters = buffer, gradients, parameters
        self._index, self._is_last = index, is_last

    def buffer(self):
        """The piece of memory."""
        return self._buffer

    def set_buffer(self, buffer):
        """Replaces it, for hooks that wrap others."""
        self._buffer = buffer

    def gradients(self):
        """A view for each parameter."""
        return list(self._gradients)

    def parameters(self):
        """The parameters."""
        return list(self._parameters)

    def index(self):
        """The bucket's number."""
        return self._index

    def is_last(self):
        """Does none follow?"""
        return self._is_last
