"""Goal-directedness: is it an optimiser, of what, and how would one know?

===========================  =======================================================================================
:func:`meg`                  maximum entropy goal-directedness for a known utility (MacDermott et al. 2024): nats by
                             which soft-optimal play predicts choices better than chance, over all rationalities
:func:`meg_family`           the same for the best utility of a family, one for all environments
===========================  =======================================================================================
"""

from irl_ident.goal_directedness.meg import GoalDirectedness, meg, meg_family

__all__ = ["GoalDirectedness", "meg", "meg_family"]
