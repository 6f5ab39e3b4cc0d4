"""Holds keys, says which (each byte changed, so that only the keys themselves are in its memory),
and lets go of them, a step for each line of standard input. The test looks into its memory.
"""

from __future__ import annotations

import sys

from e2ee import Identity, Session

MASK = 0x55


def step(name: str, **keys: bytes) -> None:
    masked = [f"{what}={bytes(byte ^ MASK for byte in key).hex()}" for what, key in keys.items()]
    sys.stdout.write(" ".join([name, *masked]) + "\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main() -> None:
    me, other = Identity.load(sys.argv[1]), Identity.generate()
    step("loaded")
    alice, bob = Session.initiator(me), Session.responder(other)
    bob.receive_data(alice.data_to_send())
    alice.receive_data(bob.data_to_send())
    bob.receive_data(alice.data_to_send())
    step("open", exporter=alice._exporter_secret)
    alice.discard()
    bob.discard()
    step("discarded")
    del me, alice, bob
    step("deleted")


if __name__ == "__main__":
    main()
