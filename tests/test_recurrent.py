"""Recurrent learners against PyTorch, their training, and their files."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from environments import bandit_tasks, mdp_tasks
from irl_ident.agents.bandits import UniformLearner
from irl_ident.agents.checkpoints import CheckpointError, load_learner, save_learner
from irl_ident.agents.learners import play
from irl_ident.agents.recurrent import Encoding, RecurrentLearner, Step, Weights, shapes
from irl_ident.agents.recurrent_gradients import Batch, gradients, heads, unroll
from irl_ident.agents.recurrent_training import PolicyGradient, advantages, train_recurrent
from studies import checkpoints
from studies.checkpoints.train import BRIEF, recipes

LOSS = {"clip": 0.2, "entropy": 0.1, "value": 0.5}


def some_weights(encoding, units, seed=0, scale=0.5):
    rng = np.random.default_rng(seed)
    return Weights(
        **{name: (scale * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes(encoding, units).items()}
    )


def some_batch(rng, steps, trials, actions):
    draws = [rng.normal(size=(steps, trials)).astype(np.float32) for _ in range(2)]
    before = np.log(rng.uniform(0.1, 0.6, (steps, trials))).astype(np.float32)
    return Batch(rng.integers(actions, size=(steps, trials)), before, *draws)


def in_torch(weights):
    """The same unit in PyTorch."""
    torch = pytest.importorskip("torch")
    unit = torch.nn.GRU(weights.inputs.shape[1], weights.units)
    parts = (unit.weight_ih_l0, unit.weight_hh_l0, unit.bias_ih_l0, unit.bias_hh_l0)
    with torch.no_grad():
        for part, name in zip(parts, shapes(Encoding(1), 1), strict=False):
            part.copy_(torch.from_numpy(getattr(weights, name)))
    return unit


@pytest.mark.parametrize("kind", ["bandit", "tokens", "mdp"])
def test_what_it_does_is_what_pytorch_says(kind):
    """Probabilities over whole trials, the histories having come from play: 1e-5 over up to a hundred steps."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(4)
    tasks, n_tokens, horizon = {
        "bandit": (bandit_tasks.bernoulli(20, 5, rng), 0, 100),
        "tokens": (bandit_tasks.cued(20, np.array([1, 0.5, 0]), 0.7, rng), 3, 10),
        "mdp": (mdp_tasks.random_mdps(20, rng), 0, 30),
    }[kind]
    encoding = Encoding(tasks.n_actions, tasks.n_observations, n_tokens)
    learner = RecurrentLearner(encoding, some_weights(encoding, 16))
    played = play(learner, tasks, horizon, seed=1)
    inputs = encoding.trial(played, tasks.episode)
    with torch.no_grad():
        hidden, _ = in_torch(learner.weights)(torch.from_numpy(inputs))
        scores = hidden @ torch.from_numpy(learner.weights.policy).T + torch.from_numpy(learner.weights.policy_bias)
        expected = torch.softmax(scores, dim=-1).numpy()
    memory = learner.begin(20, rng)
    for step in range(horizon):
        seen = played.observations[:, step]
        if tasks.episode and step and step % tasks.episode == 0:
            memory = learner.restarted(memory, seen)
        np.testing.assert_allclose(learner.probabilities(memory, seen), expected[step], atol=1e-5)
        memory = learner.updated(
            memory, seen, played.actions[:, step], played.outcomes[:, step], played.following[:, step]
        )
    np.testing.assert_allclose(unroll(learner.weights, inputs).hidden[1:], hidden.numpy(), atol=1e-5)


