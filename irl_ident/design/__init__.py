"""Design: which environment should the agent be tried in next, and when is it enough?

===========================  =======================================================================================
:class:`Campaign`            asks for environments, is told what was seen, keeps the identified set and a journal
strategies                   :class:`Greedy`, :class:`InformationGain`, :class:`BinarySearch`, :class:`Exhaustive`,
                             :class:`Oracle`, :class:`MinimaxWidth`, :class:`RankGrowth`, :class:`SecondAngle`,
                             :class:`FisherD`, :class:`FisherA`, :class:`FisherE`, :class:`MaximinRegret`,
                             :class:`DeploymentRegret`, :class:`Random`, :class:`RoundRobin`, :class:`Fixed`, or one's
                             own (:mod:`irl_ident.design.strategies` has an example)
bounds on regret             :func:`regret_bound`
stopping rules               :class:`identified`, :class:`budget`, :class:`exhausted`, :class:`stalled`,
                             :class:`diameter_below`, composed with ``|`` and ``&``
finite sets of objectives    :class:`VersionSpace` and the functions on arrays below it
===========================  =======================================================================================
"""

from irl_ident.design.behaviour import behaviour_classes, behaviour_labels, consistent
from irl_ident.design.campaign import Campaign, CampaignOver
from irl_ident.design.fisher import FisherA, FisherD, FisherE
from irl_ident.design.geometry import MinimaxWidth, RankGrowth, SecondAngle
from irl_ident.design.omnipotent import Bisection, Located, ThresholdSearch, locate
from irl_ident.design.partitions import BinarySearch, InformationGain
from irl_ident.design.regret import DeploymentRegret, MaximinRegret, RegretBound, regret_bound
from irl_ident.design.stopping import Rule, State, budget, diameter_below, exhausted, identified, stalled
from irl_ident.design.strategies import Exhaustive, Fixed, Greedy, Oracle, Random, RoundRobin, Strategy
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
    "BinarySearch",
    "Bisection",
    "Campaign",
    "CampaignOver",
    "Decision",
    "DeploymentRegret",
    "Exhaustive",
    "FisherA",
    "FisherD",
    "FisherE",
    "Fixed",
    "Greedy",
    "InformationGain",
    "Located",
    "MaximinRegret",
    "MinimaxWidth",
    "Oracle",
    "Question",
    "Random",
    "RankGrowth",
    "RegretBound",
    "RoundRobin",
    "Rule",
    "SecondAngle",
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
    "regret_bound",
    "stalled",
]
