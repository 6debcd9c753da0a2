"""`export`: runs a model once under the recorder, and writes what it did as an ONNX model.

The package `onnx` makes the file, `onnxruntime` runs it where that is asked for; both are imported
on first use. How operators are said is in `translate`, what is seen of a run in `_recorder.py`.
"""

import contextlib
import importlib

import rushlight as rl
from rushlight import _interpose
from rushlight._notes import unsupported
from rushlight.jit import _trace
from rushlight.nn.modules.module import Module

from . import errors
from ._builder import TYPES, Graph, Node, Value
from ._modes import OperatorExportTypes, TrainingMode
from ._recorder import Recorder

DEFAULT_OPSET = 18
FIRST_OPSET = 17
_exporting = []


def is_in_onnx_export():
    """Is a model being exported?

    Example::

        >>> rl.onnx.is_in_onnx_export()
        False
    """
    return bool(_exporting)


def package(name, purpose):
    """An optional package, or an error that says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        top = name.partition(".")[0]
        raise ImportError(f"torch.onnx: {purpose} needs the package {top}: pip install {top}") \
            from error  # fmt: skip


def export(
    model,
    args=(),
    f=None,
    *,
    kwargs=None,
    verbose=None,
    input_names=None,
    output_names=None,
    opset_version=None,
    dynamo=True,
    external_data=True,
    dynamic_shapes=None,
    custom_translation_table=None,
    report=False,
    optimize=True,
    verify=False,
    profile=False,
    dump_exported_program=False,
    artifacts_dir=".",
    export_params=True,
    keep_initializers_as_inputs=False,
    dynamic_axes=None,
    training=TrainingMode.EVAL,
    operator_export_type=OperatorExportTypes.ONNX,
    do_constant_folding=True,
    custom_opsets=None,
    export_modules_as_functions=False,
    autograd_inlining=True,
):
    """Runs a model once, and writes the operators that ran as an ONNX model.

    What depends on no input becomes a constant. Python does not become part of the model:
    conditions keep the branch that they took, loops their number of turns (also those over time
    steps of recurrent layers).

    Args:
        model: a module (exported in eval mode), a traced module, or a function of tensors.
        args: a tensor, or a tuple of arguments.
        f: where to write: a path or a binary file; None: only return the program.
        kwargs: arguments by name.
        verbose: print the model's nodes.
        input_names, output_names: of the tensors among arguments and results, in their order.
        opset_version: of ONNX's operators, 17 or newer; 18 by default.
        dynamo: False returns None; there is one exporter.
        external_data: put weights into a file beside a model that exceeds 2 GB.
        dynamic_axes: {name: {dimension: its name}} or {name: [dimensions]} of sizes that may vary.
        dynamic_shapes: the same for arguments, as `torch.export` has it: a dict by argument or a
            tuple in their order, of dicts {dimension: name} or tuples.
        verify: run the model with onnxruntime, and raise if results differ.
        keep_initializers_as_inputs: list the weights among the inputs too.
        custom_opsets: {domain: version} of operators from `register_custom_op_symbolic`, 1 by
            default.
        artifacts_dir: where reports would go, which are not supported.
        optimize, do_constant_folding: have no effect: constants are folded, and nodes that nothing
            needs left out, in any case.

    Returns:
        An `ONNXProgram`.

    Raises:
        torch.onnx.errors.UnsupportedOperatorError: names the operator that has no translation.
        torch.onnx.OnnxExporterError: if views are changed in place.
        NotImplementedError: for options that are not supported.
        ImportError: without the package onnx.

    Example::

        >>> program = rl.onnx.export(rl.nn.Linear(2, 1), rl.ones(3, 2))   # doctest: +SKIP
        >>> program.save("linear.onnx")                                   # doctest: +SKIP
    """
    refused = {
        "custom_translation_table": custom_translation_table, "report": report, "profile": profile,
        "dump_exported_program": dump_exported_program,
        "export_modules_as_functions": export_modules_as_functions,
        "export_params=False": not export_params, "autograd_inlining=False": not autograd_inlining,
        "operator_export_type": operator_export_type is not OperatorExportTypes.ONNX,
        "training": training is not TrainingMode.EVAL,
    }  # fmt: skip
    for option, given in refused.items():
        if given:
            raise unsupported(f"torch.onnx.export: {option}")
    onnx = package("onnx", "export")
    opset = _opset(opset_version, onnx)
    args, kwargs = _arguments(args, kwargs, dynamo)
    inputs = _named_inputs(model, args, kwargs, input_names)
    axes = _Axes(inputs, dynamic_axes, dynamic_shapes, model, args, kwargs)
    graph = Graph(opset, axes.any_input(inputs), _tensor_names(model))
    results = _run(graph, model, args, kwargs, inputs)
    outputs = _named_outputs(graph, results, output_names)
    writer = _Writer(onnx, graph, axes, keep_initializers_as_inputs, custom_opsets or {})
    proto = writer.model(inputs, outputs)
    if verbose:
        print(onnx.printer.to_text(proto))
    from ._program import ONNXProgram

    program = ONNXProgram(proto, [t for _, t in inputs], results)
    if verify:
        program.verify()
    if f is not None:
        program.save(f, external_data=None if external_data else False)
    return program if dynamo else None


def _opset(version, onnx):
    version = DEFAULT_OPSET if version is None else version
    if not FIRST_OPSET <= version <= onnx.defs.onnx_opset_version():
        raise ValueError(
            f"torch.onnx.export: expected an opset_version from {FIRST_OPSET} to "
            f"{onnx.defs.onnx_opset_version()}, got {version}"
        )
    return version


def _arguments(args, kwargs, dynamo):
    if isinstance(args, rl.Tensor) or not isinstance(args, (tuple, list)):
        args = (args,)
    args, kwargs = list(args), dict(kwargs or {})
    if not dynamo and args and isinstance(args[-1], dict) and not kwargs:
        kwargs = args.pop()  # the older exporter's way to pass arguments by name
    return args, kwargs


# ---- names -------------------------------------------------------------------------------------


def _tensors(name, value):
    """(name, tensor) of what is in an argument."""
    if isinstance(value, rl.Tensor):
        yield name, value
    elif isinstance(value, (tuple, list)):
        for i, item in enumerate(value):
            yield from _tensors(f"{name}_{i}", item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _tensors(f"{name}_{key}", item)
    elif hasattr(value, "__dict__") and type(value).__module__ != "builtins":
        if any(isinstance(item, rl.Tensor) for item in vars(value).values()):
            raise unsupported(f"torch.onnx.export: arguments and results of {type(value)}")


def _named_arguments(model, args, kwargs):
    named = list(_trace._named_arguments(model, args, kwargs))
    return [(name or f"input_{i}", value) for i, (name, value) in enumerate(named)]


def _named_inputs(model, args, kwargs, given):
    found = [
        pair
        for name, value in _named_arguments(model, args, kwargs)
        for pair in _tensors(name, value)
    ]
    given = list(given or [])
    if len(given) > len(found):
        raise ValueError(
            f"torch.onnx.export: {len(given)} input_names for {len(found)} input tensors"
        )
    names = given + [name for name, _ in found[len(given) :]]
    return [(name, tensor) for name, (_, tensor) in zip(names, found)]


def _tensor_names(model):
    return {id(t): n for n, t in _trace._named_tensors(model)} if isinstance(model, Module) else {}


def _named_outputs(graph, results, given):
    """[(name, tensor, value)], each with a value of its own."""
    given, made = list(given or []), []
    if len(given) > len(results):
        raise ValueError(
            f"torch.onnx.export: {len(given)} output_names for {len(results)} output tensors"
        )
    for i, tensor in enumerate(results):
        name = given[i] if i < len(given) else f"output_{i}" if len(results) > 1 else "output"
        made.append((name, tensor, graph.value(tensor)))
    return made


class _Axes:
    """Which sizes may vary, by the names of inputs and outputs: {name: {dimension: its name}}."""

    def __init__(self, inputs, axes, shapes, model, args, kwargs):
        self.names = {}
        for name, dims in (axes or {}).items():
            dims = dims if isinstance(dims, dict) else {d: f"{name}_dim_{d}" for d in dims}
            self.names[name] = {int(d): str(n) for d, n in dims.items()}
        if shapes is not None:
            self._follow(inputs, shapes, _named_arguments(model, args, kwargs))

    def any_input(self, inputs):
        return any(self.names.get(name) for name, _ in inputs)

    def _follow(self, inputs, shapes, arguments):
        names = iter(name for name, _ in inputs)
        by_place = not isinstance(shapes, dict)
        for place, (argument, value) in enumerate(arguments):
            known = place < len(shapes) if by_place else argument in shapes
            spec = (shapes[place] if by_place else shapes[argument]) if known else None
            self._match(value, spec, names)

    def _match(self, value, spec, names):
        if isinstance(value, rl.Tensor):
            self._note(next(names), spec)
        elif isinstance(value, (tuple, list)):
            for i, item in enumerate(value):
                self._match(item, None if spec is None else spec[i], names)
        elif isinstance(value, dict):
            for key, item in value.items():
                self._match(item, None if spec is None else spec.get(key), names)

    def _note(self, name, spec):
        dims = dict(enumerate(spec)) if isinstance(spec, (tuple, list)) else dict(spec or {})
        varying = {d: n for d, n in dims.items() if n is not None and not isinstance(n, int)}
        if varying:
            self.names[name] = {d: _dim_name(n, name, d) for d, n in varying.items()}


def _dim_name(given, name, dim):
    if isinstance(given, str):
        return given
    own = getattr(given, "__name__", None)
    return own if own else f"{name}_dim_{dim}"


# ---- the run -----------------------------------------------------------------------------------


@contextlib.contextmanager
def _evaluating(model):
    modes = [(m, m.training) for m in model.modules()] if isinstance(model, Module) else []
    if modes:
        model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _run(graph, model, args, kwargs, inputs):
    """The results' tensors."""
    for name, tensor in inputs:
        graph.define(tensor, Value(name, tensor.dtype))
    recorder = Recorder(graph)
    _exporting.append(graph)
    _trace.tracers.append(graph)
    try:
        with _evaluating(model), rl.no_grad(), _interpose.interpose(recorder):
            result = model(*args, **kwargs)
    finally:
        _trace.tracers.pop()
        _exporting.pop()
    if hasattr(result, "to_tuple"):  # dataclasses of results, as transformers has them
        result = result.to_tuple()
    found = [tensor for _, tensor in _tensors("output", result)]
    if not found:
        raise errors.OnnxExporterError(f"torch.onnx.export: no tensors in the result {result!r}")
    return found


