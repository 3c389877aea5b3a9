"""Agents trained by exact policy gradients: derivatives, closed forms, and training by another library."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

import irl_ident as ii
from environments import coin_corridor as world
from irl_ident.agents import policy_gradient as module
from irl_ident.agents.policy_gradient import Recipe, policy_gradient
from irl_ident.agents.policy_gradient_networks import backward, forward, initial
from irl_ident.agents.policy_gradient_returns import Tasks
from irl_ident.certificates.networks import ReluNetwork


def random_tasks(seed, *, n_states=5, n_actions=3, count=3, discount=0.8):
    rng = np.random.default_rng(seed)
    envs = [
        ii.Environment(
            rng.dirichlet(np.ones(n_states), (n_states, n_actions)), discount, rng.dirichlet(np.ones(n_states))
        )
        for _ in range(count)
    ]
    return Tasks(tuple(envs), rng.standard_normal((count, n_states, n_actions)))


def differences(function, at, size=1e-6):
    """Central differences of ``function`` at an array."""
    found = np.empty_like(at)
    for place in np.ndindex(at.shape):
        shift = np.zeros_like(at)
        shift[place] = size
        found[place] = (function(at + shift) - function(at - shift)) / (2 * size)
    return found


@pytest.mark.parametrize("discount", [0.0, 0.8, 0.99])
def test_derivatives_of_returns_are_those_of_finite_differences(discount):
    tasks = random_tasks(0, discount=discount)
    logits = np.random.default_rng(1).standard_normal((2, 3, 5, 3))
    returns, slopes = tasks.evaluate(special.softmax(logits, axis=3))

    def total(z):
        return tasks.evaluate(special.softmax(z, axis=3))[0].sum()

    np.testing.assert_allclose(slopes, differences(total, logits), atol=1e-7 / (1 - discount))
    for agent, place in np.ndindex(2, 3):
        policy = special.softmax(logits[agent, place], axis=1)
        env = tasks.environments[place]
        values = ii.planning.evaluate(env, tasks.rewards[place], policy)
        np.testing.assert_allclose(returns[agent, place], env.initial @ values)


def test_a_bandit_of_one_state():
    """``dJ/dz_a = p_a (r_a - p . r) / (1 - g)`` where every action comes back to the only state."""
    env = ii.Environment(np.ones((1, 3, 1)), discount=0.5)
    paid = np.array([1.0, 0.0, -2.0])
    chances = np.array([0.2, 0.3, 0.5])
    returns, slopes = Tasks((env,), paid[None, None]).evaluate(chances[None, None, None])
    np.testing.assert_allclose(returns, [[2 * chances @ paid]])
    np.testing.assert_allclose(slopes.ravel(), 2 * chances * (paid - chances @ paid))


@pytest.mark.parametrize("discount", [0.9, 1.0])
def test_one_sparse_system_after_another_gives_the_same(discount, monkeypatch):
    """Also without discount, where all policies come to an end."""
    rng = np.random.default_rng(0)
    table = np.zeros((6, 2, 6))
    for state in range(5):
        table[state, :, state + 1 :] = rng.dirichlet(np.ones(5 - state), 2)
    table[5, :, 5] = 1
    tasks = Tasks((ii.Environment(table, discount),), rng.standard_normal((1, 6, 2)))
    policies = rng.dirichlet(np.ones(2), (4, 1, 6))
    stacked = tasks.evaluate(policies)
    monkeypatch.setattr("irl_ident.agents.policy_gradient_returns.STACKED_STATES", 0)
    for one, other in zip(stacked, tasks.evaluate(policies), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)


def test_networks_have_the_derivatives_of_finite_differences():
    layers = initial([3, 4], [4, 6, 5, 2])
    rng = np.random.default_rng(0)
    layers = [(w * 50 if w.shape[2] == 2 else w, b + 0.1 * rng.standard_normal(b.shape)) for w, b in layers]
    inputs, weighing = rng.standard_normal((2, 7, 4)), rng.standard_normal((2, 7, 2))
    _, taken = forward(layers, inputs)
    found = backward(layers, taken, weighing.copy())
    for place, pair in enumerate(layers):
        for kind in (0, 1):

            def total(array, place=place, kind=kind):
                changed = [list(each) for each in layers]
                changed[place][kind] = array
                return (forward(changed, inputs)[0] * weighing).sum()

            np.testing.assert_allclose(found[place][kind], differences(total, pair[kind]), atol=1e-6)


def test_first_weights_have_the_variance_that_they_should_have_and_policies_are_nearly_uniform():
    (hidden, bias), (last, _) = initial(range(200), [50, 40, 4])
    assert not bias.any()
    for weights, variance in ((hidden, 2 / 50), (last, 1e-4 * 2 / 40)):
        assert weights.var() / variance == pytest.approx(1, abs=4 * np.sqrt(2 / weights.size))


LEVELS = world.levels(length=5, discount=0.9)
FAMILY = world.family(5)


def recipe(seed=0, salience=1.0, decorrelated=0.3, **more):
    return Recipe(seed, observing(salience), world.shares(decorrelated, length=5), **more)


def observing(salience):
    return partial(world.observations, salience=salience)


def train(recipes, steps=30, **more):
    return policy_gradient(LEVELS, FAMILY, world.BASE, recipes, **{"width": 8, "steps": steps, **more})


def torch_training(first, recipe, steps, rewards):
    """The same training by automatic differentiation and PyTorch's AdamW."""
    torch = pytest.importorskip("torch")
    parameters, rates = [], []
    for weights, biases in zip(first.weights, first.biases, strict=True):
        parameters += [torch.tensor(array, requires_grad=True) for array in (weights.copy(), biases.copy())]
        rates += [recipe.weight_decay, 0.0]
    groups = [{"params": [p], "weight_decay": rate} for p, rate in zip(parameters, rates, strict=True)]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    inputs = [torch.tensor(recipe.observe(env)) for env in LEVELS]
    moves = [torch.tensor(env.continuation.toarray().reshape(env.n_states, 4, -1)) for env in LEVELS]
    starts, paid = [torch.tensor(np.array(env.initial)) for env in LEVELS], torch.tensor(rewards)
    optima = np.array(
        [env.initial @ ii.planning.optimal(env, r).values for env, r in zip(LEVELS, rewards, strict=True)]
    )
    for _ in range(steps):
        returns = []
        for seen, move, start, pays in zip(inputs, moves, starts, paid, strict=True):
            hidden = seen
            for place in range(0, len(parameters), 2):
                hidden = hidden @ parameters[place].T + parameters[place + 1]
                if place < len(parameters) - 2:
                    hidden = torch.relu(hidden)
            policy = torch.softmax(hidden, dim=1)
            chain = torch.einsum("sa,sat->st", policy, move)
            returns.append(start @ torch.linalg.solve(torch.eye(len(start)) - chain, (policy * pays).sum(dim=1)))
        regrets = optima - np.array([float(each.detach()) for each in returns])
        regrets = np.where(recipe.shares > 0, regrets, 0)
        weights = (1 - recipe.prioritised) * recipe.shares + recipe.prioritised * regrets / regrets.sum()
        optimiser.zero_grad()
        (-(torch.stack(returns) @ torch.tensor(weights))).backward()
        optimiser.step()
    return [parameter.detach().numpy() for parameter in parameters]


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize(("weight_decay", "prioritised"), [(0.0, 0.0), (2.0, 0.0), (0.0, 0.7)])
def test_training_is_that_of_automatic_differentiation_and_adamw(depth, weight_decay, prioritised):
    how = recipe(5, 0.5, learning_rate=0.01, weight_decay=weight_decay, prioritised=prioritised)
    (agent,) = train([how], depth=depth)
    rewards = np.stack([FAMILY.reward(env, world.BASE) for env in LEVELS])
    torch_double = pytest.importorskip("torch")
    default = torch_double.get_default_dtype()
    torch_double.set_default_dtype(torch_double.float64)
    try:
        expected = torch_training(agent.at(0), how, 30, rewards)
    finally:
        torch_double.set_default_dtype(default)
    found = [array for pair in zip(agent.weights, agent.biases, strict=True) for array in pair]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8)


