"""A zip reader that reads only what a plain zip file is."""

import itertools
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from rltransfer_agents.loading import limits
from rltransfer_agents.loading.refusal import Refusal, quoted

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_STORED = 0
_DEFLATED = 8


@final
@dataclass(frozen=True)
class Member:
    """One file in the archive, as its directory lists it."""

    name: str
    flags: int
    method: int
    checksum: int
    packed: int
    size: int
    offset: int


def list_members(
    data: bytes, allowed: Callable[[str], bool], most: int = limits.MEMBERS
) -> list[Member]:
    """Returns what a zip file lists, each member checked as far as that goes.

    Args:
        data: the whole file.
        allowed: whether a name may occur at all.
        most: how many members there may be.

    Raises:
        Refusal: if the file is damaged, is more than a zip file, or breaks a limit.
    """
    count, size, offset = _end(data)
    if count > most:
        raise Refusal("limit", f"a zip may have {most} members, this one has {count}")
    members: dict[str, Member] = {}
    position, stop = offset, offset + size
    for _ in range(count):
        member, position = _entry(data, position, stop)
        if member.name in members:
            raise Refusal(
                "member", f"a member may occur once, {quoted(member.name)} occurs twice"
            )
        _check(member, allowed)
        members[member.name] = member
    if position != stop:
        raise _damaged("the directory does not end where it should")
    return list(members.values())


def read_members(
    data: bytes, members: list[Member], wanted: Callable[[str], bool]
) -> dict[str, bytes]:
    """Returns the contents of the wanted members of a zip file.

    Args:
        data: the whole file.
        members: all that it lists.
        wanted: whether a member is read; the others are not even unpacked.

    Raises:
        Refusal: if the file is damaged or breaks a limit.
    """
    spans = {member.name: _span(data, member) for member in members}
    # Overlapping members are how a few kilobytes unpack to terabytes.
    for (_, stop), (start, _) in itertools.pairwise(sorted(spans.values())):
        if start < stop:
            raise Refusal("member", "members of a zip may not overlap, two of these do")
    chosen = [member for member in members if wanted(member.name)]
    total = sum(member.size for member in chosen)
    if total > limits.MEMBER_BYTES:
        raise Refusal(
            "limit",
            f"an archive may unpack to {limits.MEMBER_BYTES} bytes, this one announces "
            f"{total}",
        )
    return {
        member.name: _unpacked(data[slice(*spans[member.name])], member)
        for member in chosen
    }


def _end(data: bytes) -> tuple[int, int, int]:
    """Returns the count of members, and size and offset of their directory."""
    position = len(data) - _END.size
    if position < 0 or data[:4] != b"PK\x03\x04":
        raise _damaged("it does not begin and end as a zip file")
    found = _END.unpack_from(data, position)
    mark, disk, first, here, count, size, offset, comment = found
    if mark != b"PK\x05\x06" or comment or disk or first or here != count:
        raise _damaged("its last bytes are no end of a zip file in one part")
    stop = position
    # Torch writes a large directory for files of any size.
    stop_64 = position - _LOCATOR_64.size
    if stop_64 >= 0 and data[stop_64 : stop_64 + 4] == b"PK\x06\x07":
        count, size, offset, stop = _end_64(data, stop_64)
    if offset + size != stop:
        raise _damaged("the directory is not directly before the end")
    return count, size, offset


def _end_64(data: bytes, stop: int) -> tuple[int, int, int, int]:
    _, disk, start, disks = _LOCATOR_64.unpack_from(data, stop)
    if disk or disks > 1 or start + _END_64.size != stop:
        raise _damaged("its large directory is not where it is announced")
    found = _END_64.unpack_from(data, start)
    mark, length, _, _, disk, first, here, count, size, offset = found
    in_parts = disk or first or here != count
    if mark != b"PK\x06\x06" or length != _END_64.size - 12 or in_parts:
        raise _damaged("its large directory is not announced properly")
    return count, size, offset, start


def _entry(data: bytes, position: int, stop: int) -> tuple[Member, int]:
    if position + _ENTRY.size > stop:
        raise _damaged("its directory is cut off")
    fields = _ENTRY.unpack_from(data, position)
    mark, _, _, flags, method, _, _, checksum, packed, size = fields[:10]
    name_length, extra_length, comment_length, disk, _, _, offset = fields[10:]
    end = position + _ENTRY.size + name_length + extra_length + comment_length
    if mark != b"PK\x01\x02" or disk or end > stop:
        raise _damaged("its directory holds something that is no entry")
    start = position + _ENTRY.size
    name = data[start : start + name_length]
    if not name.isascii():
        raise Refusal("member", f"a member's name must be ASCII, got {quoted(name)}")
    # Members of more than 32 bits have other sizes in `extra`: they are refused anyway.
    text = name.decode("ascii")
    return Member(text, flags, method, checksum, packed, size, offset), end


def _damaged(reason: str) -> Refusal:
    """Returns the refusal of a file that is no whole zip."""
    return Refusal("archive", f"the zip file is damaged or cut off: {reason}")


def _check(member: Member, allowed: Callable[[str], bool]) -> None:
    """Raises if a member breaks a rule that the directory alone can show."""
    name = quoted(member.name)
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
        raise _damaged(f"{name} is stored, yet has two sizes")
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


def _span(data: bytes, member: Member) -> tuple[int, int]:
    """Returns where the packed bytes of a member lie."""
    name = quoted(member.name)
    if member.offset + _LOCAL.size > len(data):
        raise _damaged(f"{name} lies outside the file")
    fields = _LOCAL.unpack_from(data, member.offset)
    mark, _, _, method, _, _, _, _, _, name_length, extra_length = fields
    start = member.offset + _LOCAL.size + name_length + extra_length
    written = data[member.offset + _LOCAL.size : start - extra_length]
    if (mark, method, written) != (
        b"PK\x03\x04",
        member.method,
        member.name.encode("ascii"),
    ):
        raise _damaged(f"{name} has another name in its own header")
    if start + member.packed > len(data):
        raise _damaged(f"{name} is cut off")
    return start, start + member.packed


def _unpacked(packed: bytes, member: Member) -> bytes:
    """Returns the contents of a member, whose size and checksum must hold."""
    name = quoted(member.name)
    if member.method == _STORED:
        contents = packed
    else:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            contents = inflater.decompress(packed, member.size + 1)
        except zlib.error as fault:
            raise _damaged(f"{name} cannot be inflated") from fault
        if len(contents) != member.size or not inflater.eof or inflater.unused_data:
            raise _damaged(f"{name} does not inflate to the size announced")
    if zlib.crc32(contents) != member.checksum:
        raise Refusal("checksum", f"{name} does not have the checksum announced")
    return contents