def test_gradients_are_pytorchs():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    encoding = Encoding(4, 3)
    weights, batch = some_weights(encoding, 7), some_batch(rng, 6, 5, 4)
    inputs = rng.normal(size=(6, 5, encoding.width)).astype(np.float32)
    baseline, bias = rng.normal(size=7).astype(np.float32), np.float32(0.3)
    found = gradients(weights, baseline, bias, inputs, batch, **LOSS)
    unit = in_torch(weights)
    policy, policy_bias, value, value_bias = (
        torch.tensor(array, requires_grad=True) for array in (weights.policy, weights.policy_bias, baseline, bias)
    )
    hidden, _ = unit(torch.from_numpy(inputs))
    logs = torch.log_softmax(hidden @ policy.T + policy_bias, dim=-1)
    taken = logs.gather(2, torch.from_numpy(batch.actions)[..., None])[..., 0]
    ratio, gained = (taken - torch.from_numpy(batch.before)).exp(), torch.from_numpy(batch.advantages)
    surrogate = torch.minimum(ratio * gained, ratio.clamp(0.8, 1.2) * gained)
    error = (hidden @ value + value_bias - torch.from_numpy(batch.returns)) ** 2
    (-surrogate + 0.1 * (logs.exp() * logs).sum(dim=2) + 0.5 * error).mean().backward()
    slopes = {
        "inputs": unit.weight_ih_l0.grad,
        "recurrent": unit.weight_hh_l0.grad,
        "inputs_bias": unit.bias_ih_l0.grad,
        "recurrent_bias": unit.bias_hh_l0.grad,
        "policy": policy.grad,
        "policy_bias": policy_bias.grad,
        "baseline": value.grad,
        "baseline_bias": value_bias.grad,
    }
    assert set(slopes) == set(found)
    for name, slope in slopes.items():
        np.testing.assert_allclose(found[name], slope.numpy(), atol=1e-6, err_msg=name)


def loss(weights, baseline, bias, inputs, batch):
    """The loss, in double precision, straight from its definition."""
    said = heads(weights, baseline, bias, unroll(weights, inputs).hidden[1:])
    logs = said.logs.astype(float)
    taken = np.take_along_axis(logs, batch.actions[..., None], axis=2)[..., 0]
    ratio = np.exp(taken - batch.before)
    surrogate = np.minimum(ratio * batch.advantages, np.clip(ratio, 0.8, 1.2) * batch.advantages)
    entropy = -(np.exp(logs) * logs).sum(axis=2)
    return float((-surrogate - 0.1 * entropy + 0.5 * (said.values - batch.returns) ** 2).mean())


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_gradients_are_finite_differences(seed):
    rng = np.random.default_rng(seed)
    encoding = Encoding(3, 1, 2)
    weights, batch = some_weights(encoding, 5, seed), some_batch(rng, 4, 3, 3)
    inputs = rng.normal(size=(4, 3, encoding.width)).astype(np.float32)
    baseline, bias = rng.normal(size=5).astype(np.float32), np.float32(0)
    found = gradients(weights, baseline, bias, inputs, batch, **LOSS)
    name = rng.choice(list(shapes(encoding, 5)))
    direction = rng.normal(size=getattr(weights, name).shape)
    direction /= np.linalg.norm(direction)
    step = 2e-3

    def moved(by):
        arrays = {key: getattr(weights, key) for key in shapes(encoding, 5)}
        return Weights(**{**arrays, name: (arrays[name] + by * direction).astype(np.float32)})

    sides = [loss(moved(by), baseline, bias, inputs, batch) for by in (-step, 0, step)]
    slope = (sides[2] - sides[0]) / (2 * step)
    kink = abs(sides[2] - 2 * sides[1] + sides[0]) / step  # the loss has kinks where the ratio is clipped
    assert abs(slope - float((found[name] * direction).sum())) < 2e-3 + kink


def test_generalised_advantages_are_their_definition():
    rng = np.random.default_rng(0)
    rewards, values = rng.normal(size=(6, 2)), rng.normal(size=(6, 2))
    discount, decay = 0.9, 0.7
    after = np.vstack([values[1:], np.zeros((1, 2))])
    surprise = rewards + discount * after - values
    expected = [sum((discount * decay) ** (j - i) * surprise[j] for j in range(i, 6)) for i in range(6)]
    np.testing.assert_allclose(advantages(rewards, values, discount, decay), expected, rtol=1e-12)
    to_the_end = [sum(discount ** (j - i) * rewards[j] for j in range(i, 6)) for i in range(6)]
    np.testing.assert_allclose(advantages(rewards, values, discount, 1.0) + values, to_the_end, rtol=1e-12)