def test_agents_that_are_trained_together_are_those_that_are_trained_alone():
    recipes = [recipe(1), recipe(2, 0.2, 0.0), recipe(1, 0.2, 0.1, learning_rate=0.01, prioritised=0.5)]
    together = train(recipes)
    for how, agent in zip(recipes, together, strict=True):
        (alone,) = train([how])
        for one, other in zip(agent.weights, alone.weights, strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(agent.training.returns, alone.training.returns)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(4)), prioritised=st.sampled_from([0.0, 0.6]))
def test_the_order_of_environments_changes_nothing(order, prioritised):
    how = recipe(3, prioritised=prioritised)
    other = Recipe(3, how.observe, how.shares[order], prioritised=prioritised)
    (one,) = train([how], steps=10)
    (two,) = policy_gradient([LEVELS[i] for i in order], FAMILY, world.BASE, [other], width=8, steps=10)
    np.testing.assert_allclose(two.weights[0], one.weights[0], atol=1e-9)
    np.testing.assert_allclose(two.training.returns[-1], one.training.returns[-1][list(order)], atol=1e-9)


def test_levels_are_weighed_by_regret():
    shares = np.array([0.7, 0.3, 0.0])
    recipes = [Recipe(0, observing(1), shares, prioritised=p) for p in (0.0, 0.5, 1.0)]
    weights = module._level_weights(recipes, np.array([[1.0, 3.0, 9.0]] * 3))
    np.testing.assert_allclose(weights, [[0.7, 0.3, 0], [0.475, 0.525, 0], [0.25, 0.75, 0]])
    solved = module._level_weights(recipes, np.array([[0.0, -1e-17, 9.0]] * 3))
    np.testing.assert_allclose(solved, [shares] * 3)


