import numpy as np
import pandas as pd
import pytest
from scipy import special

import irl_ident as ii
from environments import labyrinth
from irl_ident import planning
from irl_ident.identified.soft_likelihood import fisher_information, maximum_likelihood
from studies import _labyrinth as mouse
from studies import labyrinth as study
from studies.study import DataMissing, Settings

SMALL = labyrinth.plan(2)
DISCOUNT = 0.9


def turns_objective(memory, family, seed=0):
    """Rewards of nodes, a price of bumps, and turns that matter."""
    theta = 0.5 * np.random.default_rng(seed).standard_normal(family.dim)
    theta[SMALL.n_nodes :] = [-0.5, -40, -2, 1, 0.5]
    return theta


def walk(steps, cuts, seed):
    """A soft-optimal animal with preferences for turns walks; its recording is cut into trajectories."""
    memory = labyrinth.remembered(SMALL, DISCOUNT)
    family = labyrinth.turn_rewards(SMALL, memory)
    agent = ii.agents.SoftOptimal(family, turns_objective(memory, family))
    seen = agent.demonstrate(memory.env, episodes=1, horizon=steps * cuts, seed=seed)
    nodes = memory.arrivals[seen.states[0, :-1], 1]
    return nodes.reshape(cuts, steps), seen.actions.reshape(cuts, steps)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A file in the format of the mice's, of 5 recordings of 8 trajectories."""
    recordings = [walk(100, 8, seed) for seed in range(5)]
    states, actions = (np.concatenate(parts) for parts in zip(*recordings, strict=True))
    folder = tmp_path_factory.mktemp("data") / "labyrinth"
    folder.mkdir()
    np.savez(
        folder / "mice.npz",
        states=states.astype(np.int16),
        actions=actions.astype(np.int8),
        next_state=SMALL.next_state.astype(np.int16),
    )
    return folder.parent


@pytest.fixture(scope="module")
def mice(data):
    return mouse.read(data / "labyrinth" / "mice.npz")


# the maze


