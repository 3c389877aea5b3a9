"""Agents, and learners within an episode: with objectives that are known, or that came of training."""

from irl_ident.agents.bandits import GittinsLearner, GreedyLearner, ThompsonSampling, UniformLearner, UpperConfidence
from irl_ident.agents.base import Agent
from irl_ident.agents.believers import Believer
from irl_ident.agents.checkpoints import CheckpointError, load_learner, save_learner
from irl_ident.agents.corrigible import (
    Command,
    ConditionallyIndifferent,
    CounterfactuallyIndifferent,
    Indifferent,
    WatchDependent,
)
from irl_ident.agents.deep import stable_baselines
from irl_ident.agents.known import Boltzmann, Hyperbolic, KnownAgent, Noisy, Optimal, ShortSighted, SoftOptimal
from irl_ident.agents.learners import Histories, Learner, play
from irl_ident.agents.model_based import MeanModel, PosteriorSampling
from irl_ident.agents.policy_gradient import NetworkAgent, NetworkTraining
from irl_ident.agents.pseudo_aligned import Corrigible, Deceptive, Misinformed, restricted_to, rounded
from irl_ident.agents.recurrent import Encoding, RecurrentLearner
from irl_ident.agents.recurrent_training import PolicyGradient, train_recurrent
from irl_ident.agents.rollouts import rollout
from irl_ident.agents.services import Commissioned, ServiceChain
from irl_ident.agents.tabular import q_learning
from irl_ident.agents.trained import TrainedAgent, Training

__all__ = [
    "Agent",
    "Believer",
    "Boltzmann",
    "CheckpointError",
    "Command",
    "Commissioned",
    "ConditionallyIndifferent",
    "Corrigible",
    "CounterfactuallyIndifferent",
    "Deceptive",
    "Encoding",
    "GittinsLearner",
    "GreedyLearner",
    "Histories",
    "Hyperbolic",
    "Indifferent",
    "KnownAgent",
    "Learner",
    "MeanModel",
    "Misinformed",
    "NetworkAgent",
    "NetworkTraining",
    "Noisy",
    "Optimal",
    "PolicyGradient",
    "PosteriorSampling",
    "RecurrentLearner",
    "ServiceChain",
    "ShortSighted",
    "SoftOptimal",
    "ThompsonSampling",
    "TrainedAgent",
    "Training",
    "UniformLearner",
    "UpperConfidence",
    "WatchDependent",
    "load_learner",
    "play",
    "q_learning",
    "restricted_to",
    "rollout",
    "rounded",
    "save_learner",
    "stable_baselines",
    "train_recurrent",
]
