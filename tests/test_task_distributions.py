"""The rules of bandit_tasks and mdp_tasks, one by one, and the learners for random MDPs."""

import numpy as np
import pytest

from environments import bandit_tasks, mdp_tasks
from irl_ident import Environment, planning
from irl_ident.agents.bandits import UniformLearner
from irl_ident.agents.learners import play
from irl_ident.agents.model_based import Experience, MeanModel, PosteriorSampling, backward_induction
from studies import _meta_table as table

N = 20_000


def rng(seed=0):
    return np.random.default_rng(seed)


def near(found, expected, spread, n=N):
    """Within four standard errors of a mean of ``n`` draws of that standard deviation."""
    np.testing.assert_allclose(found, expected, atol=4 * spread / np.sqrt(n))


def test_bernoulli_arms_are_uniform_and_independent_and_pay_as_often_as_they_say():
    tasks = bandit_tasks.bernoulli(N, 3, rng())
    near(tasks.probabilities.mean(axis=0), 0.5, np.sqrt(1 / 12))
    near((tasks.probabilities**2).mean(axis=0), 1 / 3, 0.3)
    near(np.corrcoef(tasks.probabilities.T)[np.triu_indices(3, 1)], 0, 1)
    fixed = bandit_tasks.BernoulliBandits(np.tile([0.2, 0.9], (N, 1)))
    for arm, p in enumerate([0.2, 0.9]):
        rewards, following = fixed.step(fixed.begin(rng()), np.full(N, arm), rng(1))
        assert set(np.unique(rewards)) == {0.0, 1.0}
        assert not following.any()
        near(rewards.mean(), p, np.sqrt(p * (1 - p)))


@pytest.mark.parametrize(("difficulty", "low"), [("easy", 0.1), ("medium", 0.25), ("hard", 0.4)])
def test_dependent_arms_sum_to_one_and_take_two_values_evenly(difficulty, low):
    p = bandit_tasks.dependent(N, difficulty, rng()).probabilities
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-15)
    assert (np.isclose(p, low) | np.isclose(p, 1 - low)).all()
    near(np.isclose(p[:, 0], low).mean(), 0.5, 0.5)


def test_dependent_uniform_arms_are_uniform():
    p = bandit_tasks.dependent(N, "uniform", rng()).probabilities
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-15)
    near(np.histogram(p[:, 0], bins=4, range=(0, 1))[0] / N, 0.25, 0.45)


def test_the_eleventh_arm_tells_the_target_which_pays_five():
    tasks = bandit_tasks.informative(500, rng())
    paid = np.stack(
        [
            bandit_tasks.INFORMATIVE_PAYOUTS[tasks.step(tasks.begin(rng()), np.full(500, arm), rng())[0]]
            for arm in range(11)
        ],
        axis=1,
    )
    target = paid[:, :10].argmax(axis=1)
    np.testing.assert_allclose(paid[:, 10], (target + 1) / 10)
    assert (np.sort(paid[:, :10], axis=1) == [*[1.0] * 9, 5.0]).all()
    assert set(target) == set(range(10))


def test_tokens_come_as_often_as_their_flat_dirichlet_probabilities_say():
    tasks = bandit_tasks.tokens(N, rng())
    p = tasks.distributions
    near(p.mean(axis=0), 1 / 3, np.sqrt(1 / 18))
    near((p**2).mean(axis=0), 1 / 6, 0.2)
    fixed = bandit_tasks.TokenBandits(np.tile([[0.5, 0.2, 0.3], [0.0, 1.0, 0.0]], (N, 1, 1)))
    shown = fixed.step(fixed.begin(rng()), np.zeros(N, dtype=int), rng(1))[0]
    near(np.bincount(shown, minlength=3) / N, [0.5, 0.2, 0.3], 0.5)
    assert (fixed.step(fixed.begin(rng()), np.ones(N, dtype=int), rng(1))[0] == 1).all()


def test_an_absent_token_is_never_shown_and_the_rest_is_flat():
    p = bandit_tasks.tokens(N, rng(), absent=1).distributions
    assert (p[:, :, 1] == 0).all()
    near(np.histogram(p[:, 0, 0], bins=4, range=(0, 1))[0] / N, 0.25, 0.45)


@pytest.mark.parametrize("agreement", [0.0, 0.5, 0.8, 1.0])
def test_cues_name_the_better_arm_as_often_as_they_agree(agreement):
    objective = np.array([1, 0.3, 0])
    tasks = bandit_tasks.cued(N, objective, agreement, rng())
    better = (tasks.distributions @ objective).argmax(axis=1)
    near((tasks.cues == better).mean(), agreement, np.sqrt(agreement * (1 - agreement)))
    seen = tasks.begin(rng())
    np.testing.assert_array_equal(seen, tasks.cues)
    np.testing.assert_array_equal(tasks.step(seen, np.zeros(N, dtype=int), rng())[1], tasks.cues)


