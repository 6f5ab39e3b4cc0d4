"""Protocol names follow section 8 of Noise revision 34, and hfs names its KEM."""

from __future__ import annotations

import pytest

from e2ee.errors import InvalidProtocolName, UsageError
from e2ee.handshake import PATTERNS, Handshake, parse_protocol_name
from e2ee.primitives import CIPHERS, DHS, HASHES, KEMS


@pytest.mark.parametrize(
    "name",
    [
        "Noise_XX_25519_AESGCM_SHA256",
        "Noise_N_448_ChaChaPoly_BLAKE2b",
        "Noise_X1K1_25519_ChaChaPoly_BLAKE2s",
        "Noise_XXfallback_25519_AESGCM_SHA512",
        "Noise_XXfallback+psk0_25519_AESGCM_SHA256",
        "Noise_NNpsk0+psk2_25519_AESGCM_SHA256",
        "Noise_XXpsk0+psk1+psk2+psk3_25519_AESGCM_SHA256",
        "Noise_X1Npsk4_25519_AESGCM_SHA256",
        "Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256",
        "Noise_NNhfs+psk0_448+MLKEM768_ChaChaPoly_BLAKE2b",
    ],
)
def test_a_valid_name_is_taken_as_it_stands(name: str) -> None:
    protocol = parse_protocol_name(name)
    assert protocol.name == name
    assert (protocol.kem is not None) == ("hfs" in name)


def test_every_part_of_a_name_chooses_its_function() -> None:
    for dh_name, dh in DHS.items():
        for cipher_name, cipher in CIPHERS.items():
            for hash_name, hash_function in HASHES.items():
                for pattern_name, pattern in PATTERNS.items():
                    name = f"Noise_{pattern_name}_{dh_name}_{cipher_name}_{hash_name}"
                    protocol = parse_protocol_name(name)
                    assert protocol.dh is dh
                    assert protocol.cipher is cipher
                    assert protocol.hash is hash_function
                    assert protocol.pattern == pattern
    hybrid = parse_protocol_name("Noise_XXhfs_25519+MLKEM768_AESGCM_SHA256")
    assert hybrid.kem is KEMS["MLKEM768"]


