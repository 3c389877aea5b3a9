"""The ``imitation`` library's algorithms (Gleave et al. 2022, arXiv 2211.11972) as they are, as solvers.

They need the extra ``irl-ident[imitation]``, which is loaded when one of them is fitted.
"""

from irl_ident.solvers.imitation_library.cloning import BehavioralCloning
from irl_ident.solvers.imitation_library.library import ImitationEstimate
from irl_ident.solvers.imitation_library.mce import MCEIRL, MCEEstimate

__all__ = ["MCEIRL", "BehavioralCloning", "ImitationEstimate", "MCEEstimate"]
