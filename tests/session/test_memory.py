"""What is left of keys in the memory of the process, as somebody finds it who may read that."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from e2ee import Identity

KEYHOLDER = Path(__file__).with_name("keyholder.py")
MASK = 0x55


def copies(process: int, needle: bytes) -> int:
    """How often these bytes are in the memory of a process."""
    found = 0
    with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", 0) as memory:
        for line in maps:
            where, rights, *_ = line.split()
            if rights.startswith("rw"):
                start, end = (int(number, 16) for number in where.split("-"))
                memory.seek(start)
                found += memory.read(end - start).count(needle)
    return found


@pytest.mark.attack(82)
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_an_identitys_keys_are_in_memory_once_and_gone_with_it(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """OpenSSL overwrites a key that is freed. What was ever Python's bytes may stay: counted, as
    nobody can promise more.
    """
    identity = Identity.generate()
    identity.save(tmp_path / "identity")
    keys = {"seed": identity.use_seed(bytes), "device": identity.device_key.private_bytes_raw()}
    counted: dict[str, dict[str, int]] = {}
    with subprocess.Popen(
        [sys.executable, str(KEYHOLDER), str(tmp_path / "identity")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            step, *told = line.split()
            for name, _, masked in (word.partition("=") for word in told):
                keys[name] = bytes(byte ^ MASK for byte in bytes.fromhex(masked))
            try:
                counted[step] = {name: copies(process.pid, key) for name, key in keys.items()}
            except PermissionError:
                pytest.skip("this system lets nobody look into another process")
            process.stdin.write("\n")
            process.stdin.flush()
    for name in ("seed", "device"):
        assert counted["loaded"][name] >= counted["open"][name] >= 1
        assert counted["deleted"][name] == 0
    assert counted["open"]["exporter"] >= 1
    figure(
        "memory: copies when open, discarded, deleted: "
        + "; ".join(
            f"{name} {counted['open'][name]}, {counted['discarded'][name]}, "
            f"{counted['deleted'][name]}"
            for name in keys
        )
    )
