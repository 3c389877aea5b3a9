"""What is true of tiny problems, by exact enumeration, for tests of certificates.

The objectives that explain what was seen are a union of polytopes, one for each way to act in states without
observation; the deployment environment cuts them into one cell for each deterministic policy, in which that policy is
optimal.  The actions that are optimal in the interior of a face of a cell are the common ones of its vertices, so what
objectives can do is known from the vertices alone.

A point that violates the property exactly settles that it is violated (*inner*); a relaxation by the tolerances without
such a point settles that it holds (*outer*); what lies between is near.
"""

from __future__ import annotations

from fractions import Fraction

from exact_polytopes import cut_all, premise
from exact_worlds import dot, exact


class Truth:
    """Whether a property holds of all objectives that explain what was seen.

    ``prop`` is a tuple: ("not", p), ("and", p, q, ..), ("or", p, q, ..), ("linear", weights, at_most),
    ("optimal_action", s, a), ("avoids", states, p), ("reaches", states, p), ("return", reward, v), ("base", reward, v)
    or ("regret", policy, v).
    """

    def __init__(self, seen, dim, deployment, prop, ties, strictness):
        self.seen, self.dim, self.world, self.prop = seen, dim, deployment, prop
        self.ties, self.strictness = exact(ties), exact(strictness)
        self.atoms = list(atoms(prop))
        self.remembered = {}

    def verdict(self):
        """("violated", theta), ("holds", None), ("near", None) or ("empty", None)."""
        for cell, policy, _ in self.cells(relaxed=False):
            theta = self.violating(cell, policy)
            if theta is not None:
                return "violated", theta
        found = "empty"
        for cell in self.cells(relaxed=True):
            if self.possibly_violating(*cell):
                return "near", None
            found = "holds"
        return found, None

    def cells(self, relaxed):
        """Parts of the premise, with a policy that is optimal when deployed, and the sides of all inequalities."""
        for whole in premise(self.seen, self.dim, self.ties, self.strictness, relaxed):
            if self.world is None:
                yield from ((part, None, sides) for part, sides in self.sides(whole, None))
                continue
            for policy in self.world.policies:
                rows = ([-x for x in row] for row in self.flat_advantages(policy) if any(row))
                cell = cut_all(whole, ((row, 0) for row in rows))
                yield from ((part, policy, sides) for part, sides in self.sides(cell, policy))

    def sides(self, cell, policy):
        """Cut a cell by all inequalities; with each part, which of them hold there, but for the boundary."""
        parts = [(cell, {})] if cell else []
        for number, atom in enumerate(self.atoms):
            if atom[0] in ("linear", "regret"):
                row, most = self.inequality(number, atom, policy)
                negative = [-x for x in row]
                cut = [(part.cut(negative, -most), sides | {number: True}) for part, sides in parts]
                cut += [(part.cut(row, most), sides | {number: False}) for part, sides in parts]
                parts = [(part, sides) for part, sides in cut if part]
        return parts

    def inequality(self, number, atom, policy):
        """``row . theta <= most`` says that the atom holds where the policy is optimal."""
        if atom[0] == "linear":
            return [exact(x) for x in atom[1]], exact(atom[2])
        key = "other", number
        if key not in self.remembered:
            self.remembered[key] = self.world.mixed_values(atom[1])
        other, own = self.remembered[key], self.world.value_map(policy)
        row = [
            self.world.normaliser
            * sum(m * (v[j] - w[j]) for m, v, w in zip(self.world.initial, own, other, strict=True))
            for j in range(self.dim)
        ]
        return row, exact(atom[2])

    def violating(self, cell, policy):
        """A point of the cell that violates the property exactly, or None."""
        masks = [self.optimal(theta, policy, Fraction(0)) for theta in cell.points] if policy else []
        for theta in [*cell.points, *means(cell.points, masks)]:
            mask = self.optimal(theta, policy, self.ties) if policy else 0
            numbers = self.numbers(theta, policy)
            if not self.holds(lambda n, m=mask, k=numbers: k[n] if n in k else self.always(n, m)):
                return theta
        return None

    def numbers(self, theta, policy):
        found = {}
        for number, atom in enumerate(self.atoms):
            if atom[0] in ("linear", "regret"):
                row, most = self.inequality(number, atom, policy)
                found[number] = dot(row, theta) <= most
        return found

    def possibly_violating(self, cell, policy, sides):
        """Whether some objective of the cell, on these sides of all inequalities, may violate the property.

        An objective is a mean of at most d + 1 vertices: the heaviest one has all its actions optimal up to ties d + 1
        times as large; and what is optimal at all vertices is optimal everywhere.
        """
        reach, least = (self.dim + 1) * self.ties, -1
        for theta in cell.points if policy else ():
            least &= self.optimal(theta, policy, Fraction(0))
        masks = {self.optimal(theta, policy, reach) for theta in cell.points} if policy else {0}
        return any(self.may_fail(sides, least, most) for most in masks)

    def may_fail(self, sides, least, most):
        def known(number):
            if number in sides:
                return sides[number], not sides[number]
            if self.atoms[number][0] == "optimal_action":
                return self.always(number, most), not self.always(number, least)
            return self.always(number, least), not self.always(number, most)

        return possible(self.prop, known, iter(range(len(self.atoms))))[1]

    def optimal(self, theta, policy, ties):
        """Actions with a gap of at most ``ties``, as bits, where the policy is optimal for theta."""
        rows = self.flat_advantages(policy)
        return sum(1 << place for place, row in enumerate(rows) if -dot(row, theta) <= ties)

    def flat_advantages(self, policy):
        return [row for rows in self.world.advantages(policy) for row in rows]

    def always(self, number, mask):
        """Whether an atom holds of an agent that may take the marked actions, whichever it takes."""
        key = number, mask
        if key not in self.remembered:
            self.remembered[key] = self.worked_out(number, mask)
        return self.remembered[key]

    def worked_out(self, number, mask):
        atom, world = self.atoms[number], self.world
        if atom[0] == "optimal_action":
            return bool(mask >> (atom[1] * world.shape[1] + atom[2]) & 1)
        results = self.results(number)
        taken = [results[i] for i, own in enumerate(world.masks) if own & ~mask == 0]
        limit = exact(atom[2])
        match atom[0]:
            case "avoids":
                return max(taken) <= limit
            case "reaches" | "return":
                return min(taken) >= limit
            case "base":
                return max(results) - min(taken) <= limit

    def results(self, number):
        """Of all policies: chances of a visit, or returns."""
        key = "results", number
        if key not in self.remembered:
            atom, world = self.atoms[number], self.world
            if atom[0] in ("avoids", "reaches"):
                self.remembered[key] = [world.chance(policy, atom[1]) for policy in world.policies]
            else:
                self.remembered[key] = [world.returned(policy, atom[1]) for policy in world.policies]
        return self.remembered[key]

    def linear(self, atom, theta):
        return dot([exact(x) for x in atom[1]], theta) <= exact(atom[2])

    def holds(self, known):
        return evaluated(self.prop, known, iter(range(len(self.atoms))))

    def member(self, theta):
        """Whether an objective is one of those spoken of, planned in every environment."""
        if any(abs(x) > 1 for x in theta):
            return False
        for each in self.seen:
            _, gaps = each.world.gaps(theta)
            if any(gaps[s][a] > self.ties for s, a in each.shown):
                return False
            if any(gaps[s][a] < self.strictness for s, a in each.worse):
                return False
        return True

    def nontrivial(self, theta):
        """Whether a member certainly tells some actions apart."""
        least = max(self.strictness, Fraction(1, 10**12))
        worlds = [each.world for each in self.seen] + ([self.world] if self.world else [])
        return self.member(theta) and any(
            gap >= least for world in worlds for row in world.gaps(theta)[1] for gap in row
        )

    def member_exists(self):
        """Whether some objective that explains what was seen exactly tells some actions apart."""
        parts = premise(self.seen, self.dim, self.ties, self.strictness, relaxed=False)
        points = [theta for part in parts for theta in [*part.points, *means(part.points, [])]]
        return any(self.nontrivial(theta) for theta in points)

    def at(self, theta):
        """Whether the property holds of one objective, and the actions that it may take."""
        if self.world is None:
            return self.holds(
                lambda n: dot([exact(x) for x in self.atoms[n][1]], theta) <= exact(self.atoms[n][2])
            ), None
        values, gaps = self.world.gaps(theta)
        flat = [gap for row in gaps for gap in row]
        mask = sum(1 << place for place, gap in enumerate(flat) if gap <= self.ties)

        def known(number):
            atom = self.atoms[number]
            if atom[0] == "linear":
                return self.linear(atom, theta)
            if atom[0] == "regret":
                other = [dot(row, theta) for row in self.world.mixed_values(atom[1])]
                lost = dot(self.world.initial, [v - w for v, w in zip(values, other, strict=True)])
                return self.world.normaliser * lost <= exact(atom[2])
            return self.always(number, mask)

        return self.holds(known), mask


