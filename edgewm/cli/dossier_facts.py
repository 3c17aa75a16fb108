"""What ``edgewm dossier`` says of a dossier, of a proof, and of the claim that names one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt

    from ..authorities import Trust
    from ..claims import StampFiles
    from ..dossier import Dossier
    from ..dossier_proof import DossierProof
    from ..records import Record


def dossier_facts(held: Dossier) -> dict[str, Any]:
    """What --json prints of a dossier."""
    return {
        "digest": held.digest,
        "parts": held.names,
        "training_set": None if held.manifest is None else held.manifest.facts(),
    }


def in_words(held: Dossier) -> str:
    """Its parts, and how many samples."""
    samples = "" if held.manifest is None else f" ({held.manifest.count} samples)"
    return ", ".join(held.names) + samples


def proof_facts(proof: DossierProof) -> dict[str, Any]:
    """What --json prints of a proof."""
    facts: dict[str, Any] = {"digest": proof.digest, "parts": sorted(proof.parts), "sample": None}
    if proof.sample is not None:
        facts["sample"] = {
            "index": proof.sample.index,
            "name": proof.sample.name.decode("utf-8", "replace"),
            "sha256": proof.sample.sha256.hex(),
            "label": proof.sample.label.hex(),
        }
    return facts


def claim_facts(
    claim: Record | None, stamps: tuple[StampFiles, ...], trust: Trust | None, when: dt.datetime
) -> dict[str, Any]:
    """What --json prints of the claim that names it; the earliest good stamp where there is whom to trust.

    Raises:
        DoesNotCheck: there are stamps, and none is good.
    """
    if claim is None:
        return {"claim": None}
    stamp, notes = None, tuple[str, ...]()
    if trust is not None and stamps:
        from ..claims import earliest

        found, notes = earliest(stamps, trust=trust, before=None, now=when)
        stamp = None if found is None else found[1]
    return {
        "claim": {
            "record": claim.number,
            "claimant": claim.claimant,
            "sha256": claim.sha256,
            "stamps": len(stamps),
            "stamped_at": None if stamp is None else stamp.time.isoformat(),
            "authority": None if stamp is None else stamp.authority,
            "notes": list(notes),
        }
    }


def told(path: Path, facts: dict[str, Any]) -> list[str]:
    """The same in lines for people."""
    lines = [f"{path}: checks; digest {facts['digest']}", f"parts: {', '.join(facts['parts'])}"]
    sample = facts.get("sample")
    if sample is not None:
        name = "".join(c if c.isprintable() else "?" for c in sample["name"])
        lines.append(
            f"sample {sample['index']} ({name}, sha256 {sample['sha256']}) was in the training set"
        )
    if facts.get("data_checked"):
        lines.append("the training set is the one of the manifest")
    claim = facts["claim"]
    if claim is None:
        return [*lines, "note: no claim at hand names it: give --ledger"]
    lines.append(f"claim {claim['record']} of {claim['claimant']} names it")
    if claim["stamped_at"]:
        lines.append(f"stamped at {claim['stamped_at']} by {claim['authority']}")
    elif claim["stamps"]:
        lines.append("note: give --tsa-root to check what the authorities signed")
    else:
        lines.append("note: that claim has no stamp: edgewm record stamp")
    return [*lines, *(f"note: {note}" for note in claim["notes"])]
