"""``edgewm dossier make|check|prove-sample|prove-part``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import BadInput
from .dossier_facts import claim_facts, dossier_facts, in_words, proof_facts, told
from .progress import progress
from .recording import now, read_file

if TYPE_CHECKING:
    from ..claims import StampFiles
    from ..dossier import Dossier
    from ..records import Record

_IN = click.Path(path_type=Path)
_OUT = click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File to write."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_LEDGER = click.option(
    "-l", "--ledger", "folder", type=_IN, help="The owner's records: which claim names it."
)
_CLAIM = click.option("--claim", "number", type=int, help="Number of that claim, of several.")


@click.group(no_args_is_help=False)
def dossier() -> None:
    """Bind training data, parameters, graph and drawing into a claim, and show parts later."""


@dossier.command()
@click.option("--data", help="Training set: .npy, .npz, a folder of files, or a data set name.")
@click.option("--parameters", type=_IN, help="File of training parameters, any format.")
@click.option("--seed", type=int, help="Seed of the training.")
@click.option("--architecture", type=_IN, help=".keras or .tflite: its graph, without weights.")
@click.option("--drawing", type=_IN, help="The drawing that the secret inputs show.")
@click.option("--part", "named", multiple=True, help="NAME=FILE: anything else, such as a script.")
@click.option("--no-versions", is_flag=True, help="Leave out which software is installed here.")
@_OUT
@_JSON
def make(
    *,
    data: str | None,
    parameters: Path | None,
    seed: int | None,
    architecture: Path | None,
    drawing: Path | None,
    named: tuple[str, ...],
    no_versions: bool,
    out: Path,
    as_json: bool,
) -> None:
    """Put what was trained on, and how, under one digest, for edgewm claim --dossier.

    The training set itself is not copied, only its hashes: keep it as it is, in this order. The file that is
    written is as secret as the key: with it the digest can be shown to be of these parts.
    """
    from ..architecture import graph_of
    from ..dossier import make_dossier
    from ..files import write_new
    from ..software import software_versions
    from ..training_set import read_training_set

    if out.exists():
        raise BadInput(f"--out: {out} exists and is never overwritten, name another")
    parts = dict(_named(text) for text in named)
    files = {"parameters": parameters, "drawing": drawing}
    given = {name: read_file(path, f"--{name}") for name, path in files.items() if path is not None}
    if architecture is not None:
        given["architecture"] = graph_of(architecture)
    if seed is not None:
        given["seed"] = str(seed).encode("ascii")
    if not no_versions:
        given["versions"] = software_versions()
    twice = sorted(set(parts) & set(given))
    if twice or len(parts) != len(named):
        raise BadInput(f"--part: got {(twice or ['one name'])[0]} twice, give each part once")
    samples = None if data is None else read_training_set(data)
    with progress(visible=not as_json) as show:
        made = make_dossier(
            {**parts, **given},
            samples,
            show=lambda done: show(f"{done} samples", done / samples.count if samples else None),
        )
    write_new(out, made.content(), argument="--out", mode=0o600)
    facts = {"out": str(out), **dossier_facts(made)}
    then = f"digest {made.digest}; then: edgewm claim --dossier {out}"
    click.echo(json.dumps(facts) if as_json else f"wrote {out}: {in_words(made)}; {then}")


@dossier.command()
@click.argument("path", metavar="FILE", type=_IN)
@click.option("--data", help="The training set: is it still the one of the manifest?")
@_LEDGER
@_CLAIM
@click.option(
    "--tsa-root", "roots", type=_IN, multiple=True, help="Root certificate of an authority (.pem)."
)
@click.option(
    "--crl", "crls", type=_IN, multiple=True, help="Revocation list of the authority's issuer."
)
@_JSON
def check(
    path: Path,
    *,
    data: str | None,
    folder: Path | None,
    number: int | None,
    roots: tuple[Path, ...],
    crls: tuple[Path, ...],
    as_json: bool,
) -> None:
    """Check FILE, a dossier or a proof: digests, the claim that names it, and its stamps.

    Exit code 3 and the reason if anything is not what was committed to. FILE is a zip: what a proof shows
    can be taken out of it with any unzip.
    """
    from ..authorities import read_trust
    from ..dossier import read_dossier
    from ..dossier_proof import is_proof, read_proof

    content = read_file(path, "FILE")
    if number is not None and folder is None:
        raise BadInput("--claim: says something about records, give --ledger too")
    trust = read_trust(roots, crls) if roots or crls else None
    if is_proof(content):
        if data is not None:
            raise BadInput("--data: got a proof, which brings its sample; leave it out")
        proof = read_proof(content, argument=str(path))
        claim, stamps = _claim_of(proof.digest, folder, number) or (proof.claim, proof.stamps)
        facts = proof_facts(proof)
    else:
        held = read_dossier(content, argument=str(path))
        if data is not None:
            _check_data(held, data, visible=not as_json)
        claim, stamps = _claim_of(held.digest, folder, number) or (None, ())
        facts = {**dossier_facts(held), "data_checked": data is not None}
    facts |= claim_facts(claim, stamps, trust, now())
    if as_json:
        click.echo(json.dumps(facts))
        return
    for line in told(path, facts):
        click.echo(line)


@dossier.command()
@click.argument("path", metavar="DOSSIER", type=_IN)
@click.argument("sample", metavar="SAMPLE")
@click.option("--data", required=True, help="The training set, unchanged.")
@_LEDGER
@_CLAIM
@_OUT
@_JSON
def prove_sample(
    path: Path,
    sample: str,
    *,
    data: str,
    folder: Path | None,
    number: int | None,
    out: Path,
    as_json: bool,
) -> None:
    """Write a proof that SAMPLE (its number, or its path) was in the training set.

    The proof holds that sample and no other, the facts of the training set, and with --ledger the claim and
    its stamps. Whoever gets it runs: edgewm dossier check PROOF --tsa-root ROOT.pem
    """
    from ..dossier import read_dossier
    from ..dossier_proof import prove_sample as proved
    from ..training_set import read_training_set

    held = read_dossier(read_file(path, "DOSSIER"))
    samples = read_training_set(data)
    index = samples.index_of(sample)
    evidence = _evidence(held.digest, folder, number)
    _write(proved(held, samples, index, evidence=evidence), out, held, as_json, sample=index)


@dossier.command()
@click.argument("path", metavar="DOSSIER", type=_IN)
@click.argument("parts", metavar="PART...", nargs=-1, required=True)
@_LEDGER
@_CLAIM
@_OUT
@_JSON
def prove_part(
    path: Path,
    parts: tuple[str, ...],
    *,
    folder: Path | None,
    number: int | None,
    out: Path,
    as_json: bool,
) -> None:
    """Write a proof that shows some PARTs of the dossier, such as the architecture; the rest stays hidden."""
    from ..dossier import read_dossier
    from ..dossier_proof import prove_parts

    held = read_dossier(read_file(path, "DOSSIER"))
    evidence = _evidence(held.digest, folder, number)
    names = tuple(dict.fromkeys(parts))
    _write(prove_parts(held, names, evidence=evidence), out, held, as_json, parts=list(names))


def _write(content: bytes, out: Path, held: Dossier, as_json: bool, **about: Any) -> None:
    from ..files import write_new

    write_new(out, content, argument="--out", mode=0o600)
    facts = {"out": str(out), "digest": held.digest, **about}
    then = f"wrote {out}; whoever gets it runs: edgewm dossier check {out} --tsa-root ROOT.pem"
    click.echo(json.dumps(facts) if as_json else then)


def _named(text: str) -> tuple[str, bytes]:
    name, equals, path = text.partition("=")
    if not equals or not path:
        raise BadInput(f"--part: got {text!r}, expected NAME=FILE")
    return name, read_file(Path(path), "--part")


def _claim_of(
    digest: str, folder: Path | None, number: int | None
) -> tuple[Record | None, tuple[StampFiles, ...]] | None:
    if folder is None:
        return None
    from ..claims import stamps_of
    from ..dossier import claim_naming
    from ..ledger import Ledger

    ledger = Ledger(folder=folder)
    records = ledger.records()
    claim = claim_naming(digest, records, number)
    return claim, tuple(stamps_of(ledger, records, claim))


def _evidence(digest: str, folder: Path | None, number: int | None) -> dict[str, bytes]:
    """Members with the claim and its stamps; none without a ledger."""
    if folder is None:
        if number is not None:
            raise BadInput("--claim: says something about records, give --ledger too")
        return {}
    from ..dossier import claim_naming
    from ..ledger import Ledger
    from ..packed_stamps import packed_stamps

    ledger = Ledger(folder=folder)
    records = ledger.records()
    claim = claim_naming(digest, records, number)
    return {"claim.json": claim.content, **packed_stamps(ledger, records, [claim])}


def _check_data(held: Dossier, data: str, *, visible: bool) -> None:
    from ..manifest import changed, check_same, make_manifest
    from ..training_set import read_training_set

    if held.manifest is None:
        raise BadInput("--data: the dossier holds no training set, leave it out")
    samples = read_training_set(data)
    check_same(held.manifest, samples)
    with progress(visible=visible) as show:
        found = make_manifest(
            samples,
            held.sample_secret,
            show=lambda done: show(f"{done} samples", done / samples.count),
        )
    for at, (here, there) in enumerate(zip(found.blocks, held.manifest.blocks, strict=True)):
        if here != there:
            raise changed(at, samples.count)
