#!/usr/bin/python3
"""Pillow with the interface of imgpress-bench-codec: the same input lines, the same output lines.

    codec_pillow.py QUALITY
"""

import io
import sys
import time
from pathlib import Path

from PIL import Image


def main():
    quality = int(sys.argv[1])
    for line in sys.stdin:
        sources, outputs = map(Path, line.rstrip("\n").split("\t"))
        files = [(path.name, path.read_bytes()) for path in sorted(sources.iterdir())]
        results = []
        begin = time.process_time()
        for _, source in files:
            output = io.BytesIO()
            image = Image.open(io.BytesIO(source))
            if image.mode == "P":  # a GIF
                image = image.convert("RGB")
            image.save(output, "JPEG", quality=quality)
            results.append(output.getvalue())
        seconds = time.process_time() - begin
        for (name, _), result in zip(files, results):
            (outputs / name).write_bytes(result)
        print(len(files), f"{seconds:.6f}", sum(map(len, results)), sep="\t", flush=True)


if __name__ == "__main__":
    main()
