"""Potential and temperature in turn."""
class Staggered: pass
