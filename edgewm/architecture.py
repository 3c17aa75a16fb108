"""The graph of a model without its weights, as JSON: what an owner may show of a network and still keep it.

Of a .keras file it is the configuration that Keras wrote into it, of a .tflite file the operators and tensors
of its first subgraph, without their names, which count what was built before. Neither Keras nor an
interpreter is imported.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from .artifact import read_model
from .content import Content
from .errors import BadInput
from .flatbuffer import NotFlatbuffer
from .sealed_file import json_bytes
from .tflite import operators_of, read_tflite, tensors_of

_LARGEST_CONFIG_BYTES = 1 << 26


def graph_of(path: Path) -> bytes:
    """JSON of the graph in a .keras or .tflite file.

    Raises:
        BadInput: neither of them.
    """
    model = read_model(path, "--architecture")
    if zipfile.is_zipfile(path):
        return json_bytes({"format": "keras", "config": _keras_config(path)})
    try:
        held = read_tflite(Content(source=model, start=0, size=len(model)))
    except NotFlatbuffer:
        raise BadInput(f"--architecture: {path} is neither a .keras nor a .tflite file") from None
    tensors = [{"shape": list(one.shape), "dtype": one.dtype} for one in tensors_of(held)]
    operators = [
        {"name": one.name, "inputs": list(one.inputs), "outputs": list(one.outputs)}
        for one in operators_of(held)
    ]
    return json_bytes({"format": "tflite", "tensors": tensors, "operators": operators})


def _keras_config(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _LARGEST_CONFIG_BYTES:
                raise ValueError
            config = json.loads(archive.read("config.json"))
        if not isinstance(config, dict):
            raise ValueError
    except (KeyError, ValueError, RecursionError, OSError, zipfile.BadZipFile):
        raise BadInput(f"--architecture: {path} is no .keras file of Keras 3") from None
    return config
