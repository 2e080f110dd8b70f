"""The pictures of the benchmarks: photographs in $IMGPRESS_CORPUS/photos, or the demo's drawings if
that is not set."""

import io
import math
import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "demo")]

from PIL import Image, ImageOps  # noqa: E402

import pictures  # noqa: E402

SUBSAMPLINGS = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}  # Pillow's numbers
OTHER_FORMATS = {
    "PNG": {"format": "PNG"},
    "WebP, lossy": {"format": "WEBP", "quality": 85},
    "WebP, lossless": {"format": "WEBP", "lossless": True, "quality": 50},
    "GIF": {"format": "GIF"},
}
TILE = (1000, 750)
# Excludes icons and drawings on a plain background, which say little about photographs.
LEAST_PIXELS = 100_000
LEAST_BITS_PER_PIXEL = 0.25
PIPELINE_SIZE = (800, 600)
PIPELINE_BYTES = 119_000
SMALL_SIZE = (160, 120)


def corpus_files():
    """The photographs of the corpus, if there is one."""
    folder = os.environ.get("IMGPRESS_CORPUS")
    if not folder:
        return []
    return [path for path in sorted(Path(folder, "photos").glob("*.jpg")) if _is_photograph(path)]


def size_of(path):
    with Image.open(path) as image:
        return image.size


def _is_photograph(path):
    pixels = math.prod(size_of(path))
    return pixels >= LEAST_PIXELS and path.stat().st_size * 8 >= LEAST_BITS_PER_PIXEL * pixels


def _camera_pictures():
    """(name, picture) of every photograph in colour."""
    files = corpus_files()
    for path in files:
        with Image.open(path) as image:
            if image.mode == "RGB":
                yield path.stem, image.copy()
    if not files:
        for picture in pictures.PICTURES:
            if picture.name.endswith(".jpg") and picture.mode == "RGB":
                yield Path(picture.name).stem, pictures.photograph(picture)


def write_pristine(folder):
    """Tiles of the photographs as PNG, at most 1000x750 each. Four pixels are cut off at the left
    and the top, so that 8x8 blocks do not coincide with those of the JPEG file that they come
    from."""
    for name, picture in _camera_pictures():
        width, height = min(TILE[0], picture.width - 4), min(TILE[1], picture.height - 4)
        for top in range(4, picture.height - height + 1, height):
            for left in range(4, picture.width - width + 1, width):
                tile = picture.crop((left, top, left + width, top + height))
                # Without the profile, which some peers keep and some drop.
                tile.save(folder / f"{name}-{left}-{top}.png", compress_level=1, icc_profile=None)


def write_sources(pristine, folder, quality, subsampling):
    """Saves every pristine picture as a JPEG of this quality."""
    for path in sorted(pristine.glob("*.png")):
        with Image.open(path) as image:
            image.save(
                folder / f"{path.stem}.jpg", quality=quality, subsampling=SUBSAMPLINGS[subsampling]
            )


def write_in_format(pristine, folder, options):
    """Saves every pristine picture with these options of Pillow."""
    for path in sorted(pristine.glob("*.png")):
        with Image.open(path) as image:
            image.save(folder / path.stem, **options)


def write_as_found(folder):
    """Copies the photographs unchanged, of any quality and size, but only those in 4:2:0 or
    grey."""
    files = corpus_files()
    for path in files:
        shutil.copyfile(path, folder / path.name)
    if not files:
        pictures.make_pictures(folder)
        (folder / pictures.BROKEN).unlink()
    for path in folder.iterdir():
        with Image.open(path) as image:
            keep = image.format == "JPEG" and (image.mode == "L" or image.layer[0][1:3] == (2, 2))
        if not keep:
            path.unlink()


def write_for_pipeline(folder):
    """4:2:0 JPEGs of 800x600 and about 119 kB: photo0.jpg and so on. Returns how many."""
    count = 0
    for _, picture in _camera_pictures():
        data = _near_pipeline_bytes(ImageOps.fit(picture, PIPELINE_SIZE, Image.LANCZOS))
        if data is not None:
            (folder / f"photo{count}.jpg").write_bytes(data)
            count += 1
    return count


def write_small(folder):
    """4:2:0 JPEGs of 160x120, some 5 to 9 kB: photo0.jpg and so on. Returns how many."""
    count = 0
    for _, picture in _camera_pictures():
        small = ImageOps.fit(picture, SMALL_SIZE, Image.LANCZOS)
        small.save(folder / f"photo{count}.jpg", quality=90, subsampling=2)
        count += 1
    return count


def _near_pipeline_bytes(image):
    """The picture in the highest quality that fits the size; None if no quality comes near it."""
    for quality in range(95, 60, -1):
        data = io.BytesIO()
        image.save(data, "JPEG", quality=quality, subsampling=2)
        if data.tell() <= PIPELINE_BYTES * 1.05:
            break
    return data.getvalue() if data.tell() >= PIPELINE_BYTES * 0.8 else None
