"""Rewards that may lie inside a large cone, found without a program over all of its rows.

Whether one of them explains what was seen is for planning to say; that it does proves that the evidence is no
contradiction.  None may be found although there are some.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from irl_ident.environment import Array
from irl_ident.identified.cone.generating import Generated
from irl_ident.identified.cone.interior import iterates
from irl_ident.identified.cone.lifted import Cone
from irl_ident.identified.cone.newton import Newton
from irl_ident.identified.cone.support import engine_of

STEPS = 12
"""Interior points that are looked at."""


def candidates(cone: Cone) -> Iterator[Array]:
    """Yield ``theta`` (d,), most of them ever deeper inside; nothing for small cones.

    Interior points on the way to the centre are strictly inside all inequalities as soon as they are feasible.  With
    few parameters, means of more and more of the cone's farthest points along random directions take their place.
    """
    engine, rng = engine_of(cone), np.random.default_rng(0)
    if isinstance(engine, Newton):
        for iterate in islice(iterates(engine, np.zeros(cone.dim)), STEPS):
            yield iterate.theta
    elif isinstance(engine, Generated):
        total = np.zeros(cone.dim)
        for place in range(2 * cone.dim):
            total += engine.solve(rng.standard_normal(cone.dim), warm=place > 0).theta
            yield total / (place + 1)
