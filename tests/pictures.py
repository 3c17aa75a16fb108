"""Pictures that tests bring: arrays, files of every mode and depth, and what Pillow cannot write."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def array_of_pictures(folder: Path) -> str:
    """400 grey 16x16 pictures with labels 0 to 3, as the spelling of a pattern with groups of two."""
    random = np.random.default_rng(5)
    x = random.uniform(0, 1, (400, 16, 16, 1)).astype(np.float32)
    np.savez(folder / "x.npz", x=x, y=np.arange(400) % 4)
    return f"imported:path={folder / 'x.npz'},inputs_per_group=2"


def picture_files(folder: Path, count: int, *, size: tuple[int, int] = (20, 14)) -> list[Path]:
    """So many different colour pictures, 00.png and so on, in a new folder."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(6)
    paths = [folder / f"{i:02}.png" for i in range(count)]
    for path in paths:
        coarse = Image.fromarray(random.integers(0, 256, (4, 5, 3), np.uint8))
        coarse.resize(size).save(path)
    return paths


def by_class(folder: Path, classes: dict[str, int]) -> Path:
    """A folder with so many pictures in subfolders of these names."""
    files = iter(picture_files(folder / "all", sum(classes.values())))
    for name, count in classes.items():
        (folder / "labelled" / name).mkdir(parents=True)
        for _ in range(count):
            source = next(files)
            shutil.move(source, folder / "labelled" / name / source.name)
    return folder / "labelled"


def png(values: np.ndarray, *, transparent: tuple[int, ...] = ()) -> bytes:
    """A PNG of uint8 or uint16 (h, w) or (h, w, 2 to 4), and the one value that is transparent."""
    height, width = values.shape[:2]
    channels = 1 if values.ndim == 2 else values.shape[2]
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = values.astype(values.dtype.newbyteorder(">"))
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8 * values.itemsize, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    if transparent:
        parts.insert(1, (b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, *zip(*parts, strict=True)))


def huge_png(side: int) -> bytes:
    """A PNG that declares so many pixels a side and holds none."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    chunks = [_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(b"")), _chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + content))
    return struct.pack(">I", len(content)) + name + content + checksum
