"""CPace against the values that revision 21 of the draft prints. SPEC.md section 7.5."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee.errors import InvalidPublicKey
from e2ee.handshake import KnownAnswerWarning
from e2ee.pake import CPace, elligator2, generator_string, lv_cat

PRINTED = json.loads((Path(__file__).parents[1] / "vectors/cpace/draft-21.json").read_text("ascii"))
RUN = {name: bytes.fromhex(value) for name, value in PRINTED["run"].items()}
POINTS = PRINTED["low order points"]


def side(*, initiator: bool, scalar: bytes) -> CPace:
    with pytest.warns(KnownAnswerWarning, match="scalar is fixed"):
        return CPace(
            RUN["PRS"],
            initiator=initiator,
            ci=RUN["CI"],
            sid=RUN["sid"],
            ad=RUN["ADa" if initiator else "ADb"],
            scalar=scalar,
        )


def test_the_generator_of_a_hash_whose_top_bit_is_set() -> None:
    """Appendix B.1.1."""
    string = generator_string(RUN["PRS"], RUN["CI"], RUN["sid"])
    assert string == RUN["generator string"]
    element = hashlib.sha512(string).digest()[:32]
    assert element == RUN["hash"]
    assert element[31] & 0x80
    assert elligator2(element) == RUN["g"]


def test_the_run(figure: Callable[[str], None]) -> None:
    """Appendices B.1.2 to B.1.5."""
    a, b = side(initiator=True, scalar=RUN["ya"]), side(initiator=False, scalar=RUN["yb"])
    assert (a.share, b.share) == (RUN["Ya"], RUN["Yb"])
    assert a.finish(b.share, RUN["ADb"]) == RUN["ISK_IR"]
    assert b.finish(a.share, RUN["ADa"]) == RUN["ISK_IR"]
    figure("CPace: revision 21's run for X25519 in both roles")


@pytest.mark.parametrize("initiator", [True, False])
def test_each_point_gives_its_result_or_ends_the_run(
    initiator: bool, figure: Callable[[str], None]
) -> None:
    """Section 8.2.1 and appendix B.1.10, in either role."""
    refused = 0
    for point, result in zip(
        map(bytes.fromhex, POINTS["u"]), map(bytes.fromhex, POINTS["q"]), strict=True
    ):
        run = side(initiator=initiator, scalar=bytes.fromhex(POINTS["s"]))
        if not any(result):
            with pytest.raises(InvalidPublicKey, match="low order"):
                run.finish(point, b"")
            refused += 1
            continue
        own = lv_cat(run.share, RUN["ADa" if initiator else "ADb"])
        peer = lv_cat(point, b"")
        transcript = own + peer if initiator else peer + own
        hashed = lv_cat(b"CPace255_ISK", RUN["sid"], result) + transcript
        assert run.finish(point, b"") == hashlib.sha512(hashed).digest()
    assert refused == 7
    role = "initiator" if initiator else "responder"
    figure(f"CPace, {role}: {refused} of revision 21's 12 points refused, 5 give its results")
