"""Evidence: what was seen of an agent, as a plain list of (environment, observation) pairs.

An observation is one of

=====================  ================================================================================================
array (S, A)           a policy; the actions with positive probability are all the optimal ones (Ng & Russell 2000)
:class:`Policy`        a policy that says whether it shows all optimal actions or only some of them
:class:`Trajectories`  episodes: states and actions
:class:`Counts`        how often each action was taken in each state
=====================  ================================================================================================

and everything that reads evidence does so through :func:`shown` (which actions were seen, and is that all of them?),
:func:`counts` and :func:`empirical_policy`.  :func:`save` and :func:`load` keep evidence in files
(:mod:`irl_ident.evidence.files` has the format), :func:`to_imitation` and :func:`from_imitation` exchange trajectories
with the ``imitation`` library.

Nothing is assumed about absorbing states.  Under a reward on states alone all actions are alike there, and showing one
says nothing; under a reward on state-action pairs an action shown in an absorbing state does say something, so a policy
that never had to act there should leave those rows empty.
"""

from irl_ident.evidence.files import load, load_environments, read, save, save_environments, write
from irl_ident.evidence.imitation_types import from_imitation, to_imitation
from irl_ident.evidence.layout import Contents
from irl_ident.evidence.observations import Counts, Policy, Trajectories
from irl_ident.evidence.reading import (
    Evidence,
    Observation,
    Pairs,
    Shown,
    checked,
    counts,
    empirical_policy,
    shown,
)

__all__ = [
    "Contents",
    "Counts",
    "Evidence",
    "Observation",
    "Pairs",
    "Policy",
    "Shown",
    "Trajectories",
    "checked",
    "counts",
    "empirical_policy",
    "from_imitation",
    "load",
    "load_environments",
    "read",
    "save",
    "save_environments",
    "shown",
    "to_imitation",
    "write",
]
