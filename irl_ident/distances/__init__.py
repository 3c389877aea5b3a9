"""How far apart two objectives are: distances between rewards, and the return that one loses for the other.

============= ==================================================== ==============================================
distance      does not change when a reward is                     sees the dynamics
============= ==================================================== ==============================================
:func:`starc` scaled, shaped, given other rewards of the same mean yes: 0 exactly when both rewards order all
                                                                   policies alike, and it bounds regret
:func:`dard`  scaled, shifted, shaped as R(s, a, s')               partly: compares transitions that exist
:func:`epic`  scaled, shifted, shaped as R(s, a, s')               no
============= ==================================================== ==============================================

Prefer :func:`starc`.  A reward r(s, a) shaped by the *expected* next potential is the same objective in its
environment, but is no shaping of the form R(s, a, s') + g f(s') - f(s), so that EPIC and DARD tell the two apart.  On
stochastic dynamics EPIC can be near 1 for the same objective and near 0 for opposite ones (Skalse et al. 2024).

Distances compare rewards for all policies at once.  :func:`regret` and what is built on it ask what one policy loses.
"""

from __future__ import annotations

from irl_ident.distances.losses import (
    OptimisedRegret,
    RewardMap,
    RewardResultGap,
    loss,
    optimised_regret,
    regret,
    reward_result_gap,
    transfer_regret,
)
from irl_ident.distances.pearson import dard, epic
from irl_ident.distances.standardised import canonical, starc

__all__ = [
    "OptimisedRegret",
    "RewardMap",
    "RewardResultGap",
    "canonical",
    "dard",
    "epic",
    "loss",
    "optimised_regret",
    "regret",
    "reward_result_gap",
    "starc",
    "transfer_regret",
]