def test_inputs_stand_where_the_encoding_says():
    encoding = Encoding(n_actions=2, n_observations=3)
    last = Step(np.array([2, 0]), np.array([1, 0]), np.array([0.5, -2.0]))
    inputs = encoding.step(np.array([1, 2]), last, ended=True)
    np.testing.assert_array_equal(inputs[0], [0, 1, 0, *[0, 0, 0, 0, 0, 1], *[0, 0, 0, 0, 0, 0.5], 1])
    np.testing.assert_array_equal(inputs[1], [0, 0, 1, *[1, 0, 0, 0, 0, 0], *[-2, 0, 0, 0, 0, 0], 1])
    first = encoding.step(np.array([1]), None, ended=False)
    np.testing.assert_array_equal(first[0], [0, 1, 0, *[0] * 13])
    tokens = Encoding(n_actions=2, n_tokens=3)
    shown = tokens.step(np.array([0]), Step(np.array([0]), np.array([1]), np.array([2])), ended=False)
    np.testing.assert_array_equal(shown[0], [0, 1, *[0, 0, 0, 0, 0, 1], 0])


PAID = {"n_tokens": 11, "payoff": bandit_tasks.INFORMATIVE_PAYOUTS}
TINY = PolicyGradient(units=12, iterations=25, trials=150, batches=5)


def test_training_finds_the_better_arm():
    """Two arms, p = .9 and .1, five pulls: at random 2.5, at best about 4.2."""
    learner = train_recurrent(lambda count, rng: bandit_tasks.dependent(count, "easy", rng), 5, TINY, seed=1)
    assert learner.curve.shape == (25,)
    assert abs(learner.curve[0] - 2.5) < 0.4
    played = play(learner, bandit_tasks.dependent(2000, "easy", np.random.default_rng(5)), 5, seed=6)
    assert played.totals.mean() > 3.7


def test_the_same_seed_gives_the_same_learner_and_nothing_global_is_touched():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    settings = PolicyGradient(units=12, iterations=3, trials=50, batches=5)
    learners = [train_recurrent(bandit_tasks.informative, 3, settings, seed=seed, **PAID) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(state, np.random.get_state()[1])  # noqa: NPY002
    np.testing.assert_array_equal(learners[0].weights.inputs, learners[1].weights.inputs)
    assert (learners[0].weights.inputs != learners[2].weights.inputs).any()


def test_long_memories_are_raised_biases_of_the_update_gate():
    still = {"units": 40, "iterations": 1, "trials": 4, "batches": 1, "epochs": 1, "learning_rate": 1e-12}
    plain, long = (
        train_recurrent(bandit_tasks.informative, 2, PolicyGradient(**still, memory=steps), seed=1, **PAID).weights
        for steps in (1.0, 100.0)
    )
    raised = long.inputs_bias - plain.inputs_bias
    np.testing.assert_allclose(raised[[*range(40), *range(80, 120)]], 0, atol=1e-6)
    assert (raised[40:80] > 0).all()
    assert (raised[40:80] < np.log(100) + 1e-6).all()
    np.testing.assert_allclose(np.exp(raised[40:80]).mean(), 50.5, atol=4 * 99 / np.sqrt(12 * 40))
    np.testing.assert_allclose(long.recurrent, plain.recurrent, atol=1e-6)


def test_training_on_tokens_follows_the_payoff():
    """The same tasks, with one token worth 1 and then with another: each learner gets more of its own."""
    totals = {}
    for worth in (0, 2):
        payoff = np.eye(3)[worth]
        learner = train_recurrent(bandit_tasks.tokens, 6, TINY, seed=3, n_tokens=3, payoff=payoff)
        assert learner.training["payoff"] == list(payoff)
        played = play(learner, bandit_tasks.tokens(2000, np.random.default_rng(8)), 6, seed=9)
        totals[worth] = [(played.outcomes == token).sum(axis=1).mean() for token in (0, 2)]
    assert totals[0][0] > totals[2][0] + 0.2
    assert totals[2][1] > totals[0][1] + 0.2


def test_settings_and_payoffs_out_of_range_are_named():
    for build, message in [
        (lambda: PolicyGradient(units=0), "units: was 0"),
        (lambda: PolicyGradient(decay=1.5), "decay: was 1.5"),
        (lambda: PolicyGradient(memory=0.5), "memory: was 0.5"),
        (lambda: PolicyGradient(trials=3, batches=4), "batches: was 4"),
        (lambda: Encoding(0), "n_actions: was 0"),
        (lambda: train_recurrent(bandit_tasks.tokens, 2, TINY, seed=0, n_tokens=3), "payoff: should have one number"),
    ]:
        with pytest.raises(ValueError, match=message):
            build()


@pytest.fixture
def saved(tmp_path):
    encoding = Encoding(2, 1, 3)
    learner = RecurrentLearner(encoding, some_weights(encoding, 4), {"seed": 5, "tasks": "none"}, np.array([1.0, 2.5]))
    save_learner(learner, tmp_path / "learner.npz")
    return learner, tmp_path / "learner.npz"


def test_files_give_back_what_was_saved(saved):
    learner, file = saved
    read = load_learner(file)
    assert read.encoding == learner.encoding
    assert dict(read.training) == dict(learner.training)
    np.testing.assert_array_equal(read.curve, learner.curve)
    for name in shapes(learner.encoding, 4):
        np.testing.assert_array_equal(getattr(read.weights, name), getattr(learner.weights, name))


def test_damaged_files_are_refused_with_one_error_that_says_why(saved, tmp_path):
    _, file = saved
    with np.load(file, allow_pickle=False) as archive:
        good = {name: archive[name] for name in archive.files}
    metadata = json.loads(str(good["metadata"]))

    def described(**changes):
        return {"metadata": np.array(json.dumps({**metadata, **changes}))}

    damages = [
        ({"policy": good["policy"].T}, "policy is float32 of shape"),
        ({"policy": good["policy"].astype(float)}, "policy is float64"),
        ({"inputs": np.full_like(good["inputs"], np.nan)}, "inputs is float32"),
        ({"more": np.zeros(1)}, "missing or not foreseen: more"),
        ({"curve": np.zeros((2, 2), dtype=np.float32)}, "curve has shape"),
        ({"recurrent": np.array([{}], dtype=object)}, "not an npz file of plain arrays"),
        ({"metadata": np.array("no json")}, "metadata should be JSON"),
        (described(format=2), "format is 2"),
        (described(units=0), "units is 0"),
        (described(encoding={"n_actions": -1}), "encoding is"),
        (described(units=5), "of shape"),
    ]
    for number, (damage, message) in enumerate(damages):
        other = tmp_path / f"{number}.npz"
        np.savez(other, **{**good, **damage})
        with pytest.raises(CheckpointError, match=message):
            load_learner(other)
    del good["recurrent_bias"]
    np.savez(file, **good)
    with pytest.raises(CheckpointError, match="not foreseen: recurrent_bias"):
        load_learner(file)
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match="not an npz file"):
        load_learner(file)
    with pytest.raises(FileNotFoundError):
        load_learner(tmp_path / "none.npz")


