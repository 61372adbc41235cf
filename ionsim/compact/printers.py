"""Expressions as text in Verilog-A, in ngspice and in Python, from the one definition of each function."""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Expr, Symbol
from sympy.printing.c import C99CodePrinter
from sympy.printing.precedence import precedence

from ionsim.compact.functions import Helper


class _Printer(C99CodePrinter):
    """What the languages share: C's operators, numbers with all digits, helpers as calls."""

    renamed: dict[str, str] = {}  # noqa: RUF012  overridden whole, never changed

    def __init__(self, names: dict[Symbol, str] | None = None, prefix: str = "") -> None:
        super().__init__({"contract": False})
        self.names = names or {}
        self.prefix = prefix

    def text(self, expression: Any) -> str:
        """The expression on one line."""
        return str(self.doprint(sympy.sympify(expression)))

    def _call(self, name: str, args: tuple[Expr, ...]) -> str:
        return f"{name}({', '.join(self._print(arg) for arg in args)})"

    def _print_Symbol(self, expr: Symbol) -> str:
        return self.names.get(expr, expr.name)

    _print_Dummy = _print_Symbol

    def _print_Float(self, expr: Expr) -> str:
        return repr(float(expr))

    def _print_Integer(self, expr: Expr) -> str:
        return str(expr)

    def _print_Rational(self, expr: Any) -> str:
        return f"{expr.p}.0/{expr.q}.0"

    def _print_Pow(self, expr: Any) -> str:
        base, exponent = expr.args
        if exponent == -1:
            return f"1.0/{self.parenthesize(base, 10_000)}"
        if exponent == sympy.Rational(1, 2):
            return self._call("sqrt", (base,))
        if exponent == 2:  # a product is right for a negative base too, and so is its derivative
            factor = self.parenthesize(base, 10_000)
            return f"({factor}*{factor})"
        return self._call("pow", (base, exponent))

    def _print_Function(self, expr: Any) -> str:
        name = type(expr).__name__
        if isinstance(expr, Helper):
            return self._call(self.prefix + name, expr.args)
        return self._call(self.renamed.get(name, name), expr.args)

    _print_select = _print_minimum = _print_maximum = _print_power = _print_magnitude = _print_Function
    _print_exp = _print_sinh = _print_cosh = _print_tanh = _print_atanh = _print_log = _print_Function


class VerilogA(_Printer):
    """Verilog-A for OpenVAF-Reloaded."""

    renamed = {"minimum": "min", "maximum": "max", "power": "pow", "magnitude": "abs", "log": "ln"}  # noqa: RUF012

    def _print_Integer(self, expr: Expr) -> str:
        return f"{expr}.0"

    def _print_select(self, expr: Any) -> str:
        test, yes, no = (self._print(arg) for arg in expr.args)
        return f"(({test}) >= 0.0 ? ({yes}) : ({no}))"


class NgSpice(_Printer):
    """ngspice's B-sources and ``.func``; helpers are macros, expanded as text.

    Quotients are products with reciprocals: ngspice takes the derivative of a/b as a' b/(b^2 + 1e-32), which is wrong
    for a capacitance of 1e-17 F and keeps Newton's method from converging; that of a' (1/b) is right.
    """

    renamed = VerilogA.renamed

    def _print_Mul(self, expr: Any) -> str:
        factors = []
        for factor in expr.as_ordered_factors():
            inverse = factor.is_Pow and factor.exp.is_Integer and factor.exp.is_negative
            factors.append(f"(1/{self.parenthesize(1 / factor, 10_000)})" if inverse else
                           self.parenthesize(factor, precedence(expr)))  # fmt: skip
        sign = "-" if factors[0] in ("-1", "(-1)") else ""
        return sign + "*".join(factors[1:] if sign else factors)

    def _print_select(self, expr: Any) -> str:
        test, yes, no = (self._print(arg) for arg in expr.args)
        return f"(({test}) >= 0 ? ({yes}) : ({no}))"

    def _print_atanh(self, expr: Any) -> str:
        (arg,) = expr.args
        return f"(0.5*ln((1+{self._print(arg)})/(1-{self._print(arg)})))"


def definition(helper: type[Helper], printer: _Printer) -> tuple[list[str], str]:
    """Names of a helper's arguments and the text of its body."""
    count = helper.nargs.args[0] if hasattr(helper.nargs, "args") else helper.nargs
    args = [Symbol(f"a{index}", real=True) for index in range(int(count))]
    return [arg.name for arg in args], printer.text(helper.definition(*args))
