"""Goal-directedness: is it an optimiser, of what, and how would one know?

===========================  =======================================================================================
:func:`meg`                  maximum entropy goal-directedness for a known utility (MacDermott et al. 2024): nats by
                             which soft-optimal play predicts choices better than chance, over all rationalities
:func:`meg_family`           the same for the best utility of a family, one for all environments
:func:`meg_interval`         either with a bootstrap interval, for trajectories and counts
:func:`target_rewards`       the family of all utilities on a target variable
:func:`agent_or_device`      posterior probability of an agent against a fixed map from states to actions (Orseau et
                             al. 2018), with :class:`Device` and :func:`soft_agents` for its two sides
===========================  =======================================================================================

In modules of their own: :mod:`irl_ident.goal_directedness.coherence` (Xu & Rivera 2024),
:mod:`irl_ident.goal_directedness.power` (optimisation power in bits), :mod:`irl_ident.goal_directedness.adaptivity` (to
interventions on the dynamics) and :mod:`irl_ident.goal_directedness.information` (which factors choices depend on).
"""

from irl_ident.goal_directedness.devices import AgentOrDevice, Device, agent_or_device, soft_agents
from irl_ident.goal_directedness.intervals import MEGInterval, meg_interval
from irl_ident.goal_directedness.maximum_entropy import GoalDirectedness, meg, meg_family
from irl_ident.goal_directedness.targets import target_rewards

__all__ = [
    "AgentOrDevice",
    "Device",
    "GoalDirectedness",
    "MEGInterval",
    "agent_or_device",
    "meg",
    "meg_family",
    "meg_interval",
    "soft_agents",
    "target_rewards",
]
