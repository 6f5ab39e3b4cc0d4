"""CPace against the draft's vectors, and its properties. SPEC.md section 7.5."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from e2ee.errors import InvalidPublicKey, UsageError
from e2ee.handshake import KnownAnswerWarning
from e2ee.pake import CPace, elligator2, generator_string, lv_cat, prepend_len

VECTORS = json.loads(
    (Path(__file__).parents[1] / "vectors/cpace/testvectors.json").read_text("ascii")
)
RUN = {name: base64.b64decode(value) for name, value in VECTORS["G_25519"].items()}
POINTS = {name: base64.b64decode(value) for name, value in VECTORS["X25519_points"].items()}

PRIME = 2**255 - 19


def side(*, initiator: bool) -> CPace:
    letter = "a" if initiator else "b"
    with pytest.warns(KnownAnswerWarning, match="scalar is fixed"):
        return CPace(
            RUN["PRS"],
            initiator=initiator,
            ci=RUN["CI"],
            sid=RUN["sid"],
            ad=RUN[f"AD{letter}"],
            scalar=RUN[f"y{letter}"],
        )


def test_the_drafts_run(figure: Callable[[str], None]) -> None:
    a, b = side(initiator=True), side(initiator=False)
    assert a.share == RUN["Ya"]
    assert b.share == RUN["Yb"]
    assert a.finish(RUN["Yb"], RUN["ADb"]) == RUN["ISK_IR"]
    assert b.finish(RUN["Ya"], RUN["ADa"]) == RUN["ISK_IR"]
    figure(
        "CPace: the draft's run for X25519 in both roles: strings, generator, shares, point, ISK"
    )


def test_the_drafts_strings_and_generator() -> None:
    # Appendices A.1.2 and B.1.1.
    assert prepend_len(b"").hex() == "00"
    assert prepend_len(b"1234").hex() == "0431323334"
    assert prepend_len(bytes(range(127)))[:2].hex() == "7f00"
    assert prepend_len(bytes(range(128)))[:3].hex() == "800100"
    assert prepend_len(bytes(300)) == b"\xac\x02" + bytes(300)
    assert lv_cat(b"1234", b"5", b"", b"678").hex() == "043132333401350003363738"
    string = generator_string(RUN["PRS"], RUN["CI"], RUN["sid"])
    assert string.hex() == (
        "0843506163653235350850617373776f72646d"
        + "00" * 109
        + "1a6f630b425f726573706f6e6465720b415f696e69746961746f72"
        + "107e4b4791d6a8ef019b936c79fb7f2c57"
    )
    element = bytes.fromhex("92806dc608984dbf4e4aae478c6ec453ae979cc01ecc1a2a7cf49f5cee56551b")
    assert hashlib.sha512(string).digest()[:32] == element
    assert elligator2(element) == RUN["g"]


def test_the_zeros_end_where_the_password_fills_the_block() -> None:
    """Appendix A.2; the first block holds 1 + 8 bytes of DSI, and the length of the zeros."""
    for length, zeros in ((0, 117), (116, 1), (117, 0), (118, 0), (127, 0), (200, 0)):
        string = generator_string(b"p" * length, b"", b"")
        assert string == lv_cat(b"CPace255", b"p" * length, bytes(zeros), b"", b"")


def test_the_drafts_secret_point_and_transcript() -> None:
    """Appendices B.1.4 and B.1.5, without our own code."""
    secrets = [
        X25519PrivateKey.from_private_bytes(RUN[own]).exchange(
            X25519PublicKey.from_public_bytes(RUN[other])
        )
        for own, other in (("ya", "Yb"), ("yb", "Ya"))
    ]
    assert secrets == [RUN["K"], RUN["K"]]
    transcript = lv_cat(RUN["Ya"], RUN["ADa"]) + lv_cat(RUN["Yb"], RUN["ADb"])
    hashed = lv_cat(b"CPace255_ISK", RUN["sid"], RUN["K"]) + transcript
    assert hashlib.sha512(hashed).digest() == RUN["ISK_IR"]


@pytest.mark.attack(8)
def test_the_drafts_invalid_points(figure: Callable[[str], None]) -> None:
    """Those with the top bit set are of low order only for a function that does not clear it;
    X25519 does (RFC 7748, section 5)."""
    refused = 0
    for name, point in POINTS.items():
        run = CPace(b"password", initiator=True, ci=b"", sid=b"", ad=b"")
        try:
            run.finish(point, b"")
        except InvalidPublicKey:
            refused += 1
        else:
            assert point[31] & 0x80, name
    assert refused == 7
    figure(f"CPace: {refused} invalid points of the draft refused, {len(POINTS) - refused} others")


@given(element=st.binary(min_size=32, max_size=32))
@settings(max_examples=50)
def test_the_map_leads_to_the_curve(element: bytes) -> None:
    u = int.from_bytes(elligator2(element), "little")
    right_side = (u**3 + 486_662 * u**2 + u) % PRIME
    assert pow(right_side, (PRIME - 1) // 2, PRIME) in (0, 1)
    # The inverse direction, by RFC 9380's map_to_curve_elligator2_curve25519 written plainly.
    r = int.from_bytes(element, "little") % 2**255
    x1 = -486_662 * pow(1 + 2 * r * r, -1, PRIME) % PRIME
    square = pow(x1**3 + 486_662 * x1**2 + x1, (PRIME - 1) // 2, PRIME) in (0, 1)
    assert u == (x1 if square else (-x1 - 486_662) % PRIME)


TEXT = st.binary(min_size=1, max_size=12)


@given(password=TEXT, ci=TEXT, sid=TEXT, ads=st.tuples(TEXT, TEXT), changed=st.integers(0, 4))
@settings(max_examples=60, deadline=None)
def test_one_key_where_all_is_equal_and_another_where_anything_is_not(
    password: bytes, ci: bytes, sid: bytes, ads: tuple[bytes, bytes], changed: int
) -> None:
    a = CPace(password, initiator=True, ci=ci, sid=sid, ad=ads[0])
    b = CPace(password, initiator=False, ci=ci, sid=sid, ad=ads[1])
    assert a.finish(b.share, ads[1]) == b.finish(a.share, ads[0])

    a = CPace(password, initiator=True, ci=ci, sid=sid, ad=ads[0])
    values = [password, ci, sid]
    if changed < 3:
        values[changed] += b"x"
    b = CPace(values[0], initiator=changed == 4, ci=values[1], sid=values[2], ad=ads[1])
    seen = ads[0] + b"x" if changed == 3 else ads[0]
    assert a.finish(b.share, ads[1]) != b.finish(a.share, seen)


def test_a_changed_share_gives_another_key() -> None:
    for bit in range(0, 255, 5):
        a = CPace(b"password", initiator=True, ci=b"", sid=b"", ad=b"")
        b = CPace(b"password", initiator=False, ci=b"", sid=b"", ad=b"")
        changed = bytearray(a.share)
        changed[bit // 8] ^= 1 << bit % 8
        assert a.finish(b.share, b"") != b.finish(bytes(changed), b"")


def test_our_own_share_sent_back_is_refused() -> None:
    run = CPace(b"password", initiator=True, ci=b"", sid=b"", ad=b"")
    with pytest.raises(InvalidPublicKey, match="our own share"):
        run.finish(run.share, b"")


def test_a_run_finishes_once_and_shows_nothing() -> None:
    a = CPace(b"password", initiator=True, ci=b"", sid=b"", ad=b"")
    assert repr(a) == "<CPace>"
    other = CPace(b"password", initiator=False, ci=b"", sid=b"", ad=b"")
    a.finish(other.share, b"")
    with pytest.raises(UsageError, match="once"):
        a.finish(other.share, b"")
    for length in (0, 31, 33):
        run = CPace(b"password", initiator=True, ci=b"", sid=b"", ad=b"")
        with pytest.raises(InvalidPublicKey, match="32 bytes"):
            run.finish(bytes(length), b"")
