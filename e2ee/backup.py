"""A backup of an identity as words, to be written down. SPEC.md section 8.4."""

from __future__ import annotations

from collections.abc import Sequence

from e2ee._bare_errors import bare_errors
from e2ee.errors import InvalidBackup
from e2ee.identity import SEED_LENGTH, Identity
from e2ee.ids import whole_word, word_list
from e2ee.primitives import HASHES

PHRASE_LENGTH = 26
"""Words: 1,296^26 is above 2^268, which are the key's 256 bits and a checksum of 12."""

_CHECKSUM_BITS = 12


def backup_phrase(identity: Identity) -> tuple[str, ...]:
    """Twenty-six words that are the identity key: whoever has them is this person."""
    return identity.use_seed(_words)


def _words(seed: bytes) -> tuple[str, ...]:
    words = word_list()
    number = int.from_bytes(seed) << _CHECKSUM_BITS | _checksum(seed)
    chosen = []
    for _ in range(PHRASE_LENGTH):
        number, index = divmod(number, len(words))
        chosen.append(words[index])
    return tuple(reversed(chosen))


@bare_errors
def restore(phrase: Sequence[str], *, now: float | None = None) -> Identity:
    """The identity of a phrase, with a new device key; of each word three letters or more.

    ``now`` as for ``Identity.generate``. Raises InvalidBackup, which names a word that is not
    in the list.
    """
    if len(phrase) != PHRASE_LENGTH:
        raise InvalidBackup(f"a backup has {PHRASE_LENGTH} words, not {len(phrase)}")
    words = word_list()
    number = 0
    for place, typed in enumerate(phrase, 1):
        word = whole_word(typed)
        if word is None:
            raise InvalidBackup(f"word {place} of the backup, {typed[:20]!r}, is not in the list")
        number = number * len(words) + words.index(word)
    seed = (number >> _CHECKSUM_BITS) % 2 ** (8 * SEED_LENGTH)
    seed_bytes = seed.to_bytes(SEED_LENGTH)
    if number != seed << _CHECKSUM_BITS | _checksum(seed_bytes):
        raise InvalidBackup("the backup is mistyped: its checksum does not fit; a word is another")
    return Identity.from_seed(seed_bytes, now=now)


def _checksum(seed: bytes) -> int:
    digest = HASHES["SHA256"].hash(b"e2ee backup phrase v1\0" + seed)
    return int.from_bytes(digest[:2]) >> 4
