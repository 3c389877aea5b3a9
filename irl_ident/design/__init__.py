"""Design: which environment should the agent be tried in next, and when is it enough?

===========================  =======================================================================================
:class:`Campaign`            asks for environments, is told what was seen, keeps the identified set and a journal
strategies                   :class:`Greedy`, :class:`Exhaustive`, :class:`Oracle`, :class:`Random`, :class:`RoundRobin`
stopping rules               :class:`identified`, :class:`budget`, :class:`exhausted`, :class:`stalled`,
                             :class:`diameter_below`, composed with ``|`` and ``&``
finite sets of objectives    :class:`VersionSpace` and the functions on arrays below it
===========================  =======================================================================================
"""

from irl_ident.design.behaviour import behaviour_classes, behaviour_labels, consistent
from irl_ident.design.campaign import Campaign, CampaignOver
from irl_ident.design.omnipotent import Bisection, Located, ThresholdSearch, locate
from irl_ident.design.stopping import Rule, State, budget, diameter_below, exhausted, identified, stalled
from irl_ident.design.strategies import Exhaustive, Greedy, Oracle, Random, RoundRobin, Strategy
from irl_ident.design.table import Decision, Question
from irl_ident.design.version_space import (
    VersionSpace,
    adaptive_scores,
    consistent_with,
    eliminated_mass,
    elimination_scores,
    exhaustive_best,
    expected_elimination,
    greedy_sequence,
    oracle_sequence,
)

__all__ = [
    "Bisection",
    "Campaign",
    "CampaignOver",
    "Decision",
    "Exhaustive",
    "Greedy",
    "Located",
    "Oracle",
    "Question",
    "Random",
    "RoundRobin",
    "Rule",
    "State",
    "Strategy",
    "ThresholdSearch",
    "VersionSpace",
    "adaptive_scores",
    "behaviour_classes",
    "behaviour_labels",
    "budget",
    "consistent",
    "consistent_with",
    "diameter_below",
    "eliminated_mass",
    "elimination_scores",
    "exhausted",
    "exhaustive_best",
    "expected_elimination",
    "greedy_sequence",
    "identified",
    "locate",
    "oracle_sequence",
    "stalled",
]
