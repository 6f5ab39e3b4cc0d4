"""The machine and the versions that figures belong to."""

from __future__ import annotations

import os
import platform
import ssl
from importlib.metadata import version

from cryptography.hazmat.backends.openssl import backend

PEERS = ("pyopenssl", "noiseprotocol", "dissononce")


def environment() -> dict[str, str | int]:
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "system": f"{platform.system()} {platform.machine()}",
        "libc": " ".join(platform.libc_ver()),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "e2ee": version("e2ee-session"),
        "cryptography": version("cryptography"),
        "openssl of cryptography": backend.openssl_version_text(),
        "openssl of ssl": ssl.OPENSSL_VERSION,
        **{peer: version(peer) for peer in PEERS},
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
