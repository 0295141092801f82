#!/usr/bin/env bash
# Pillow's getpixel() and NumPy give different numbers for the same pixel of a LAB image.
#
# Guess: np.asarray(image)[y, x] equals image.getpixel((x, y)), as for every other mode of 8 bits.
# Seen with Pillow 12.3.0 and NumPy 2.4.6: a* and b* differ by 128. new(), getpixel() and the colour
# conversion of ImageCms use values from 0 to 255 with grey at 128. tobytes(), frombytes() and NumPy
# use signed bytes with grey at 0, in an array of uint8.
#   - new("LAB", (1, 1), (138, 208, 195)) is red, and np.asarray() of it is (138, 80, 67);
#   - frombytes("LAB", (1, 1), bytes((138, 208, 195))) is blue.
# Pass arrays of NumPy to frombytes(), and colours of getpixel() to new(), not the other way round.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check pillow==12.3.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON'
import numpy as np
from PIL import Image, ImageCms

RED = (138, 208, 195)


def rgb(image):
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB").getpixel((0, 0))


image = Image.new("LAB", (1, 1), RED)
assert image.getpixel((0, 0)) == RED
assert rgb(image)[0] > 240, rgb(image)
array = np.asarray(image)
assert array.dtype == np.uint8
assert array[0, 0].tolist() == [138, 80, 67]
print("getpixel:", image.getpixel((0, 0)), "NumPy:", array[0, 0].tolist())

assert Image.frombytes("LAB", (1, 1), array.tobytes()).getpixel((0, 0)) == RED
crossed = Image.frombytes("LAB", (1, 1), bytes(RED))
assert rgb(crossed)[0] < 20 and rgb(crossed)[2] > 200, rgb(crossed)
print("the colour of new() in frombytes():", rgb(crossed), "instead of", rgb(image))

for mode, color in (("HSV", (1, 2, 3)), ("YCbCr", (1, 200, 3)), ("CMYK", (1, 2, 3, 4))):
    pixel = np.asarray(Image.new(mode, (1, 1), color))[0, 0].tolist()
    assert pixel == list(color), (mode, pixel)
PYTHON
