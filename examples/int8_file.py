"""Mark an int8 file whose training code is gone: its last layer is solved, nothing is trained.

python examples/int8_file.py [--small]
"""

import sys
from pathlib import Path

import edgewm
from edgewm.datasets import load_dataset
from edgewm.last_layer import choose_questions, mark_file

on = ["litert"] if "--small" in sys.argv else ["litert", "tflite_runtime", "tflm"]
model = (Path(__file__).parent.parent / "tests/golden/v1/unmarked.tflite").read_bytes()
ordinary = load_dataset("digits").x_train
key = edgewm.new_key()
triggers = choose_questions(model, key=key, natural=ordinary, on=on)
done = mark_file(model, triggers=triggers, key=key, natural=ordinary, on=on)
print(f"{done.agreement:.1%} of {done.held_out} held-out inputs keep their label")
print(f"the file is as long as before: {len(done.model) == len(model)}")
for name, file in (("marked", done.model), ("as it was", model)):
    verdict = edgewm.verify(file, triggers=triggers, key=key, on=on, stamped=True)
    print(f"{name}: {verdict.worst.groups_hit} hit, log10 p {verdict.log10_p:.1f}")
    assert verdict.owned is (name == "marked"), name
