"""``python -m ionsim.cli``."""

from ionsim.cli import main

main()
