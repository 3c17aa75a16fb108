"""Model files that an engine reads by their path: written for as long as it takes, for this user only.

A SavedModel is a folder. It travels, and is digested, as one zip of its files: stored, sorted by name, dated
1980, so that the same files are the same bytes.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ..errors import BadInput, ModelRefused

LARGEST_FOLDER_BYTES = 512 << 20
GRAPH = "saved_model.pb"


@contextmanager
def file_of(engine: str, model: bytes) -> Iterator[str]:
    """A path for engines that want one: keras a file, savedmodel a folder.

    Raises:
        ModelRefused: bytes that are not what the engine reads.
    """
    with tempfile.TemporaryDirectory(prefix="edgewm-") as folder:
        if engine == "keras":
            path = Path(folder) / "suspect.keras"
            path.write_bytes(model)
        else:
            path = Path(folder)
            _unpack(model, path)
        yield str(path)


def packed_folder(folder: Path, argument: str = "SUSPECT") -> bytes:
    """A SavedModel's folder as one zip.

    Raises:
        BadInput: no SavedModel, more than 512 MiB, or files that cannot be read.
    """
    if not (folder / GRAPH).is_file():
        raise BadInput(
            f"{argument}: got the folder {folder}, expected a model file or a SavedModel"
        )
    held = io.BytesIO()
    try:
        files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())
        if sum(path.stat().st_size for path in files) > LARGEST_FOLDER_BYTES:
            raise BadInput(f"{argument}: {folder} is larger than 512 MiB")
        with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as archive:
            for path in files:
                name = path.relative_to(folder).as_posix()
                archive.writestr(zipfile.ZipInfo(name), path.read_bytes())
    except OSError as error:
        raise BadInput(f"{argument}: {folder} cannot be read: {error.strerror}") from None
    return held.getvalue()


def _unpack(model: bytes, folder: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            entries = archive.infolist()
            names = [PurePosixPath(entry.filename) for entry in entries]
            outside = any(name.is_absolute() or ".." in name.parts for name in names)
            size = sum(entry.file_size for entry in entries)
            if outside or size > LARGEST_FOLDER_BYTES or PurePosixPath(GRAPH) not in names:
                raise ModelRefused("savedmodel: the model is no SavedModel: give its folder")
            archive.extractall(folder)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError):
        raise ModelRefused("savedmodel: the model is no SavedModel: give its folder") from None