def means(points, masks):
    """Means of all points that have some actions optimal, for each set of actions that is common to some of them."""
    common = set(masks)
    todo = list(common)
    while todo:
        one = todo.pop()
        for other in set(masks):
            if one & other not in common:
                common.add(one & other)
                todo.append(one & other)
    groups = [[p for p, mask in zip(points, masks, strict=True) if mask & one == one] for one in common]
    if not masks:
        groups = [points]
    for group in groups:
        yield [sum(column) / len(group) for column in zip(*group, strict=True)]


def atoms(prop):
    if prop[0] in ("and", "or", "not"):
        for part in prop[1:]:
            yield from atoms(part)
    else:
        yield prop


def evaluated(prop, known, numbers):
    if prop[0] == "not":
        return not evaluated(prop[1], known, numbers)
    if prop[0] in ("and", "or"):
        parts = [evaluated(part, known, numbers) for part in prop[1:]]
        return all(parts) if prop[0] == "and" else any(parts)
    return known(next(numbers))


def possible(prop, known, numbers):
    """Whether a property may hold and whether it may fail, where that is known of its atoms one by one."""
    if prop[0] == "not":
        hold, fail = possible(prop[1], known, numbers)
        return fail, hold
    if prop[0] in ("and", "or"):
        parts = [possible(part, known, numbers) for part in prop[1:]]
        holds, fails = [hold for hold, _ in parts], [fail for _, fail in parts]
        return (all(holds), any(fails)) if prop[0] == "and" else (any(holds), all(fails))
    return known(next(numbers))
