"""The ``imitation`` library's algorithms (Gleave et al. 2022, arXiv 2211.11972) as they are, as solvers.

They need the extra ``irl-ident[imitation]``, which is loaded when one of them is fitted.  ``fit`` reads evidence in
environments like any solver; ``fit_world`` learns from demonstrations in any Gymnasium world, tables or not.
"""

from irl_ident.solvers.imitation_library.adversarial import AIRL, GAIL, Adversarial, AdversarialEstimate
from irl_ident.solvers.imitation_library.cloning import BehavioralCloning
from irl_ident.solvers.imitation_library.density import DensityEstimate, DensityReward
from irl_ident.solvers.imitation_library.library import ImitationEstimate
from irl_ident.solvers.imitation_library.mce import MCEIRL, MCEEstimate
from irl_ident.solvers.imitation_library.worlds import WorldEstimate, rollouts

__all__ = [
    "AIRL",
    "GAIL",
    "MCEIRL",
    "Adversarial",
    "AdversarialEstimate",
    "BehavioralCloning",
    "DensityEstimate",
    "DensityReward",
    "ImitationEstimate",
    "MCEEstimate",
    "WorldEstimate",
    "rollouts",
]
