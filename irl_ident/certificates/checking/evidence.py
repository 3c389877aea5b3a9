"""The marks of the evidence: which actions of the observed environments are shown, and which are worse."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from irl_ident.certificates.checking.decimals import Vector
from irl_ident.certificates.checking.evalues import Powers, reaches
from irl_ident.certificates.checking.model import SUM_TOLERANCE, Environment
from irl_ident.certificates.checking.reading import Place
from irl_ident.certificates.checking.statement import Agent, Statement

ABOVE = 1 + Fraction(1, 10**9)
"""A probability that exceeds that of an error by no more than this is that of an error."""


@dataclass(frozen=True)
class Marks:
    """Rows of actions that are shown, and that are worse, in one environment."""

    shown: set[int]
    worse: set[int]


def marks(statement: Statement) -> dict[int, Marks]:
    """The marks of each observed environment, by its number."""
    found: dict[int, Marks] = {}
    meant: dict[int, list[Marks]] = {}
    betting: dict[int, _Bets] = {}
    for place in statement.evidence.items():
        keys = "probabilities shows" if _kind(place) == "policy" else "counts"
        given = place.fields(f"environment kind {keys}")
        number = given["environment"].whole(len(statement.environments))
        env = statement.environments[number]
        meant.setdefault(number, [])
        if "counts" not in given:
            meant[number].append(_policy(given, env, statement.agent))
        elif statement.agent.error is None:
            table = _counts(given["counts"], env)
            meant[number].append(Marks(_with_twins(env, {row for row, m in enumerate(table) if m}), set()))
        else:
            if number not in betting:
                betting[number] = _Bets(env, statement.agent, list(meant).index(number) + 1)
            meant[number].append(betting[number].after(given["counts"]))
    for number, kept in meant.items():
        shown = set().union(*(part.shown for part in kept))
        worse = set().union(*(part.worse for part in kept))
        found[number] = Marks(_with_twins(statement.environments[number], shown), worse)
    return found


def _kind(place: Place) -> str:
    kind = place.value.get("kind") if isinstance(place.value, dict) else None
    return Place(kind, f"{place.path}/kind").word("policy", "counts")


def _policy(given: dict[str, Place], env: Environment, agent: Agent) -> Marks:
    place = given["probabilities"]
    table = place.table(env.n_states, env.n_actions)
    observed = [state for state in range(env.n_states) if _observed(place, env, table, state)]
    slip = Fraction(0) if agent.error is None else agent.error / env.n_actions * ABOVE
    shown = _with_twins(env, {row for row, p in enumerate(table.entries) if p > slip * table.scale})
    if given["shows"].word("all", "some") == "some":
        return Marks(shown, set())
    return Marks(shown, {row for state in observed for row in env.rows(state)} - shown)


def _observed(place: Place, env: Environment, table: Vector, state: int) -> bool:
    entries = [table.entries[row] for row in env.rows(state)]
    if min(entries) < 0 or (any(entries) and abs(Fraction(sum(entries), table.scale) - 1) > SUM_TOLERANCE):
        place.fail(f"row {state} should hold probabilities that sum to 1, or 0 alone")
    return any(entries)


def _counts(place: Place, env: Environment) -> list[int]:
    table = place.table(env.n_states, env.n_actions)
    if any(entry < 0 or entry % table.scale for entry in table.entries):
        place.fail("should hold whole numbers of at least 0")
    return [entry // table.scale for entry in table.entries]


def _with_twins(env: Environment, shown: set[int]) -> set[int]:
    """Also rows that are the same as one of ``shown`` in their state, and all of states whose rows are all the same."""
    found = set(shown)
    for state in range(env.n_states):
        classes = env.alike(state)
        found.update(row for rows in classes if len(classes) == 1 or not shown.isdisjoint(rows) for row in rows)
    return found


class _Bets:
    """The counts of an environment that was the ``place``-th to appear, as they add up, and what is betted on them."""

    def __init__(self, env: Environment, agent: Agent, place: int) -> None:
        error, level = agent.error or Fraction(0), agent.level or Fraction(1)
        self.env, self.even, self.error = env, agent.even, error
        self.slip = error / env.n_actions
        self.goal = place * (place + 1) * env.n_states * env.n_actions / level
        self.counts = [0] * (env.n_states * env.n_actions)
        self.decided: dict[tuple[bool, int, int], bool | None] = {}

    def after(self, place: Place) -> Marks:
        """What is marked after more counts."""
        self.counts = [old + new for old, new in zip(self.counts, _counts(place, self.env), strict=True)]
        found = Marks(set(), set())
        for state in range(self.env.n_states):
            n = sum(self.counts[row] for row in self.env.rows(state))
            for row in self.env.rows(state):
                if self._decided(place, True, self.counts[row], n):
                    found.shown.add(row)
                if self.even and self.env.n_actions > 1 and self._decided(place, False, self.counts[row], n):
                    found.worse.add(row)
        return found

    def _decided(self, place: Place, optimal: bool, m: int, n: int) -> bool:
        key = optimal, m, n
        if key not in self.decided:
            self.decided[key] = self._optimal(m, n) if optimal else self._worse(m, n)
        found = self.decided[key]
        if found is None:
            place.fail(f"{m} of {n} choices are too close to the threshold to be decided")
        return found

    def _optimal(self, m: int, n: int) -> bool | None:
        """Whether E reaches the threshold.

        It is at most 1 where no more was taken than errors take, and never more than with the best chance, m / n.
        """
        if self.error == 0:
            return m > 0
        if m <= n * self.slip:
            return False
        share = Fraction(m, n)
        if reaches([[(share / self.slip, m), ((1 - share) / (1 - self.slip), n - m)]], self.goal) is False:
            return False
        terms: list[Powers] = []
        for k in range(1, self.env.n_actions + 1):
            chance = (1 - self.error) / k + self.slip
            terms.append([(chance / self.slip, m), ((1 - chance) / (1 - self.slip), n - m)])
        return reaches(terms, self.goal * self.env.n_actions)

    def _worse(self, m: int, n: int) -> bool | None:
        """Whether E' reaches the threshold; it is at most 1 where as much was taken as of an optimal action."""
        n_actions = self.env.n_actions
        if m * n_actions >= n:
            return False
        return reaches([[(self.error, m), ((n_actions - self.error) / (n_actions - 1), n - m)]], self.goal)
