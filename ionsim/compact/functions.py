"""The functions that compact models are written in, each with one definition from which every language is printed.

Primitives (``minimum``, ``maximum``, ``select``, ``power``, ``magnitude``) exist in Verilog-A, in ngspice and in
Python. Helpers (``clip``, ``sinh_linear``, ...) are defined by primitives and printed as functions of their own.
sympy's Min, Max and Piecewise are not used: they look for simplifications, which takes minutes on device equations and
reorders sums.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Expr, Integer, exp

#: Beyond this argument ``sinh_linear`` goes on as a straight line: cosh(60) = 5.7e25 is far above any physical rate.
SINH_LIMIT = 60

#: Beyond this argument ``exp_linear`` goes on as a straight line.
EXP_LIMIT = 80


class Primitive(sympy.Function):
    """A function that each language has under some name."""


class select(Primitive):
    """``select(c, a, b)`` is a where c >= 0, else b. Both a and b must be finite everywhere."""

    nargs = 3

    @classmethod
    def eval(cls, test: Any, yes: Any, no: Any) -> Any:
        """Both sides the same: no choice to make."""
        return yes if yes == no else None

    def fdiff(self, argindex: int = 1) -> Expr:
        """The step itself has no derivative here: models switch only where both sides agree or in windows."""
        return (Integer(0), select(self.args[0], 1, 0), select(self.args[0], 0, 1))[argindex - 1]


class minimum(Primitive):
    """The smaller of two values."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        """1 for the argument that is taken, else 0."""
        inside, other = self.args[argindex - 1], self.args[2 - argindex]
        return select(other - inside, 1, 0)


class maximum(Primitive):
    """The larger of two values."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        """1 for the argument that is taken, else 0."""
        inside, other = self.args[argindex - 1], self.args[2 - argindex]
        return select(inside - other, 1, 0)


class power(Primitive):
    """base^exponent for base >= 0. Unlike sympy's power its derivative is finite at base = 0 for an exponent >= 1."""

    nargs = 2

    def fdiff(self, argindex: int = 1) -> Expr:
        """By the base; the derivative by the exponent holds for base > 0."""
        base, exponent = self.args
        return exponent * power(base, exponent - 1) if argindex == 1 else self * sympy.log(base)


class magnitude(Primitive):
    """|a|, with the slope 1 at zero."""

    nargs = 1

    def fdiff(self, argindex: int = 1) -> Expr:
        """The sign."""
        return select(self.args[0], 1, -1)


class Helper(sympy.Function):
    """A function printed under its own name, with ``definition`` as its body in every language."""

    @classmethod
    def definition(cls, *args: Any) -> Expr:
        """The function in terms of primitives and other helpers."""
        raise NotImplementedError

    def fdiff(self, argindex: int = 1) -> Expr:
        """The derivative of the definition."""
        dummies = sympy.symbols(f"a0:{len(self.args)}", cls=sympy.Dummy, real=True)
        slope = self.definition(*dummies).diff(dummies[argindex - 1])
        return slope.xreplace(dict(zip(dummies, self.args, strict=True)))


class clip(Helper):
    """``clip(a, low, high)``: a held between two bounds."""

    nargs = 3

    @classmethod
    def definition(cls, *args: Any) -> Expr:
        """min(max(a, low), high)."""
        a, low, high = args
        return minimum(maximum(a, low), high)


class sinh_linear(Helper):
    """sinh, exact for |a| <= 60, then linear with matching slope: no overflow for any iterate of Newton's method."""

    nargs = 1

    @classmethod
    def definition(cls, *args: Any) -> Expr:
        """sinh(c) + cosh(c) (a - c) with c = a held between the limits; inside, the second term is exactly zero."""
        held = clip(args[0], -SINH_LIMIT, SINH_LIMIT)
        return sympy.sinh(held) + sympy.cosh(held) * (args[0] - held)


class exp_linear(Helper):
    """exp, exact for a <= 80, then linear with matching slope."""

    nargs = 1

    @classmethod
    def definition(cls, *args: Any) -> Expr:
        """exp(c) (1 + a - c) with c = min(a, limit)."""
        held = minimum(args[0], EXP_LIMIT)
        return exp(held) * (1 + (args[0] - held))


class sinhc(Helper):
    """sinh(a)/a, 1 at zero; constant beyond |a| = 60."""

    nargs = 1

    @classmethod
    def definition(cls, *args: Any) -> Expr:
        """By the series up to a^4 where |a| < 0.01: the next term is 2e-16."""
        size = minimum(magnitude(args[0]), SINH_LIMIT)
        safe, square = maximum(size, sympy.Rational(1, 100)), args[0] * args[0]
        return select(size - sympy.Rational(1, 100), sympy.sinh(safe) / safe, 1 + square / 6 * (1 + square / 20))


class softplus(Helper):
    """ln(1 + exp(a)) to full relative precision for any a.

    ln(1 + w) = 2 atanh(w/(2 + w)), and atanh is good to all digits near zero, where a logarithm of 1 + w is not.
    """

    nargs = 1

    @classmethod
    def definition(cls, *args: Any) -> Expr:
        """max(a, 0) + 2 atanh(w/(2 + w)), w = exp(-|a|)."""
        small = exp(-magnitude(args[0]))
        return maximum(args[0], 0) + 2 * sympy.atanh(small / (2 + small))


class window(Helper):
    """Sign-dependent window: 1 - x^p for a drive >= 0, 1 - (1 - x)^p for a drive < 0; x in [0, 1] or a little beyond.

    It is 1 at the bound that the drive leaves and 0 at the bound that it runs into, so that a state at a bound can
    return, which a window that is zero at both (Joglekar's) does not allow. Beyond that bound it is negative: a step
    that overshoots is led back, where a window that stays zero would leave the state outside.
    """

    nargs = 3

    @classmethod
    def definition(cls, *args: Any) -> Expr:
        """``window(drive, x, p)``."""
        drive, x, exponent = args
        return select(drive, 1 - power(maximum(x, 0), exponent), 1 - power(maximum(1 - x, 0), exponent))


#: Every helper, in an order in which a definition uses only what stands before it.
HELPERS: tuple[type[Helper], ...] = (clip, sinh_linear, exp_linear, sinhc, softplus, window)


def used_helpers(expressions: list[Expr]) -> list[type[Helper]]:
    """The helpers that appear in ``expressions``, directly or inside each other, in the order of ``HELPERS``."""
    found: set[type[Helper]] = set()
    waiting = list(expressions)
    while waiting:
        for call in waiting.pop().atoms(Helper):
            kind = type(call)
            if kind not in found:
                found.add(kind)
                waiting.append(kind.definition(*call.args))
    return [helper for helper in HELPERS if helper in found]


def expand_helpers(expression: Expr) -> Expr:
    """The expression in primitives alone."""
    while calls := expression.atoms(Helper):
        expression = expression.xreplace({call: type(call).definition(*call.args) for call in calls})
    return expression
