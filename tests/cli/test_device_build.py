"""``edgewm device build``."""

from __future__ import annotations

from pathlib import Path

from tests import golden
from tests.cli.command import printed_json, refused
from tests.needs import needs

pytestmark = needs("arm-none-eabi-gcc")


def test_firmware_is_built_and_what_it_takes_is_said(cli, tmp_path: Path) -> None:
    out = tmp_path / "firmware"
    building = ("device", "build", str(golden.MARKED), "-o", str(out), "--json")
    facts = printed_json(cli(*building, "--board", "an385"))
    assert Path(facts["path"]).is_file()
    assert facts["bss_bytes"] > facts["arena_bytes"] > 0
    assert "expected one of an385" in refused(cli(*building, "--board", "uno"))
    alone = refused(cli(*building, "--board", "an385", "-t", str(golden.TRIGGERS)))
    assert "give --triggers and --key together" in alone
