"""Inverse RL: from evidence to one behavioural objective, by every method the field uses, behind one interface.

``Solver(...).fit(evidence, family)`` reads evidence from any number of environments and returns an :class:`Estimate`
with ``theta``, ``reward(env)``, ``policy(env)``, what was minimised, how the search ended, and which member of the
equivalence class it is.  The solvers of the ``imitation`` library are loaded when they are named.
"""

import importlib
from typing import Any

from irl_ident.solvers.apprenticeship import Apprenticeship, MaximumMarginPlanning
from irl_ident.solvers.base import Convergence, Estimate, NoReward, Solver, Unexplained, log_likelihood
from irl_ident.solvers.bayesian import BayesianIRL
from irl_ident.solvers.boltzmann import BoltzmannML
from irl_ident.solvers.centers import AnalyticCenter, Centroid, ChebyshevCenter, MeanMember
from irl_ident.solvers.compatibility import Compatible, CompatibleSet
from irl_ident.solvers.hypotheses import Agreement, HypothesisProfile, agreement, profile_hypotheses
from irl_ident.solvers.likelihood import MaxEnt
from irl_ident.solvers.ng_russell import NgRussell, NgRussellSampled
from irl_ident.solvers.priors import Gaussian, Laplace, Uniform
from irl_ident.solvers.profile import consistent_discounts, profile_discount, profile_temperature
from irl_ident.solvers.repeated import Ellipsoid, RepeatedIRL, Task

_IMITATION = ("AIRL", "GAIL", "MCEIRL", "BehavioralCloning", "DensityReward")

__all__ = [
    "AIRL",
    "GAIL",
    "MCEIRL",
    "Agreement",
    "AnalyticCenter",
    "Apprenticeship",
    "BayesianIRL",
    "BehavioralCloning",
    "BoltzmannML",
    "Centroid",
    "ChebyshevCenter",
    "Compatible",
    "CompatibleSet",
    "Convergence",
    "DensityReward",
    "Ellipsoid",
    "Estimate",
    "Gaussian",
    "HypothesisProfile",
    "Laplace",
    "MaxEnt",
    "MaximumMarginPlanning",
    "MeanMember",
    "NgRussell",
    "NgRussellSampled",
    "NoReward",
    "RepeatedIRL",
    "Solver",
    "Task",
    "Unexplained",
    "Uniform",
    "agreement",
    "consistent_discounts",
    "log_likelihood",
    "profile_discount",
    "profile_hypotheses",
    "profile_temperature",
]


def __getattr__(name: str) -> Any:
    if name in _IMITATION:
        return getattr(importlib.import_module("irl_ident.solvers.imitation_library"), name)
    raise AttributeError(f"module 'irl_ident.solvers' has no attribute {name!r}")
