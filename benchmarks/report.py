"""What was measured, as Markdown tables for README and as JSON."""

from __future__ import annotations

import os
import platform
import ssl
from collections.abc import Iterable, Sequence
from importlib.metadata import version

from cryptography.hazmat.backends.openssl import backend

from benchmarks.contenders import (
    AEAD,
    BARE_NOISE,
    CLASSICAL,
    E2EE,
    HYBRID,
    NOISEPROTOCOL,
    TLS,
    TLS_HANDSHAKE,
)
from benchmarks.measure import SLICE, Result, Spread

BEGIN, END = "<!-- benchmark -->", "<!-- end -->"

OURS = (HYBRID, CLASSICAL, BARE_NOISE)
WHAT_IT_IS = {
    HYBRID: "X25519 and ML-KEM-768, Ed25519 certificates",
    CLASSICAL: "X25519, Ed25519 certificates",
    TLS_HANDSHAKE: "X25519, Ed25519 certificates",
    BARE_NOISE: "X25519, no certificates",
    NOISEPROTOCOL: "X25519, no certificates",
}


def environment() -> dict[str, str | int]:
    """The machine and the versions that the numbers belong to."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "e2ee": version("e2ee-session"),
        "cryptography": version("cryptography"),
        "openssl_of_cryptography": backend.openssl_version_text(),
        "openssl_of_ssl": ssl.OPENSSL_VERSION,
        "noiseprotocol": version("noiseprotocol"),
    }


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == "model name":
                    return value.strip()
    except FileNotFoundError:
        pass  # Only Linux has it.
    return platform.processor() or "unknown CPU"


def as_json(results: Sequence[Result], rounds: int) -> dict[str, object]:
    """Everything: rates are operations per second, one number a round."""
    return {
        "environment": environment(),
        "rounds": rounds,
        "slice_seconds": SLICE,
        "comparisons": [
            {
                "name": result.comparison.name,
                "message_size": result.comparison.message_size,
                "rates": result.rates,
                "medians": {name: result.rate(name) for name in result.rates},
            }
            for result in results
        ],
    }


def as_markdown(results: Sequence[Result], rounds: int) -> str:
    """Two tables and what their numbers mean."""
    where = environment()
    messages = [result for result in results if result.comparison.message_size is not None]
    (handshakes,) = (result for result in results if result.comparison.message_size is None)
    return f"""\
Measured with `python -m benchmarks` on {where["cpu"]}, {where["cores"]} cores, \
{where["system"]}: {where["python"]}, e2ee {where["e2ee"]}, cryptography \
{where["cryptography"]} ({where["openssl_of_cryptography"]}), ssl with \
{where["openssl_of_ssl"]}, noiseprotocol {where["noiseprotocol"]}. Rates are medians of \
{rounds} rounds, all on one thread. Ratios compare speeds within a round: their median and, in \
brackets, quartiles; below 1 the session is slower.

One message, sealed and opened:

{_message_table(messages)}

*AESGCM* is the cipher of `cryptography` alone, called for the same records: the floor. *ssl* is \
TLS 1.3 of Python's `ssl` over `MemoryBIO`, with AES-256-GCM in records of 16 KiB. The session \
runs the hybrid suite without padding.

Handshakes, both sides together, each side authenticated to the other:

{_handshake_table(handshakes)}

*ssl* has client certificates too, no tickets and no resumption. The last two run Noise XX with \
bare keys."""


def _message_table(results: Sequence[Result]) -> str:
    header = (
        "message",
        "e2ee, MB/s",
        "e2ee, messages/s",
        "AESGCM, messages/s",
        "ssl, messages/s",
        "e2ee / AESGCM",
        "e2ee / ssl",
    )
    return _table(header, map(_message_row, results), texts=1)


def _message_row(result: Result) -> tuple[str, ...]:
    size = result.comparison.message_size
    assert size is not None
    return (
        result.comparison.name,
        _number(result.rate(E2EE) * size / 1e6),
        *(_number(result.rate(name)) for name in (E2EE, AEAD, TLS)),
        _spread(result.ratio(E2EE, AEAD)),
        _spread(result.ratio(E2EE, TLS)),
    )


def _handshake_table(result: Result) -> str:
    peers = (TLS_HANDSHAKE, NOISEPROTOCOL)
    return _table(
        ("handshake", "made of", "handshakes/s", *(f"speed / {peer}" for peer in peers)),
        (
            (
                name,
                WHAT_IT_IS[name],
                _number(result.rate(name)),
                *(_spread(result.ratio(name, peer)) if name in OURS else "" for peer in peers),
            )
            for name in result.rates
        ),
        texts=2,
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]], *, texts: int) -> str:
    """``texts`` -- columns of text, which come first; the others hold numbers."""
    lines = [header, ["---"] * texts + ["---:"] * (len(header) - texts), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: float) -> str:
    """Three digits that count: 12,300 or 1.23."""
    return f"{float(f'{value:.3g}'):,.{2 if value < 10 else 1 if value < 100 else 0}f}"


def _spread(spread: Spread) -> str:
    return f"{spread.median:.2f} ({spread.low:.2f} to {spread.high:.2f})"


def has_markers(text: str) -> bool:
    """Whether a document has the place that ``replace_in`` writes to."""
    begin = text.find(BEGIN)
    return begin >= 0 and text.find(END, begin) >= 0


def replace_in(text: str, report: str) -> str:
    """The document with the report between its markers, in place of what was there."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{report}\n{END}{after}"
