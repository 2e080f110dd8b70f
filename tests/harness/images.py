"""Small images for the tests, and a way to tell whether two look the same."""

import io
import math
import random

from PIL import Image, ImageChops, ImageOps, ImageStat


def painting(width=64, height=48, seed=0):
    """A picture of smooth blobs that differs from seed to seed."""
    rng = random.Random(seed)
    blobs = [Image.frombytes("L", (4, 3), rng.randbytes(12)) for _ in "RGB"]
    return Image.merge("RGB", [blob.resize((width, height), Image.BICUBIC) for blob in blobs])


def encode(image, kind="JPEG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def jpeg(width=64, height=48, seed=0, quality=90, **options):
    return encode(painting(width, height, seed), quality=quality, **options)


def decode(content):
    """The image, wholly decoded; raises where a viewer would."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def truncated(content, share):
    """The first part of a file."""
    return content[: int(len(content) * share)]


def is_progressive(jpeg_bytes):
    """Whether it is a progressive JPEG."""
    return "progressive" in Image.open(io.BytesIO(jpeg_bytes)).info


def as_seen(image):
    """What a viewer shows: turned as EXIF says, on white, in RGB."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def psnr(one, other):
    """How similar two pictures are, in dB; from about 30 on they look the same at a glance."""
    one, other = as_seen(one), as_seen(other)
    assert one.size == other.size, f"{one.size} became {other.size}"
    squares = sum(ImageStat.Stat(ImageChops.difference(one, other)).sum2)
    if squares == 0:
        return math.inf
    return 10 * math.log10(255**2 * 3 * one.width * one.height / squares)
