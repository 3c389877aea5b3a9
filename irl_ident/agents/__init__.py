"""Agents: maps from environments to policies, with objectives that are known or that came of training."""

from irl_ident.agents.base import Agent
from irl_ident.agents.known import Boltzmann, KnownAgent, Noisy, Optimal, ShortSighted, SoftOptimal
from irl_ident.agents.rollouts import rollout

__all__ = [
    "Agent",
    "Boltzmann",
    "KnownAgent",
    "Noisy",
    "Optimal",
    "ShortSighted",
    "SoftOptimal",
    "rollout",
]
