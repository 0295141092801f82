"""Videos made of frames: GIF and WebP by Pillow, MP4 and WebM by ffmpeg if it is installed."""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from itertools import pairwise
from numbers import Real
from pathlib import Path
from typing import Any

from trackai.errors import InvalidInputError
from trackai.sdk.arrays import import_numpy, is_tensor
from trackai.sdk.builtin_values import type_name, unwrapped
from trackai.sdk.images import import_pillow
from trackai.sdk.notices import warn_once
from trackai.sdk.pixels import channels_last, to_array, to_grid, to_pixels

FORMATS = ("gif", "webp", "mp4", "webm")
DEFAULT_FPS = 4
_PILLOW_FORMATS = ("gif", "webp")
# Browsers play GIFs with shorter delays slowly.
_MAX_GIF_FPS = 50


def encode(value: Any, fps: Any, file_format: str) -> bytes:
    """Make a video of frames.

    Args:
        value: an array of shape (frames, channels, height, width) or (frames, height, width,
            channels) with 1, 3 or 4 channels; one with the number of videos in front, which
            become a grid; a sequence of frames as arrays or Pillow images; or a clip of MoviePy.
            Values are those of images.
        fps: frames a second; default those of the clip, or 4.
        file_format: "gif", "webp", "mp4" or "webm".

    Raises:
        TypeError: the frames are of another shape or type, or `fps` is not a number.
        InvalidInputError: `fps` or the format is invalid, or ffmpeg is missing or fails.
        MissingExtraError: NumPy or Pillow is not installed.
    """
    if file_format not in FORMATS:
        raise InvalidInputError(
            "format", f"must be one of {', '.join(FORMATS)} for frames, got {file_format!r}"
        )
    if hasattr(value, "iter_frames"):
        fps = fps or getattr(value, "fps", None)
        value = list(value.iter_frames())
    rate = _checked_fps(fps)
    frames = _rgb_frames(value)
    if file_format in _PILLOW_FORMATS:
        return _encode_with_pillow(frames, rate, file_format)
    return _encode_with_ffmpeg(frames, rate, file_format)


def _checked_fps(fps: Any) -> float:
    number = DEFAULT_FPS if fps is None else unwrapped(fps)
    if isinstance(number, bool) or not isinstance(number, Real):
        raise TypeError(f"fps: must be a number, got {type_name(fps)}")
    rate = float(number)
    if not 0.01 <= rate <= 1000:
        raise InvalidInputError("fps", f"must be from 0.01 to 1000, got {rate}")
    return rate


def _rgb_frames(value: Any) -> Any:
    """The frames as an array of uint8 of shape (frames, height, width, 3)."""
    np = import_numpy("a video made of frames")
    is_list = isinstance(value, list | tuple)
    if not is_list and not hasattr(value, "__array__"):
        raise TypeError(f"video: must be a path, bytes, an array or frames, got {type_name(value)}")
    array = to_array(_stacked(value) if is_list else value, "video")
    # If both orders fit, wandb's for an array, and that of images for each frame of a list.
    prefer_first = is_tensor(value[0]) if is_list else True
    moved = channels_last(array, prefer_first=prefer_first) if array.ndim in (4, 5) else None
    if moved is None:
        raise TypeError(
            "video: an array must have the shape (frames, channels, height, width) or (frames, "
            "height, width, channels) with 1, 3 or 4 channels, or the number of videos in front of "
            f"them, got {array.shape}"
        )
    pixels = to_pixels(moved, "video")
    if pixels.ndim == 5:
        pixels = np.stack([to_grid(pixels[:, frame]) for frame in range(pixels.shape[1])])
    if pixels.shape[-1] < 3:
        return np.repeat(pixels[..., :1], 3, axis=-1)
    return pixels[..., :3]


def _stacked(frames: list[Any] | tuple[Any, ...]) -> Any:
    np = import_numpy("a video made of frames")
    arrays = [
        to_array(frame.convert("RGB") if hasattr(frame, "convert") else frame, "video")
        for frame in frames
    ]
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1:
        raise TypeError(
            f"video: frames must have one shape, got {sorted(shapes)[:3] or 'no frames'}"
        )
    stacked = np.stack(arrays)
    # Frames of shape (height, width) are grey.
    return stacked[..., None] if stacked.ndim == 3 else stacked


def _encode_with_pillow(frames: Any, fps: float, file_format: str) -> bytes:
    pillow = import_pillow()
    if file_format == "gif" and fps > _MAX_GIF_FPS:
        warn_once(
            "Video: fps of a GIF",
            "Video: a GIF is played at most at %d frames a second, not at %g",
            _MAX_GIF_FPS, fps,
        )  # fmt: skip
        fps = _MAX_GIF_FPS
    # In milliseconds, of which a GIF stores tens: rounded so that the whole takes the right time.
    unit = 10 if file_format == "gif" else 1
    ends = [round(1000 / unit * frame / fps) * unit for frame in range(len(frames) + 1)]
    durations = [end - start for start, end in pairwise(ends)]
    first, *others = [pillow.fromarray(frame) for frame in frames]
    content = io.BytesIO()
    first.save(
        content, format=file_format, save_all=True, append_images=others, duration=durations, loop=0
    )
    return content.getvalue()


def _encode_with_ffmpeg(frames: Any, fps: float, file_format: str) -> bytes:
    _, height, width, _ = frames.shape
    with tempfile.TemporaryDirectory(prefix="trackai-video-") as folder:
        path = Path(folder, f"video.{file_format}")
        command = [
            _ffmpeg(file_format), "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24",
            "-s", f"{width}x{height}", "-r", str(fps), "-i", "-",
            # Players expect colours at half the resolution, so both sides must be even.
            "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", str(path),
        ]  # fmt: skip
        result = subprocess.run(  # noqa: S603 - arguments of our own
            command, input=frames.tobytes(), capture_output=True, check=False
        )
        if result.returncode or not path.is_file():
            lines = result.stderr.decode(errors="replace").strip().splitlines()
            raise InvalidInputError(
                "video", f"ffmpeg failed: {lines[-1] if lines else 'no output'}"
            )
        return path.read_bytes()


def _ffmpeg(file_format: str) -> str:
    try:
        from imageio_ffmpeg import get_ffmpeg_exe  # part of imageio and MoviePy

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        path = shutil.which("ffmpeg")
    if path is None:
        raise InvalidInputError(
            "format",
            f"{file_format!r} needs ffmpeg: pip install imageio-ffmpeg, or use format='gif'",
        )
    return path
