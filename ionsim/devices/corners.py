"""Corners of a drive that comes in straight pieces."""


def is_corner(slope: float, before: float, share: float) -> bool:
    """Whether two slopes differ by more than ``share`` of the larger; nan before the first piece is a corner."""
    return not abs(slope - before) <= share * max(abs(slope), abs(before))
