"""What can be taken out of the model, one at a time, to see that the search misses it."""

from __future__ import annotations

from enum import StrEnum


class Mutation(StrEnum):
    """One protective step left out. The values say what is wrong then."""

    SIGNATURE = "the certificate's signature is not checked"
    STATIC_KEY = "the certificate is not compared with the static key that was proved"
    EXPECTED_PEER = "the initiator does not check whom it reached"
    OWN_KEY = "one's own static key is taken for a peer's"
    PROLOGUE = "the hello is not in the prologue"
    EE = "`ee` is left out"
    ES = "`es` is left out"
    SE = "`se` is left out"
    SS = "`ss` is left out"
    EKEM1 = "the KEM's secret is not mixed in"
    PSK = "the psk is not mixed in"
    CONFIRMATION = "the responder of *known* opens without the confirmation"
    SEQUENCE = "the sequence number is not compared"
    CONTACT = "the responder of *known* admits who is no contact"
    REPEATED_EPHEMERAL = "the responder uses one ephemeral key, and one KEM answer, for all"
    ONE_KEY = "both directions have one key"
    LINK_AGAIN = "a link is not marked as used"
    NO_PAKE = "the code itself is the psk, without CPace"
    GUESS_AGAIN = "a wrong guess does not burn the code"
    COMMITMENT = "the commitments of *code* are not opened"
    CLEAR_STATIC = "the static keys and certificates are sent in the clear"
