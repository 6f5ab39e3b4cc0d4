"""Names of files that lead out of a folder, hide, name devices, or act on what shows them."""

from __future__ import annotations

TRAVERSAL = (
    *("../x", "../../x", "../" * 20 + "etc/passwd", "..", ".", "./x", "a/../../x", "a/..", "a/./b"),
    *("/etc/passwd", "//x", "///x", "/", "/.", "/..", "a/", "a//b", "/dev/null", "/proc/self/mem"),
    *("..\\x", "..\\..\\x", "\\x", "\\\\server\\share\\x", "a\\..\\..\\x", "\\", "\\\\?\\C:\\x"),
    *(
        "\\\\.\\COM1",
        "C:x",
        "C:\\x",
        "C:/x",
        "c:..\\x",
        "file:///etc/passwd",
        "~",
        "~/x",
        "~root/x",
    ),
    *(
        "$HOME/x",
        "%2e%2e%2fx",
        "..%2fx",
        "..%5cx",
        "%00",
        "..%c0%afx",
        "..;/x",
        "....//x",
        "..././x",
    ),
    *("\u2025/x", "\u2024\u2024/x", "\uff0e\uff0e/x", "..\u2215x", "..\u2044x", "..\uff0fx"),
    *(
        "..\u29f8x",
        "..\uff3cx",
        "..\ufe68x",
        "..\u2216x",
        ".\u200b./x",
        "\u202e/../x",
        "..\u200d/x",
    ),
    *("..\x00/x", "x\x00.txt", "../x\x00", "..\n/x", "..\r/x", ".. /x", " ../x", "../ x", "..\t/x"),
    *(
        "x/../../../in/x",
        "in/../x",
        "sub/x",
        "a/b/c/d/e/f",
        "-/x",
        "../-rf",
        ".ssh/authorized_keys",
    ),
    *("../.ssh/authorized_keys", ".config/autostart/x.desktop", "../../.bashrc", "|sh", "x|y"),
)

HIDDEN = (
    *(".bashrc", ".profile", ".ssh", ".", "..", "...", "....", ".x", "..x", ". ", " .x", "\t.x"),
    *(".\x00x", "\u200b.x", "\u202e.x", "\ufeff.x", "\xa0.x", "\u3000.x", "\u2060.x", ".\u200d"),
    *(".e2ee-part", ".x.e2ee-part", ".x.0123456789abcdef.e2ee-part", ".git", ".gitconfig", ".env"),
    *(".htaccess", ".DS_Store", ".nfs000", ".Trash-1000", ".hidden", ".lock", ".#x", "._x", ".~x"),
    *("\uff0ex", "\u2024x", "\u00b7x", "\u0307x", "\u0323.x"),
)

DEVICES = tuple(
    f"{device}{end}"
    for device in (
        "CON",
        "con",
        "PRN",
        "AUX",
        "NUL",
        "COM1",
        "COM9",
        "COM\u00b9",
        "LPT1",
        "lpt\u00b3",
    )
    for end in ("", ".txt", " ", ".", " .x")
)

ENDS = (
    *(
        "x.",
        "x..",
        "x ",
        "x. .",
        "x\t",
        "x\n",
        "x\x00",
        "x:",
        "x::$DATA",
        "x:stream",
        "x.lnk",
        "x.url",
    ),
    *(
        "x.desktop",
        "x.exe",
        "x.txt.exe",
        "x.txt" + " " * 120 + ".exe",
        "gpj.\u202eexe",
        "x\u200b.txt",
    ),
    *("x*", "x?", 'x"', "x<", "x>", "x|", "x;rm", "x`id`", "$(id)", "x&", "x'", "x!", "x#", "x%n"),
    *("-rf", "--help", "-", "--", "-o/tmp/x", "-\x1b[A", "@x", "+x", "=x", "\u2010rf", "\u2212rf"),
)

CHARACTERS = (
    *(
        "\x1b[2J",
        "\x1b]52;c;eA==\x07",
        "\x9b2J",
        "\x07",
        "\x08\x08x",
        "\x7f",
        "a\rb",
        "a\nb",
        "a\vb",
    ),
    *("\u2028", "\u2029", "\x85", "\u202ex", "\u2066x", "\u200fx", "\ufeffx", "\u3164", "\u2800"),
    *("\ue000", "\ufffe", "\U0010ffff", "\U000e0041", "a\u0301", "\u00e1", "e" + "\u0301" * 90),
    *(
        "\u0130",
        "\u0131",
        "\u00df",
        "\ufb01",
        "\u212a",
        "\u1e9e",
        "\u03c3\u03c2",
        "\uac00",
        "\u1100\u1161",
    ),
    *("\U0001f600", "\U0001f469\u200d\U0001f680", "\u2764\ufe0f", "\u4e00" * 85, "\u00e9" * 127),
)

LENGTHS = (
    *("x" * 199, "x" * 200, "x" * 201, "x" * 254, "x" * 255, "." * 255, " " * 255, "-" * 255),
    *("x" * 250 + ".txt", "x." + "y" * 253, "." + "x" * 254, "\U0001f600" * 63, "\\" * 255),
    *("\x1b" * 255, "\x00" * 255, "\ud7ff" * 85, "\uffff" * 85, "x" * 199 + "\u00e9", "/" * 255),
)

HOSTILE = tuple(dict.fromkeys((*TRAVERSAL, *HIDDEN, *DEVICES, *ENDS, *CHARACTERS, *LENGTHS)))
