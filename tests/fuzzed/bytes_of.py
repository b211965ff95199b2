"""Damage to the bytes of any file, drawn at random."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40, (1 << 63) - 1, (1 << 64) - 1)


def flipped(random: Random, content: bytes) -> bytes:
    """Flip one to twenty bits."""
    damaged = bytearray(content)
    for _ in range(random.randint(1, 20) if content else 0):
        damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
    return bytes(damaged)


def truncated(random: Random, content: bytes) -> bytes:
    """Cut the end off."""
    return content[: random.randrange(len(content) + 1)]


def spliced(random: Random, content: bytes) -> bytes:
    """Repeat, leave out or move a piece, or put noise in its place."""
    start, end = sorted((random.randrange(len(content) + 1), random.randrange(len(content) + 1)))
    piece = content[start:end]
    return random.choice(
        (
            content[:start] + content[end:],
            content[:end] + content[start:],
            content[end:] + content[:end],
            content[:start] + random.randbytes(len(piece)) + content[end:],
            content + piece,
            piece + content,
        )
    )


def absurd_number(random: Random, content: bytes) -> bytes:
    """Put an extreme number of 1 to 8 bytes, in either order, mostly near an end, where lengths and offsets are."""
    reach = random.choice((16, 200, len(content)))
    at = max(0, random.choice((random.randrange(reach + 1), len(content) - random.randrange(reach + 1))))
    number = struct.pack(random.choice("<>") + "Q", random.choice(EXTREMES))
    size = random.choice((1, 2, 4, 8))
    number = number[:size] if random.random() < 0.5 else number[-size:]
    return content[:at] + number + content[at + size :]


def garbage(random: Random, content: bytes) -> bytes:
    """Keep the first bytes, by which formats are recognised, and put noise or zeros after them."""
    kept, size = content[: random.choice((0, 2, 4, 8, 132, 140))], random.randrange(2000)
    return kept + (random.randbytes(size) if random.random() < 0.7 else bytes(size))


DAMAGES: tuple[Callable[[Random, bytes], bytes], ...] = (flipped, truncated, spliced, absurd_number, garbage)


def damaged(random: Random, content: bytes) -> bytes:
    """Damage a file in one to three ways."""
    for _ in range(random.choice((1, 1, 2, 3))):
        content = random.choice(DAMAGES)(random, content)
    return content
