"""Which values images, sounds, videos and pages are made of, and what becomes of each."""

from __future__ import annotations

import io
import json
import os
import sqlite3
import sys
import types
import wave
from contextlib import closing
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import matplotlib.figure
import numpy as np
import pytest
from PIL import Image as PillowImage

import trackai
from trackai.errors import InvalidInputError
from trackai.sdk import notices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RAMP = np.linspace(0, 1, 64).reshape(8, 8)
SINE = np.sin(np.arange(100) / 5)
COLORS = ("red", "lime", "blue")


@pytest.fixture(autouse=True)
def first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings are logged once in a process."""
    monkeypatch.setattr(notices, "_subjects", set())


class Tensor:
    """Has the methods of a PyTorch tensor that media use."""

    def __init__(self, values: Any, *, is_bfloat16: bool = False) -> None:
        self._values = np.asarray(values)
        self._is_bfloat16 = is_bfloat16
        self.shape = self._values.shape

    def detach(self) -> Tensor:
        return self

    def cpu(self) -> Tensor:
        return self

    def float(self) -> Tensor:
        return Tensor(self._values)

    def __array__(self, *_: Any, **__: Any) -> Any:
        if self._is_bfloat16:
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self._values


def opened(media: trackai.Image | trackai.Video) -> PillowImage.Image:
    return PillowImage.open(media.open())


def pixels(value: Any, **options: Any) -> np.ndarray[Any, Any]:
    return np.asarray(opened(trackai.Image(value, **options)))


GREY = (RAMP * 255).round().astype(np.uint8)


@pytest.mark.parametrize(
    "array",
    [
        RAMP, RAMP.astype(np.float32), RAMP.astype(np.longdouble), RAMP * 255,
        (RAMP * 255).astype(np.float16), RAMP * 65535, GREY, GREY.astype(np.int64),
        GREY.astype(np.uint16), GREY.astype(">i2"), RAMP * 2 - 1, Tensor(RAMP),
        Tensor(RAMP, is_bfloat16=True),
    ],
    ids=lambda array: f"{getattr(array, 'dtype', 'tensor')}",
)  # fmt: skip
def test_ranges_of_pixels_keep_all_shades(array: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert np.abs(pixels(array).astype(int) - GREY).max() <= 1
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("array", "expected", "warning"),
    [
        (np.array([[-0.25, 0.5, 1.5]]), [[0, 128, 255]], "from -0.25 to 1.5 are clipped"),
        (np.array([[-2.0, 0, 2.0]]), [[0, 128, 255]], "the least is drawn in black"),
        (np.array([[-1.5]]), [[0]], "the least is drawn in black"),
        (np.array([[-9.0, 51, 256.0]]), [[0, 51, 255]], "from 0 to 255"),
        (np.array([[-1, 300]]), [[0, 255]], "from 0 to 255"),
        (np.array([[-128, 127]], np.int8), [[0, 127]], "from -128 to 127 are clipped"),
        (np.array([[2**40, 0]]), [[65535, 0]], "from 0 to 65535"),
        (np.array([[np.inf, -np.inf, np.nan, 1]]), [[255, 0, 0, 255]], "NaN is drawn in black"),
        (np.full((2, 2), np.nan), np.zeros((2, 2)), "NaN is drawn in black"),
    ],
)
def test_pixels_out_of_range_are_clipped_with_one_warning(
    array: Any, expected: Any, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert np.array_equal(pixels(array), expected)
    assert warning in caplog.text
    pixels(array)
    assert len(caplog.messages) == 1


def test_grey_images_of_16_bits_are_kept_exactly() -> None:
    values = (RAMP * 65535).astype(np.uint16)
    for image in (values, values.astype(np.int32), PillowImage.fromarray(values)):
        assert np.array_equal(pixels(image), values)
        jpeg = pixels(image, format="jpeg")
        assert np.abs(jpeg.astype(int) - (values >> 8)).max() < 8
    dark = PillowImage.fromarray((RAMP * 200).astype(np.uint16))  # its mode says 16 bits
    assert opened(trackai.Image(dark)).mode == "I;16"


def test_masked_pixels_are_transparent() -> None:
    masked = np.ma.masked_greater(RAMP, 0.9)
    for array in (masked, np.ma.masked_greater((RAMP * 65535).astype(np.uint16), 60000)):
        grey, alpha = np.moveaxis(pixels(array), -1, 0)
        assert np.array_equal(alpha == 0, array.mask)
        assert grey[7, 0] > 200
    colored = np.ma.MaskedArray(np.ones((2, 2, 3)), np.zeros((2, 2, 3), bool))
    colored[0, 0, 1] = np.ma.masked
    assert pixels(colored)[:, :, 3].tolist() == [[0, 255], [255, 255]]
    assert pixels(masked, format="jpeg")[7, 7].min() > 240  # white behind it


@pytest.mark.parametrize(
    ("array", "size", "mode"),
    [
        (np.zeros((5, 6)), (6, 5), "L"),
        (np.zeros((5, 6, 1)), (6, 5), "L"),
        (np.zeros((1, 5, 6)), (6, 5), "L"),
        (np.zeros((5, 6, 3)), (6, 5), "RGB"),
        (np.zeros((3, 5, 6)), (6, 5), "RGB"),
        (np.zeros((4, 5, 6)), (6, 5), "RGBA"),
        (np.zeros((3, 6, 4)), (6, 3), "RGBA"),
        (Tensor(np.zeros((3, 6, 4))), (4, 6), "RGB"),
        (np.zeros((1, 3, 5, 6)), (6, 5), "RGB"),
        (np.zeros((10, 3, 5, 6)), (66, 16), "RGB"),  # as torchvision.utils.make_grid
        (np.zeros((3, 5, 6, 1)), (26, 9), "L"),
    ],
)
def test_orders_of_channels_and_batches(array: Any, size: tuple[int, int], mode: str) -> None:
    image = opened(trackai.Image(array))
    assert (image.size, image.mode) == (size, mode)


def test_images_of_a_grid_are_beside_each_other() -> None:
    batch = np.zeros((9, 1, 2, 2), np.uint8)
    batch[:, 0] = np.arange(1, 10)[:, None, None]
    grid = pixels(batch)
    assert grid[2, 2::4].tolist() == list(range(1, 9))
    assert grid[6, 2:6].tolist() == [9, 9, 0, 0]


MODES = (
    "1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV", "LAB",
    "F", "I", "I;16", "I;16B", "I;16L",
)  # fmt: skip


@pytest.mark.parametrize("suffix", ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tiff"])
@pytest.mark.parametrize("mode", MODES)
def test_images_of_every_mode_are_stored_in_every_format(mode: str, suffix: str) -> None:
    media = trackai.Image(PillowImage.new(mode, (4, 3)), format=suffix)
    assert media.suffix == f".{suffix}"
    image = opened(media)
    image.load()
    assert image.size == (4, 3)
    assert image.format in {suffix.upper(), suffix.upper().replace("JPG", "JPEG")}


@pytest.mark.parametrize(
    ("mode", "color"),
    [("CMYK", (0, 255, 255, 0)), ("HSV", (0, 255, 255)), ("LAB", (138, 208, 195))],
)
def test_colours_of_other_modes_are_converted(mode: str, color: tuple[int, ...]) -> None:
    image = PillowImage.new(mode, (1, 1), color)
    red, green, blue = pixels(image)[0, 0].astype(int)
    assert red > 240
    assert max(green, blue) < 20
    assert np.array_equal(pixels(np.asarray(image), mode=mode), [[[red, green, blue]]])


def test_animations_keep_their_frames(caplog: pytest.LogCaptureFixture) -> None:
    first, *others = [PillowImage.new("RGB", (4, 4), color) for color in COLORS]
    file = io.BytesIO()
    first.save(file, "GIF", save_all=True, append_images=others, duration=[100, 200, 300])
    for suffix in (None, "png", "webp"):
        with PillowImage.open(io.BytesIO(file.getvalue())) as animation:
            media = trackai.Image(animation, format=suffix)
        assert media.suffix == f".{suffix or 'gif'}"
        assert opened(media).n_frames == 3  # type: ignore[attr-defined]
    assert caplog.text == ""
    trackai.Image(PillowImage.open(file), format="jpeg")
    assert "only the current frame of 3 is stored" in caplog.text


def test_files_of_images_are_kept_as_they_are() -> None:
    content = trackai.Image(RAMP, format="jpg").open().read()
    for value in (content, bytearray(content), io.BytesIO(content)):
        media = trackai.Image(value, caption="c")
        assert (media.open().read(), media.suffix, media.caption) == (content, ".jpeg", "c")
    copied = trackai.Image(trackai.Image(content, caption="c"))
    assert (copied.open().read(), copied.suffix, copied.caption) == (content, ".jpeg", "c")


def test_figures_of_matplotlib_are_images() -> None:
    figure = matplotlib.figure.Figure()
    axes = figure.subplots()
    for value in (figure, axes, axes.plot([1, 2])[0]):
        assert opened(trackai.Image(value, file_type="jpg")).format == "JPEG"


def test_lists_of_figures_and_pictures_are_media(db_path: Path) -> None:
    class Figure:
        """A figure of Plotly."""

        def to_plotly_json(self) -> dict[str, Any]:
            return {}

        def to_html(self, include_plotlyjs: str) -> str:
            return f"<p>{include_plotlyjs}"

    pictures = [PillowImage.new("L", (2, 2)), matplotlib.figure.Figure(), trackai.Image(RAMP)]
    with trackai.init(project="p") as run:
        run.log({"pictures": pictures, "plot": Figure()})
    with closing(sqlite3.connect(db_path)) as connection:
        names = connection.execute("SELECT path, name FROM files ORDER BY path, name").fetchall()
    assert names == [
        ("pictures", "0.png"), ("pictures", "1.png"), ("pictures", "2.png"),
        ("plot", "0.plotly.json"),
    ]  # fmt: skip


def test_charts_of_altair_are_vega_lite(db_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Chart:
        """A chart of Altair, which is not installed."""

        def __init__(self, rows: int) -> None:
            self.rows = rows

        def to_json(self, indent: int | None) -> str:
            assert indent is None
            if self.rows > 5000:
                raise RuntimeError("too many rows\nread the documentation")
            return json.dumps({"mark": "bar", "rows": self.rows})

    altair = types.ModuleType("altair")
    altair.TopLevelMixin = Chart  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "altair", altair)
    with trackai.init(project="p") as run:
        run.log(
            {
                "chart": Chart(3),
                "list": [Chart(4)],
                "dict": trackai.VegaLite({"mark": float("nan")}),
            }
        )
    with closing(sqlite3.connect(db_path)) as connection:
        names = connection.execute("SELECT path, name FROM files ORDER BY path").fetchall()
    assert names == [("chart", "0.vl.json"), ("dict", "0.vl.json"), ("list", "0.vl.json")]
    assert trackai.VegaLite(Chart(3), "c").open().read() == b'{"mark": "bar", "rows": 3}'
    with pytest.raises(trackai.InvalidInputError, match=r"^val: Altair .*: too many rows$"):
        trackai.VegaLite(Chart(5001))
    with pytest.raises(TypeError, match="val: must be a chart of Altair or a dict, got list"):
        trackai.VegaLite([])


def test_arguments_of_wandb_are_named_when_they_are_ignored(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trackai.Image(RAMP, grouping=3)
    assert "the argument grouping of Image()" in caplog.text


def samples(media: trackai.Audio) -> tuple[int, int, int, np.ndarray[Any, Any]]:
    """Channels, bytes of a sample, rate and samples."""
    with wave.open(media.open()) as sound:
        width = sound.getsampwidth()
        data = np.frombuffer(
            sound.readframes(sound.getnframes()), f"<{'u' if width == 1 else 'i'}{width}"
        )
        return sound.getnchannels(), width, sound.getframerate(), data


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", ">i2", "<i4"])
def test_samples_of_integers_are_kept_exactly(dtype: str) -> None:
    limits = np.iinfo(dtype)
    values = np.array([limits.min, limits.max, 5, 77], dtype)
    sound = trackai.Audio(values, np.int64(8000))  # type: ignore[arg-type]
    channels, width, rate, data = samples(sound)
    assert (channels, width, rate) == (1, np.dtype(dtype).itemsize, 8000)
    assert data.tolist() == values.tolist()


@pytest.mark.parametrize(
    "values",
    [
        SINE, SINE.astype(np.float32), (SINE * 32767).round().astype(np.int64), list(SINE),
        SINE.astype(np.longdouble), Tensor(SINE, is_bfloat16=True), SINE[None, None],
    ],
    ids=lambda values: type(values).__name__,
)  # fmt: skip
def test_other_samples_have_16_bits(values: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert samples(trackai.Audio(values, 8000.0))[:3] == (1, 2, 8000)  # type: ignore[arg-type]
    assert np.array_equal(samples(trackai.Audio(values, 8000))[3], (SINE * 32767).round())
    assert caplog.text == ""


@pytest.mark.parametrize("order", ["soundfile", "torchaudio"])
def test_orders_of_the_channels_of_a_sound(order: str) -> None:
    stereo = np.stack([SINE, -SINE], axis=1 if order == "soundfile" else 0)
    channels, _, _, data = samples(trackai.Audio(stereo, 8000))
    assert channels == 2
    assert np.array_equal(data[::2], (SINE * 32767).round())


def test_as_many_samples_as_channels() -> None:
    square = np.array([[0.0, 1.0], [-1.0, 0.5]])
    assert samples(trackai.Audio(square, 8000))[3].tolist() == [0, 32767, -32767, 16384]
    assert samples(trackai.Audio(Tensor(square), 8000))[3].tolist() == [0, -32767, 32767, 16384]


@pytest.mark.parametrize(
    ("values", "stored", "warning"),
    [
        (np.array([0.5, 2, -2]), [16384, 32767, -32767], "2 of 3 samples are clipped"),
        (np.array([40000, -40000]), [32767, -32768], "2 of 2 samples are clipped"),
        (np.array([np.nan, np.inf, 1]), [0, 0, 32767], "NaN and infinite samples"),
        (np.array([-128, 0, 127], np.int8), [0, 128, 255], ""),
    ],
)
def test_samples_out_of_range_are_clipped_with_one_warning(
    values: Any, stored: list[int], warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        assert samples(trackai.Audio(values, 8000))[3].tolist() == stored
    assert warning in caplog.text
    assert len(caplog.messages) == bool(warning)


VIDEO = np.zeros((3, 3, 16, 20), np.uint8)
VIDEO[[0, 1, 2], [0, 1, 2]] = 255  # red, then green, then blue


@pytest.mark.parametrize(
    ("frames", "size"),
    [
        (VIDEO, (20, 16)),
        (VIDEO.transpose(0, 2, 3, 1), (20, 16)),
        (VIDEO / 255, (20, 16)),
        (Tensor(VIDEO / 255, is_bfloat16=True), (20, 16)),
        (list(VIDEO.transpose(0, 2, 3, 1)), (20, 16)),
        ([Tensor(frame) for frame in VIDEO], (20, 16)),
        ([PillowImage.new("RGB", (4, 4), color) for color in COLORS], (4, 4)),
        (np.stack([VIDEO, VIDEO]), (46, 20)),
    ],
)
@pytest.mark.parametrize("file_format", ["gif", "webp"])
def test_frames_become_a_video(frames: Any, size: tuple[int, int], file_format: str) -> None:
    video = opened(trackai.Video(frames, fps=8, format=file_format))
    assert video.size == size
    for number in range(3):
        video.seek(number)
        red_green_blue = np.asarray(video.convert("RGB"))[3, 3]
        assert red_green_blue.argmax() == number
        assert sorted(red_green_blue)[1] < 60


def test_grey_frames_become_a_video() -> None:
    grey = [np.full((8, 9), shade, np.uint8) for shade in (0, 200)]
    video = opened(trackai.Video(grey))
    video.seek(1)
    assert np.asarray(video.convert("RGB"))[0, 0].tolist() == [200, 200, 200]


class Clip:
    """A clip of MoviePy."""

    fps = 10

    def iter_frames(self) -> Any:
        return iter(VIDEO.transpose(0, 2, 3, 1))


@pytest.mark.parametrize(
    ("value", "fps", "milliseconds"),
    [
        (VIDEO, None, [250, 250, 250]),
        (VIDEO, 30, [30, 40, 30]),  # together as long as three frames
        (VIDEO, Fraction(30000, 1001), [30, 40, 30]),
        (VIDEO, np.float32(5), [200, 200, 200]),
        (Clip(), None, [100, 100, 100]),
        (VIDEO, 60, [20, 20, 20]),
    ],
)
def test_frames_a_second(
    value: Any, fps: Any, milliseconds: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    video = opened(trackai.Video(value, fps=fps))
    durations = []
    for number in range(3):
        video.seek(number)
        durations.append(video.info["duration"])
    assert durations == milliseconds
    assert ("at most at 50 frames" in caplog.text) == (fps == 60)


@pytest.mark.skipif(os.name == "nt", reason="the ffmpeg of this test is a shell script")
def test_other_formats_of_videos_are_made_by_ffmpeg(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    program = tmp_path / "ffmpeg"
    program.write_text('#!/bin/bash\n{ echo "$@"; cat; } > "${@: -1}"\n')
    program.chmod(0o700)
    media = trackai.Video(VIDEO, fps=12, format="mp4")
    arguments, _, stdin = media.open().read().partition(b"\n")
    assert b"-s 20x16 -r 12.0" in arguments
    assert stdin == VIDEO.transpose(0, 2, 3, 1).tobytes()
    assert media.suffix == ".mp4"
    program.write_text("#!/bin/sh\necho no such codec >&2\nexit 1\n")
    with pytest.raises(InvalidInputError, match="ffmpeg failed: no such codec"):
        trackai.Video(VIDEO, format="webm")
    program.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InvalidInputError, match="'mp4' needs ffmpeg: pip install imageio-ffmpeg"):
        trackai.Video(VIDEO, format="mp4")


@pytest.mark.parametrize("kind", [trackai.Audio, trackai.Video])
def test_bytes_of_sounds_and_videos_are_kept_as_they_are(kind: Any) -> None:
    for value in (b"content", io.BytesIO(b"content")):
        media = kind(value, format="OGG")
        assert (media.open().read(), media.suffix) == (b"content", ".ogg")


def test_pages_and_texts_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page, text = tmp_path / "my page.html", tmp_path / "text.md"
    page.write_bytes(b"<b>\xe9</b>")
    text.write_text("# ü", encoding="utf-8")
    for path in ("my page.html", "./my page.html", page):
        with trackai.Html(path).open() as file:
            assert file.read() == b"<b>\xe9</b>"
    for path in ("text.md", text):
        assert trackai.Markdown(path).text == "# ü"
    written = io.StringIO()
    written.write("# written")
    assert trackai.Html(written).open().read() == b"# written"
    assert trackai.Html(io.BytesIO(b"<i>")).open().read() == b"<i>"
    assert trackai.Markdown(written).text == "# written"
    assert trackai.Html("my page.html", data_is_not_path=True).open().read() == b"my page.html"


@pytest.mark.parametrize(
    "text", ["<b>a.html", "line\nof a.html", "<p>" * 100_000, "see a.htm " * 9999, "a" * 5000, ""]
)
def test_texts_are_not_taken_for_paths(text: str) -> None:
    assert trackai.Html(text, inject=False).open().read() == text.encode()
    assert trackai.Markdown(text).text == text
    assert trackai.Markdown("see notes.md").text == "see notes.md"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: trackai.Html("./no.html"), InvalidInputError, "'./no.html' not found; pass data"),
        (
            lambda: trackai.Markdown("no.md"),
            InvalidInputError,
            "'no.md' not found; to log the text",
        ),
        (lambda: trackai.Html(b"<p>"), TypeError, "html: .*got bytes"),
        (lambda: trackai.Html(io.BytesIO(b"\xff")), InvalidInputError, "not valid UTF-8"),
        (lambda: trackai.Markdown(io.BytesIO(b"\xff")), InvalidInputError, "not valid UTF-8"),
        (lambda: trackai.Image("."), InvalidInputError, "'.' is a folder"),
        (lambda: trackai.Image("a\0.png"), InvalidInputError, "not found"),
        (lambda: trackai.Image("a" * 9000), InvalidInputError, "not found"),
        (lambda: trackai.Image([[1, 2]]), TypeError, "image: must be .* got list"),
        (lambda: trackai.Image(None), TypeError, "image: must be .* got NoneType"),
        (lambda: trackai.Image(b"text"), InvalidInputError, "4 bytes are not an image"),
        (lambda: trackai.Image(io.StringIO("text")), TypeError, "open in binary mode, got str"),
        (lambda: trackai.Image(np.zeros((2, 3, 5))), TypeError, r"got \(2, 3, 5\)"),
        (lambda: trackai.Image(np.zeros((1, 1, 3, 5, 6))), TypeError, r"got \(1, 1, 3, 5, 6\)"),
        (lambda: trackai.Image(np.zeros((0, 5))), TypeError, "must not be empty"),
        (lambda: trackai.Image(np.array([["a"]])), TypeError, "got <U1"),
        (lambda: trackai.Image(np.array([[None]])), TypeError, "got object"),
        (lambda: trackai.Image(RAMP, format="xyz"), InvalidInputError, "format: .*'xyz'"),
        (lambda: trackai.Image(RAMP, format=3), TypeError, "format: .*got int"),  # type: ignore[arg-type]
        (lambda: trackai.Image(RAMP, mode="RGB"), InvalidInputError, "mode: 'RGB' .*1 channels"),
        (lambda: trackai.Image(matplotlib.figure.Figure(), format="xyz"), InvalidInputError, "xyz"),
        (lambda: trackai.Audio(SINE), InvalidInputError, "sample_rate: required"),
        (lambda: trackai.Audio(SINE, 0), InvalidInputError, "sample_rate: .*got 0"),
        (lambda: trackai.Audio(SINE, 0.5), InvalidInputError, "sample_rate: .*got 0.5"),  # type: ignore[arg-type]
        (lambda: trackai.Audio(SINE, float("nan")), InvalidInputError, "got nan"),  # type: ignore[arg-type]
        (lambda: trackai.Audio(SINE, 10**12), InvalidInputError, "sample_rate: .*got 1000000"),
        (lambda: trackai.Audio(SINE, "8000"), TypeError, "sample_rate: .*got str"),  # type: ignore[arg-type]
        (lambda: trackai.Audio(SINE, True), TypeError, "sample_rate: .*got bool"),
        (lambda: trackai.Audio(SINE, 8000, format="mp3"), InvalidInputError, "got 'mp3'"),
        (lambda: trackai.Audio((8000, SINE), 8000), TypeError, "audio: .*one length"),
        (lambda: trackai.Audio(SINE.astype(np.uint16), 8000), TypeError, "got uint16"),
        (lambda: trackai.Audio(SINE > 0, 8000), TypeError, "got bool"),
        (lambda: trackai.Audio(np.zeros((80, 400)), 8000), TypeError, r"got \(80, 400\)"),
        (lambda: trackai.Audio(None, 8000), TypeError, "got NoneType"),
        (lambda: trackai.Video(None), TypeError, "got NoneType"),
        (lambda: trackai.Video([]), TypeError, "one shape, got no frames"),
        (lambda: trackai.Video([RAMP, RAMP[:2]]), TypeError, "one shape"),
        (lambda: trackai.Video(RAMP), TypeError, r"video: .*got \(8, 8\)"),
        (lambda: trackai.Video(VIDEO, fps=0), InvalidInputError, "fps: .*got 0"),
        (lambda: trackai.Video(VIDEO, fps="4"), TypeError, "fps: .*got str"),  # type: ignore[arg-type]
        (lambda: trackai.Video(VIDEO, format="avi"), InvalidInputError, "gif, webp, mp4, webm"),
    ],
)
def test_other_values_are_refused_by_name(
    make: Callable[[], Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "png"), ("L", "jpg"), ("P", "jpg"), ("I", "png")]
)
def test_an_image_that_cannot_be_read_is_refused(mode: str, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    content = trackai.Image(PillowImage.fromarray(noise).convert(mode)).open().read()
    with pytest.raises(
        InvalidInputError, match=r"image: cannot be (read|stored as \w+): .*truncated"
    ):
        trackai.Image(PillowImage.open(io.BytesIO(content[:900])), format=suffix)
