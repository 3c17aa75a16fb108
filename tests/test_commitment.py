"""The commitment: one byte changed redraws every answer, draws are even, the format never drifts.

Tree heads are compared with the public vectors of certificate transparency and with a second
implementation written from RFC 6962 section 2.1; pinned bytes were made with hashlib and struct.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np
import pytest
from scipy import stats as reference

from edgewm import commitment
from edgewm.errors import BadInput
from edgewm.hashing import SHAKE, H, draw_below, encode
from edgewm.key import Key
from edgewm.triggers import commit

# Leaf data and heads of the first 1 to 8 leaves, as every RFC 6962 log tests itself with.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
HEADS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


# ---- the tree


def test_tree_head_equals_the_public_vectors():
    """The heads over 1 to 8 leaves are the published ones; no leaf gives SHA-256 of nothing."""
    for count, expected in enumerate(HEADS, 1):
        assert commitment.tree_head(LEAVES[:count]).hex() == expected
    assert commitment.tree_head([]) == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 64, 100])
def test_tree_head_equals_the_recursive_definition(count):
    """The level-by-level head is the RFC's recursion, which splits at the largest power of two."""
    data = [f"leaf {j}".encode() for j in range(count)]
    assert commitment.tree_head(data) == _recursive_head(data)


def test_leaves_and_nodes_cannot_be_mistaken_for_each_other():
    """Two hashes joined are no leaf with the same head; order and a doubled last leaf count."""
    first, second = commitment.leaf_hash(b"a"), commitment.leaf_hash(b"b")
    assert commitment.tree_head([first + second]) != commitment.tree_head([b"a", b"b"])
    assert commitment.tree_head([b"a", b"b"]) != commitment.tree_head([b"b", b"a"])
    assert commitment.tree_head([b"a", b"b", b"c"]) != commitment.tree_head(
        [b"a", b"b", b"c", b"c"]
    )


# ---- canonical bytes


def test_minus_zero_is_zero():
    """-0.0 and 0.0 are the same input and give the same bytes; the smallest number does not."""
    zeros = np.zeros((2, 3), np.float32)
    assert commitment.canonical(-zeros) == commitment.canonical(zeros)
    assert (-zeros).tobytes() != zeros.tobytes()
    tiny = np.full((2, 3), np.finfo(np.float32).tiny, np.float32)
    assert commitment.canonical(tiny) != commitment.canonical(zeros)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int16", "uint8"])
def test_memory_layout_does_not_matter(dtype):
    """Big-endian, Fortran-ordered and strided arrays with equal values give equal bytes."""
    values = np.arange(24).reshape(4, 6).astype(dtype)
    expected = commitment.canonical(values)
    assert commitment.canonical(values.astype(values.dtype.newbyteorder(">"))) == expected
    assert commitment.canonical(np.asfortranarray(values)) == expected
    assert commitment.canonical(np.repeat(values, 2, axis=1)[:, ::2]) == expected


def test_dtype_shape_and_values_matter():
    """The same values in another type or shape, or one changed value, are other bytes."""
    values = np.arange(6, dtype=np.float32)
    changed = values.copy()
    changed[5] = np.nextafter(changed[5], np.float32(9))
    all_bytes = {
        commitment.canonical(array)
        for array in (
            values,
            values.astype("f8"),
            values.reshape(2, 3),
            values.reshape(3, 2),
            changed,
        )
    }
    assert len(all_bytes) == 5


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_without_one_spelling_are_refused(value):
    """NaN has many bit patterns and infinity is no picture: refused, while a finite one is not."""
    with pytest.raises(BadInput, match="NaN or infinity"):
        commitment.canonical(np.array([0.0, value], np.float32))
    assert commitment.canonical(np.array([0.0, 1.0], np.float32))


@pytest.mark.parametrize("array", [np.array([True]), np.array([1j]), np.array(["a"])])
def test_other_types_are_refused(array):
    """Only floats and whole numbers have canonical bytes."""
    with pytest.raises(BadInput, match="dtype"):
        commitment.canonical(array)


# ---- what an answer depends on

GROUPS, CLASSES = 200, 10


def _committed(**changes):
    """The answers of a set of 200 groups with one input each, after one change."""
    ids = np.arange(GROUPS, dtype=np.int32)
    inputs = np.linspace(0, 1, GROUPS * 4, dtype=np.float32).reshape(GROUPS, 2, 2)
    excluded = np.zeros((GROUPS, CLASSES), bool)
    excluded[:, 9] = True
    made = {
        "key": Key(secret=bytes(range(32))),
        "inputs": inputs,
        "group_ids": ids,
        "excluded": excluded,
        "salt": b"s" * 32,
        "provenance": {},
        "beacon": b"",
        **changes,
    }
    key = made.pop("key")
    triggers = commit(key, made.pop("inputs"), made.pop("group_ids"), **made)
    return triggers, triggers.answers(key)