@pytest.mark.parametrize("depth", [1, 2, 3, 6])
def test_the_maze_is_a_binary_tree_in_the_plane(depth):
    maze = labyrinth.plan(depth)
    count = 2 ** (depth + 1) - 1
    assert maze.n_nodes == count
    assert len(np.unique(maze.positions, axis=0)) == count
    for parent, child in maze.corridors:
        assert child in maze.next_state[parent, :2]
        np.testing.assert_array_equal(np.flatnonzero(maze.next_state[child] == parent).size, 1)
    degree = maze.possible.sum(axis=1)
    np.testing.assert_array_equal(degree[1 : count // 2], 3)
    np.testing.assert_array_equal(degree[maze.ends], 1)
    assert degree[0] == 3, "two ways in and one home"


def test_corridors_cross_nowhere_and_turn_at_right_angles():
    maze = labyrinth.plan(6)
    np.testing.assert_array_equal(np.abs(maze.positions).max(axis=0), 7)
    steps = np.array([maze.positions[c] - maze.positions[p] for p, c in maze.corridors])
    assert ((steps == 0).sum(axis=1) == 1).all()
    for node in range(1, 63):
        for child in (2 * node + 1, 2 * node + 2):
            assert steps[node - 1] @ steps[child - 1] == 0
    crossed = set()
    for (parent, child), step in zip(maze.corridors, steps, strict=True):
        length = int(np.abs(step).sum())
        inside = {tuple(maze.positions[parent] + step * k / length / 2) for k in range(1, 2 * length)}
        assert not inside & crossed
        assert not inside & set(map(tuple, maze.positions))
        assert maze.positions[child] @ step > maze.positions[parent] @ step
        crossed |= inside


def test_left_is_left():
    maze = labyrinth.plan(6)
    for node in range(1, 63):
        ahead = maze.positions[node] - maze.positions[(node - 1) // 2]
        left = maze.positions[maze.next_state[node, labyrinth.LEFT]] - maze.positions[node]
        assert ahead[0] * left[1] - ahead[1] * left[0] > 0


def test_a_blocked_corridor_is_a_bump_at_both_ends_and_nothing_else_changes():
    intact = labyrinth.build(SMALL, DISCOUNT).dense()
    blocked = labyrinth.build(SMALL, DISCOUNT, blocked=[(1, 3)]).dense()
    changed = np.argwhere((intact != blocked).any(axis=2))
    np.testing.assert_array_equal(sorted(changed[:, 0]), [1, 3])
    for state, action in changed:
        assert blocked[state, action, state] == 1
    family = labyrinth.MazeRewards(SMALL.n_nodes)
    bump = family.parameters.index("R(bump)")
    counts = [family.matrix(labyrinth.build(SMALL, DISCOUNT, blocked=b))[:, [bump]].sum() for b in ([], [(1, 3)])]
    assert counts[1] - counts[0] == 2
    with pytest.raises(ValueError, match="no corridor from node 3"):
        labyrinth.build(SMALL, DISCOUNT, blocked=[(3, 1)])


def test_each_blocked_corridor_closes_one_dimension_of_state_action_rewards():
    """A common potential has the same difference of values everywhere (0, by induction along corridors) but must be
    equal at the two ends of what is blocked."""
    family = ii.rewards.StateActionRewards(SMALL.n_nodes, 4)
    environments = [labyrinth.build(SMALL, DISCOUNT)]
    for k, corridor in enumerate(SMALL.corridors):
        environments.append(labyrinth.build(SMALL, DISCOUNT, blocked=[corridor]))
        assert ii.assess(environments, family, "soft").dimension == SMALL.n_nodes - 2 - k


def test_only_moving_the_port_tells_water_from_its_place():
    family = labyrinth.MazeRewards(SMALL.n_nodes, water=True)
    here = labyrinth.build(SMALL, DISCOUNT, water=5)
    there = labyrinth.build(SMALL, DISCOUNT, water=6)
    blocked = [labyrinth.build(SMALL, DISCOUNT, water=5, blocked=[c]) for c in SMALL.corridors]
    assert ii.assess([here], family, "soft").dimension == 1
    assert ii.assess([here, *blocked], family, "soft").dimension == 1
    assert ii.assess([here, there], family, "soft").dimension == 0


def test_memory_keeps_the_dynamics():
    memory = labyrinth.remembered(SMALL, DISCOUNT)
    assert memory.env.n_states == 2 * len(SMALL.corridors) + 1
    here = memory.arrivals[:, 1]
    arrived = here[memory.env.dense().argmax(axis=2)]
    np.testing.assert_array_equal(arrived, SMALL.next_state[here])
    np.testing.assert_array_equal(memory.index(*memory.arrivals.T), np.arange(memory.env.n_states))
    with pytest.raises(ValueError, match="neighbour"):
        memory.index([0], [5])


def test_node_rewards_alone_never_use_memory():
    memory = labyrinth.remembered(SMALL, DISCOUNT)
    family = labyrinth.turn_rewards(SMALL, memory)
    theta = np.random.default_rng(1).standard_normal(family.dim)
    theta[-len(labyrinth.TURNS) :] = 0
    plain = labyrinth.MazeRewards(SMALL.n_nodes)
    short = theta[: plain.dim]
    env = labyrinth.build(SMALL, DISCOUNT)
    policy = planning.soft(env, plain.reward(env, short)).policy
    remembered = planning.soft(memory.env, family.reward(memory.env, theta)).policy
    np.testing.assert_allclose(remembered, policy[memory.arrivals[:, 1]], atol=1e-12)


def test_turns_are_what_they_are_called():
    memory = labyrinth.remembered(SMALL, DISCOUNT)
    family = labyrinth.turn_rewards(SMALL, memory)
    turns = dict(zip(labyrinth.TURNS, np.moveaxis(family.features[:, :, -len(labyrinth.TURNS) :], 2, 0), strict=True))
    table = SMALL.next_state
    for i, (before, here) in enumerate(memory.arrivals):
        for action, there in enumerate(table[here]):
            if (before, here) == (0, 0):
                assert turns["back"][i, action] == (action == labyrinth.LAST)
                continue
            moves = here != there and here < 3
            assert turns["back"][i, action] == (moves and there == before)
            inward = moves and there > here
            assert turns["sibling"][i, action] == (inward and before > here and there != before)
            came = table[before].tolist().index(here)
            assert turns["alternate"][i, action] == (inward and before < here and action == 1 - came)


# the models


def test_node_rewards_home_and_bumps_reproduce_any_walk_without_bumps(mice):
    """The saturated family: its best likelihood is that of observed frequencies, whatever the discount is."""
    for discount in (0.3, 0.95):
        place = mouse.world(mice, "places, home, bumps", discount)
        counts = place.counts(np.arange(len(mice.states)))
        fit = maximum_likelihood([(place.env, counts)], place.family)
        shares = counts / counts.sum(axis=1, keepdims=True)
        entropy = float(special.xlogy(counts, shares).sum())
        np.testing.assert_allclose(fit.log_likelihood, entropy, rtol=1e-7)


def test_the_parity_of_levels_is_told_by_bumps_alone():
    """Rewards along the direction that ``quantities`` takes out change no odds among moves that are no bumps."""
    env, family = labyrinth.build(SMALL, DISCOUNT), labyrinth.MazeRewards(SMALL.n_nodes)
    theta = np.random.default_rng(3).standard_normal(family.dim)
    theta[-1] = -40
    sign = np.where(SMALL.levels % 2 == 0, 1.0, -1.0)
    direction = np.concatenate([(1 + DISCOUNT) * sign, [-2 * DISCOUNT, 0]])
    one, two = (planning.soft(env, family.reward(env, t)).policy for t in (theta, theta + 0.7 * direction))
    np.testing.assert_allclose(one, two, atol=1e-12)
    asked = study.quantities(SMALL, family.parameters, DISCOUNT)
    for name in set(asked) - {"parity", "R(bump)"}:
        np.testing.assert_allclose(asked[name] @ direction, 0, atol=1e-12, err_msg=name)
    constant = family.representational([DISCOUNT])["constant"][:, 0]
    np.testing.assert_allclose([f @ constant for f in asked.values()], 0, atol=1e-12)


def test_a_lapse_rate_is_the_share_of_wrong_choices():
    policy, counts = np.array([[1.0, 0, 0, 0]]), np.array([[70.0, 10, 10, 10]])
    np.testing.assert_allclose(mouse.lapse(policy, counts)[0], [0.7, 0.1, 0.1, 0.1], atol=1e-4)


def test_cloning_without_smoothing_gives_frequencies(mice):
    rows = np.ones(len(mice.states), dtype=bool)
    for memory, contexts in ((0, mice.states[:, 1:]), (1, mice.states[:, :-1] * 100 + mice.states[:, 1:])):
        pairs = pd.DataFrame({"context": contexts.ravel(), "action": mice.choices.ravel()})
        both = pairs.groupby(["context", "action"])["action"].transform("size")
        shares = both / pairs.groupby("context")["action"].transform("size")
        found = mouse.cloning(mice, rows, memory, 1e-9)
        np.testing.assert_allclose(np.exp(found).ravel(), shares, rtol=1e-6)


def test_cloning_gives_probabilities_for_any_memory(mice):
    training = np.arange(len(mice.states)) % 3 == 0
    for memory in range(4):
        total = 0
        for action in range(4):
            other = mouse.Mice(mice.maze, mice.states, mice.actions.copy())
            rows = np.flatnonzero(~training)
            other.actions[rows, 50] = action
            total = total + np.exp(mouse.cloning(other, training, memory, 2.0)[rows, 49])
        np.testing.assert_allclose(total, 1)


def test_forecasts_count_visits_like_a_simulation():
    env, family = labyrinth.build(SMALL, DISCOUNT), labyrinth.MazeRewards(SMALL.n_nodes)
    theta = np.random.default_rng(7).standard_normal(family.dim)
    agent = ii.agents.SoftOptimal(family, theta)
    seen = agent.demonstrate(env, episodes=4000, horizon=12, seed=0)
    simulated = np.bincount(seen.states[:, :12].ravel(), minlength=env.n_states) / 4000
    expected = mouse.expected_visits(env, agent.policy(env), 12)
    assert expected.sum() == pytest.approx(12)
    np.testing.assert_allclose(simulated, expected, atol=5 * 12 / np.sqrt(4000) / 2)
    information = mouse.future_information(env, family, theta, 12)
    counted = fisher_information([(env, expected[:, None] * agent.policy(env))], family, theta)
    np.testing.assert_allclose(information, counted)


# the file


def bump_at(node):
    return int(np.flatnonzero(~SMALL.possible[node])[0])


def test_without_data_the_study_says_where_they_are(tmp_path):
    with pytest.raises(DataMissing, match=r"eLife 10:e66175.*SWIRL"):
        study.tasks(Settings(quick=True))
    with pytest.raises(DataMissing, match=r"mice\.npz is not there"):
        study.tasks(Settings(quick=True, data=tmp_path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["states"].__setitem__((3, 7), 9), r"states\[3, 7\] is 9: should be from 0 to 6"),
        (lambda d: d["actions"].__setitem__((2, 1), -1), r"actions\[2, 1\] is -1"),
        (lambda d: d["next_state"].__setitem__((1, 0), 4), r"next_state\[1, 0\] is 4: should be 3"),
        (lambda d: d.__setitem__("states", np.roll(d["states"], 1, axis=1)), r"states\[0, \d+\] is \d+: action"),
        (lambda d: d.__setitem__("states", d["states"] * 1.0), "whole numbers"),
        (lambda d: d.__setitem__("actions", d["actions"][:, 1:]), "shape of states"),
        (lambda d: d.__setitem__("next_state", d["next_state"][:5]), r"shape \(2 \*\*"),
        (lambda d: d.pop("actions"), "has no actions"),
        (lambda d: d["actions"].__setitem__((4, -1), bump_at(d["states"][4, -1])), r"actions\[4, 99\] is \d: a bump"),
    ],
)
def test_a_damaged_file_is_refused_by_name(data, tmp_path, change, message):
    with np.load(data / "labyrinth" / "mice.npz") as found:
        arrays = {name: found[name] for name in found.files}
    change(arrays)
    np.savez(tmp_path / "mice.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        mouse.read(tmp_path / "mice.npz")


def test_recordings_are_runs_of_trajectories_that_continue(mice):
    labels = mice.recording
    assert labels[0] == 0
    assert set(np.diff(labels)) <= {0, 1}
    for group in range(5):
        assert len(set(labels[8 * group : 8 * group + 8])) == 1, "cuts of one walk"
    np.testing.assert_array_equal(np.flatnonzero(mice.held_out), np.arange(0, 40, 5))


# the study

MODELS = (
    "uniform",
    "uniform, no bumps",
    "cloning, 1 node",
    "soft-optimal, turns",
    "soft-optimal, places, home, bumps",
    "noisy, places, home, bumps",
)


@pytest.fixture(scope="module")
def finished(data):
    planned = study.tasks(Settings(quick=True, data=data))
    kept = [
        {**task, "replicates": 3} if task["part"] == "objective" else task
        for task in planned
        if task.get("model", MODELS[0]) in MODELS and task.get("discount", 0.95) in (0.5, 0.95)
    ]
    return pd.concat([pd.DataFrame(study.run(task)) for task in kept], ignore_index=True)


def test_the_study_orders_models_as_the_truth_does(finished, mice):
    models = study.summarise(finished)["models"]
    scores = {row["model"]: row["held_out"] for row in models["listed"]}
    assert models["trajectories"] == mice.held_out.sum()
    memory = labyrinth.remembered(SMALL, DISCOUNT)
    family = labyrinth.turn_rewards(SMALL, memory)
    place = mouse.world(mice, "turns", DISCOUNT)
    policy = planning.soft(memory.env, family.reward(memory.env, turns_objective(memory, family))).log_policy
    truth = place.scored(policy)[mice.held_out].mean()
    assert abs(scores["soft-optimal, turns"] - truth) < 0.02
    for worse in ("soft-optimal, places, home, bumps", "cloning, 1 node", "noisy, places, home, bumps", "uniform"):
        assert scores[worse] < truth - 0.05
    assert scores["uniform"] == pytest.approx(-np.log(4))


def test_the_study_says_what_is_open_and_draws(finished):
    from irl_ident import figures

    summary = study.summarise(finished)
    opened = {(row["family"], row["from"]): row["open"] for row in summary["open"]}
    assert opened["places", "maze"] == 0
    assert opened["state-action", "maze"] == SMALL.n_nodes - 1
    assert opened["places, home, bumps, water", "maze"] == 1
    assert summary["corridors"]["closed"] == [1]
    assert max(row["range_of_log_likelihood"] for row in summary["discount"].values()) < 1e-3
    with figures.style():
        figure = study.draw(finished, summary)
        figure.canvas.draw()
    assert len(figure.axes) == 7
