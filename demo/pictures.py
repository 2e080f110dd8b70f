#!/usr/bin/python3
"""Draws the sample pictures and writes sample.csv: always the same, and free of copyright.

    pictures.py FOLDER [BASE_URL]

The pictures look and compress like product photographs: soft light, a textured ground, one object
with a shadow, a printed label and the grain of a sensor.
"""

import csv
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

BROKEN = "garden-chair-broken.jpg"
MISSING = "garden-chair-missing.jpg"
ORIENTATION = 0x0112


@dataclass(frozen=True)
class Picture:
    """One sample: what it shows and how it is stored."""

    name: str
    shape: str
    colour: tuple
    size: tuple = (1200, 900)
    options: dict = field(default_factory=dict)
    mode: str = "RGB"
    turned: bool = False


JPEG_420 = {"quality": 92, "subsampling": 2}
JPEG_444 = {"quality": 92, "subsampling": 0}
PROGRESSIVE = {"quality": 90, "progressive": True}

PICTURES = (
    Picture("mug-front.jpg", "mug", (178, 62, 52), options=JPEG_420),
    Picture("mug-side.jpg", "mug", (168, 58, 60), (1280, 960), JPEG_444),
    Picture("mug-detail.jpg", "ball", (182, 70, 50), (1000, 1000), PROGRESSIVE),
    Picture("vase-blue.jpg", "vase", (52, 92, 168), (900, 1200), JPEG_420),
    Picture("vase-grey.jpg", "vase", (120, 120, 120), options=JPEG_420, mode="L"),
    Picture("box-closed.jpg", "box", (196, 150, 88), options=JPEG_420),
    Picture("box-open.jpg", "box", (206, 160, 98), (1600, 1200), PROGRESSIVE),
    Picture("box-label.png", "box", (214, 206, 190), (800, 600)),
    Picture("lamp-portrait.jpg", "lamp", (232, 190, 96), (900, 1200), JPEG_420, turned=True),
    Picture("lamp-night.jpg", "lamp", (98, 84, 140), (1200, 800), JPEG_444),
    Picture("lamp-web.webp", "lamp", (222, 180, 106), options={"quality": 88, "method": 2}),
    Picture("ball-red.jpg", "ball", (198, 44, 40), options=JPEG_420),
    Picture("ball-cutout.png", "ball", (44, 120, 90), (700, 700), mode="RGBA"),
    Picture("bottle-green.jpg", "bottle", (52, 128, 76), (900, 1200), JPEG_420),
    Picture(
        "bottle-shelf.webp", "bottle", (60, 110, 84), (1200, 900), {"quality": 90, "method": 2}
    ),
    Picture("bottle-badge.gif", "bottle", (140, 60, 110), (480, 360), mode="P"),
)

# Two products have the same name on purpose: imgpress must keep them apart.
PRODUCTS = (
    (1, "Stoneware Mug", ("mug-front.jpg", "mug-side.jpg", "mug-detail.jpg")),
    (2, "Vase", ("vase-blue.jpg",)),
    (3, "Vase", ("vase-grey.jpg",)),
    (4, "Storage Box, large", ("box-closed.jpg", "box-open.jpg", "box-label.png")),
    (5, "Desk Lamp", ("lamp-portrait.jpg", "lamp-night.jpg", "lamp-web.webp")),
    (6, 'Ball "Classic"', ("ball-red.jpg", "ball-cutout.png")),
    (7, "Olive Oil 0.5 l", ("bottle-green.jpg", "bottle-shelf.webp", "bottle-badge.gif")),
    (8, "Garden Chair", (BROKEN, MISSING)),
)


