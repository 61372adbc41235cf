"""What is asked of the array among the decks of a card."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ionsim.compact.circuits.selectors import find_selector
from ionsim.compact.description import CompactError


@dataclass(frozen=True)
class Array:
    """``size`` rows and columns, ``wire_ohm`` between neighbours on a line, and the name of a selector, or None.

    Raises CompactError for what cannot be: key, value, what is allowed.
    """

    size: int = 4
    wire_ohm: float = 2.0
    selector: str | None = None

    def __post_init__(self) -> None:
        if self.size < 2:
            raise CompactError(f"size = {self.size}: 2 or more rows and columns are needed")
        if not 0 < self.wire_ohm < math.inf:
            raise CompactError(f"wire_ohm = {self.wire_ohm!r}: a positive resistance in Ohm is needed")
        if self.selector is not None:
            find_selector(self.selector)