def test_training_teaches_and_its_record_says_what_it_paid_for():
    (agent,) = train([recipe(0, decorrelated=0.5, learning_rate=0.01)], steps=400, looks=(100,))
    record = agent.training
    assert record.steps == (0, 100, 400)
    np.testing.assert_array_equal(record.base_objective, world.BASE)
    np.testing.assert_allclose(record.optima, [0.9 ** (c + (c < 4)) for c in (4, 1, 2, 3)])
    assert (record.returns[-1] > 0.95 * record.optima).all()
    assert (record.returns[0] < 0.5 * record.optima).all()
    for step, returns in zip(record.steps, record.returns, strict=True):
        own = agent.at(step)
        for env, told in zip(LEVELS, returns, strict=True):
            value = env.initial @ ii.planning.evaluate(env, FAMILY.reward(env, world.BASE), own.policy(env))
            np.testing.assert_allclose(value, told, atol=1e-12)


def test_a_frozen_agent_acts_in_environments_that_it_never_saw():
    (agent,) = train([recipe(0)])
    longer = world.build(2, length=5, discount=0.99)
    policy = agent.policy(longer)
    np.testing.assert_allclose(policy.sum(axis=1), 1)
    np.testing.assert_allclose(policy[longer.absorbing], 0.25)
    greedy = agent.greedy().policy(longer)
    free = ~longer.absorbing
    np.testing.assert_array_equal(greedy[free].argmax(axis=1), policy[free].argmax(axis=1))
    assert set(np.unique(greedy[free])) == {0.0, 1.0}
    network = ReluNetwork(agent.weights, agent.biases, 53)
    np.testing.assert_allclose(network.outputs(agent.observe(longer)), agent.logits(longer), atol=1e-12)
    assert agent.demonstrate(longer, episodes=2, horizon=5, seed=0).states.shape[0] == 2
    with pytest.raises(ValueError, match=r"observe: gave an array of shape"):
        agent.policy(world.build(length=6))


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ValueError, match=r"shares: should be probabilities"):
        Recipe(0, observing(1), [0.5, 0.6])
    with pytest.raises(ValueError, match=r"learning_rate: was 0"):
        recipe(learning_rate=0)
    with pytest.raises(ValueError, match=r"weight_decay: was -1"):
        recipe(weight_decay=-1)
    with pytest.raises(ValueError, match=r"prioritised: was 2"):
        recipe(prioritised=2)
    with pytest.raises(ValueError, match=r"recipes: are none"):
        train([])
    with pytest.raises(ValueError, match=r"recipes\[0\].shares: are 1, should be one for each of 4"):
        train([Recipe(0, observing(1), [1.0])])
    with pytest.raises(ValueError, match=r"looks: 31 should be a whole number from 0 to steps = 30"):
        train([recipe()], looks=[31])
    with pytest.raises(ValueError, match=r"steps: was 0"):
        train([recipe()], steps=0)
    with pytest.raises(ValueError, match=r"step: was 7, should be one of \(0, 30\)"):
        train([recipe()])[0].at(7)
    with pytest.raises(ValueError, match=r"environments\[1\]: has 13 states"):
        Tasks((LEVELS[0], world.build(length=6)), np.zeros((2, 11, 4)))
    with pytest.raises(ValueError, match=r"rewards: should have shape"):
        Tasks(LEVELS, np.zeros((2, 11, 4)))
