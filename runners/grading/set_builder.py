r"""Sets by a rule: {x | x > 2}, {x ∈ ℤ | x > 2}, {x² | x > 3}, {2n + 1 | n ∈ ℤ}."""

from __future__ import annotations

import sympy
from sympy import S

from isocompute.runners.grading.expression import UnreadableExpressionError

CANONICAL_VARIABLE = sympy.Symbol("k", integer=True)


def build_rule_set(rule: sympy.Expr, variable: sympy.Symbol, domain: sympy.Set) -> sympy.Set:
    r"""Return {rule | variable ∈ domain}.

    >>> n = sympy.Symbol("n")
    >>> build_rule_set(2 * n + 1, n, S.Integers) == build_rule_set(5 - 2 * n, n, S.Integers)
    True
    >>> build_rule_set(n**2, n, sympy.Interval.open(3, sympy.oo))
    Interval.open(9, oo)

    Raises:
        UnreadableExpressionError: the rule has other variables.
    """
    if rule == variable:
        return domain
    if rule.free_symbols - {variable}:
        raise UnreadableExpressionError(str(rule))
    if domain == S.Integers:
        return build_integer_image(sympy.expand(rule.subs(variable, CANONICAL_VARIABLE)))
    if isinstance(domain, (sympy.Interval, sympy.FiniteSet, sympy.Union)) or domain is S.Reals:
        real = sympy.Symbol("x", real=True)
        return sympy.imageset(sympy.Lambda(real, rule.subs(variable, real)), domain)
    return sympy.ImageSet(sympy.Lambda(CANONICAL_VARIABLE, rule.subs(variable, CANONICAL_VARIABLE)), domain)


def build_integer_image(rule: sympy.Expr) -> sympy.Set:
    """Return the image of the whole numbers; equal images of linear rules are equal objects."""
    k = CANONICAL_VARIABLE
    line = sympy.Poly(rule, k) if rule.is_polynomial(k) else None
    if line is not None and line.degree() == 1:
        step, start = line.all_coeffs()
        if step.is_negative:
            step = -step
        if step.is_positive and start.is_real:
            start = sympy.expand(start - step * sympy.floor(start / step))
            rule = step * k + start
    return S.Integers if rule == k else sympy.ImageSet(sympy.Lambda(k, rule), S.Integers)


def has_rule(numbers: sympy.Set) -> bool:
    """Return whether a set is given by a rule, so that only equal rules are known to be equal sets."""
    return bool(numbers.has(sympy.ImageSet)) or isinstance(numbers, sympy.ConditionSet)