def test_random_mdps_are_drawn_as_published():
    tasks = mdp_tasks.random_mdps(400, rng())
    assert tasks.means.shape == (400, 10, 5)
    assert tasks.episode == 10
    near(tasks.means.mean(), 1, 1, tasks.means.size)
    near(tasks.means.var(), 1, np.sqrt(2), tasks.means.size)
    first = tasks.transitions[..., 0]
    near(first.mean(), 0.1, 0.09, first.size)
    near((first**2).mean(), 2 / 110, 0.04, first.size)
    assert not tasks.begin(rng()).any()


def test_steps_of_an_mdp_follow_its_tables():
    one = mdp_tasks.random_mdps(1, rng(3))
    tasks = mdp_tasks.RandomMDPs(np.repeat(one.means, N, axis=0), np.repeat(one.transitions, N, axis=0))
    rewards, following = tasks.step(np.full(N, 4), np.full(N, 2), rng(1))
    near(rewards.mean(), one.means[0, 4, 2], 1)
    near(rewards.std(), 1, 0.8)
    near(np.bincount(following, minlength=10) / N, one.transitions[0, 4, 2], 0.5)


def test_tasks_that_are_none_are_named():
    for build, message in [
        (lambda: bandit_tasks.BernoulliBandits(np.array([[1.2]])), "probabilities"),
        (lambda: bandit_tasks.TokenBandits(np.ones((1, 2, 3))), "distributions"),
        (lambda: bandit_tasks.TokenBandits(np.full((2, 2, 2), 0.5), np.zeros(3, dtype=int)), "cues: has shape"),
        (lambda: bandit_tasks.dependent(2, "impossible", rng()), "difficulty: was 'impossible'"),
        (lambda: bandit_tasks.tokens(2, rng(), absent=3), "absent: was 3"),
        (lambda: bandit_tasks.cued(2, np.ones(3), 1.5, rng()), "agreement: was 1.5"),
        (lambda: mdp_tasks.RandomMDPs(np.zeros((1, 2, 2)), np.zeros((1, 2, 2, 3))), "transitions: has shape"),
        (lambda: mdp_tasks.RandomMDPs(np.zeros((1, 2, 2)), np.zeros((1, 2, 2, 2))), "transitions: should sum"),
    ]:
        with pytest.raises(ValueError, match=message):
            build()


def test_backward_induction_goes_to_the_discounted_values_of_the_librarys_planner():
    """With a step that ends everything with probability .1, a long horizon has the values of discount .9."""
    one = mdp_tasks.random_mdps(1, rng(5))
    means, moves = one.means[0], one.transitions[0]
    ending = np.zeros((11, 5, 11))
    ending[:10, :, :10], ending[:10, :, 10], ending[10, :, 10] = 0.9 * moves, 0.1, 1
    long = backward_induction(np.vstack([means, np.zeros((1, 5))]), ending, 400)[0]
    plan = planning.optimal(Environment(moves, 0.9), means)
    np.testing.assert_allclose(long[:10], plan.q, rtol=1e-8)


def test_backward_induction_is_what_trying_all_plans_gives():
    """Two steps, three states, two actions: the best of all plans, one by one."""
    tasks = mdp_tasks.random_mdps(2, rng(1), states=3, actions=2)
    found = backward_induction(tasks.means, tasks.transitions, 2)
    for task in range(2):
        means, moves = tasks.means[task], tasks.transitions[task]
        for state in range(3):
            for action in range(2):
                best = means[state, action] + moves[state, action] @ np.maximum(means[:, 0], means[:, 1])
                np.testing.assert_allclose(found[0, task, state, action], best, rtol=1e-12)
    np.testing.assert_allclose(found[1], tasks.means, rtol=1e-15)


def test_the_posterior_is_that_of_bayes_rule():
    """A normal mean with prior N(1, 1) after two rewards with noise of variance 1, on a grid; counts as they are."""
    learner = MeanModel(n_actions=1, n_states=2, steps=5)
    memory = learner.begin(1, rng())
    for reward in (3.0, 2.0):
        zero = np.zeros(1, dtype=int)
        memory = learner.updated(memory, zero, zero, np.array([reward]), np.array([1]))
    grid = np.linspace(-8, 10, 20_001)
    weight = np.exp(-((grid - 1) ** 2 + (3 - grid) ** 2 + (2 - grid) ** 2) / 2)
    np.testing.assert_allclose(memory.reward_means[0, 0, 0], (grid * weight).sum() / weight.sum(), rtol=1e-6)
    np.testing.assert_array_equal(memory.counts[0, :, 0], [[0, 2], [0, 0]])
    assert memory.reward_means[0, 1, 0] == 1


def test_posterior_draws_have_the_posteriors_moments():
    """One step to go: the policy is the best drawn reward, which is as often an action's as the normals say."""
    n = 20_000
    counts, rewards = np.zeros((n, 1, 2, 1)), np.zeros((n, 1, 2))
    counts[:, 0, 0, 0], rewards[:, 0, 0] = 3, 5.0
    learner = PosteriorSampling(n_actions=2, n_states=1, steps=1)
    plan = learner.plan(Experience(counts, rewards, np.zeros((n, 1, 1, 2)), 0, rng(), 1.0))
    # mean rewards N(6/4, 1/4) against N(1, 1): the first is larger with probability Phi(.5 / sqrt(1.25))
    near(plan[:, 0, 0, 0].mean(), 0.6726396, 0.47, n)


