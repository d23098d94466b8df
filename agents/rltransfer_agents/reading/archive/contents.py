"""The members of a zip file: checked against their announcement, then unpacked."""

import itertools
import struct
import zlib
from collections.abc import Callable

from rltransfer_agents.reading import limits
from rltransfer_agents.reading.archive.directory import Member, damaged
from rltransfer_agents.reading.refusal import Refusal, shown

_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_STORED = 0
_DEFLATED = 8


def check_member(member: Member, allowed: Callable[[str], bool]) -> None:
    """Raises if a member breaks a rule that can be told from the directory."""
    name = shown(member.name)
    if not allowed(member.name):
        raise Refusal("member", f"a member of this name does not belong here: {name}")
    if member.flags & _ENCRYPTED:
        raise Refusal("member", f"members may not be encrypted, {name} is")
    if member.method not in (_STORED, _DEFLATED):
        raise Refusal(
            "member",
            f"members are stored or deflated, {name} has method {member.method}",
        )
    if member.method == _STORED and member.packed != member.size:
        raise damaged(f"{name} is stored, yet has two sizes")
    if member.size > limits.MEMBER_BYTES:
        raise Refusal(
            "limit",
            f"a member may unpack to {limits.MEMBER_BYTES} bytes, {name} announces "
            f"{member.size}",
        )
    ratio = member.size / max(member.packed, 1)
    if member.size > limits.RATIO_FREE_BYTES and ratio > limits.COMPRESSION_RATIO:
        raise Refusal(
            "limit",
            f"a member may unpack to {limits.COMPRESSION_RATIO} times its size, "
            f"{name} announces {ratio:.0f} times",
        )


def span(data: bytes, member: Member) -> tuple[int, int]:
    """Returns where the packed bytes of a member lie."""
    name = shown(member.name)
    if member.offset + _LOCAL.size > len(data):
        raise damaged(f"{name} lies outside the file")
    fields = _LOCAL.unpack_from(data, member.offset)
    mark, _, _, method, _, _, _, _, _, name_length, extra_length = fields
    start = member.offset + _LOCAL.size + name_length + extra_length
    written = data[member.offset + _LOCAL.size : start - extra_length]
    if (mark, method, written) != (
        b"PK\x03\x04",
        member.method,
        member.name.encode("ascii"),
    ):
        raise damaged(f"{name} is called otherwise where it lies")
    if start + member.packed > len(data):
        raise damaged(f"{name} is cut off")
    return start, start + member.packed


def check_overlap(spans: list[tuple[int, int]]) -> None:
    """Raises if two members share bytes."""
    # Overlapping members are how a few kilobytes unpack to terabytes.
    ordered = sorted(spans)
    for (_, stop), (start, _) in itertools.pairwise(ordered):
        if start < stop:
            raise Refusal("member", "members of a zip may not overlap, two of these do")


def check_total(members: list[Member]) -> None:
    """Raises if members announce more together than may be unpacked."""
    total = sum(member.size for member in members)
    if total > limits.MEMBER_BYTES:
        raise Refusal(
            "limit",
            f"an archive may unpack to {limits.MEMBER_BYTES} bytes, this one announces "
            f"{total}",
        )


def unpacked(packed: bytes, member: Member) -> bytes:
    """Returns the contents of a member, whose size and checksum must hold."""
    name = shown(member.name)
    if member.method == _STORED:
        contents = packed
    else:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            contents = inflater.decompress(packed, member.size + 1)
        except zlib.error as fault:
            raise damaged(f"{name} cannot be inflated") from fault
        if len(contents) != member.size or not inflater.eof or inflater.unused_data:
            raise damaged(f"{name} does not inflate to the size announced")
    if zlib.crc32(contents) != member.checksum:
        raise Refusal("checksum", f"{name} does not have the checksum announced")
    return contents
