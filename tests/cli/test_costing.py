"""``edgewm inspect`` on the command line."""

from __future__ import annotations

from pathlib import Path

from tests import golden
from tests.cli.command import printed_json, refused
from tests.needs import needs


@needs("tflm")
def test_inspect_shows_every_layer(cli):
    """One row a layer; JSON has the same and the totals."""
    found = printed_json(cli("inspect", str(golden.MARKED), "--json"))
    assert found["macs"] == sum(layer["macs"] for layer in found["layers"]) > 0
    arena = found["arena"]
    assert arena["total_bytes"] == arena["persistent_bytes"] + arena["non_persistent_bytes"]
    code, out, err = cli("inspect", str(golden.MARKED))
    assert (code, err) == (0, "")
    for layer in found["layers"]:
        assert layer["operator"] in out
        assert f"{layer['macs']:,}" in out
    assert found["sha256"] in out
    assert f"{arena['persistent_bytes']:,} persistent" in out


def test_inspect_refuses_other_files(cli):
    """A key is no model, and neither is what is not there."""
    assert "no TensorFlow Lite model" in refused(cli("inspect", str(golden.KEY)))
    assert "cannot be read" in refused(cli("inspect", str(Path("nothing.tflite"))))
