"""A zip reader that reads only what a plain zip file is.

The standard library's reader accepts much that two readers may see differently: data in
front of the archive, members that overlap, names given twice. Here the file must be
exactly a sequence of members, a directory and its end.
"""

from collections.abc import Callable

from rltransfer_agents.reading import limits
from rltransfer_agents.reading.archive.contents import (
    check_member,
    check_overlap,
    check_total,
    span,
    unpacked,
)
from rltransfer_agents.reading.archive.directory import Member, read_directory

__all__ = ["list_members", "read_members"]


def list_members(
    data: bytes, allowed: Callable[[str], bool], most: int = limits.MEMBERS
) -> list[Member]:
    """Returns what a zip file lists, each member checked as far as that goes."""
    members = read_directory(data, most)
    for member in members:
        check_member(member, allowed)
    return members


def read_members(
    data: bytes,
    *,
    allowed: Callable[[str], bool],
    wanted: Callable[[str], bool],
    most: int = limits.MEMBERS,
) -> dict[str, bytes]:
    """Returns the contents of the wanted members of a zip file.

    Args:
        data: the whole file.
        allowed: tells whether a name may occur at all.
        wanted: tells whether a member is read; the others are not even unpacked.
        most: how many members there may be.

    Raises:
        Refusal: if the file is damaged, is more than a zip file, or breaks a limit.
    """
    members = list_members(data, allowed, most)
    spans = {member.name: span(data, member) for member in members}
    check_overlap(list(spans.values()))
    chosen = [member for member in members if wanted(member.name)]
    check_total(chosen)
    return {
        member.name: unpacked(data[slice(*spans[member.name])], member)
        for member in chosen
    }
