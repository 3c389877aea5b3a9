"""Rewards linear in features of any Gymnasium environment, identified from episodes alone, without tables.

:func:`rollouts` measures policies, :func:`identify_simulator` compares a demonstrator with others, and
:func:`learn_by_rollouts` trains the others that tell most.  Where there is a table, :func:`irl_ident.identify` compares
with *every* policy and without error: its set is in this one, up to the gauge, with probability ``1 - level``.
"""

from irl_ident.simulators.base import FeatureSums, Mixed, Simulator, Table, mixed, rollouts, tabular, uniform
from irl_ident.simulators.confidence import Differences, confidence, differences, half_widths
from irl_ident.simulators.learning import Learned, best_response, learn_by_rollouts
from irl_ident.simulators.report import SampledReport
from irl_ident.simulators.sampled import NoMember, SampledSet, identify_simulator

__all__ = [
    "Differences",
    "FeatureSums",
    "Learned",
    "Mixed",
    "NoMember",
    "SampledReport",
    "SampledSet",
    "Simulator",
    "Table",
    "best_response",
    "confidence",
    "differences",
    "half_widths",
    "identify_simulator",
    "learn_by_rollouts",
    "mixed",
    "rollouts",
    "tabular",
    "uniform",
]