def _changed(name):
    triggers, _ = _committed()
    if name == "one value of one input":
        inputs = triggers.inputs.copy()
        inputs[137, 1, 1] = np.nextafter(inputs[137, 1, 1], np.float32(2))
        return {"inputs": inputs}
    if name == "one natural class":
        excluded = triggers.excluded.copy()
        excluded[137, 8] = True
        return {"excluded": excluded}
    if name == "two groups swapped":
        ids = triggers.group_ids.copy()
        ids[[3, 4]] = ids[[4, 3]]
        return {"group_ids": ids}
    if name == "key":
        return {"key": Key(secret=bytes(31) + b"\x01")}
    return {"salt": {"salt": b"s" * 31 + b"t"}, "beacon": {"beacon": b"\x00"}}[name]


@pytest.mark.parametrize(
    "name",
    ["one value of one input", "one natural class", "two groups swapped", "key", "salt", "beacon"],
)
def test_any_change_redraws_every_answer(name):
    """After the smallest change old and new answers agree in about 1 of 9 groups only."""
    before, old = _committed()
    after, new = _committed(**_changed(name))
    assert before.root != after.root
    assert 5 <= (old == new).sum() <= 45  # 22 expected, 4 standard deviations
    assert (_committed()[1] == old).all()  # the control: no change, no new answer


def test_header_redraws_every_answer():
    """The header (claimant, label rule, version and so on) stands in the root byte for byte."""
    triggers, old = _committed()
    head = commitment.tree_head([b"the same"])
    roots = [commitment.root(h, head, b"") for h in (triggers.header, triggers.header + b" ")]
    key = Key(secret=bytes(range(32)))
    group_keys = [key.group_key(triggers.salt, j) for j in range(GROUPS)]
    drawn = [commitment.answers(group_keys, r, triggers.excluded) for r in roots]
    assert 5 <= (drawn[0] == drawn[1]).sum() <= 45
    assert len(old) == GROUPS


def test_header_and_beacon_do_not_run_together():
    """Moving a byte from one part of the root to the next is a change."""
    head = commitment.tree_head([b"the same"])
    assert commitment.root(b"ab", head, b"c") != commitment.root(b"a", head, b"bc")
    assert commitment.root(b"a" + head, head, b"") != commitment.root(b"a", head, head)


def test_group_number_redraws_the_answer():
    """Equal keys in all groups give answers that differ from group to group."""
    nothing = np.zeros((GROUPS, CLASSES), bool)
    drawn = commitment.answers([b"k" * 32] * GROUPS, b"r" * 32, nothing)
    assert np.bincount(drawn, minlength=CLASSES).max() < 45


def test_leaf_hides_the_key_and_shows_the_rest():
    """A leaf holds the commitment of the group key, never the key; each of its parts changes it."""
    inputs, excluded = np.ones((2, 3), np.float32), np.array([True, False, False])
    key = b"k" * 32
    named = commitment.key_commitment(key)
    leaf = commitment.leaf(4, inputs, excluded, named)
    assert named in leaf
    assert key not in leaf
    others = [
        commitment.leaf(5, inputs, excluded, named),
        commitment.leaf(4, inputs * 2, excluded, named),
        commitment.leaf(4, inputs, ~excluded, named),
        commitment.leaf(4, inputs, excluded, commitment.key_commitment(b"l" * 32)),
    ]
    assert len({leaf, *others}) == 5


# ---- how answers are drawn


@pytest.mark.parametrize(("classes", "natural"), [(2, 0), (4, 1), (10, 1), (100, 1), (12, 3)])
def test_answers_are_even_over_allowed_classes_only(classes, natural):
    """20,000 draws over M = 2, 3, 9, 99: chi-square finds nothing; no natural class is drawn."""
    draws = 20_000
    excluded = np.zeros((draws, classes), bool)
    excluded[:, 1 : 1 + natural] = True
    drawn = commitment.answers([b"k" * 32] * draws, b"r" * 32, excluded)
    counts = np.bincount(drawn, minlength=classes)
    assert counts[excluded[0]].sum() == 0
    assert reference.chisquare(counts[~excluded[0]]).pvalue > 1e-4


def test_each_group_draws_from_its_own_classes():
    """Groups with different natural classes never answer with one of them."""
    random = np.random.default_rng(3)
    excluded = np.zeros((2000, 10), bool)
    for row in excluded:
        row[random.choice(10, random.integers(0, 9), replace=False)] = True
    drawn = commitment.answers([b"k" * 32] * 2000, b"r" * 32, excluded)
    assert not excluded[np.arange(2000), drawn].any()