# ---- the model ---------------------------------------------------------------------------------


class _Writer:
    """Turns a `Graph` into a ModelProto.

    Args:
        onnx: the package.
        graph: nodes and constants.
        axes: sizes that may vary.
        all_inputs: constants are listed among the inputs.
        versions: of other domains than ONNX's.
    """

    def __init__(self, onnx, graph, axes, all_inputs, versions):
        self._onnx, self._graph, self._axes, self._all_inputs = onnx, graph, axes, all_inputs
        self._versions = versions

    def model(self, inputs, outputs):
        """The ModelProto."""
        helper, graph = self._onnx.helper, self._graph
        _name_outputs(graph, outputs)
        nodes = _needed(graph.nodes, [name for name, _, _ in outputs])
        used = {name for node in nodes for name in node.inputs}
        constants = {n: t for n, t in graph.constants.items() if n in used}
        declared = [self._describe(name, tensor) for name, tensor in inputs]
        if self._all_inputs:
            declared += [self._describe(name, tensor) for name, tensor in constants.items()]
        made = helper.make_graph(
            [self._node(i, node) for i, node in enumerate(nodes)], "main_graph", declared,
            [self._describe(name, tensor, graph.dynamic) for name, tensor, _ in outputs],
            [self._tensor(name, tensor) for name, tensor in constants.items()],
        )  # fmt: skip
        own = helper.make_opsetid("", graph.opset)
        domains = sorted({_domain(node) for node in nodes} - {""})
        others = [helper.make_opsetid(d, self._versions.get(d, 1)) for d in domains]
        proto = helper.make_model(
            made, opset_imports=[own, *others], producer_name="pytorch",
            producer_version=rl.__version__, ir_version=helper.find_min_ir_version_for([own]),
        )  # fmt: skip
        return self._with_sizes(proto, outputs) if graph.dynamic else proto

    def _node(self, number, node):
        kind = node.kind.rpartition("::")[2]
        return self._onnx.helper.make_node(
            kind, node.inputs, node.outputs, f"{kind}_{number}", domain=_domain(node),
            **node.attributes,
        )  # fmt: skip

    def _describe(self, name, tensor, open_sizes=False):
        dims = [None if open_sizes else int(n) for n in tensor.shape]
        for dim, known in self._axes.names.get(name, {}).items():
            dims[dim % len(dims)] = known
        return self._onnx.helper.make_tensor_value_info(name, TYPES[tensor.dtype], dims)

    def _tensor(self, name, tensor):
        tensor = tensor.detach().contiguous()
        raw = tensor.reshape(-1).view(rl.uint8).numpy().tobytes() if tensor.numel() else b""
        return self._onnx.helper.make_tensor(
            name, TYPES[tensor.dtype], list(tensor.shape), raw, raw=True
        )

    def _with_sizes(self, proto, outputs):
        """Sizes of outputs that follow from those of the inputs."""
        inferred = self._onnx.shape_inference.infer_shapes(proto)
        found = {o.name: o for o in inferred.graph.output}
        for output in proto.graph.output:
            output.CopyFrom(found[output.name])
        return proto


def _domain(node):
    return node.kind.rpartition("::")[0]


def _name_outputs(graph, outputs):
    """Gives values the outputs' names; inputs, constants and second uses by a copy."""
    made = {name for node in graph.nodes for name in node.outputs}
    renamed = {}
    for name, _, value in outputs:
        if value.name in made and value.name not in renamed:
            renamed[value.name] = name
    for node in graph.nodes:
        node.inputs[:] = [renamed.get(name, name) for name in node.inputs]
        node.outputs[:] = [renamed.get(name, name) for name in node.outputs]
    for name, _, value in outputs:
        if renamed.get(value.name) != name:
            source = renamed.get(value.name, value.name)
            graph.nodes.append(Node("Identity", [source], [name], {}))


def _needed(nodes, wanted):
    """The nodes that the wanted values depend on."""
    wanted, kept = set(wanted), []
    for node in reversed(nodes):
        if wanted.intersection(node.outputs):
            kept.append(node)
            wanted.update(node.inputs)
    return kept[::-1]
