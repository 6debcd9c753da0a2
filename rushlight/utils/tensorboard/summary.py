"""Values as TensorBoard's protocol buffers. To add a kind: a function that returns a `Summary`."""

import numpy as np
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import api_pb2, metadata as hparams_metadata
from tensorboard.plugins.hparams import plugin_data_pb2
from google.protobuf import struct_pb2

import rushlight as rl


def as_array(value):
    """A tensor, array, list or number as a NumPy array."""
    if isinstance(value, rl.Tensor):
        value = value.detach()
        return (value.float() if value.dtype == rl.bfloat16 else value).numpy()
    return np.asarray(value)


def scalar(name, value, new_style=False, double_precision=False):
    """One number."""
    array = as_array(value).squeeze()
    if array.ndim != 0:
        raise AssertionError(f"scalar should be 0D, but got {array.ndim} dimensions")
    if not new_style:
        return Summary(value=[Summary.Value(tag=name, simple_value=float(array))])
    proto = TensorProto(float_val=[float(array)], dtype="DT_FLOAT")
    if double_precision:
        proto = TensorProto(double_val=[float(array)], dtype="DT_DOUBLE")
    plugin = SummaryMetadata.PluginData(plugin_name="scalars")
    metadata = SummaryMetadata(plugin_data=plugin)
    return Summary(value=[Summary.Value(tag=name, tensor=proto, metadata=metadata)])


def text(tag, value):
    """A text, in Markdown."""
    plugin = SummaryMetadata.PluginData(
        plugin_name="text",
        content=b"\x10\x00",  # version 0 of its settings
    )
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
    proto = TensorProto(
        dtype="DT_STRING", string_val=[str(value).encode("utf_8")], tensor_shape=shape
    )
    metadata = SummaryMetadata(plugin_data=plugin)
    return Summary(
        value=[Summary.Value(tag=f"{tag}/text_summary", metadata=metadata, tensor=proto)]
    )


def _default_bins():
    ends, value = [], 1e-12
    while value < 1e20:
        ends.append(value)
        value *= 1.1
    return np.array([-x for x in reversed(ends)] + [0.0] + ends)


def histogram(name, values, bins="tensorflow", max_bins=None):
    """How values are distributed."""
    values = as_array(values).reshape(-1).astype(float)
    if values.size == 0:
        raise ValueError("The input has no element.")
    counts, edges = np.histogram(values, bins=_default_bins() if bins == "tensorflow" else bins)
    if max_bins is not None and len(counts) > max_bins:
        step = -(-len(counts) // max_bins)
        padded = np.pad(counts, (0, -len(counts) % step))
        counts, edges = padded.reshape(-1, step).sum(1), np.append(edges[:-1:step], edges[-1])
    filled = np.flatnonzero(counts)
    first, last = (filled[0], filled[-1]) if filled.size else (0, len(counts) - 1)
    proto = HistogramProto(
        min=values.min(),
        max=values.max(),
        num=values.size,
        sum=values.sum(),
        sum_squares=values.dot(values),
        bucket_limit=edges[first + 1 : last + 2].tolist(),
        bucket=counts[first : last + 1].tolist(),
    )
    return Summary(value=[Summary.Value(tag=name, histo=proto)])


def _as_hwc(array, dataformats):
    """An image, or several side by side, as height × width × 3."""
    dataformats = dataformats.upper()
    if len(dataformats) != array.ndim:
        raise AssertionError(f"size of input tensor {array.shape} and {dataformats} are different")
    if "N" in dataformats:
        array = np.moveaxis(array, [dataformats.index(c) for c in "NHWC"], range(4))
        columns = int(np.ceil(np.sqrt(len(array))))
        rows = -(-len(array) // columns)
        filler = np.zeros((rows * columns - len(array), *array.shape[1:]), array.dtype)
        grid = np.concatenate([array, filler]).reshape(rows, columns, *array.shape[1:])
        array = grid.transpose(0, 2, 1, 3, 4).reshape(
            rows * grid.shape[2], columns * grid.shape[3], -1
        )
    elif "C" in dataformats:
        array = np.moveaxis(array, [dataformats.index(c) for c in "HWC"], range(3))
    else:
        array = np.moveaxis(array, [dataformats.index(c) for c in "HW"], range(2))[..., None]
    return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array


def image(tag, tensor, rescale=1, dataformats="NCHW"):
    """An image: bytes, or numbers from 0 to 1."""
    array = as_array(tensor)
    scale = 1 if array.dtype == np.uint8 else 255
    array = (_as_hwc(array, dataformats).astype(np.float32) * scale).clip(0, 255).astype(np.uint8)
    return Summary(value=[Summary.Value(tag=tag, image=_png(array, rescale))])


def _png(array, rescale=1):
    import io

    from PIL import Image

    height, width, channels = array.shape
    picture = Image.fromarray(array)
    if rescale != 1:
        picture = picture.resize((int(width * rescale), int(height * rescale)))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return Summary.Image(
        height=picture.height,
        width=picture.width,
        colorspace=channels,
        encoded_image_string=buffer.getvalue(),
    )


def custom_scalars(layout):
    """Which curves are shown together."""
    categories = []
    for title, charts in layout.items():
        made = []
        for name, (kind, tags) in charts.items():
            if kind == "Margin":
                series = layout_pb2.MarginChartContent.Series(
                    value=tags[0], lower=tags[1], upper=tags[2]
                )
                content = layout_pb2.MarginChartContent(series=[series])
                made.append(layout_pb2.Chart(title=name, margin=content))
            else:
                content = layout_pb2.MultilineChartContent(tag=tags)
                made.append(layout_pb2.Chart(title=name, multiline=content))
        categories.append(layout_pb2.Category(title=title, chart=made))
    proto = TensorProto(
        dtype="DT_STRING",
        string_val=[layout_pb2.Layout(category=categories).SerializeToString()],
        tensor_shape=TensorShapeProto(),
    )
    metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="custom_scalars"))
    value = Summary.Value(tag="custom_scalars__config__", tensor=proto, metadata=metadata)
    return Summary(value=[value])


