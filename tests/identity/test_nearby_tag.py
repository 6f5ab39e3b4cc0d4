"""Signs of who is here: recognised by those who know the id, for a while, and by nobody else."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from e2ee.contacts import MAX_CONTACTS
from e2ee.errors import UsageError
from e2ee.nearby_tag import (
    NONCE_LENGTH,
    PERIOD,
    TAG_LENGTH,
    Acquaintances,
    Sign,
    new_sign,
    period_of,
)

KEYS = st.binary(min_size=32, max_size=32)
TIMES = st.floats(min_value=0, max_value=2**40)


def by_the_specification(identity_key: bytes, nonce: bytes, period: int) -> bytes:
    """Section 7.8 with nothing of ours: HKDF by RFC 5869."""
    extracted = hmac.digest(bytes(32), identity_key, "sha256")
    key = hmac.digest(extracted, b"e2ee nearby key v1\x01", "sha256")
    message = b"e2ee nearby tag v1\0" + nonce + period.to_bytes(8, "big")
    return hmac.digest(key, message, "sha256")[:16]


@pytest.mark.parametrize(
    ("now", "tag"),
    [
        (0, "aef642a14ff9d3915991c50aa98fb5a9"),
        (899.999, "aef642a14ff9d3915991c50aa98fb5a9"),
        (900, "1b0407d4e504bfda6008e9312d7e6af6"),
        (1_795_000_000, "7973dfdfc2d9ecbfa5fabfdfff9a4d6a"),
    ],
)
def test_known_answers(now: float, tag: str) -> None:
    key = hashlib.sha256(b"e2ee known answers nearby").digest()
    nonce = bytes(range(16))
    assert by_the_specification(key, nonce, int(now) // 900).hex() == tag
    assert Acquaintances([key]).who(Sign(nonce, bytes.fromhex(tag)), now) == key


@given(key=KEYS, now=TIMES)
def test_a_sign_is_that_of_the_specification_and_is_recognised(key: bytes, now: float) -> None:
    sign = new_sign(key, now)
    assert (len(sign.nonce), len(sign.tag)) == (NONCE_LENGTH, TAG_LENGTH)
    assert sign.tag == by_the_specification(key, sign.nonce, period_of(now))
    assert Acquaintances([key]).who(sign, now) == key


@given(keys=st.lists(KEYS, min_size=2, max_size=5, unique=True), now=TIMES, data=st.data())
def test_of_several_people_the_right_one_is_recognised_and_a_stranger_never(
    keys: list[bytes], now: float, data: st.DataObject
) -> None:
    stranger, *known = keys
    shown = data.draw(st.sampled_from(known))
    assert Acquaintances(known).who(new_sign(shown, now), now) == shown
    assert Acquaintances(known).who(new_sign(stranger, now), now) is None


@given(key=KEYS, made=TIMES, later=st.floats(min_value=-5 * PERIOD, max_value=5 * PERIOD))
def test_a_sign_is_good_in_its_own_period_and_one_on_each_side(
    key: bytes, made: float, later: float
) -> None:
    assume(made + later >= 0)
    apart = abs(period_of(made + later) - period_of(made))
    recognised = Acquaintances([key]).who(new_sign(key, made), made + later)
    assert recognised == (key if apart <= 1 else None)


@given(key=KEYS, now=TIMES, at=st.integers(0, 255))
def test_a_sign_with_one_bit_changed_is_nobodys(key: bytes, now: float, at: int) -> None:
    sign = new_sign(key, now)
    both = bytearray(sign.nonce + sign.tag)
    both[at // 8] ^= 1 << at % 8
    assert Acquaintances([key]).who(Sign(bytes(both[:16]), bytes(both[16:])), now) is None


@given(key=KEYS, now=TIMES)
def test_two_signs_of_one_person_have_nothing_in_common(key: bytes, now: float) -> None:
    one, other = new_sign(key, now), new_sign(key, now)
    assert one.nonce != other.nonce
    assert one.tag != other.tag


@pytest.mark.parametrize("sign", [Sign(b"", b""), Sign(b"", bytes(16)), Sign(bytes(16), b"\xff")])
def test_signs_of_another_length_are_nobodys(sign: Sign) -> None:
    assert Acquaintances([bytes(32)]).who(sign, 0) is None


@pytest.mark.parametrize("now", [-1, -0.001, 2.0**60, float("nan"), float("inf")])
def test_times_that_are_none_are_refused(now: float) -> None:
    with pytest.raises(UsageError):
        new_sign(bytes(32), now)
    with pytest.raises(UsageError):
        Acquaintances([bytes(32)]).who(Sign(bytes(16), bytes(16)), now)


def test_a_sign_costs_little_however_many_contacts_there_are(
    figure: Callable[[str], None],
) -> None:
    people = [hashlib.sha256(number.to_bytes(4)).digest() for number in range(MAX_CONTACTS)]
    begin = time.perf_counter()
    acquaintances = Acquaintances(people)
    known = time.perf_counter()
    assert acquaintances.who(new_sign(bytes(32), 0), 0) is None
    end = time.perf_counter()
    figure(
        f"{MAX_CONTACTS:,} contacts: {1000 * (known - begin):.0f} ms for their nearby keys, "
        f"{1000 * (end - known):.0f} ms for a stranger's sign"
    )
