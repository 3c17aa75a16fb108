"""The interpreters of `.tflite` files, as worker.py asks them: the full one, and the one of microcontrollers.

Python 3.9, standard library and numpy, since it travels beside worker.py.
"""

from __future__ import annotations

import os
import re
from typing import Any

from asked import asked_of, tensor  # type: ignore[import-not-found]

_LARGEST_ARENA = 64 << 20
_MOST_TENSORS = 64
_RESOURCE_OPERATORS = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
_PACKAGES = {"litert": "ai_edge_litert", "tflite_runtime": "tflite_runtime"}


class Lite:
    """LiteRT and its predecessor tflite-runtime, which share one Python interface."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        import importlib

        package = _PACKAGES[name]
        self._module = importlib.import_module(package + ".interpreter")
        self.version = str(importlib.import_module(package).__version__)
        self._arguments: dict[str, Any] = {"num_threads": int(options.get("threads", 1))}
        resolver = {"none": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}.get(
            options.get("delegate", "xnnpack")
        )
        if resolver is not None:
            chosen = getattr(self._module.OpResolverType, resolver)
            self._arguments["experimental_op_resolver_type"] = chosen
        if options.get("keep_activations"):
            self._arguments["experimental_preserve_all_tensors"] = True
        self.facts: dict[str, Any] = {}
        self._interpreter: Any = None

    def open(self, model: bytes, choice: dict[str, Any]) -> dict[str, Any]:
        self._interpreter = None
        opened = self._started(model)
        operators = {detail["op_name"] for detail in opened._get_ops_details()}
        self._begun_anew = model if operators & _RESOURCE_OPERATORS else None
        inputs, outputs = opened.get_input_details(), opened.get_output_details()
        self._inputs = [detail["index"] for detail in inputs]
        self._outputs = [detail["index"] for detail in outputs]
        self._asked, self.facts = asked_of(
            [self._describe(detail) for detail in inputs],
            [self._describe(detail) for detail in outputs],
            choice,
        )
        self._interpreter = opened
        return self.facts

    def end(self) -> None:
        """Forget the model."""
        self._interpreter = None

    def ask(self, sample: Any) -> Any:
        if self._begun_anew is not None:  # nothing takes back what stands in a resource variable
            self._interpreter = self._started(self._begun_anew)
        interpreter = self._interpreter
        interpreter.reset_all_variables()  # or a recurrent layer would remember the last sample

        def infer(values: list[Any]) -> list[Any]:
            for index, value in zip(self._inputs, values):  # noqa: B905 - not in Python 3.9
                interpreter.set_tensor(index, value)
            interpreter.invoke()
            return [interpreter.get_tensor(index) for index in self._outputs]

        return self._asked.ask(sample, infer)

    def moments(self, samples: Any) -> dict[str, list[float]]:
        """Mean square of each input channel of every layer with weights; needs keep_activations."""
        import numpy as np

        sums: dict[str, Any] = {}
        for sample in samples:
            self.ask(sample[None])
            held = self._interpreter
            details = {detail["index"]: detail for detail in held.get_tensor_details()}
            for operator in held._get_ops_details():
                pair = [int(index) for index in operator["inputs"]][:2]
                if len(pair) < 2 or min(pair) < 0:
                    continue
                values = held.get_tensor(pair[0]).astype(np.float64)
                if values.ndim:
                    values -= details[pair[0]]["quantization"][1]
                    square = (values**2).reshape(-1, values.shape[-1]).mean(axis=0)
                    name = details[pair[1]]["name"]
                    sums[name] = sums.get(name, 0.0) + square
        return {name: (total / len(samples)).tolist() for name, total in sums.items()}

    def _started(self, model: bytes) -> Any:
        """An interpreter with its tensors."""
        opened = self._module.Interpreter(model_content=model, **self._arguments)
        given = opened.get_input_details()
        for one in given:
            free = len(given) == 1 or list(one.get("shape_signature", [])[:1]) == [-1]
            if len(one["shape"]) > 0 and one["shape"][0] != 1 and free:
                opened.resize_tensor_input(one["index"], [1, *one["shape"][1:]])
        try:
            opened.allocate_tensors()
        except RuntimeError as error:
            if not str(error) and _larger_than_the_limit(opened.get_tensor_details()):
                raise MemoryError from None  # it fails without a word
            raise
        return opened

    @staticmethod
    def _describe(detail: dict[str, Any]) -> dict[str, Any]:
        shape = detail.get("shape_signature", detail["shape"])
        steps = detail["quantization_parameters"]
        described: dict[str, Any] = tensor(
            detail["name"],
            shape if len(shape) == len(detail["shape"]) else detail["shape"],
            detail["dtype"],
            steps["scales"],
            steps["zero_points"],
        )
        return described


class Micro:
    """TensorFlow Lite Micro, the interpreter that runs on microcontrollers, built for this machine."""

    def __init__(self, name: str, options: dict[str, Any]) -> None:
        from tflite_micro.python.tflite_micro import _version, runtime

        self._module = runtime
        self.version = str(_version.__version__)
        self._arena_bytes = int(options.get("arena_kib", 256)) << 10
        self.facts: dict[str, Any] = {}
        self._interpreter: Any = None

    def open(self, model: bytes, choice: dict[str, Any]) -> dict[str, Any]:
        self._interpreter = None
        opened = self._allocate(model)
        resources = self._module.count_resource_variables(model) > 0
        self._begun_anew = model if resources else None
        self._asked, self.facts = asked_of(
            self._described(opened.get_input_details),
            self._described(opened.get_output_details),
            choice,
        )
        allocated = _allocations(opened)
        self.facts["arena_bytes"] = allocated.get("total")
        self.facts["arena_persistent_bytes"] = allocated.get("tail")
        self._interpreter = opened
        return self.facts

    def end(self) -> None:
        """Forget the model."""
        self._interpreter = None

    def ask(self, sample: Any) -> Any:
        if self._begun_anew is not None:  # resetting does not run its first assignments again
            self._interpreter = self._allocate(self._begun_anew)
        interpreter = self._interpreter
        interpreter.reset()

        def infer(values: list[Any]) -> list[Any]:
            for index, value in enumerate(values):
                interpreter.set_input(value, index)
            interpreter.invoke()
            return [interpreter.get_output(index) for index in range(self._asked.outputs)]

        return self._asked.ask(sample, infer)

    def _allocate(self, model: bytes) -> Any:
        """Double the arena until the model fits: its need is not in the file."""
        arena_bytes = self._arena_bytes
        while True:
            try:
                return self._module.Interpreter.from_bytes(model, arena_size=arena_bytes)
            except RuntimeError:
                arena_bytes *= 2
                if arena_bytes > _LARGEST_ARENA:
                    raise

    @staticmethod
    def _described(details: Any) -> list[dict[str, Any]]:
        """Facts of every input, or every output: their number is not told, so until there is none."""
        found = []
        for index in range(_MOST_TENSORS):
            try:
                detail = details(index)
            except (IndexError, ValueError, RuntimeError):
                break
            steps = detail["quantization_parameters"]
            shape, dtype = detail["shape"], detail["dtype"]
            found.append(tensor("", shape, dtype, steps["scales"], steps["zero_points"]))
        return found


def _larger_than_the_limit(tensors: list[dict[str, Any]]) -> bool:
    """Whether a single tensor needs more address space than this process may use."""
    import math
    import resource

    import numpy as np

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    sizes = [
        math.prod(map(int, tensor["shape"])) * np.dtype(tensor["dtype"]).itemsize
        for tensor in tensors
    ]
    return limit != resource.RLIM_INFINITY and max(sizes, default=0) > limit


def _allocations(interpreter: Any) -> dict[str, int]:
    """Arena bytes by part (total, head, tail), read from what TFLM prints on stderr."""
    source, target = os.pipe()
    os.set_blocking(target, False)
    kept = os.dup(2)
    os.dup2(target, 2)
    try:
        interpreter.print_allocations()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(target)
    text = os.read(source, 1 << 16).decode("utf-8", "replace")
    os.close(source)
    found = re.findall(r"Arena allocation (total|head|tail) (\d+) bytes", text)
    return {part: int(number) for part, number in found}
