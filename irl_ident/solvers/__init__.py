"""Inverse RL: from evidence to one behavioural objective, by every method the field uses, behind one interface.

``Solver(...).fit(evidence, family)`` reads evidence from any number of environments and returns an :class:`Estimate`
with ``theta``, ``reward(env)``, ``policy(env)``, what was minimised, how the search ended, and which member of the
equivalence class it is.
"""

from irl_ident.solvers.base import Convergence, Estimate, NoReward, Solver, Unexplained, log_likelihood

__all__ = ["Convergence", "Estimate", "NoReward", "Solver", "Unexplained", "log_likelihood"]
