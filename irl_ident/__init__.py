"""What behaviour can and cannot reveal about an agent's objective, and which environment to try next."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from irl_ident import (
        agents,
        builders,
        certificates,
        conformance,
        design,
        distances,
        evidence,
        figures,
        goal_directedness,
        identified,
        planning,
        report,
        rewards,
        simulators,
        solvers,
        sweeps,
        transformed,
    )
    from irl_ident.certificates.certifying import certify
    from irl_ident.environment import Environment
    from irl_ident.identified import assess, identify
    from irl_ident.identified.generalising import generalises
    from irl_ident.scoring import score
    from irl_ident.sweeps.sweeping import sweep

_NAMES = {
    "Environment": "irl_ident.environment",
    "identify": "irl_ident.identified",
    "assess": "irl_ident.identified",
    "certify": "irl_ident.certificates.certifying",
    "generalises": "irl_ident.identified.generalising",
    "score": "irl_ident.scoring",
    "sweep": "irl_ident.sweeps.sweeping",
}
_ROOMS = {
    "agents",
    "builders",
    "certificates",
    "conformance",
    "design",
    "distances",
    "evidence",
    "figures",
    "goal_directedness",
    "identified",
    "planning",
    "report",
    "rewards",
    "simulators",
    "solvers",
    "sweeps",
    "transformed",
}

__all__ = [
    "Environment",
    "agents",
    "assess",
    "builders",
    "certificates",
    "certify",
    "conformance",
    "design",
    "distances",
    "evidence",
    "figures",
    "generalises",
    "goal_directedness",
    "identified",
    "identify",
    "planning",
    "report",
    "rewards",
    "score",
    "simulators",
    "solvers",
    "sweep",
    "sweeps",
    "transformed",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"irl_ident.{name}")
    raise AttributeError(f"module 'irl_ident' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
