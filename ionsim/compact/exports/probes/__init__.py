"""Scripts that run exports in the libraries they are for, in a Python of their own; they use nothing of ionsim."""

from pathlib import Path


def path(name: str) -> Path:
    """The file of one script."""
    return Path(__file__).parent / name
