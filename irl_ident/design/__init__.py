"""Design: which environment should the agent be tried in next, and when is it enough?

===========================  =======================================================================================
:class:`Campaign`            asks for environments, is told what was seen, keeps the identified set and a journal
strategies                   :class:`Greedy`, :class:`InformationGain`, :class:`BinarySearch`, :class:`Exhaustive`,
                             :class:`Oracle`, :class:`MinimaxWidth`, :class:`RankGrowth`, :class:`SecondAngle`,
                             :class:`FisherD`, :class:`FisherA`, :class:`FisherE`, :class:`MaximinRegret`,
                             :class:`DeploymentRegret`, :class:`WorstDeploymentRegret`, :class:`Counterexample`,
                             :class:`Random`, :class:`RoundRobin`, :class:`Fixed`, or one's own (an example is in
                             :mod:`irl_ident.design.strategies.base`)
open directions              :func:`closes` tells which candidate closes which, :func:`report` puts it into the report
bounds on regret             :func:`regret_bound`; :func:`still_needed` says what keeps it above a goal
families of environments     :class:`Listed`, :class:`Products`, :class:`Mixtures`, :class:`Layouts`, :class:`Starts`,
                             :class:`Discounts`, :class:`Interventions`, :class:`AddedRewards`, or one's own
                             :class:`EnvironmentFamily`; searched by :class:`LocalSearch` or
                             :class:`ExtendedSearch`, which report what was :class:`Searched`
stopping rules               :class:`identified`, :class:`budget`, :class:`exhausted`, :class:`stalled`,
                             :class:`diameter_below`, :class:`regret_below`, composed with ``|`` and ``&``
watching                     :func:`watch` goes on or moves by expected gain per cost, :class:`Watching` has the prices
finite sets of objectives    :class:`VersionSpace` and the functions on arrays below it
===========================  =======================================================================================
"""

from irl_ident.design.behaviour import behaviour_classes, behaviour_labels, consistent
from irl_ident.design.campaign import Campaign, CampaignOver
from irl_ident.design.closing import Closing, closes, report
from irl_ident.design.families.base import EnvironmentFamily, Listed, Mixtures, Products
from irl_ident.design.families.extended import Extended, ExtendedSearch
from irl_ident.design.families.interventions import Intervention, Interventions
from irl_ident.design.families.known_rewards import AddedRewards, KnownRewards
from irl_ident.design.families.layouts import Layouts
from irl_ident.design.families.search import LocalSearch, Search, Searched
from irl_ident.design.families.variations import Discounts, Starts
from irl_ident.design.lazy import LazyChoice, lazy_best, lazy_sequence, lazy_set
from irl_ident.design.needed import Needed, deployed_policy, still_needed
from irl_ident.design.omnipotent import Bisection, Located, ThresholdSearch, locate
from irl_ident.design.stopping import (
    Rule,
    State,
    budget,
    diameter_below,
    exhausted,
    identified,
    regret_below,
    stalled,
)
from irl_ident.design.strategies.base import Exhaustive, Fixed, Greedy, Oracle, Random, RoundRobin, Strategy
from irl_ident.design.strategies.counterexample import Counterexample
from irl_ident.design.strategies.deployment import DeploymentRegret, WorstDeploymentRegret
from irl_ident.design.strategies.fisher import FisherA, FisherD, FisherE
from irl_ident.design.strategies.geometry import MinimaxWidth, RankGrowth, SecondAngle
from irl_ident.design.strategies.partitions import BinarySearch, InformationGain
from irl_ident.design.strategies.regret import MaximinRegret, RegretBound, regret_bound
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
from irl_ident.design.watching import Watched, Watching, watch

__all__ = [
    "AddedRewards",
    "BinarySearch",
    "Bisection",
    "Campaign",
    "CampaignOver",
    "Closing",
    "Counterexample",
    "Decision",
    "DeploymentRegret",
    "Discounts",
    "EnvironmentFamily",
    "Exhaustive",
    "Extended",
    "ExtendedSearch",
    "FisherA",
    "FisherD",
    "FisherE",
    "Fixed",
    "Greedy",
    "InformationGain",
    "Intervention",
    "Interventions",
    "KnownRewards",
    "Layouts",
    "LazyChoice",
    "Listed",
    "LocalSearch",
    "Located",
    "MaximinRegret",
    "MinimaxWidth",
    "Mixtures",
    "Needed",
    "Oracle",
    "Products",
    "Question",
    "Random",
    "RankGrowth",
    "RegretBound",
    "RoundRobin",
    "Rule",
    "Search",
    "Searched",
    "SecondAngle",
    "Starts",
    "State",
    "Strategy",
    "ThresholdSearch",
    "VersionSpace",
    "Watched",
    "Watching",
    "WorstDeploymentRegret",
    "adaptive_scores",
    "behaviour_classes",
    "behaviour_labels",
    "budget",
    "closes",
    "consistent",
    "consistent_with",
    "deployed_policy",
    "diameter_below",
    "eliminated_mass",
    "elimination_scores",
    "exhausted",
    "exhaustive_best",
    "expected_elimination",
    "greedy_sequence",
    "identified",
    "lazy_best",
    "lazy_sequence",
    "lazy_set",
    "locate",
    "oracle_sequence",
    "regret_below",
    "regret_bound",
    "report",
    "stalled",
    "still_needed",
    "watch",
]
