"""Cases of what people read and write: ids, links, codes, safety numbers, backups. SPEC.md 7, 8.4.

``input`` is a text in UTF-8, in hexadecimal digits.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

from .case import Case
from .keys import LOW_ORDER_ED25519
from .second_client import WORDS, second
from .stage import ADDRESSES, NOW, PEER, TESTED, Person, secret

KEY, OTHER = Person(PEER).identity_key, Person(TESTED).identity_key
ID = second.id_of(KEY)
Line = tuple[str, str]


def _case(kind: str, name: str, text: str, about: str, valid: str | None, *settings: Line) -> Case:
    head = [("section", _SECTIONS[kind]), ("about", about), ("kind", kind), *settings]
    result = ("fail", "invalid") if valid is None else ("valid", valid)
    folder = "valid/" if valid is not None else ""
    path = f"{folder}{kind.replace('-', '_')}{'_' if folder else '/'}{name}"
    return Case(path, [*head, ("input", text.encode().hex()), result])


_SECTIONS = {
    "id": "7.1",
    "safety-number": "7.4",
    "code": "7.5",
    "link": "7.6",
    "backup": "8.4",
}


def cases() -> Iterator[Case]:
    yield from _ids()
    yield from _links()
    yield from _codes()
    yield from _safety_numbers()
    yield from _backups()


def _other(letter: str) -> str:
    return "q" if letter != "q" else "p"


def _checksummed(prefix: str, values: list[int], constant: int = 0x2BC830A3) -> str:
    """Bech32 letters of these values behind the prefix, with a checksum that fits."""
    check = second._polymod(prefix, [*values, 0, 0, 0, 0, 0, 0]) ^ constant
    values = values + [check >> 5 * i & 31 for i in reversed(range(6))]
    return prefix + "1" + "".join(second.CHARSET[value] for value in values)


def _values(text: str, prefix: str) -> list[int]:
    return [second.CHARSET.index(letter) for letter in text[len(prefix) + 1 : -6]]


def _ids() -> Iterator[Case]:
    values = _values(ID, "e2ee")
    bad = {
        "one_letter_wrong": ID[:30] + _other(ID[30]) + ID[31:],
        "two_letters_swapped": _swapped(ID),
        "checksum_wrong": ID[:-1] + _other(ID[-1]),
        "cut": ID[:-1],
        "longer": ID + "q",
        "empty": "",
        "prefix_only": "e2ee1",
        "mixed_case": ID[:9] + ID[9:].upper(),
        "capital_prefix": "E2EE" + ID[4:],
        "blank_within": ID[:30] + " " + ID[30:],
        "dash_within": ID[:30] + "-" + ID[30:],
        "letter_that_bech32_lacks": ID[:30] + "b" + ID[31:],
        "letter_of_another_alphabet": ID.replace("e2ee1", "е2ee1"),  # noqa: RUF001 -- Cyrillic
        "fullwidth_digit": ID.replace("e2ee1", "e２ee1"),  # noqa: RUF001 -- that is the case
        "another_prefix": second.bech32m("e2ef", KEY),
        "prefix_of_a_link": second.bech32m("invite", KEY),
        "prefix_left_out": ID[5:],
        "checksum_of_bech32": _checksummed("e2ee", values, 1),
        "key_of_31_bytes": second.bech32m("e2ee", KEY[:31]),
        "key_of_33_bytes": second.bech32m("e2ee", KEY + b"\0"),
        "stray_bits": _checksummed("e2ee", [*values[:-1], values[-1] | 1]),
        "five_bits_more": _checksummed("e2ee", [*values, 0]),
        "key_in_hex": KEY.hex(),
        "not_reduced": second.id_of((2**255 - 16).to_bytes(32, "little")),
    }
    for name, text in bad.items():
        yield _case("id", name, text, "Not an id.", None)
    for name, key in LOW_ORDER_ED25519.items():
        yield _case("id", f"low_order_{name}", second.id_of(key), "No identity has it.", None)
    for name, text in {
        "small": ID,
        "capital": ID.upper(),
        "blanks_around": f"  {ID}\n",
    }.items():
        yield _case("id", name, text, "The identity key behind it.", KEY.hex())


def _swapped(text: str) -> str:
    at = next(i for i in range(20, 60) if text[i] != text[i + 1])
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


LINK = second.Link(KEY, secret("link"), NOW, ADDRESSES)


def _content(*addresses: tuple[bytes, int], version: int = 1, key: bytes = KEY) -> bytes:
    content = bytes([version]) + key + LINK.secret + struct.pack(">Q", NOW)
    for host, port in addresses:
        content += bytes([len(host)]) + host + struct.pack(">H", port)
    return bytes(content)


def _link(content: bytes) -> str:
    return "e2ee:" + str(second.bech32m("invite", content))


def _links() -> Iterator[Case]:
    text = LINK.text()
    here = (b"localhost", 3233)
    whole = _content(here)
    values = _values(text[5:], "invite")
    late = whole[:65] + struct.pack(">Q", 2**53) + whole[73:]
    bad = {
        "one_letter_wrong": text[:60] + _other(text[60]) + text[61:],
        "two_letters_swapped": _swapped(text),
        "cut": text[:-1],
        "half": text[: len(text) // 2],
        "empty": "",
        "scheme_only": "e2ee:",
        "scheme_left_out": text[5:],
        "another_scheme": "https:" + text[5:],
        "scheme_twice": "e2ee:" + text,
        "mixed_case": text[:40] + text[40:].upper(),
        "another_prefix": "e2ee:" + second.bech32m("invitf", whole),
        "prefix_of_an_id": "e2ee:" + second.bech32m("e2ee", whole),
        "checksum_of_bech32": "e2ee:" + _checksummed("invite", values, 1),
        "five_bits_more": "e2ee:" + _checksummed("invite", [*values, 0]),
        "version_0": _link(_content(here, version=0)),
        "version_2": _link(_content(here, version=2)),
        "identity_of_low_order": _link(_content(here, key=LOW_ORDER_ED25519["1"])),
        "identity_not_reduced": _link(_content(here, key=b"\xff" * 32)),
        "expires_2_to_the_53": _link(late),
        "head_only": _link(_content()),
        "head_cut": _link(_content()[:-1]),
        "content_empty": _link(b""),
        "nine_addresses": _link(_content(*[here] * 9)),
        "host_empty": _link(_content((b"", 3233))),
        "host_of_254": _link(_content((b"a" * 254, 3233))),
        "host_with_a_blank": _link(_content((b"local host", 3233))),
        "host_with_a_slash": _link(_content((b"local/host", 3233))),
        "host_with_a_newline": _link(_content((b"localhost\n", 3233))),
        "host_with_nul": _link(_content((b"localhost\0", 3233))),
        "host_with_an_escape": _link(_content((b"\x1b[2J", 3233))),
        "host_not_ascii": _link(_content(("é".encode(), 3233))),
        "host_with_an_at": _link(_content((b"user@localhost", 3233))),
        "port_0": _link(_content((b"localhost", 0))),
        "port_cut": _link(whole[:-1]),
        "host_cut": _link(_content() + b"\x09local"),
        "bytes_after_the_last_address": _link(whole + b"\0"),
        "longer_than_1000": _link(_content(*[(b"a" * 200, 1)] * 4)),
    }
    for name, link in bad.items():
        yield _case("link", name, link, "Not a link.", None)
    good = {
        "small": (text, [here]),
        "capital": (text.upper(), [here]),
        "scheme_small_and_the_rest_capital": ("e2ee:" + text[5:].upper(), [here]),
        "wrapped": (f"  {text[:50]}\n\t{text[50:]} ", [here]),
        "eight_addresses": (_link(_content(*[here] * 8)), [here] * 8),
        "port_65535": (_link(_content((b"fe80::1%eth0", 65535))), [(b"fe80::1%eth0", 65535)]),
        "host_of_253": (_link(_content((b"a" * 253, 1))), [(b"a" * 253, 1)]),
    }
    head = f"{KEY.hex()} {LINK.lookup_id.hex()} {LINK.psk.hex()} {NOW}"
    for name, (link, addresses) in good.items():
        where = " ".join(f"{host.decode()} {port}" for host, port in addresses)
        yield _case("link", name, link, "What is in it.", f"{head} {where}")


def _codes() -> Iterator[Case]:
    bad = {
        "empty": "",
        "number_only": "4",
        "without_number": "acrobat-velcro-sugar",
        "number_0": "0-acrobat-velcro-sugar",
        "number_1000": "1000-acrobat-velcro-sugar",
        "number_of_four_digits": "0004-acrobat-velcro-sugar",
        "number_with_a_sign": "+4-acrobat-velcro-sugar",
        "number_in_hex": "0x4-acrobat-velcro-sugar",
        "number_of_arabic_digits": "٤-acrobat-velcro-sugar",
        "number_at_the_end": "acrobat-velcro-sugar-4",
        "two_words": "4-acrobat-velcro",
        "four_words": "4-acrobat-velcro-sugar-sugar",
        "two_letters": "4-ac-velcro-sugar",
        "word_misspelt": "4-acrobat-velcro-suger",
        "word_not_in_the_list": "4-acrobat-velcro-xyz",
        "word_in_the_plural": "4-acrobats-velcro-sugar",
        "word_with_a_dash": "4-yo-yo-velcro-sugar",
        "words_run_together": "4-acrobatvelcrosugar",
        "slashes": "4/acrobat/velcro/sugar",
        "cyrillic_letter": "4-асrobat-velcro-sugar",  # noqa: RUF001 -- that is the case
        "zero_width_space": "4-acro\u200bbat-velcro-sugar",
    }
    for name, text in bad.items():
        yield _case("code", name, text, "Not a code.", None)
    good = {
        "dashes": "4-acrobat-velcro-sugar",
        "blanks_and_capitals": "  4 ACROBAT velcro Sugar\n",
        "dots_commas_underscores": "4.acrobat,velcro_sugar",
        "many_separators": "4 -- acrobat, - velcro . sugar.",
        "three_letters": "4 acr vel sug",
        "leading_zeros": "004-acrobat-velcro-sugar",
        "long_dashes": "4\u2013acrobat\u2014velcro\u2212sugar",
        "fullwidth": "４－ａｃｒｏｂａｔ－velcro－sugar",  # noqa: RUF001 -- that is the case
    }
    for name, text in good.items():
        yield _case("code", name, text, "Number and password.", "4 acrobat-velcro-sugar")


def _safety_numbers() -> Iterator[Case]:
    own, other = ("own", OTHER.hex()), ("other", KEY.hex())
    stranger = Person("stranger").identity_key
    words = {key: second.safety_words(key, WORDS) for key in (KEY, OTHER, stranger)}
    first, last = sorted((KEY, OTHER))
    sixteen = " ".join(words[first] + words[last])
    digits, qr = second.safety_digits(KEY, OTHER), second.safety_qr(KEY, OTHER)
    half = digits[:25] if first == KEY else digits[25:]
    same = {
        "words": sixteen,
        "words_in_capitals": sixteen.upper(),
        "other_half_in_words": " ".join(words[KEY]),
        "digits": digits,
        "digits_in_groups": " ".join(digits[i : i + 5] for i in range(0, 50, 5)),
        "other_half_in_digits": half,
        "qr": qr,
        "other_half_as_id": ID,
    }
    for name, text in same.items():
        yield _case("safety-number", name, text, "It is theirs.", "same", own, other)
    different = {
        "halves_swapped": " ".join(words[last] + words[first]),
        "digits_swapped": digits[25:] + digits[:25],
        "own_half": " ".join(words[OTHER]),
        "strangers_half": " ".join(words[stranger]),
        "one_word_wrong": " ".join(
            [
                *words[first],
                *words[last][:-1],
                "acrobat" if words[last][-1] != "acrobat" else "sugar",
            ]
        ),
        "one_digit_wrong": digits[:-1] + str(9 - int(digits[-1])),
        "qr_of_a_stranger": second.safety_qr(KEY, stranger),
        "qr_with_the_keys_swapped": second.bech32m("safety", last + first).upper(),
        "own_id": second.id_of(OTHER),
    }
    for name, text in different.items():
        yield _case("safety-number", name, text, "It is not theirs.", "different", own, other)
    invalid = {
        "empty": "",
        "seven_words": " ".join(words[KEY][:7]),
        "fifteen_words": sixteen.rsplit(" ", 1)[0],
        "no_word": sixteen.replace(words[first][0], "xyzzy", 1),
        "49_digits": digits[:-1],
        "51_digits": digits + "0",
        "qr_mistyped": qr[:40] + _other(qr[40].lower()).upper() + qr[41:],
        "qr_cut": qr[:-1],
        "id_mistyped": ID[:-1] + _other(ID[-1]),
    }
    for name, text in invalid.items():
        yield _case("safety-number", name, text, "No form of any.", None, own, other)


def _backup(seed: bytes, checksum: int | None = None) -> list[str]:
    digest = hashlib.sha256(b"e2ee backup phrase v1\0" + seed).digest()
    check = int.from_bytes(digest[:2], "big") >> 4 if checksum is None else checksum
    return _digits(int.from_bytes(seed, "big") << 12 | check)


def _digits(number: int) -> list[str]:
    return [WORDS[number // 1296**i % 1296] for i in reversed(range(26))]


def _backups() -> Iterator[Case]:
    seed = secret("backup")
    phrase = _backup(seed)
    digest = hashlib.sha256(b"e2ee backup phrase v1\0" + seed).digest()
    right = int.from_bytes(digest[:2], "big") >> 4
    bad = {
        "25_words": phrase[:-1],
        "27_words": [*phrase, phrase[0]],
        "empty": [],
        "word_wrong": [*phrase[:-1], "acrobat" if phrase[-1] != "acrobat" else "sugar"],
        "words_swapped": [phrase[1], phrase[0], *phrase[2:]],
        "words_backwards": phrase[::-1],
        "word_not_in_the_list": [*phrase[:-1], "xyzzy"],
        "two_letters": [phrase[0][:2], *phrase[1:]],
        "checksum_wrong": _backup(seed, right ^ 1),
        "number_too_large": _digits(2**268 + (int.from_bytes(seed, "big") << 12 | right)),
        "largest_number": ["zoom"] * 26,
    }
    for name, words in bad.items():
        yield _case("backup", name, " ".join(words), "Not a backup.", None)
    good = {
        "words": phrase,
        "three_letters": [word[:3] for word in phrase],
        "capitals": [word.upper() for word in phrase],
    }
    for name, words in good.items():
        yield _case("backup", name, " ".join(words), "The seed.", seed.hex())
    for name, other in (("seed_of_zeros", bytes(32)), ("seed_of_ones", b"\xff" * 32)):
        yield _case("backup", name, " ".join(_backup(other)), "The seed.", other.hex())
