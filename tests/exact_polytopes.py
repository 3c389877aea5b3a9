"""Polytopes as exact lists of vertices, and the objectives that explain what was seen as a union of them, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import gcd, lcm

from exact_worlds import World, dot


@dataclass(frozen=True)
class Polytope:
    """Vertices in whole homogeneous coordinates, last one positive, each with the half-spaces that it lies on."""

    vertices: tuple
    cuts: int

    @classmethod
    def box(cls, dim):
        signs = product((-1, 1), repeat=dim)
        tight = [(v, sum(1 << (2 * j + (v[j] > 0)) for j in range(dim))) for v in signs]
        return cls(tuple(((*v, 1), bits) for v, bits in tight), 2 * dim)

    def cut(self, row, least):
        """The part with ``row . theta >= least``, both in fractions."""
        scale = lcm(*(x.denominator for x in row), least.denominator)
        whole = [int(x * scale) for x in row] + [-int(least * scale)]
        bit, heights = 1 << self.cuts, [dot(whole, v) for v, _ in self.vertices]
        kept = [
            (v, bits | (bit if h == 0 else 0)) for (v, bits), h in zip(self.vertices, heights, strict=True) if h >= 0
        ]
        if len(kept) == len(self.vertices) or not kept:
            return Polytope(tuple(kept), self.cuts + 1)
        above = [(v, bits, h) for (v, bits), h in zip(self.vertices, heights, strict=True) if h > 0]
        below = [(v, bits, h) for (v, bits), h in zip(self.vertices, heights, strict=True) if h < 0]
        for v, one, p in above:
            for w, two, n in below:
                common = one & two
                if sum((bits & common) == common for _, bits in self.vertices) == 2:
                    new = [p * y - n * x for x, y in zip(v, w, strict=True)]
                    shared = gcd(*new)
                    kept.append((tuple(x // shared for x in new), common | bit))
        return Polytope(tuple(kept), self.cuts + 1)

    @cached_property
    def points(self):
        return [[Fraction(x, v[-1]) for x in v[:-1]] for v, _ in self.vertices]

    def __bool__(self):
        return bool(self.vertices)


@dataclass
class Seen:
    """What is known of one environment: actions that are optimal, and that are worse, as sets of (state, action)."""

    world: World
    shown: set = field(default_factory=set)
    worse: set = field(default_factory=set)


def premise(seen, dim, ties, strictness, relaxed):
    """Polytopes whose union is the set of objectives that explain what was seen, or is certain to hold it."""
    found = [Polytope.box(dim)]
    for each in seen:
        world = each.world
        slack = ties * (1 + world.length) if relaxed else Fraction(0)
        known = {s: min(a for i, a in each.shown if i == s) for s in {s for s, _ in each.shown}}
        options = [[known[s]] if s in known else list(range(world.shape[1])) for s in world.numbers]
        cells = []
        for policy in product(*options):
            rows = list(constraints(world, policy, each, slack, strictness))
            cells += [cell for cell in (cut_all(whole, rows) for whole in found) if cell]
        found = different(cells)
    return found


def constraints(world, policy, each, slack, strictness):
    for s, rows in enumerate(world.advantages(policy)):
        for a, row in enumerate(rows):
            if policy[s] != a or (s, a) in each.worse:
                negative = [-x for x in row]
                yield negative, (strictness if (s, a) in each.worse else 0) - slack
                if (s, a) in each.shown:
                    yield row, -slack


def cut_all(polytope, rows):
    for row, least in rows:
        polytope = polytope.cut(row, Fraction(least))
        if not polytope:
            break
    return polytope


def different(polytopes):
    """Without those whose vertices are all among another's."""
    kept = {}
    for polytope in polytopes:
        kept.setdefault(frozenset(v for v, _ in polytope.vertices), polytope)
    return [p for key, p in kept.items() if not any(key < other for other in kept)]
