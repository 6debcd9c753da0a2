"""`ONNXProgram`: an exported model, to save and to run."""

import os

import rushlight as rl

from . import errors

_LARGEST_FILE = 2_000_000_000  # of the format: 2 GB


class ONNXProgram:
    """What `export` makes.

    Attributes:
        model_proto: the `onnx.ModelProto`.
    """

    def __init__(self, model_proto, inputs, results):
        self.model_proto = model_proto
        self._inputs, self._results = inputs, results
        self._session = None

    def __repr__(self):
        graph = self.model_proto.graph
        names = ", ".join(i.name for i in graph.input), ", ".join(o.name for o in graph.output)
        return f"ONNXProgram({names[0]} -> {names[1]}, {len(graph.node)} nodes)"

    def save(
        self,
        destination,
        *,
        include_initializers=True,
        keep_initializers_as_inputs=False,
        external_data=None,
    ):
        """Writes the model to a path or a binary file.

        Args:
            external_data: weights into a file beside it, ``destination + ".data"``; by default for
                models of more than 2 GB.
        """
        if not include_initializers or keep_initializers_as_inputs:
            raise NotImplementedError(
                "ONNXProgram.save: include_initializers=False and keep_initializers_as_inputs=True "
                "are not supported; give the latter to export"
            )
        if hasattr(destination, "write"):
            destination.write(self.model_proto.SerializeToString())
            return
        from ._export import package

        path = os.fspath(destination)
        outside = self.model_proto.ByteSize() > _LARGEST_FILE if external_data is None \
            else external_data  # fmt: skip
        options = {"save_as_external_data": True, "location": os.path.basename(path) + ".data"}
        package("onnx", "save").save(self.model_proto, path, **(options if outside else {}))

    def initialize_inference_session(self, initializer=None):
        """Makes the session of onnxruntime that calls run in.

        Args:
            initializer: makes one of the serialized model, by default an
                `onnxruntime.InferenceSession` on the CPU.
        """
        from ._export import package

        serialized = self.model_proto.SerializeToString()
        if initializer is None:
            runtime = package("onnxruntime", "running a model")
            self._session = runtime.InferenceSession(serialized, providers=["CPUExecutionProvider"])
        else:
            self._session = initializer(serialized)

    def release(self):
        """Forgets the session."""
        self._session = None

    def __call__(self, *args, **kwargs):
        """Runs the model with onnxruntime on tensors; a tuple of tensors."""
        if self._session is None:
            self.initialize_inference_session()
        names = [i.name for i in self._session.get_inputs()]
        given = dict(zip(names, _flat(args)), **kwargs)
        feeds = {name: x.detach().numpy() for name, x in given.items() if name in names}
        return tuple(rl.from_numpy(x) for x in self._session.run(None, feeds))

    def verify(self, rtol=1e-3, atol=1e-4):
        """Compares onnxruntime's results with the model's on the exported arguments.

        Raises:
            OnnxExporterError: if they differ.
        """
        for i, (ours, theirs) in enumerate(zip(self._results, self(*self._inputs), strict=True)):
            if ours.shape != theirs.shape or not rl.allclose(ours, theirs, rtol, atol, True):
                raise errors.OnnxExporterError(
                    f"export: onnxruntime gives another result {i} than the model"
                )


def _flat(args):
    for arg in args:
        if isinstance(arg, (tuple, list)):
            yield from _flat(arg)
        elif isinstance(arg, rl.Tensor):
            yield arg
