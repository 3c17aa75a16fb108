"""Marks for a full-int8 `.tflite` whose training code is gone: only its last dense layer changes.

    file.py        finds the layer, gives a file that answers with its features, puts another layer in
    questions.py   inputs whose features lie far from those of ordinary ones, chosen without any answer
    solving.py     the smallest change of the layer that gives the answers, rounded with care
    marking.py     the three together, measured on a runtime

THEMIS (USENIX Security 2025) solves the last layer of float models by a pseudo-inverse. Here features are
the device's own int8 numbers, a change is measured where it can turn a label (inputs between two classes),
and what ships is the same file with other numbers in it, byte for byte as long.
"""

from __future__ import annotations

from .file import LastLayer, features_file, last_layer_of, with_layer
from .marking import MarkedFile, choose_questions, labels_held_out, mark_file

__all__ = [
    "LastLayer",
    "MarkedFile",
    "choose_questions",
    "features_file",
    "labels_held_out",
    "last_layer_of",
    "mark_file",
    "with_layer",
]
