"""Goal-directedness: is it an optimiser, of what, and how would one know?

===========================  =======================================================================================
:func:`meg`                  maximum entropy goal-directedness for a known utility (MacDermott et al. 2024): nats by
                             which soft-optimal play predicts choices better than chance, over all rationalities
:func:`meg_family`           the same for the best utility of a family, one for all environments
:func:`target_rewards`       the family of all utilities on a target variable
===========================  =======================================================================================
"""

from irl_ident.goal_directedness.maximum_entropy import GoalDirectedness, meg, meg_family
from irl_ident.goal_directedness.targets import target_rewards

__all__ = ["GoalDirectedness", "meg", "meg_family", "target_rewards"]
