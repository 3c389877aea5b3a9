"""The off-switch game: its closed forms against quadrature, and the exact environment against both."""

import numpy as np
import pytest

import irl_ident as ii
from environments import off_switch as world
from environments.off_switch import ACT, OFF, WAIT

WANTS = np.array([1.0, 0, 0, 0])


def robot(belief):
    return ii.agents.Optimal(world.family(belief), WANTS)


@pytest.mark.parametrize("mu", [-2.0, -0.3, 0.0, 0.7, 3.0])
@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_a_rational_human_is_never_worth_less_than_nothing(mu, sigma):
    """Theorem 1 of Hadfield-Menell et al. (2017)."""
    closed = world.worth_of_a_rational_human(mu, sigma)
    assert closed == pytest.approx(world.worth_by_quadrature(mu, sigma, 0.0), abs=1e-11)
    assert closed > 0


def test_without_doubt_a_rational_human_is_worth_nothing_and_a_noisy_one_less():
    for utility in (-1.0, 0.5):
        sure = world.Belief(np.array([utility]), np.array([1.0]))
        assert world.worth_of_deferring(sure, 0.0) == 0
        assert world.worth_of_deferring(sure, 0.5) < 0


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("beta", [0.2, 0.5, 1.0, 3.0])
def test_a_boltzmann_human_is_deferred_to_just_inside_the_boundary(sigma, beta):
    boundary = sigma**2 / (2 * beta)
    for sign in (-1, 1):
        at = world.worth_by_quadrature(sign * boundary, sigma, beta)
        assert at == pytest.approx(0, abs=1e-13)
        for share in (0.5, 0.99, 1.01, 1.5):
            mu = sign * share * boundary
            worth = world.worth_by_quadrature(mu, sigma, beta)
            assert (worth > 0) == world.defers(mu, sigma, beta) == (share < 1)


@pytest.mark.parametrize(("mu", "beta"), [(0.4, 0.5), (-0.9, 0.7), (1.5, 0.3)])
def test_theorem_2_by_steins_lemma(mu, beta):
    """Delta = sigma^2 E[pi'(U)] - |mu| P(the human overrules), with numbers drawn from the belief."""
    sigma = 0.8
    rng = np.random.default_rng(0)
    drawn = mu + sigma * rng.standard_normal(2_000_000)
    let = world.lets_act(drawn, beta)
    overruled = (1 - let).mean() if mu >= 0 else let.mean()
    stein = sigma**2 * (let * (1 - let) / beta).mean() - abs(mu) * overruled
    assert stein == pytest.approx(world.worth_by_quadrature(mu, sigma, beta), abs=4e-3)


@pytest.mark.parametrize("beta", [0.3, 1.0])
@pytest.mark.parametrize("mu", [-1.2, 0.1, 2.0])
def test_a_discrete_belief_on_a_grid_is_as_good_as_the_normal_one(mu, beta):
    belief = world.normal(mu, 1.0)
    assert belief.chances @ belief.utilities == pytest.approx(mu, abs=1e-13)
    assert belief.chances @ (belief.utilities - mu) ** 2 == pytest.approx(1, abs=1e-12)
    assert world.worth_of_deferring(belief, beta) == pytest.approx(world.worth_by_quadrature(mu, 1.0, beta), abs=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("mu", [-1.0, -0.6, 0.6, 1.4])
def test_the_environment_says_what_the_game_says(mu, beta):
    belief = world.normal(mu, 1.0, 41)
    env = world.build(belief, beta)
    q = ii.planning.optimal(env, world.family(belief).reward(env, WANTS)).q[world.START]
    assert q[ACT] == pytest.approx(mu)
    assert q[OFF] == 0
    worth = world.worth_of_deferring(belief, beta)
    assert q[WAIT] - max(q[ACT], q[OFF]) == pytest.approx(worth)
    chosen = np.flatnonzero(robot(belief).policy(env)[world.START])
    assert chosen.tolist() == [WAIT if worth > 0 else ACT if mu > 0 else OFF]


def test_the_human_decides_by_the_utility_and_the_states_say_so():
    belief = world.Belief(np.array([-1.0, 2.0]), np.array([0.25, 0.75]))
    env = world.build(belief, 0.0)
    named = {name: place for place, name in enumerate(env.states)}
    row = env.dense()[world.START]
    assert row[WAIT, named["switched off, worth -1 (0)"]] == 0.25
    assert row[WAIT, named["let act, worth 2 (1)"]] == 0.75
    assert row[ACT, named["acted, worth -1 (0)"]] == 0.25
    assert row[OFF, named["off by itself"]] == 1
    command = world.command(belief)
    assert command.lifted[named["switched off, worth -1 (0)"]] == named["let act, worth -1 (0)"]
    assert "let act with probability 0.750" in world.picture(belief)


def test_what_it_wants_is_identified_from_what_it_chooses():
    """Who wants what the human wants waits in both of two games; wanting to act at all costs does not explain it."""
    beliefs = [world.Belief(np.array([-1.0, 1.0]), np.array([p, 1 - p])) for p in (0.3, 0.6)]
    games = [world.build(belief) for belief in beliefs]
    family = world.family(beliefs[0])
    ident = ii.identify([(env, ii.agents.Optimal(family, WANTS).policy(env)) for env in games], family)
    assert ident.contains(WANTS)
    assert not ident.contains(np.array([0.0, 1, 0, 0]))


def test_gymnasium_accepts_it():
    pytest.importorskip("gymnasium")
    from gymnasium.utils.env_checker import check_env

    belief = world.normal(0.5, 1.0, 5)
    env = world.build(belief, 0.5)
    check_env(env.to_gymnasium(world.family(belief).reward(env, WANTS)), skip_render_check=True)


def test_beliefs_and_humans_are_checked():
    with pytest.raises(ValueError, match="chances: should be probabilities that sum to 1"):
        world.Belief(np.array([0.0, 1.0]), np.array([0.5, 0.6]))
    with pytest.raises(ValueError, match="utilities: should be finite numbers"):
        world.Belief(np.array([0.0]), np.array([0.5, 0.5]))
    with pytest.raises(ValueError, match="sigma: was 0"):
        world.normal(0.0, 0)
    with pytest.raises(ValueError, match="beta: was -1"):
        world.lets_act(np.zeros(1), -1)
