"""Largest regrets, behaviours that are left and twins, against exact enumeration.

The largest regret is that of a vertex of the closed set, for regret is convex; behaviours are those of the cells of the
set.
"""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from brute_certificates import Truth, means
from exact_polytopes import premise
from exact_worlds import World, dot, exact, solved
from random_certificates import problem

import irl_ident as ii
from irl_ident import certificates

TIES = 1e-9
NOTHING = ("and",)


@cache
def drawn(seed, strictness=0.0):
    """A set, an environment, and the truth of them."""
    given = problem(seed)
    while given.env is None or given.family.dim < 2:
        seed += 100_000
        given = problem(seed)
    truth = Truth(given.truth.seen, given.family.dim, World(given.env, given.family), NOTHING, TIES, strictness)
    return given.identified(), given.env, truth, given.family


def closed(truth):
    """Vertices of the parts of the closed set."""
    parts = premise(truth.seen, truth.dim, Fraction(0), exact(truth.strictness), relaxed=False)
    return [point for part in parts for point in part.points]


def lost(truth, policy, theta):
    """The regret of a policy (S, A) under one objective."""
    best, _ = truth.world.gaps(theta)
    own = [dot(row, theta) for row in truth.world.mixed_values(policy)]
    return truth.world.normaliser * dot(truth.world.initial, [b - o for b, o in zip(best, own, strict=True)])


def random_policy(seed, env):
    random = np.random.default_rng(seed)
    shape = env.n_states, env.n_actions
    if seed % 2:
        return np.eye(shape[1])[random.integers(0, shape[1], shape[0])]
    return random.multinomial(4, np.full(shape[1], 1 / shape[1]), shape[0]) / 4


def observed(truth):
    """Whether an optimal action is known in every state that was seen."""
    return all(len({s for s, _ in each.shown}) == each.world.shape[0] for each in truth.seen)


@pytest.mark.parametrize("seed", range(14))
def test_largest_regret(seed):
    """Where something was not observed, the bounds hold but need not meet."""
    ident, env, truth, _ = drawn(seed)
    policy = random_policy(seed, env)
    lower, upper, witness = certificates.worst_case_regret(ident, policy, env, regions=8)
    largest = max(lost(truth, policy, theta) for theta in closed(truth))
    assert largest <= exact(upper)
    theta = [exact(x) for x in witness]
    assert lost(truth, policy, theta) >= exact(lower)
    # objectives that are members up to ties alone may lose a little more
    assert lower <= float(largest) + 1e-6
    if observed(truth):
        assert truth.member(theta)
        assert upper - lower <= 1e-6
    else:
        assert truth.member(theta) or lower == 0


def visited(world, mask):
    """States that a policy visits that may take the marked actions, and these actions there."""
    actions = world.shape[1]
    found = {s for s in world.numbers if world.initial[s]}
    while True:
        taken = {(s, a) for s in found for a in range(actions) if mask >> (s * actions + a) & 1}
        more = {j for s, a in taken for j in world.numbers if world.moves[s][a][j]} - found
        if not more:
            return frozenset(taken)
        found |= more


def behaviours_of(truth):
    """All sets of optimal actions, where they are visited, of objectives in the interior of faces of cells."""
    found = set()
    for cell, policy, _ in truth.cells(relaxed=False):
        masks = [truth.optimal(theta, policy, Fraction(0)) for theta in cell.points]
        for theta in [*cell.points, *means(cell.points, masks)]:
            found.add(visited(truth.world, truth.optimal(theta, policy, truth.ties)))
    return found


def occupancy(world, taken):
    """Visits (S * A) of the policy that takes some actions, in states that it visits, evenly."""
    s_count, a_count = world.shape
    chances = {s: Fraction(1, sum(i == s for i, _ in taken)) for s, _ in taken}
    moves = [[Fraction(0)] * s_count for _ in range(s_count)]
    for s, a in taken:
        moves[s] = [x + chances[s] * y for x, y in zip(moves[s], world.onward(s, a), strict=True)]
    unit = [[int(i == j) - moves[j][i] for j in range(s_count)] for i in range(s_count)]
    visits = [x[0] for x in solved(unit, [[m] for m in world.initial])]
    return np.array(
        [
            float(world.normaliser * visits[s] * chances[s]) if (s, a) in taken else 0.0
            for s in range(s_count)
            for a in range(a_count)
        ]
    )


def singles(found):
    """Behaviours without ties."""
    return {taken for taken in found if len({s for s, _ in taken}) == len(taken)}


@pytest.mark.parametrize("seed", range(14))
def test_behaviours_that_are_left(seed):
    ident, env, truth, _ = drawn(seed, 1e-5)
    if not truth.member_exists():
        return
    left = certificates.behaviours(ident, env, regions=8)
    true = behaviours_of(truth)
    listed = set()
    for theta, policy in zip(left.objectives, left.policies, strict=True):
        exactly = [exact(x) for x in theta]
        assert truth.member(exactly)
        _, mask = truth.at(exactly)
        taken = visited(truth.world, mask)
        assert taken == visited(truth.world, sum(1 << int(i) for i in np.flatnonzero(policy.ravel() > 0)))
        listed.add(taken)
    assert len(listed) == len(left.policies)
    if observed(truth) and left.complete:
        assert listed <= true
        assert singles(true) <= listed


