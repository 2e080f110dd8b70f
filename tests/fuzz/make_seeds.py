#!/usr/bin/python3
"""Writes the seeds of the fuzz targets: small inputs of every kind, from which the fuzzer goes on.

Their images are a few hundred bytes each. Two bytes in front choose the options of the codec. Needs
jpegtran (libjpeg-turbo-progs)."""

import io
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

from PIL import Image, ImageDraw

SEEDS = Path(__file__).resolve().parent / "seeds"
BANDS = ((1, 2), (3, 3), (4, 20), (21, 63))
OPTIONS = (b"\x31\x01", b"\x31\x02", b"\x31\x80")  # balanced, small, truncated files accepted


def picture(width, height, mode="RGB"):
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.ellipse((0, 0, width // 2, height // 2), fill=(200, 40, 30))
    draw.line((0, height, width, 0), fill=(20, 90, 220))
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize((width, height)))
    return image.convert(mode)


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def orientation(number):
    exif = Image.Exif()
    exif[0x112] = number
    return exif.tobytes()


def jpegs():
    small, odd = picture(24, 16), picture(37, 19)
    yield "420", encoded(odd, "JPEG", quality=75)
    yield "444", encoded(small, "JPEG", quality=95, subsampling=0)
    yield "422", encoded(small, "JPEG", quality=30, subsampling=1)
    yield "progressive", encoded(odd, "JPEG", progressive=True, quality=80)
    yield "gray", encoded(picture(17, 9, "L"), "JPEG", optimize=True)
    yield "cmyk", encoded(picture(16, 16, "CMYK"), "JPEG")
    yield "turned", encoded(odd, "JPEG", exif=orientation(6), quality=60)
    yield "mirrored", encoded(picture(32, 16), "JPEG", exif=orientation(2), quality=60)
    yield "restarts", encoded(picture(40, 40), "JPEG", restart_marker_blocks=1, quality=60)
    yield "dot", encoded(picture(1, 1), "JPEG")
    yield "profile", encoded(small, "JPEG", icc_profile=b"profile" * 8, comment=b"a comment")
    yield "cut", encoded(picture(64, 64), "JPEG", quality=90)[:-40]


def scanned(jpeg, script):
    """With the scans of a script, as jpegtran understands it."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(script)
        file.flush()
        command = ["jpegtran", "-scans", file.name]
        return subprocess.run(command, input=jpeg, stdout=subprocess.PIPE, check=True).stdout


def coefficients():
    """JPEG files with few codes and many kinds of scans."""
    odd = picture(37, 19)
    yield "baseline", encoded(odd, "JPEG", quality=75)
    yield "progressive", encoded(odd, "JPEG", progressive=True, quality=80)
    yield "gray", encoded(picture(17, 9, "L"), "JPEG", progressive=True, quality=95)
    yield "cmyk", encoded(picture(16, 16, "CMYK"), "JPEG", progressive=True)
    restarts = encoded(odd, "JPEG", progressive=True, restart_marker_blocks=2, quality=60)
    yield "restarts", restarts
    full = encoded(picture(24, 16), "JPEG", quality=90, subsampling=0)
    apart = "0: 0-0, 0, 3; 1,2: 0-0, 0, 0; 2: 1-63, 0, 0; 1: 1-63, 0, 0; 0: 1-63, 0, 3;"
    bits = " ".join(f"0: 0-0, {bit + 1}, {bit}; 0: 1-63, {bit + 1}, {bit};" for bit in (2, 1, 0))
    yield "bits", scanned(full, f"{apart} {bits}")
    bands = "; ".join(f"{i}: {first}-{last}, 0, 0" for i in (0, 1, 2) for first, last in BANDS)
    yield "bands", scanned(full, f"0,1,2: 0-0, 0, 0; {bands};")


def chunk(name, data):
    return struct.pack("!I", len(data)) + name + data + struct.pack("!I", zlib.crc32(name + data))


def interlaced_png(width=5, height=3):
    """Gray, 8 bits, seven passes (Adam7), each with its own rows."""
    rows = b""
    for x0, y0, dx, dy in ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4),
                           (1, 0, 2, 2), (0, 1, 1, 2)):  # fmt: skip
        columns = range(x0, width, dx)
        for y in range(y0, height, dy):
            if columns:
                rows += bytes([0]) + bytes(40 * y + x for x in columns)
    header = struct.pack("!IIBBBBB", width, height, 8, 0, 0, 0, 1)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def pngs():
    yield "rgb", encoded(picture(24, 16), "PNG")
    yield "rgba", encoded(picture(24, 16, "RGBA"), "PNG")
    yield "palette", encoded(picture(24, 16).quantize(8), "PNG", transparency=3)
    yield "gray", encoded(picture(17, 9, "L"), "PNG")
    yield "gray-alpha", encoded(picture(17, 9, "LA"), "PNG")
    yield "bits", encoded(picture(17, 9, "1"), "PNG")
    yield "deep", encoded(Image.new("I;16", (9, 9), 999), "PNG")
    yield "interlaced", interlaced_png()
    frames = [picture(12, 12), picture(12, 12).rotate(90)]
    yield "animated", encoded(frames[0], "PNG", save_all=True, append_images=frames[1:])
    yield "turned", encoded(picture(12, 9), "PNG", exif=orientation(8))
    yield "profile", encoded(picture(9, 9), "PNG", icc_profile=b"profile" * 8)


def webps():
    yield "lossy", encoded(picture(24, 16), "WEBP", quality=40)
    yield "lossless", encoded(picture(24, 16), "WEBP", lossless=True)
    yield "alpha", encoded(picture(24, 16, "RGBA"), "WEBP", quality=40)
    yield "turned", encoded(picture(12, 9), "WEBP", exif=orientation(3))
    frames = [picture(12, 12), picture(12, 12).rotate(90)]
    yield "animated", encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])


def gifs():
    yield "plain", encoded(picture(24, 16).quantize(16), "GIF", interlace=0)
    yield "interlaced", encoded(picture(24, 16).quantize(4), "GIF", interlace=1)
    yield "transparent", encoded(picture(12, 9).quantize(4), "GIF", transparency=1)
    frames = [picture(12, 12).quantize(4), picture(12, 12).rotate(90).quantize(4)]
    yield "animated", encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    yield "comment", encoded(picture(3, 3).quantize(2), "GIF", comment=b"a comment")


def images(kinds):
    for number, (name, image) in enumerate(kinds):
        yield name, OPTIONS[number % len(OPTIONS)] + image


def text_field(text):
    return struct.pack("<I", len(text)) + text


def messages():
    yield "ready", b"\0" + text_field(b"0.2.0") + struct.pack("<II", 7, 1) + text_field(b"seccomp")
    denied = b"connections to a are not allowed: 10.0.0.5 is a private address"
    yield "fetched", b"\3" + struct.pack("<QBII", 9, 8, 0, 0) + text_field(denied) + b"\0"
    texts = text_field(b"") + text_field(b"") + text_field(b"00ff")
    yield "compressed", b"\5" + struct.pack("<QBBBII", 9, 0, 0, 0, 24, 16) + texts + bytes(4)


HEADER = "S. No.,Product Name,Input Image Urls\n"
CSVS = {
    "plain": HEADER + '1,SKU1,"http://a/1.jpg,http://a/2.jpg"\n2,SKU2,http://a/3.jpg\n',
    "unquoted": HEADER + "1,SKU1,http://a/1.jpg,http://a/2.jpg\n",
    "semicolons": "Serial Number;Product Name;Urls\r\n1;12\" x 8\";http://a/1.jpg\r\n",
    "tabs": "serial_number\tproduct_name\turls\r1\tn\thttp://a/1.jpg\r",
    "separator": "sep=|\nS. No.|Product Name|Image 1|Image 2\n1|n|http://a/1|http://a/2\n",
    "title": "My products\n\n" + HEADER + "1,n,http://a/1\n",
    "array": HEADER + '1,n,"{http://a/1,""http://a/2"",NULL}"\n',
    "curly": HEADER + "1,\u201cn\u201d,\u201chttp://a/1\u201d\n",
    "backslashes": HEADER + '1,"a \\"b\\"",http://a/1\n',
    "faults": HEADER + "x,,ftp://a\n1,n,http://a/1,surplus\n\"open,",
    "no-header": "1,n,http://a/1\n",
    "wide": ",".join(["S. No.", "Product Name", "Urls"] + ["c"] * 20) + "\n1,n,http://a/1\n",
}


def csvs():
    for name, text in CSVS.items():
        yield name, text.encode()
    yield "utf16-little", ("\ufeff" + CSVS["plain"]).encode("utf-16-le")
    yield "utf16-big", ("\ufeff" + CSVS["curly"] + "\U0001f600").encode("utf-16-be")
    yield "marked", b"\xef\xbb\xbf" + CSVS["curly"].encode()
    yield "no-utf8", CSVS["plain"].encode() + b"1,caf\xe9,http://a/1\n"


URL_LISTS = (
    "http://a/1,http://a/2;https://a/3|http://a/4 http://a/5",
    '<http://a/1>; "http://a/2"',
    "[http://a/1, http://a/2]",
    '{http://a/1,"http://a/\\"2",NULL,"",{}}',
    '["http:\\/\\/a\\/1", "\\u00e9\\ud83d\\ude00", null]',
    "['http://a/1', None, u'b']",
    "http://a/crop(1,2,3)/x.jpg\u200b\u00a0, http://a/\u00e9",
    '[{"src": "http://a/1", "alt": [1, {"x": null}]}, null, "http://a/2", {"url": {}}]',
)
URLS = (
    "http://a.example/b/img1.jpg?w=3#f",
    "HTTPS://user:secret@a.example:8443/%E4%B8%AD/box.PNG",
    "http://127.1/a",
    "http://0x7f000001:80/",
    "http://[::ffff:127.0.0.1%25lo]:81/",
    "http://\uff11\uff12\uff17\u30020.0.1/\u4e2d.jpeg",
    "http://%31%32%37.0.0.1./..;/a b.webp",
    "http://b\u00fccher.example/",
)
NETWORKS = (
    b"\0\x0a\0\0\x0110.0.0.0/8, fd00::/8, 192.168.1.7",
    b"\0\xa9\xfe\xa9\xfe",
    b"\1\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01::1/128,127.0.0.0/8",
    b"\1\0\x64\xff\x9b\0\0\0\0\0\0\0\0\x0a\1\2\3::ffff:10.0.0.0/104",
    b"\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1connections to a are not allowed: ::1 is",
)
RETRY_AFTERS = (
    "120",
    " 99999999999999999999 ",
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Fri Nov 27  3:33:20 2026",
    "-1",
)
BODY = (
    '--X\r\nContent-Disposition: form-data; name="quality"\r\n\r\n40\r\n'
    '--X  \r\ncontent-type: text/csv\r\nContent-Disposition: form-data; filename="a;b.csv"; name=file'
    "\r\n\r\na,b\r\n--Y\r\n\r\n--X--\r\nrest"
)
PARAMETERS = (
    "quality=40&effort=small&webhook_url=http%3A%2F%2Fa%2F%3Fb%3Dc%26d",
    "quality=1&quality=2&=&a&%00=%ff&b=%c3%a9+%2",
)
ROUTES = (
    "/api/status/0123abcd-4567-89ef-0123-456789abcdef/",
    "/api/products/0123ABCD-4567-89EF-0123-456789ABCDEF",
    "/api/upload/",
    "/base/images/0123abcd-4567-89ef-0123-456789abcdef/12/box_compressed.jpg",
    "/health",
    "/page.js",
    "/",
)
AUTHORITIES = ("shop.Example.:8080", "[::1]:80", "127.0.0.1", "https://a.example:443/b", "null")
KEYS = ("Bearer ipk_12_" + "0123456789abcdef" * 4, "bearer ipk_2147483648_0", "Basic dXNlcg==")


def forms():
    for number, piece in enumerate((0, 3, 255)):
        content_type = ("multipart/form-data; boundary=X", 'MULTIPART/form-data;boundary="X"')
        kind = content_type[number % 2].encode()
        yield str(number), bytes([piece, len(kind)]) + kind + BODY.encode()


def numbered(texts, prefix=b""):
    for number, text in enumerate(texts):
        yield str(number), prefix + (text if isinstance(text, bytes) else text.encode())


TARGETS = {
    "codec_jpeg": images(jpegs()),
    "coefficients": coefficients(),
    "codec_png": images(pngs()),
    "codec_webp": images(webps()),
    "codec_gif": images(gifs()),
    "wire": messages(),
    "csv": csvs(),
    "url_list": numbered(URL_LISTS),
    "url": numbered(URLS),
    "output_name": numbered(URLS, b"\0"),
    "networks": numbered(NETWORKS),
    "retry_after": numbered(RETRY_AFTERS),
    "multipart": forms(),
    "parameters": numbered(PARAMETERS),
    "route": numbered(ROUTES),
    "authority": numbered(AUTHORITIES),
    "key": numbered(KEYS),
}

if __name__ == "__main__":
    for target, inputs in TARGETS.items():
        (SEEDS / target).mkdir(parents=True, exist_ok=True)
        for name, content in inputs:
            (SEEDS / target / f"{name}.bin").write_bytes(content)
