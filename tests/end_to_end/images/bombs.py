"""Small files that a careless decoder would blow up to gigabytes, or work on for minutes."""

import gzip
import io
import struct
import zlib

from PIL import Image

from harness.images import encode, jpeg

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, RGBA = 0, 2, 6


def png_chunk(kind, content):
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def png(width, height, depth=8, colours=GREY, rows=None, more=b""):
    """A black PNG. `rows`: of pixels that are really there; `more`: chunks before them."""
    samples = {GREY: 1, RGB: 3, RGBA: 4}[colours]
    row = bytes(1 + (width * samples * depth + 7) // 8)
    packer = zlib.compressobj(1)
    pixels = b"".join(packer.compress(row) for _ in range(height if rows is None else rows))
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    return (
        PNG_SIGNATURE
        + png_chunk(b"IHDR", header)
        + more
        + png_chunk(b"IDAT", pixels + packer.flush())
        + png_chunk(b"IEND", b"")
    )


def icc_bomb():
    """A colour profile of 128 MB, compressed to less than 1 MB."""
    profile = zlib.compress(bytes(128 << 20), 1)
    return png(64, 64, colours=RGB, more=png_chunk(b"iCCP", b"profile\0\0" + profile))


def apng(frames):
    """A PNG with many frames, each as large as the first one."""
    plain = png(1000, 1000)
    end = plain.index(b"IDAT") - 4
    pixels = zlib.compress(bytes(1001 * 1000), 9)
    control = struct.pack(">IIIIIHHBB", 0, 1000, 1000, 0, 0, 1, 10, 0, 0)
    later = b"".join(
        png_chunk(b"fcTL", struct.pack(">I", 2 * n + 1) + control[4:])
        + png_chunk(b"fdAT", struct.pack(">I", 2 * n + 2) + pixels)
        for n in range(frames)
    )
    animation = png_chunk(b"acTL", struct.pack(">II", frames + 1, 0)) + png_chunk(b"fcTL", control)
    return plain[:end] + animation + plain[end:-12] + later + plain[-12:]


def gif(width, height, frames=1):
    """A GIF whose screen is this large, with frames of one pixel."""
    frame = b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\xff\0\0\0\0\0"
    return b"GIF89a" + screen + frame * frames + b";"


def webp(width, height):
    """An animated WebP whose canvas is this large, with one small frame."""

    def chunk(kind, content):
        return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)

    def u24(value):
        return struct.pack("<I", value)[:3]

    picture = encode(Image.new("RGB", (16, 16)), "WEBP", lossless=True)[12:]
    frame = u24(0) + u24(0) + u24(15) + u24(15) + u24(100) + b"\0" + picture
    content = (
        chunk(b"VP8X", b"\x02\0\0\0" + u24(width - 1) + u24(height - 1))
        + chunk(b"ANIM", bytes(6))
        + chunk(b"ANMF", frame)
    )
    return b"RIFF" + struct.pack("<I", 4 + len(content)) + b"WEBP" + content


def jpeg_of_size(width, height, **options):
    """A small JPEG whose header states another size."""
    content = bytearray(jpeg(**options))
    frame = content.index(b"\xff\xc2" if options.get("progressive") else b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def jpeg_with_scans(side, scans):
    """A progressive JPEG of one colour that refines the same coefficients again and again."""
    content = encode(Image.new("L", (side, side), 99), progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * scans + content[-2:]


def gzip_bomb(size):
    """A JPEG with so many further bytes, compressed by a factor of a thousand."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6) as packed:
        packed.write(jpeg())
        for _ in range(size >> 20):
            packed.write(bytes(1 << 20))
    return out.getvalue()