def _noise(rng, size, cell):
    """Smooth random brightness with blobs about `cell` pixels wide."""
    small = (max(2, size[0] // cell), max(2, size[1] // cell))
    grains = Image.frombytes("L", small, rng.randbytes(small[0] * small[1]))
    return grains.resize(size, Image.BICUBIC)


def _texture(rng, size):
    """Blobs of several sizes added up, like a natural surface."""
    texture = _noise(rng, size, 300)
    for cell, weight in ((90, 0.35), (25, 0.2), (7, 0.12)):
        texture = Image.blend(texture, _noise(rng, size, cell), weight)
    return texture


def _ground(rng, size, colour):
    """Wall and table: two tones of the texture, darker towards the bottom."""
    dark = tuple(int(70 + part * 0.18) for part in colour)
    light = tuple(int(215 + part * 0.12) for part in colour)
    ground = Image.composite(
        Image.new("RGB", size, light), Image.new("RGB", size, dark), _texture(rng, size)
    )
    falloff = Image.linear_gradient("L").resize(size).point(lambda level: 255 - level // 3)
    return ImageChops.multiply(ground, Image.merge("RGB", (falloff,) * 3))


def _outline(shape, size):
    """The object's silhouette as a mask."""
    width, height = size
    mask = Image.new("L", size, 0)
    draw = ImageDraw.Draw(mask)

    def at(left, top, right, bottom):
        return [left * width, top * height, right * width, bottom * height]

    if shape == "mug":
        draw.ellipse(at(0.58, 0.38, 0.74, 0.68), outline=255, width=width // 36)
        draw.rounded_rectangle(at(0.32, 0.28, 0.64, 0.78), radius=width // 24, fill=255)
    elif shape == "vase":
        draw.ellipse(at(0.32, 0.36, 0.68, 0.82), fill=255)
        draw.rectangle(at(0.43, 0.18, 0.57, 0.45), fill=255)
        draw.ellipse(at(0.39, 0.14, 0.61, 0.22), fill=255)
    elif shape == "box":
        draw.polygon(
            at(0.26, 0.42, 0.5, 0.3) + at(0.76, 0.4, 0.74, 0.72) + at(0.5, 0.84, 0.28, 0.72),
            fill=255,
        )
    elif shape == "lamp":
        draw.polygon(at(0.4, 0.18, 0.6, 0.18) + at(0.7, 0.46, 0.3, 0.46), fill=255)
        draw.rectangle(at(0.485, 0.46, 0.515, 0.8), fill=255)
        draw.ellipse(at(0.38, 0.77, 0.62, 0.84), fill=255)
    elif shape == "bottle":
        draw.rounded_rectangle(at(0.4, 0.38, 0.6, 0.84), radius=width // 20, fill=255)
        draw.rectangle(at(0.46, 0.14, 0.54, 0.42), fill=255)
    else:
        side = min(size) * 0.3
        draw.ellipse(
            [width / 2 - side, height / 2 - side, width / 2 + side, height / 2 + side], fill=255
        )
    return mask.filter(ImageFilter.GaussianBlur(1.2))


def _label(size, text):
    """The product's printed name as a mask, in Pillow's built-in font."""
    font = ImageFont.load_default()
    left, top, right, bottom = font.getbbox(text)
    letters = Image.new("L", (right - left + 4, bottom - top + 4), 0)
    ImageDraw.Draw(letters).text((2 - left, 2 - top), text, fill=255, font=font)
    scale = max(1, round(size[0] * 0.16 / letters.width))
    letters = letters.resize((letters.width * scale, letters.height * scale), Image.BICUBIC)
    mask = Image.new("L", size, 0)
    mask.paste(letters, ((size[0] - letters.width) // 2, int(size[1] * 0.6)))
    return mask


def _object(rng, size, colour):
    """The object's surface: its colour, lit from the upper left, with a little texture."""
    shine = Image.radial_gradient("L").resize((size[0] * 2, size[1] * 2), Image.BILINEAR)
    shine = ImageChops.offset(shine, -size[0] // 8, -size[1] // 6)
    shine = shine.crop((size[0] // 2, size[1] // 2, size[0] * 3 // 2, size[1] * 3 // 2))
    light = tuple(min(255, part + 90) for part in colour)
    surface = Image.composite(
        Image.new("RGB", size, colour),
        Image.new("RGB", size, light),
        shine.point(lambda level: min(255, level * 2)),
    )
    grain = _noise(rng, size, 5).point(lambda level: 225 + level // 9)
    return ImageChops.multiply(surface, Image.merge("RGB", (grain,) * 3))


def _scene(picture):
    """The picture as the camera saw it (upright), and the object's silhouette."""
    rng = random.Random(picture.name)
    size = picture.size
    scene = _ground(rng, size, picture.colour)
    mask = _outline(picture.shape, size)
    shadow = ImageChops.offset(mask, size[0] // 30, size[1] // 36)
    shadow = shadow.reduce(8).filter(ImageFilter.GaussianBlur(3)).resize(size, Image.BICUBIC)
    scene.paste((28, 26, 30), mask=shadow.point(lambda level: level * 5 // 9))
    scene.paste(_object(rng, size, picture.colour), mask=mask)
    scene.paste((250, 246, 236), mask=_label(size, picture.name.rpartition(".")[0].upper()))
    scene = scene.filter(ImageFilter.GaussianBlur(0.6))
    return Image.blend(scene, Image.merge("RGB", (_noise(rng, size, 1),) * 3), 0.045), mask


def photograph(picture):
    """The picture in full colour, before it is stored in a format."""
    return _scene(picture)[0]


def _save(picture, folder):
    scene, mask = _scene(picture)
    options = dict(picture.options)
    if picture.mode == "RGBA":
        scene.putalpha(mask)
    elif picture.mode == "P":
        scene = scene.quantize(128)
    elif picture.mode != "RGB":
        scene = scene.convert(picture.mode)
    if picture.turned:
        # Stored rotated, with an EXIF orientation that says how to turn it back.
        scene = scene.transpose(Image.ROTATE_90)
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        options["exif"] = exif.tobytes()
    if picture.name.endswith(".png"):
        options["compress_level"] = 3
    scene.save(folder / picture.name, **options)


def make_pictures(folder):
    """Writes all sample pictures, and the broken one: the first bytes of a JPEG, then garbage."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        _save(picture, folder)
    nonsense = random.Random(BROKEN).randbytes(40_000).replace(b"\xff", b"\x00")
    (folder / BROKEN).write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + nonsense)


def write_csv(path, base_url):
    """Writes sample.csv: eight products that name all pictures below base_url."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("S. No.", "Product Name", "Input Image Urls"))
        for serial, name, pictures in PRODUCTS:
            urls = ",".join(f"{base_url.rstrip('/')}/{picture}" for picture in pictures)
            writer.writerow((serial, name, urls))


def main(arguments):
    if not 1 <= len(arguments) <= 2:
        print("usage: pictures.py FOLDER [BASE_URL]", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    make_pictures(folder)
    write_csv(
        folder / "sample.csv", arguments[1] if len(arguments) == 2 else "http://127.0.0.1:8000"
    )
    print(f"{len(PICTURES)} pictures and sample.csv in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