RELEASED = sorted(file.stem for file in checkpoints.FOLDER.glob("*.npz"))


@pytest.mark.parametrize("name", RELEASED)
def test_released_learners_have_a_recipe_and_do_better_than_chance(name):
    recipe = dict(recipes())[name]
    learner = checkpoints.load(name)
    assert checkpoints.path(name).stat().st_size < 100_000
    assert learner.training["seed"] == recipe.seed
    assert learner.training["tasks"] == recipe.tasks
    assert {"memory": 1.0, **learner.training}.items() >= asdict(recipe.settings).items()  # memory came later
    assert learner.curve.size == recipe.settings.iterations
    count = 2000 if recipe.horizon <= 10 else 300
    tasks = recipe.draw(count, np.random.default_rng(0))
    totals, by_chance = (
        play(who, tasks, recipe.horizon, seed=1).outcomes for who in (learner, UniformLearner(learner.n_actions))
    )
    if recipe.payoff is not None:
        totals, by_chance = np.array(recipe.payoff)[totals], np.array(recipe.payoff)[by_chance]
    totals, by_chance = totals.sum(axis=1), by_chance.sum(axis=1)
    error = totals.std() / np.sqrt(count)
    assert totals.mean() > by_chance.mean() + 4 * error
    if recipe.settings != BRIEF:
        assert abs(totals.mean() - learner.curve[-10:].mean()) < 5 * error


def test_names_without_a_learner_are_refused():
    with pytest.raises(ValueError, match="there is no learner 'nobody'"):
        checkpoints.load("nobody")
    assert checkpoints.find("nobody") is None