@pytest.mark.parametrize("seed", range(14))
def test_twins(seed):
    ident, env, truth, _ = drawn(seed, 1e-5)
    if not truth.member_exists():
        return
    pair = certificates.twins(ident, env, regions=8)
    found = []
    for theta, policy in zip((pair.first, pair.second), pair.policies, strict=True):
        exactly = [exact(x) for x in theta]
        assert truth.member(exactly)
        _, mask = truth.at(exactly)
        found.append(occupancy(truth.world, visited(truth.world, mask)))
        assert ((policy > 0).ravel() >= [bool(mask >> i & 1) for i in range(policy.size)]).all()
    total = max(1.0, found[0].sum(), found[1].sum())
    assert pair.distance == pytest.approx(0.5 * np.abs(found[0] - found[1]).sum() / total, abs=1e-9)
    if observed(truth) and pair.complete:
        own = [occupancy(truth.world, taken) for taken in singles(behaviours_of(truth))]
        most = max((0.5 * np.abs(x - y).sum() for x in own for y in own), default=0.0)
        assert pair.distance * total >= most - 1e-9


ASKED = {
    "regret": lambda ident, env: certificates.worst_case_regret(ident, np.full((2, 2), 0.5), env),
    "minimax": certificates.minimax_policy,
    "behaviours": certificates.behaviours,
    "twins": certificates.twins,
}


@pytest.mark.parametrize("name", ASKED)
def test_sets_without_an_answer(name):
    stay, turn = np.eye(2)[[[0, 1], [1, 0]]], np.eye(2)[[[1, 0], [0, 1]]]
    worlds = [ii.Environment(moves, 0.5) for moves in (stay, turn)]
    family = ii.rewards.StateRewards(2)
    soft = ii.identify([(worlds[0], np.full((2, 2), 0.5))], family, "soft")
    with pytest.raises(ValueError, match="ident: was a SoftSet"):
        ASKED[name](soft, worlds[0])
    known = ii.identify([(worlds[0], np.array([[0.0, 1.0], [1.0, 0.0]]))], family)
    other = ii.Environment(np.ones((1, 2, 1)), 0.5)
    with pytest.raises(ValueError, match=r"StateRewards|policy"):
        ASKED[name](known, other)


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (np.full((3, 2), 0.5), r"policy: should have shape"),
        (np.full((2, 2), 0.4), r"policy\[0\] sums to 0.8"),
        ([[1.0, 0.0], [np.nan, 1.0]], "policy"),
    ],
)
def test_policies_that_are_none(policy, words):
    env = ii.Environment(np.eye(2)[[[0, 1], [1, 0]]], 0.5)
    known = ii.identify([(env, np.array([[0.0, 1.0], [1.0, 0.0]]))], ii.rewards.StateRewards(2))
    with pytest.raises(ValueError, match=words) as error:
        certificates.worst_case_regret(known, policy, env)
    assert "\n" not in str(error.value)


def test_behaviours_of_members_that_leave_the_middle_of_a_part_unexplained():
    """Where a state is without observation the middle of a part need not be a member; others of the part are."""
    features = [[[84, -15, 26], [53, 69, -89]], [[47, -2, -60], [-68, -23, -99]], [[-146, 6, 77], [-24, 74, -40]]]
    moves = np.array([[[0.43, 0.45, 0.12], [0, 0, 1]], [[0, 0, 1], [0, 0.84, 0.16]], [[0, 1, 0], [1, 0, 0]]])
    family = ii.rewards.LinearRewards(np.array(features) / 100)
    shown = ii.evidence.Policy([[0, 1], [1, 0], [0, 0]], "some")
    ident = ii.identify([(ii.Environment(moves, 0.9), shown)], family)
    env = ii.Environment(np.eye(3)[[[1, 2], [2, 2], [2, 1]]], 0.9)
    left = certificates.behaviours(ident, env)
    drawn = np.random.default_rng(0).uniform(-1, 1, (200, 3))
    q = [ii.planning.optimal(env, family.reward(env, theta)).q for theta in drawn if ident.contains(theta)]
    listed = {(policy > 0).tobytes() for policy in left.policies}
    assert left.complete
    assert len(listed) == 6
    assert {ii.planning.optimal_actions(table).tobytes() for table in q} < listed


def test_a_part_is_not_planned_for_where_the_last_plan_is_still_optimal():
    """The objective with most regret lies on the cut that was made because of a plan: that plan would be made again."""
    features = np.array([[[-107, -134, 91], [-38, 40, -134]], [[-51, 135, 21], [135, -101, -122]]]) / 1e4
    seen = ii.Environment(np.array([[[0.7, 0.3]] * 2, [[0, 1]] * 2]), 1.0)
    env = ii.Environment(np.array([[[0, 1.0]] * 2, [[1.0, 0]] * 2]), 0.5, [1, 0])
    shown = ii.evidence.Policy([[0, 1], [1, 0]], "some")
    ident = ii.identify([(seen, shown)], ii.rewards.LinearRewards(features))
    parts = []
    policy = [[0, 1], [0, 1]]
    worst = certificates.worst_case_regret(ident, policy, env, progress=lambda done, _: parts.append(done))
    assert worst.upper - worst.lower <= 1e-6
    assert parts[-1] < 10
