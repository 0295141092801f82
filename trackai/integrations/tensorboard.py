"""`SummaryWriter` with the methods of PyTorch's and tensorboardX's, which logs to a run.

Checked with torch 2.14.1 and tensorboardX 2.6. TensorBoard need not be installed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import trackai
from trackai.errors import InvalidInputError
from trackai.integrations import _tensorboard_values as convert
from trackai.integrations.training import apply_arguments
from trackai.sdk.media import Media
from trackai.sdk.notices import warn_once

if TYPE_CHECKING:
    from trackai.sdk.run import Run


class SummaryWriter:
    """Logs to the active run; without one, to a run of its own, which `close` finishes.

    Scalars keep the precision that they have; event files hold 32 bits. The values of a tag that
    are added without `global_step` are counted from 0. `walltime` is ignored: points have the time
    at which they are added.

    Args:
        log_dir: the last part of this path is the name of a run of its own.
        comment: the end of that name, if `log_dir` is not given.
        purge_step: continues the latest run of this name; in each metric, points from the first
            step on that is logged now supersede earlier ones.
        run: the run to log to, instead of the active one.
        project: the project of a run of its own.
        ignored: further arguments of the other writers, which have no meaning here.

    Attributes:
        run: the run.
        log_dir: `log_dir`, or the path of the run.

    Example:
        from trackai.integrations.tensorboard import SummaryWriter

        with SummaryWriter("runs/first") as writer:
            for step in range(100):
                writer.add_scalar("loss", 1 / (step + 1), step)
    """

    def __init__(
        self,
        log_dir: str | Path | None = None,
        comment: str = "",
        purge_step: int | None = None,
        *ignored_arguments: Any,
        run: Run | None = None,
        project: str | None = None,
        logdir: str | Path | None = None,
        **ignored: Any,
    ) -> None:
        folder = log_dir or logdir
        active = run or trackai.run
        self._owns_run = active is None
        if active is None:
            name = Path(folder).name if folder else comment.strip("_- ")
            active = trackai.init(
                project,
                name or None,
                resume=None if purge_step is None else "allow",
                reinit="create_new",
            )
        else:
            apply_arguments(active, {"project": project})
        self.run: Run = active
        self.log_dir = str(folder or self.run.path)
        self._counts: dict[str, int] = {}
        self._hparams: dict[str, Any] | None = None
        self._default_step: float | None = None

    @property
    def logdir(self) -> str:
        """`log_dir`, by its name in tensorboardX."""
        return self.log_dir

    def get_logdir(self) -> str:
        """Return `log_dir`."""
        return self.log_dir

    def add_scalar(
        self,
        tag: str,
        scalar_value: Any,
        global_step: float | None = None,
        walltime: float | None = None,
        *ignored_arguments: Any,
        **ignored: Any,
    ) -> None:
        """Log a number, or an array or tensor of one element."""
        self._log(tag, scalar_value, global_step)

    def add_scalars(
        self,
        main_tag: str,
        tag_scalar_dict: Mapping[str, Any],
        global_step: float | None = None,
        walltime: float | None = None,
    ) -> None:
        """Log several numbers, as `main_tag/<key>`."""
        step = self._step(main_tag, global_step)
        self._open_run().log(
            {f"{main_tag}/{key}": value for key, value in tag_scalar_dict.items()}, step
        )

    def add_tensor(
        self,
        tag: str,
        tensor: Any,
        global_step: float | None = None,
        walltime: float | None = None,
    ) -> None:
        """Log a tensor as a file that `numpy.load` reads."""
        with self._left_out(tag):
            content = io.BytesIO()
            convert.save_array(content, tensor)
            self._log(tag, Media(content.getvalue(), ".npy"), global_step)

    def add_histogram(
        self,
        tag: str,
        values: Any,
        global_step: float | None = None,
        bins: Any = "tensorflow",
        walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:
        """Log the distribution of values.

        Args:
            bins: a number of bins; names of NumPy's methods and edges stand for 64.
            max_bins: at most this many.
        """
        with self._left_out(tag):
            count = bins if isinstance(bins, int) else 64
            count = min(count, max_bins or count)
            self._log(tag, trackai.Histogram(values, num_bins=count), global_step)

    def add_histogram_raw(
        self,
        tag: str,
        min: float,  # noqa: A002 - the others call it that
        max: float,  # noqa: A002
        num: float,
        sum: float,  # noqa: A002
        sum_squares: float,
        bucket_limits: Sequence[float],
        bucket_counts: Sequence[float],
        global_step: float | None = None,
        walltime: float | None = None,
    ) -> None:
        """Log a histogram of counts and of the upper limits of their bins."""
        with self._left_out(tag):
            edges = convert.edges(min, max, bucket_limits)
            histogram = trackai.Histogram(np_histogram=(bucket_counts, edges))
            self._log(tag, histogram, global_step)

    def add_image(
        self,
        tag: str,
        img_tensor: Any,
        global_step: float | None = None,
        walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:
        """Log an image: integers of 8 bits, or floats from 0 to 1.

        Args:
            dataformats: the order of its axes: "CHW", "HWC", "HW" or "WH".
        """
        with self._left_out(tag):
            self._log(tag, trackai.Image(convert.image(img_tensor, dataformats)), global_step)

    def add_images(
        self,
        tag: str,
        img_tensor: Any,
        global_step: float | None = None,
        walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:
        """Log images as one image, 8 in a row.

        Args:
            dataformats: the order of the axes: "NCHW", "NHWC", or that of a single image.
        """
        with self._left_out(tag):
            self._log(tag, trackai.Image(convert.image(img_tensor, dataformats)), global_step)

    def add_image_with_boxes(
        self,
        tag: str,
        img_tensor: Any,
        box_tensor: Any,
        global_step: float | None = None,
        walltime: float | None = None,
        rescale: float = 1,
        dataformats: str = "CHW",
        labels: Sequence[str] | str | None = None,
    ) -> None:
        """Log an image with rectangles drawn on it.

        Args:
            box_tensor: of shape (boxes, 4): left, top, right, bottom, in pixels.
            rescale: the factor by which the image is enlarged.
            labels: a text for each rectangle.
        """
        with self._left_out(tag):
            image = convert.image(img_tensor, dataformats)
            image = convert.with_boxes(image, box_tensor, labels, rescale)
            self._log(tag, trackai.Image(image), global_step)

    def add_figure(
        self,
        tag: str,
        figure: Any,
        global_step: float | None = None,
        close: bool = True,
        walltime: float | None = None,
    ) -> None:
        """Log a figure of Matplotlib, or a list of figures, as images.

        Args:
            close: close the figures afterwards.
        """
        figures = list(figure) if isinstance(figure, list | tuple) else [figure]
        with self._left_out(tag):
            self._log(tag, [trackai.Image(figure) for figure in figures], global_step)
        if close:
            convert.close_figures(figures)

    def add_video(
        self,
        tag: str,
        vid_tensor: Any,
        global_step: float | None = None,
        fps: float = 4,
        walltime: float | None = None,
        dataformats: str = "NTCHW",
    ) -> None:
        """Log videos as one GIF, side by side.

        Args:
            vid_tensor: integers of 8 bits, or floats from 0 to 1.
            dataformats: the order of the axes; N is the number of videos, T that of frames.
        """
        with self._left_out(tag):
            frames = convert.frames(vid_tensor, dataformats)
            self._log(tag, trackai.Video(frames, fps=fps), global_step)

    def add_audio(
        self,
        tag: str,
        snd_tensor: Any,
        global_step: float | None = None,
        sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:
        """Log a sound: samples from -1 to 1."""
        with self._left_out(tag):
            self._log(tag, trackai.Audio(snd_tensor, sample_rate), global_step)

    def add_text(
        self,
        tag: str,
        text_string: str,
        global_step: float | None = None,
        walltime: float | None = None,
    ) -> None:
        """Log a text."""
        self._log(tag, text_string, global_step)

    def add_pr_curve(
        self,
        tag: str,
        labels: Any,
        predictions: Any,
        global_step: float | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Log a precision-recall curve as a table, a row for each threshold.

        Args:
            labels: 0 or 1 for each element.
            predictions: the probability that the label is 1.
            num_thresholds: the number of thresholds from 0 to 1.
            weights: of the elements; default 1.
        """
        with self._left_out(tag):
            curve = convert.pr_curve(labels, predictions, num_thresholds, weights)
            self._log(tag, trackai.Table(convert.PR_COLUMNS, curve), global_step)

    def add_pr_curve_raw(
        self,
        tag: str,
        true_positive_counts: Any,
        false_positive_counts: Any,
        true_negative_counts: Any,
        false_negative_counts: Any,
        precision: Any,
        recall: Any,
        global_step: float | None = None,
        num_thresholds: int = 127,
        weights: Any = None,
        walltime: float | None = None,
    ) -> None:
        """Log a precision-recall curve that has been computed, as a table."""
        columns = (
            true_positive_counts, false_positive_counts, true_negative_counts,
            false_negative_counts, precision, recall,
        )  # fmt: skip
        with self._left_out(tag):
            curve = convert.curve_rows(columns)
            self._log(tag, trackai.Table(convert.PR_COLUMNS, curve), global_step)

    def add_embedding(
        self,
        mat: Any,
        metadata: Sequence[Any] | None = None,
        label_img: Any = None,
        global_step: float | None = None,
        tag: str = "default",
        metadata_header: Sequence[str] | None = None,
    ) -> None:
        """Log vectors as a table: the metadata, an image if there are any, and the coordinates.

        Args:
            mat: of shape (vectors, dimensions).
            metadata: a label for each vector, or a list of labels.
            label_img: of shape (vectors, channels, height, width).
            metadata_header: the names of the labels, if they are lists.
        """
        with self._left_out(tag):
            table = convert.embedding(mat, metadata, label_img, metadata_header)
            self._log(f"embedding/{tag}", trackai.Table(*table), global_step)

    def add_mesh(
        self,
        tag: str,
        vertices: Any,
        colors: Any = None,
        faces: Any = None,
        config_dict: Any = None,
        global_step: float | None = None,
        walltime: float | None = None,
    ) -> None:
        """Log meshes or point clouds, each as a file in the format of Wavefront (.obj).

        Args:
            vertices: of shape (meshes, vertices, 3).
            colors: likewise, from 0 to 255.
            faces: of shape (meshes, faces, 3): indices of vertices.
        """
        with self._left_out(tag):
            files = [
                Media(text.encode(), ".obj") for text in convert.wavefront(vertices, colors, faces)
            ]
            self._log(tag, files, global_step)

    def add_hparams(
        self,
        hparam_dict: Mapping[str, Any],
        metric_dict: Mapping[str, Any],
        hparam_domain_discrete: Any = None,
        run_name: str | None = None,
        global_step: float | None = None,
        **ignored: Any,
    ) -> None:
        """Set hyperparameters of the run, and log the metrics that they lead to.

        A later call with others is another trial: it creates a run of the same group, named
        `run_name`.
        """
        trial = dict(hparam_dict)
        if self._hparams is None or self._hparams == trial:
            self._hparams = trial
            self._open_run().config.update(trial)
            self._open_run().log(dict(metric_dict), self._step("hparams", global_step))
            return
        group = self.run.group or self.run.run_id
        with trackai.init(
            self.run.project, run_name, group=group, config=trial, reinit="create_new"
        ) as run:
            run.log(dict(metric_dict), global_step)

    def add_graph(self, model: Any, *ignored_arguments: Any, **ignored: Any) -> None:
        """Log the text of a model; its graph is not stored."""
        warn_once("add_graph", "add_graph(): the text of the model is stored, and not its graph")
        self._log("graph", str(model), 0)

    def add_onnx_graph(
        self,
        prototxt: str | Path | None = None,
        walltime: float | None = None,
        *,
        onnx_model_file: str | Path = "",
    ) -> None:
        """Store the file of a model; `onnx_model_file` is its name in tensorboardX."""
        self._open_run().save(prototxt or onnx_model_file)

    def add_openvino_graph(self, xmlname: str | Path) -> None:
        """Store the file of a model."""
        self._open_run().save(xmlname)

    def add_custom_scalars(self, layout: Any) -> None:
        """Do nothing: how charts are arranged is chosen in the dashboard."""

    def add_custom_scalars_multilinechart(self, *arguments: Any, **ignored: Any) -> None:
        """Do nothing, like `add_custom_scalars`."""

    def add_custom_scalars_marginchart(self, *arguments: Any, **ignored: Any) -> None:
        """Do nothing, like `add_custom_scalars`."""

    def export_scalars_to_json(self, path: str | Path) -> None:
        """Warn once: `trackai export` writes the points of a run."""
        warn_once("export_scalars_to_json", "export_scalars_to_json(): use trackai export instead")

    @contextmanager
    def use_metadata(
        self, *, global_step: float | None = None, walltime: float | None = None
    ) -> Iterator[Self]:
        """Use a step for what is added in the block without one, as in tensorboardX."""
        before, self._default_step = self._default_step, global_step
        try:
            yield self
        finally:
            self._default_step = before

    def flush(self) -> None:
        """Do nothing: what has been added is safe already."""

    def close(self) -> None:
        """Finish the run, if it is the writer's own. Adding more continues it."""
        if self._owns_run:
            self.run.finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._owns_run:
            self.run.finish("completed" if exc_type is None else "failed")

    def _open_run(self) -> Run:
        """Return the run; one of the writer's own continues after `close`."""
        if self._owns_run and self.run.is_finished:
            self.run = trackai.init(
                self.run.project, id=self.run.run_id, resume="must", reinit="create_new"
            )
        return self.run

    def _log(self, tag: str, value: Any, step: Any) -> None:
        self._open_run().log({tag: value}, self._step(tag, step))

    def _step(self, tag: str, step: Any) -> Any:
        if step is not None or self._default_step is not None:
            return self._default_step if step is None else step
        count = self._counts.get(tag, 0)
        self._counts[tag] = count + 1
        return count

    @contextmanager
    def _left_out(self, tag: str) -> Iterator[None]:
        """Leave out a value that cannot be converted, with a warning, as `Run.log` does."""
        with self.run._left_out.errors_of(f"metric {tag!r}"):
            try:
                yield
            except (ValueError, IndexError, AttributeError) as error:
                raise InvalidInputError(tag, " ".join(str(error).split())) from None