PUBLISHED = [  # Duan et al. (2016), table 2, means of 1,000 MDPs
    (UniformLearner(5), 10, 100.1),
    (PosteriorSampling(prior_mean=0.0), 10, 138.1),
    (MeanModel(prior_mean=0.0, bonus=20.0), 10, 150.2),
    (MeanModel(prior_mean=0.0), 25, 368.8),
]


@pytest.mark.parametrize(("learner", "episodes", "published"), PUBLISHED)
def test_published_means_are_met_with_a_prior_mean_of_0(learner, episodes, published):
    totals = play(learner, mdp_tasks.random_mdps(1000, rng(1)), 10 * episodes, seed=3).totals
    error = totals.std() / np.sqrt(1000)
    assert abs(totals.mean() - published) < 3 * np.sqrt(2) * error


def test_the_true_prior_is_worth_a_lot_to_a_greedy_learner():
    """Table 2 has 134.8 for greedy: far below what it earns when told that mean rewards are 1 on average."""
    tasks = mdp_tasks.random_mdps(300, rng(1))
    told, not_told = (play(MeanModel(prior_mean=mean), tasks, 100, seed=3).totals for mean in (1.0, 0.0))
    gained = told - not_told
    assert gained.mean() > 10 > 4 * gained.std() / np.sqrt(300)


def test_many_draws_are_optimistic_and_epsilon_spreads():
    memory = MeanModel().begin(30, rng())
    spread = MeanModel(epsilon=0.2).plan(memory)
    np.testing.assert_allclose(spread, 0.2, rtol=1e-12)  # nothing is known, all actions are equal
    with pytest.raises(ValueError, match="epsilon: was 2"):
        MeanModel(epsilon=2)
    with pytest.raises(ValueError, match="draws: was 0"):
        PosteriorSampling(draws=0)


def test_learners_of_mdps_end_up_near_the_optimum_of_a_small_one():
    """Two states, two actions, fifty episodes: the last ten earn within a tenth of the best that can be done."""
    tasks = mdp_tasks.random_mdps(300, rng(2), states=2, actions=2)
    best = backward_induction(tasks.means, tasks.transitions, 10)[0].max(axis=2)[:, 0].mean()
    for learner in (PosteriorSampling(2, 2), MeanModel(2, 2, bonus=2.0)):
        played = play(learner, tasks, 500, seed=1)
        late = played.outcomes[:, 400:].sum(axis=1).mean() / 10
        assert late > best - 0.1 * abs(best)
        assert late < best + 4 * played.outcomes[:, 400:].sum(axis=1).std() / 10 / np.sqrt(300)


def test_cells_of_the_table_are_rows_with_published_figures_beside_ours():
    cells = table.cells(quick=True, tasks=300, seed=1)
    assert len(cells) == len({str(cell) for cell in cells}) == 8 * 5 + 5
    wanted = [cell for cell in cells if cell.get("pulls") == 10 and cell["arms"] == 5]
    rows = {row["learner"]: row for row in map(table.run_cell, wanted)}
    assert rows["random"]["published"] == 5.0
    assert abs(rows["random"]["mean"] - 5) < 4 * rows["random"]["standard_error"]
    assert rows["Thompson"]["mean"] < rows["optimistic Thompson"]["mean"]
    assert rows["UCB1"]["parameter"] in table.TUNED["UCB1"]
    assert rows["greedy"]["optimum"] == pytest.approx(6.65998787)
    assert table.run_cell(wanted[0]) == pytest.approx(rows[wanted[0]["learner"]], nan_ok=True)


def test_rows_with_the_wrong_prior_have_a_name_of_their_own():
    cells = [cell for cell in table.cells(quick=True, tasks=20, seed=1) if cell["learner"] == "greedy"]
    names = [table.run_cell(cell)["learner"] for cell in cells if cell["kind"] == "mdp"]
    assert names == ["greedy", "greedy, prior mean 0"]


def test_published_tables_are_whole():
    assert {len(row) for row in table.PUBLISHED_BANDITS.values()} == {len(table.BANDIT_COLUMNS)}
    assert {len(row) for row in table.PUBLISHED_MDPS.values()} == {len(table.MDP_COLUMNS)}
    full = table.cells(quick=False, tasks=10, seed=0)
    assert len(full) == 8 * 9 + 13 * 5


def test_training_from_scratch_gives_its_curve_and_its_test():
    rows = table.train_from_scratch(3, iterations=4, tasks=500)
    assert [row["iteration"] for row in rows] == [0, 1, 2, 3]
    assert abs(rows[0]["mean"] - 5) < 0.4  # at random
    assert 4.5 < rows[0]["tested"] < rows[0]["optimum"] + 4 * rows[0]["standard_error"]