INVALID = {
    "empty": [
        "",
        "_",
        "____",
        "Noise",
        "Noise____",
        "Noise__25519_AESGCM_SHA256",
        "Noise_XX__AESGCM_SHA256",
        "Noise_XX_25519__SHA256",
        "Noise_XX_25519_AESGCM_",
    ],
    "a section missing or too many": [
        "XX_25519_AESGCM_SHA256",
        "Noise_25519_AESGCM_SHA256",
        "Noise_XX_AESGCM_SHA256",
        "Noise_XX_25519_SHA256",
        "Noise_XX_25519_AESGCM",
        "Noise_XX_25519_AESGCM_SHA256_SHA256",
        "Noise_XX_25519_AESGCM_SHA256_",
        "_Noise_XX_25519_AESGCM_SHA256",
        "Noise_XX_psk0_25519_AESGCM_SHA256",
        "Noise_XXhfs_25519_MLKEM768_AESGCM_SHA256",
    ],
    "an unknown part": [
        "NoisePSK_XX_25519_AESGCM_SHA256",
        "Noise_ZZ_25519_AESGCM_SHA256",
        "Noise_XX2_25519_AESGCM_SHA256",
        "Noise_XXX_25519_AESGCM_SHA256",
        "Noise_XX_25518_AESGCM_SHA256",
        "Noise_XX_secp256k1_AESGCM_SHA256",
        "Noise_XX_25519_AESCCM_SHA256",
        "Noise_XX_25519_ChaCha20Poly1305_SHA256",
        "Noise_XX_25519_AESGCM_SHA3",
        "Noise_XX_25519_AESGCM_MD5",
        "Noise_XXnoidh_25519_AESGCM_SHA256",
        "Noise_XXhfs_25519+MLKEM1024_AESGCM_SHA256",
        "Noise_XXhfs_25519+Kyber768_AESGCM_SHA256",
        "Noise_XXhfs_25519+448_AESGCM_SHA256",
    ],
    "another case": [
        "noise_XX_25519_AESGCM_SHA256",
        "NOISE_XX_25519_AESGCM_SHA256",
        "Noise_xx_25519_AESGCM_SHA256",
        "Noise_Xx_25519_AESGCM_SHA256",
        "Noise_XXPSK0_25519_AESGCM_SHA256",
        "Noise_XXHFS_25519+MLKEM768_AESGCM_SHA256",
        "Noise_XXhfs_25519+mlkem768_AESGCM_SHA256",
        "Noise_XX_25519_aesgcm_SHA256",
        "Noise_XX_25519_AESGCM_sha256",
    ],
    "a plus or an underscore astray": [
        "Noise_XX+_25519_AESGCM_SHA256",
        "Noise_+XX_25519_AESGCM_SHA256",
        "Noise_XX+psk0_25519_AESGCM_SHA256",
        "Noise_XXpsk0+_25519_AESGCM_SHA256",
        "Noise_XXpsk0++psk1_25519_AESGCM_SHA256",
        "Noise_XXpsk0psk1_25519_AESGCM_SHA256",
        "Noise_XX_25519+_AESGCM_SHA256",
        "Noise_XX_+25519_AESGCM_SHA256",
        "Noise_XXhfs_25519+_AESGCM_SHA256",
        "Noise_XXhfs_25519+MLKEM768+_AESGCM_SHA256",
        "Noise_XXhfs_25519+MLKEM768+MLKEM768_AESGCM_SHA256",
        "Noise_XX_25519_AESGCM+ChaChaPoly_SHA256",
        "Noise_XX_25519_AESGCM_SHA256+SHA512",
        "Noise__XX_25519_AESGCM_SHA256",
    ],
    "modifiers out of order": [
        "Noise_XXpsk1+psk0_25519_AESGCM_SHA256",
        "Noise_XXpsk0+psk2+psk1_25519_AESGCM_SHA256",
        "Noise_NNpsk0+hfs_25519+MLKEM768_AESGCM_SHA256",
    ],
    "a modifier twice": [
        "Noise_XXpsk0+psk0_25519_AESGCM_SHA256",
        "Noise_XXpsk0+psk1+psk1_25519_AESGCM_SHA256",
        "Noise_XXhfs+hfs_25519+MLKEM768_AESGCM_SHA256",
        "Noise_XXfallback+fallback_25519_AESGCM_SHA256",
    ],
    "hfs without its KEM, a KEM without hfs": [
        "Noise_XXhfs_25519_AESGCM_SHA256",
        "Noise_XXhfs_MLKEM768_AESGCM_SHA256",
        "Noise_XXhfs_MLKEM768+25519_AESGCM_SHA256",
        "Noise_XX_25519+MLKEM768_AESGCM_SHA256",
        "Noise_NNpsk0_25519+MLKEM768_AESGCM_SHA256",
    ],
    "a modifier that the pattern cannot take": [
        "Noise_Npsk2_25519_AESGCM_SHA256",
        "Noise_NNpsk3_25519_AESGCM_SHA256",
        "Noise_XXpsk4_25519_AESGCM_SHA256",
        "Noise_X1Npsk5_25519_AESGCM_SHA256",
        "Noise_XXpsk_25519_AESGCM_SHA256",
        "Noise_XXpsk00_25519_AESGCM_SHA256",
        "Noise_XXpsk-1_25519_AESGCM_SHA256",
        "Noise_XXfallback+psk3_25519_AESGCM_SHA256",
        "Noise_Khfs_25519+MLKEM768_AESGCM_SHA256",
        "Noise_Nfallback_25519_AESGCM_SHA256",
        "Noise_IKfallback_25519_AESGCM_SHA256",
        "Noise_XXpsk0+fallback_25519_AESGCM_SHA256",
    ],
    "hfs with fallback": [
        "Noise_XXhfs+fallback_25519+MLKEM768_AESGCM_SHA256",
        "Noise_XXfallback+hfs_25519+MLKEM768_AESGCM_SHA256",
        "Noise_XXfallback+hfs_25519_AESGCM_SHA256",
    ],
    "blanks and letters outside ASCII": [
        " Noise_XX_25519_AESGCM_SHA256",
        "Noise_XX_25519_AESGCM_SHA256 ",
        "Noise_XX_25519_AESGCM_SHA256\n",
        "Noise_XX\n_25519_AESGCM_SHA256",
        "Noise_XX_25519_AESGCM_SHA256\0",
        "Noise_ХХ_25519_AESGCM_SHA256",  # noqa: RUF001 - Cyrillic letters
        "Noise_XX_２５５１９_AESGCM_SHA256",  # noqa: RUF001 - full-width digits
        "Noise_XXpsk０_25519_AESGCM_SHA256",  # noqa: RUF001 - full-width digits
        "Noise_XX١_25519_AESGCM_SHA256",  # noqa: RUF001 - Arabic digit
    ],
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, id=f"{why}: {name!a}") for why, names in INVALID.items() for name in names],
)
def test_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidProtocolName):
        parse_protocol_name(name)
    with pytest.raises(InvalidProtocolName):
        Handshake(name, initiator=True)


@pytest.mark.parametrize(
    ("name", "unknown"),
    [
        ("Noise_XZ_25519_AESGCM_SHA256", "pattern 'XZ'"),
        ("Noise_XXpsk9_25519_AESGCM_SHA256", "modifier 'psk9'"),
        ("Noise_XX_1_AESGCM_SHA256", "DH '1'"),
        ("Noise_XXhfs_25519+1_AESGCM_SHA256", "KEM '1'"),
        ("Noise_XX_25519_AES_SHA256", "cipher 'AES'"),
        ("Noise_XX_25519_AESGCM_SHA1", "hash 'SHA1'"),
    ],
)
def test_it_is_said_which_part_of_a_name_is_unknown(name: str, unknown: str) -> None:
    with pytest.raises(InvalidProtocolName, match=f"unknown {unknown}; known are"):
        parse_protocol_name(name)


def test_a_name_has_at_most_255_bytes() -> None:
    with pytest.raises(InvalidProtocolName, match="255 bytes"):
        parse_protocol_name("Noise_XX_25519_AESGCM_" + "A" * 234)
    with pytest.raises(InvalidProtocolName, match="255 bytes"):
        parse_protocol_name("Noise_XX_25519_AESGCM_" + "é" * 117)
    with pytest.raises(InvalidProtocolName, match="unknown hash"):
        parse_protocol_name("Noise_XX_25519_AESGCM_" + "A" * 233)


def test_an_invalid_name_is_the_callers_mistake() -> None:
    assert issubclass(InvalidProtocolName, UsageError)