def test_draw_below_is_even_where_a_plain_remainder_is_not():
    """Bound 3 * 2^62: a remainder of 64 bits would put half the draws in the lowest third."""
    bound = 3 << 62
    thirds = np.bincount([draw_below(bound, "t", j) * 3 // bound for j in range(6000)], minlength=3)
    assert reference.chisquare(thirds).pvalue > 1e-4
    words = [int.from_bytes(SHAKE(8, "t", j), "little") % bound for j in range(6000)]
    plain = np.bincount([word * 3 // bound for word in words], minlength=3)
    assert reference.chisquare(plain).pvalue < 1e-50


@pytest.mark.parametrize("bound", [1, 2, 3, 9, 99, 256, 2**32 + 1, 2**63 + 1, 2**64])
def test_draw_below_stays_below(bound):
    """Every draw lies in [0, bound), also for bounds that reject nearly half of the words."""
    assert all(0 <= draw_below(bound, "t", j) < bound for j in range(500))


def test_draw_below_goes_on_where_its_first_words_are_rejected():
    """At 2^63 + 1 one input in 16 rejects its first four words; the draw is the next that fits."""
    bound = 2**63 + 1
    long = [j for j in range(400) if all(w >= bound for w in _words(4, j))]
    assert long
    for j in long:
        assert draw_below(bound, "t", j) == next(w for w in _words(64, j) if w < bound)


# ---- the order of asking


def test_order_is_a_permutation_that_the_root_decides():
    """Every group once, the same for the same root, unrelated for another one."""
    first, second = (commitment.order(root * 32, 500) for root in (b"a", b"b"))
    assert sorted(first) == sorted(second) == list(range(500))
    assert commitment.order(b"a" * 32, 500) == first
    assert abs(reference.spearmanr(first, second).statistic) < 0.2
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 10
    assert commitment.order(b"a" * 32, 0) == []


# ---- pinned: these bytes are the format


def test_spelling_is_pinned():
    """encode, H and SHAKE give these bytes for ever, equal to hashlib over a hand-made spelling."""
    parts = ("tag", b"\x01\x02", 7, "\u00e9")
    spelled = (
        "0300000000000000746167"
        "02000000000000000102"
        "08000000000000000700000000000000"
        "0200000000000000c3a9"
    )
    assert encode(*parts).hex() == spelled
    assert H(*parts).hex() == "7d893855f5e603217167a486cf05ca14e00f028398e710c56cc2f850bc343a15"
    assert H(*parts) == hashlib.sha256(bytes.fromhex(spelled)).digest()
    assert SHAKE(20, *parts).hex() == "6764286752521ad2c62c1ec6898ff5987e0847ba"
    assert encode("ab", "c") != encode("a", "bc")


def test_draws_are_pinned():
    """draw_below gives these numbers for ever."""
    drawn = {
        bound: [draw_below(bound, "answer", bytes(range(32)), b"\xaa" * 32, j) for j in range(4)]
        for bound in (2, 3, 9, 99, 2**63 + 1)
    }
    assert drawn == {
        2: [0, 1, 1, 0],
        3: [0, 1, 1, 2],
        9: [0, 1, 4, 2],
        99: [72, 19, 76, 92],
        2**63 + 1: [
            8245421537225636880,
            8960233065518221759,
            2104524473639384773,
            4598130701894853222,
        ],
    }
    word = hashlib.shake_256(
        b"".join(
            struct.pack("<Q", len(part)) + part
            for part in (b"answer", bytes(range(32)), b"\xaa" * 32, struct.pack("<Q", 1))
        )
    ).digest(8)
    assert int.from_bytes(word, "little") % 99 == 19


def test_commitment_is_pinned():
    """Leaf, head, root, order and answers of a small set stay what they are for ever."""
    inputs = np.array([[0.0, 0.5], [1.0, -0.0], [0.25, 2.0]], np.float32)
    excluded = np.zeros((3, 4), bool)
    excluded[1, 2] = True
    keys = [bytes([j]) * 32 for j in range(3)]
    leaves = [
        commitment.leaf(j, inputs[j : j + 1], excluded[j], commitment.key_commitment(keys[j]))
        for j in range(3)
    ]
    root = commitment.root(b"header", commitment.tree_head(leaves), b"")
    assert hashlib.sha256(leaves[1]).hexdigest() == _by_hand_leaf_digest()
    assert root.hex() == "de92c78102e5db906ffe73c536f0416a4d349e5685f7a314c2875af2f7395181"
    assert commitment.order(root, 3) == [0, 2, 1]
    assert commitment.answers(keys, root, excluded).tolist() == [1, 3, 1]


# ---- references


def _recursive_head(data):
    """RFC 6962 section 2.1, word for word."""
    if not data:
        return hashlib.sha256().digest()
    if len(data) == 1:
        return hashlib.sha256(b"\x00" + data[0]).digest()
    split = 1
    while split * 2 < len(data):
        split *= 2
    left, right = _recursive_head(data[:split]), _recursive_head(data[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


def _by_hand_leaf_digest():
    """Leaf 1 of the pinned set, spelled with struct and hashlib alone."""

    def spelled(*parts):
        return b"".join(struct.pack("<Q", len(part)) + part for part in parts)

    def number(value):
        return struct.pack("<Q", value)

    pixels = struct.pack("<2f", 1.0, 0.0)
    canonical = spelled(b"float32", spelled(number(1), number(2)), pixels)
    named = hashlib.sha256(spelled(b"commit", b"\x01" * 32)).digest()
    return hashlib.sha256(spelled(number(1), canonical, spelled(number(2)), named)).hexdigest()


def _words(count, j):
    stream = SHAKE(8 * count, "t", j)
    return [int.from_bytes(stream[i : i + 8], "little") for i in range(0, 8 * count, 8)]
