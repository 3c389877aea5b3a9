"""The conformance suite finds out solvers that are wrong, each in the way in which it is wrong."""

import numpy as np
import pytest

import irl_ident as ii
from irl_ident import builders, conformance
from irl_ident.identified.soft_likelihood import maximum_likelihood
from irl_ident.solvers import reading


def likelihood(evidence, family):
    data = [(env, reading.weights(env, seen)) for env, seen in reading.checked(evidence, family)]
    return maximum_likelihood(data, family).theta


def middle(evidence, family):
    return ii.identify(evidence, family).center()


def altered(change):
    def fit(evidence, family):
        return likelihood([(change(env), seen) for env, seen in evidence], family)

    return fit


@pytest.mark.parametrize(("solver", "rationality"), [(likelihood, "soft"), (middle, "optimal")])
def test_exact_solvers_pass(solver, rationality):
    found = conformance.check(solver, rationality)
    assert found.passed, str(found)
    for name in ("member", "several", "discount", "shaping"):
        assert found.outcome(name) == "passed"


def test_a_discount_of_its_own_is_found_out():
    found = conformance.check(altered(lambda env: builders.discounted(env, 0.85)), "soft")
    assert found.outcome("discount") == "failed"


def test_a_discount_of_its_own_is_found_out_among_solvers_for_optimal_agents():
    found = conformance.check(
        lambda evidence, family: middle([(builders.discounted(env, 0.99), seen) for env, seen in evidence], family)
    )
    assert found.outcome("discount") == "failed"


def test_looking_at_one_environment_only_is_found_out():
    found = conformance.check(lambda evidence, family: likelihood(evidence[:1], family), "soft")
    assert (found.outcome("member"), found.outcome("several")) == ("passed", "failed")


def test_the_first_discount_for_all_environments_is_found_out():
    def fit(evidence, family):
        discount = evidence[0][0].discount
        return middle([(builders.discounted(env, discount), seen) for env, seen in evidence], family)

    found = conformance.check(fit)
    assert (found.outcome("member"), found.outcome("several")) == ("passed", "failed")


def test_answers_to_degenerate_evidence_alone_are_not_enough():
    def fit(evidence, family):
        if isinstance(evidence[0][1], np.ndarray):
            raise ValueError("evidence: is too rich")
        return np.zeros(family.dim)

    found = conformance.check(fit)
    assert {"passed", "refused"} == {each.outcome for each in found.checks}
    assert not found.passed


def test_other_temperatures_are_found_out():
    assert conformance.check(likelihood, "soft", temperature=0.5).outcome("member") == "failed"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda evidence, family: np.full(family.dim, np.nan), "not finite"),
        (lambda evidence, family: np.zeros(family.dim + 1), "shape"),
        (lambda evidence, family: 1 / 0, "ZeroDivisionError"),
        (lambda evidence, family: [[1], [1, 2]], "no array of numbers"),
        (lambda evidence, family: "best", "no array of numbers"),
    ],
)
def test_answers_that_are_none_fail_with_a_reason(answer, words):
    found = conformance.check(answer)
    assert not found.passed
    assert all(each.outcome == "failed" and words in each.words for each in found.checks)


def test_the_reward_that_explains_everything_is_no_member():
    found = conformance.check(lambda evidence, family: np.ones(family.dim))
    assert found.outcome("member") == "failed"


def test_many_choices_stand_for_a_policy():
    rough, fine = (conformance.check(likelihood, "soft", choices=n, allowed=1e-4) for n in (100, 10_000_000))
    assert rough.outcome("member") == "failed"
    assert fine.passed, str(fine)


def test_refusals_are_neither_passed_nor_failed():
    def shy(evidence, family):
        raise ValueError("family: is not for me")

    found = conformance.check(shy)
    assert {each.outcome for each in found.checks} == {"refused"}
    assert not found.passed
    assert "is not for me" in str(found)


def test_delays_pin_down_a_ratio_that_depends_on_the_discount():
    for discount, waits in zip(conformance.DISCOUNTS, (1, 3, 6), strict=True):
        env, family = conformance.delays(discount)
        shown = ii.agents.Optimal(family, np.array([1.0, 2.0])).policy(env)
        assert shown[:8, 1].sum() == waits
        for ratio in np.linspace(1, 4, 31):
            expected = (discount ** np.arange(1, 9) * ratio > 1).sum() == waits
            assert ii.identify([(env, shown)], family).contains([1.0, ratio]) == expected


def test_no_choices_are_refused():
    with pytest.raises(ValueError, match="choices"):
        conformance.check(likelihood, "soft", choices=0)


@pytest.mark.parametrize(("solver", "rationality"), [(3, "optimal"), (likelihood, "perfect")])
def test_what_is_no_solver_or_no_rationality_is_refused(solver, rationality):
    with pytest.raises(ValueError, match="should"):
        conformance.check(solver, rationality)
