"""`SummaryWriter`: writes summaries into an event file. What they hold is made in summary.py."""

import os
import time

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from rushlight._notes import unsupported

from . import summary as _summary

__all__ = ["FileWriter", "SummaryWriter"]


class FileWriter:
    """An event file in a folder."""

    def __init__(self, log_dir, max_queue=10, flush_secs=120, filename_suffix=""):
        self._folder = str(log_dir)
        self.event_writer = EventFileWriter(self._folder, max_queue, flush_secs, filename_suffix)

    def get_logdir(self):
        """The folder."""
        return self._folder

    def add_event(self, event, step=None, walltime=None):
        """Writes an event."""
        event.wall_time = time.time() if walltime is None else walltime
        if step is not None:
            event.step = int(step)
        self.event_writer.add_event(event)

    def add_summary(self, summary, global_step=None, walltime=None):
        """Writes a summary."""
        self.add_event(Event(summary=summary), global_step, walltime)

    def flush(self):
        """Sees to it that what was written is in the file."""
        self.event_writer.flush()

    def close(self):
        """Closes the file."""
        self.event_writer.close()


class SummaryWriter:
    """Writes curves, histograms, images and texts for TensorBoard.

    Args:
        log_dir: the folder; by default one within ``runs`` named after time and machine.
        comment: is added to the default folder's name.
        purge_step: forget steps from this one on, written by a run that failed.
        max_queue, flush_secs, filename_suffix: of the event file.
    """

    def __init__(
        self,
        log_dir=None,
        comment="",
        purge_step=None,
        max_queue=10,
        flush_secs=120,
        filename_suffix="",
    ):
        if not log_dir:
            import socket

            now = time.strftime("%b%d_%H-%M-%S")
            log_dir = os.path.join("runs", f"{now}_{socket.gethostname()}{comment}")
        self.log_dir, self.purge_step = str(log_dir), purge_step
        self._settings = (max_queue, flush_secs, filename_suffix)
        self.file_writer = self.all_writers = None
        self._get_file_writer()

    def _get_file_writer(self):
        if self.file_writer is None:
            self.file_writer = FileWriter(self.log_dir, *self._settings)
            self.all_writers = {self.log_dir: self.file_writer}
            if self.purge_step is not None:
                start = SessionLog(status=SessionLog.START)
                self.file_writer.add_event(Event(session_log=start), self.purge_step)
                self.purge_step = None
        return self.file_writer

    def get_logdir(self):
        """The folder."""
        return self.log_dir

    def _add(self, summary, step, walltime):
        self._get_file_writer().add_summary(summary, step, walltime)

    def add_scalar(
        self,
        tag,
        scalar_value,
        global_step=None,
        walltime=None,
        new_style=False,
        double_precision=False,
    ):
        """Writes a number: a point of the curve ``tag``."""
        made = _summary.scalar(tag, scalar_value, new_style, double_precision)
        self._add(made, global_step, walltime)

    def add_scalars(self, main_tag, tag_scalar_dict, global_step=None, walltime=None):
        """Writes points of several curves that are shown together."""
        self._get_file_writer()
        for tag, value in tag_scalar_dict.items():
            folder = os.path.join(self.log_dir, f"{main_tag.replace('/', '_')}_{tag}")
            writer = self.all_writers.get(folder)
            if writer is None:
                writer = self.all_writers[folder] = FileWriter(folder, *self._settings)
            writer.add_summary(_summary.scalar(main_tag, value), global_step, walltime)

    def add_histogram(
        self, tag, values, global_step=None, bins="tensorflow", walltime=None, max_bins=None
    ):
        """Writes how values are distributed."""
        self._add(_summary.histogram(tag, values, bins, max_bins), global_step, walltime)

    def add_image(self, tag, img_tensor, global_step=None, walltime=None, dataformats="CHW"):
        """Writes an image: bytes, or numbers from 0 to 1."""
        made = _summary.image(tag, img_tensor, dataformats=dataformats)
        self._add(made, global_step, walltime)

    def add_images(self, tag, img_tensor, global_step=None, walltime=None, dataformats="NCHW"):
        """Writes several images, side by side."""
        made = _summary.image(tag, img_tensor, dataformats=dataformats)
        self._add(made, global_step, walltime)

    def add_figure(self, tag, figure, global_step=None, close=True, walltime=None):
        """Writes a figure (or several) of matplotlib as an image."""
        import matplotlib.pyplot as pyplot
        import numpy
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        for drawn in figure if isinstance(figure, list) else [figure]:
            canvas = FigureCanvasAgg(drawn)
            canvas.draw()
            pixels = numpy.asarray(canvas.buffer_rgba())[..., :3]
            self.add_image(tag, pixels, global_step, walltime, dataformats="HWC")
            if close:
                pyplot.close(drawn)

    def add_text(self, tag, text_string, global_step=None, walltime=None):
        """Writes a text, in Markdown."""
        self._add(_summary.text(tag, text_string), global_step, walltime)

    def add_hparams(
        self,
        hparam_dict,
        metric_dict,
        hparam_domain_discrete=None,
        run_name=None,
        global_step=None,
    ):
        """Writes the settings of a run, and the metrics that belong to them."""
        made = _summary.hparams(hparam_dict, metric_dict, hparam_domain_discrete)
        folder = os.path.join(self.log_dir, run_name or str(time.time()))
        with SummaryWriter(log_dir=folder) as writer:
            for part in made:
                writer.file_writer.add_summary(part)
            for tag, value in metric_dict.items():
                writer.add_scalar(tag, value, global_step)

    def add_custom_scalars(self, layout):
        """Says which curves are shown together: {title: {chart: [kind, tags]}}."""
        self._add(_summary.custom_scalars(layout), None, None)

    def add_graph(self, model, input_to_model=None, verbose=False, use_strict_trace=True):
        """Raises NotImplementedError."""
        raise unsupported("SummaryWriter.add_graph")

    def add_embedding(self, *args, **kwargs):
        """Raises NotImplementedError."""
        raise unsupported("SummaryWriter.add_embedding")

    def add_audio(self, *args, **kwargs):
        """Raises NotImplementedError."""
        raise unsupported("SummaryWriter.add_audio")

    def add_video(self, *args, **kwargs):
        """Raises NotImplementedError."""
        raise unsupported("SummaryWriter.add_video")

    def add_mesh(self, *args, **kwargs):
        """Raises NotImplementedError."""
        raise unsupported("SummaryWriter.add_mesh")

    def add_pr_curve(self, *args, **kwargs):
        """Raises NotImplementedError."""
        raise unsupported("SummaryWriter.add_pr_curve")

    def flush(self):
        """Sees to it that what was written is in the files."""
        for writer in (self.all_writers or {}).values():
            writer.flush()

    def close(self):
        """Closes the files."""
        for writer in (self.all_writers or {}).values():
            writer.flush()
            writer.close()
        self.file_writer = self.all_writers = None

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()
