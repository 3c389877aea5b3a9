"""Agents: maps from environments to policies, with objectives that are known or that came of training."""

from irl_ident.agents.base import Agent
from irl_ident.agents.deep import stable_baselines
from irl_ident.agents.known import Boltzmann, Hyperbolic, KnownAgent, Noisy, Optimal, ShortSighted, SoftOptimal
from irl_ident.agents.learners import Histories, Learner, play
from irl_ident.agents.rollouts import rollout
from irl_ident.agents.tabular import q_learning
from irl_ident.agents.trained import TrainedAgent, Training

__all__ = [
    "Agent",
    "Boltzmann",
    "Histories",
    "Hyperbolic",
    "KnownAgent",
    "Learner",
    "Noisy",
    "Optimal",
    "ShortSighted",
    "SoftOptimal",
    "TrainedAgent",
    "Training",
    "play",
    "q_learning",
    "rollout",
    "stable_baselines",
]