def hparams(hparam_dict=None, metric_dict=None, hparam_domain_discrete=None):
    """Settings of a run and the metrics that belong to them: three summaries."""
    if not isinstance(hparam_dict, dict) or not isinstance(metric_dict, dict):
        raise TypeError("parameter: hparam_dict and metric_dict should be a dictionary")
    start = plugin_data_pb2.SessionStartInfo()
    infos = []
    for key, value in hparam_dict.items():
        if value is None:
            continue
        _set(start.hparams[key], value)
        domain = (hparam_domain_discrete or {}).get(key)
        discrete = None
        if domain is not None:
            discrete = struct_pb2.ListValue()
            discrete.extend([d if isinstance(d, (bool, str)) else float(d) for d in domain])
        infos.append(api_pb2.HParamInfo(name=key, type=_data_type(value), domain_discrete=discrete))
    metrics = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=key)) for key in metric_dict]
    experiment = api_pb2.Experiment(hparam_infos=infos, metric_infos=metrics)
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.Status.Value("STATUS_SUCCESS"))
    return (
        _hparams(hparams_metadata.EXPERIMENT_TAG, experiment=experiment),
        _hparams(hparams_metadata.SESSION_START_INFO_TAG, session_start_info=start),
        _hparams(hparams_metadata.SESSION_END_INFO_TAG, session_end_info=end),
    )


def _hparams(tag, **content):
    data = plugin_data_pb2.HParamsPluginData(
        version=hparams_metadata.PLUGIN_DATA_VERSION, **content
    )
    plugin = SummaryMetadata.PluginData(
        plugin_name=hparams_metadata.PLUGIN_NAME, content=data.SerializeToString()
    )
    value = Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))
    return Summary(value=[value])


def _set(field, value):
    if isinstance(value, bool):
        field.bool_value = value
    elif isinstance(value, (int, float, np.number)) or rl.is_tensor(value):
        field.number_value = float(value)
    elif isinstance(value, str):
        field.string_value = value
    else:
        raise ValueError("value should be one of int, float, str, bool, or torch.Tensor")


def _data_type(value):
    kind = "BOOL" if isinstance(value, bool) else "STRING" if isinstance(value, str) else "FLOAT64"
    return api_pb2.DataType.Value(f"DATA_TYPE_{kind}")
