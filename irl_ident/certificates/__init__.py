"""Certificates: what holds for every objective that is still possible, with a proof that others can check.

:func:`~irl_ident.certify` proves a property of every objective of an identified set, or finds one that violates it;
:func:`worst_case_regret` bounds what a policy can lose, :func:`minimax_policy` finds the one that loses least,
:func:`~irl_ident.certificates.gap_band` bounds the reward-result gap that the agent may turn out to have,
:func:`twins` two objectives that are the same in all that was seen and not the same elsewhere.  A certificate is a
file: :mod:`irl_ident.certificates.checking` reads it in exact rational arithmetic, with Python's standard library
alone, and shares no code with what found it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from irl_ident.certificates.bands import GapBand, gap_band
    from irl_ident.certificates.certifying import Certificate, certify
    from irl_ident.certificates.enumerating import Behaviours, behaviours
    from irl_ident.certificates.network_model import InputRegion, ReluNetwork, regions_around
    from irl_ident.certificates.network_torch import from_stable_baselines, from_torch
    from irl_ident.certificates.networks import NetworkCertificate, certified_actions
    from irl_ident.certificates.properties import (
        AllOf,
        AnyOf,
        Avoids,
        BaseOptimal,
        Linear,
        Not,
        OptimalAction,
        Property,
        Reaches,
        RegretAtMost,
        ReturnAtLeast,
        prefers,
    )
    from irl_ident.certificates.regret import Minimax, WorstCase, minimax_policy, worst_case_regret
    from irl_ident.certificates.twinning import Twins, twins

_PLACES = {
    "enumerating": ("Behaviours", "behaviours"),
    "certifying": ("Certificate", "certify"),
    "bands": ("GapBand", "gap_band"),
    "network_model": ("InputRegion", "ReluNetwork", "regions_around"),
    "network_torch": ("from_stable_baselines", "from_torch"),
    "networks": ("NetworkCertificate", "certified_actions"),
    "properties": (
        "AllOf",
        "AnyOf",
        "Avoids",
        "BaseOptimal",
        "Linear",
        "Not",
        "OptimalAction",
        "Property",
        "Reaches",
        "RegretAtMost",
        "ReturnAtLeast",
        "prefers",
    ),
    "regret": ("Minimax", "WorstCase", "minimax_policy", "worst_case_regret"),
    "twinning": ("Twins", "twins"),
}
_NAMES = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "AllOf",
    "AnyOf",
    "Avoids",
    "BaseOptimal",
    "Behaviours",
    "Certificate",
    "GapBand",
    "InputRegion",
    "Linear",
    "Minimax",
    "NetworkCertificate",
    "Not",
    "OptimalAction",
    "Property",
    "Reaches",
    "RegretAtMost",
    "ReluNetwork",
    "ReturnAtLeast",
    "Twins",
    "WorstCase",
    "behaviours",
    "certified_actions",
    "certify",
    "from_stable_baselines",
    "from_torch",
    "gap_band",
    "minimax_policy",
    "prefers",
    "regions_around",
    "twins",
    "worst_case_regret",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"{__name__}.{_NAMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__]
