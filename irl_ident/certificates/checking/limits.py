"""Comparisons of an exact bound with its limit; where one fails the document is rejected."""

from __future__ import annotations

from fractions import Fraction
from typing import NoReturn

from irl_ident.certificates.checking.decimals import words
from irl_ident.certificates.checking.reading import Place


def at_most(place: Place, bound: Fraction, most: Fraction) -> None:
    """Require ``bound <= most``."""
    if bound > most:
        _refuse(place, bound, "is above", most)


def below(place: Place, bound: Fraction, most: Fraction) -> None:
    """Require ``bound < most``."""
    if bound >= most:
        _refuse(place, bound, "is not below", most)


def at_least(place: Place, bound: Fraction, least: Fraction) -> None:
    """Require ``bound >= least``."""
    if bound < least:
        _refuse(place, bound, "is below", least)


def above(place: Place, bound: Fraction, least: Fraction) -> None:
    """Require ``bound > least``."""
    if bound <= least:
        _refuse(place, bound, "is not above", least)


def _refuse(place: Place, bound: Fraction, relation: str, limit: Fraction) -> NoReturn:
    place.fail(f"bound {words(bound)} {relation} {words(limit)}")
