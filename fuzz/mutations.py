"""Mutations of bytes: cuts, flips, insertions, other encodings and ends of lines."""

from __future__ import annotations

from fuzz.choices import Choices

MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff\0\0", b"\0", b"PK\3\4", b"\x1f\x8b\x08", b"\x93NUMPY", b"\x80\x04.")


def mutated(content: bytes, choices: Choices) -> bytes:
    """``content``, changed in one way."""
    place = choices.below(len(content) + 1)
    match choices.below(9):
        case 0:
            return content[:place]
        case 1:
            return content[place:]
        case 2:
            flipped = bytearray(content)
            if flipped:
                flipped[place % len(flipped)] ^= 1 << choices.below(8)
            return bytes(flipped)
        case 3:
            return content[:place] + choices.bytes(1 + choices.below(8)) + content[place:]
        case 4:
            return choices.pick(MARKS) + content
        case 5:
            return content.replace(b"\n", b"\r\n")
        case 6:
            return content.decode("latin-1").encode(choices.pick(("utf-16", "utf-32", "utf-8-sig")))
        case 7:
            return content + content
    end = choices.below(len(content) + 1)
    first, last = sorted((place, end))
    return content[:first] + content[last:]
