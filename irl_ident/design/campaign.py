"""The campaign: choose an environment, observe, update the identified set, stop.

Underneath it asks and is told, so that whoever runs the experiments can take their time: :meth:`Campaign.ask` says
which environment to try, :meth:`Campaign.tell` takes what was seen there, or anywhere else.  :meth:`Campaign.run`
does both with an agent that is at hand.  With a journal, a campaign that was interrupted anywhere goes on to the same
result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy.typing as npt

from irl_ident.design import journal as journals
from irl_ident.design.behaviour import checked_thetas
from irl_ident.design.choosing import choices
from irl_ident.design.families.base import EnvironmentFamily
from irl_ident.design.families.search import Search
from irl_ident.design.stopping import Rule, State, exhausted, identified
from irl_ident.design.strategies.base import Strategy
from irl_ident.design.table import Decision, Question, Table
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Policy
from irl_ident.identified import anything, identify
from irl_ident.rewards import RewardFamily

if TYPE_CHECKING:
    import pandas as pd

    from irl_ident.identified.base import Assumed, IdentifiedSet, Metric
    from irl_ident.identified.confidence.statements import Ties


class CampaignOver(RuntimeError):
    """Raised by :meth:`Campaign.ask` when the campaign has stopped; says why."""


class Behaves(Protocol):
    """Anything with a policy in every environment."""

    def policy(self, env: Environment) -> Array:
        """Probabilities (S, A)."""
        ...


class Campaign:
    """A sequence of experiments.

    Parameters
    ----------
    candidates : sequence of C Environment, or EnvironmentFamily
        Those that the strategy may choose; all with the same states and actions.  A family is searched for the largest
        score per price.
    strategy : Strategy
        The candidate with the largest score is asked for.  Ties (within 1e-12) go to the one observed least often,
        then to the lowest position.
    family : RewardFamily
        In which the objective is looked for.
    rationality : {"optimal", "soft", "noisy"}
    temperature : float
        Of soft behaviour.
    error, level, ties
        Of agents that err and of sampled behaviour, as for :func:`irl_ident.identify`: with a ``level``, whatever the
        campaign says of the objective at any time is right with probability at least ``1 - level``.
    until : Rule, optional
        When to stop; ``identified() | exhausted()`` when not given.  Contradictory evidence always stops.
    journal : str or Path, optional
        Every step is written there at once.  When the file exists, the campaign goes on from it; it must be the journal
        of the same candidates, strategy, family and assumptions about the agent.
    reference : array (N, d), optional
        Objectives of which the table counts the share that is still consistent; ``REFERENCE`` draws from the set of
        all rewards of the family when not given.  For soft agents without a ``level`` that share is 0 once anything was
        seen, unless the reference holds the truth.
    metric : {"canonical", "linf", "l2"}
        Of the diameters in the table.
    search : Search, optional
        How a family is searched; :class:`~irl_ident.design.families.search.LocalSearch` when not given.

    Raises
    ------
    ValueError
        For candidates that do not go together, and for journals of something else, with file, line and what differs.
    """

    def __init__(
        self,
        candidates: Sequence[Environment] | EnvironmentFamily,
        strategy: Strategy,
        family: RewardFamily,
        rationality: Assumed = "optimal",
        temperature: float = 1.0,
        *,
        error: float | None = None,
        level: float | None = None,
        ties: Ties = "any",
        until: Rule | None = None,
        journal: str | Path | None = None,
        reference: npt.ArrayLike | None = None,
        metric: Metric = "canonical",
        search: Search | None = None,
    ) -> None:
        self._choices = choices(candidates, strategy, search)
        self.candidates = self._choices.candidates
        self.strategy = strategy
        self.family = family
        self.rationality: Assumed = rationality
        self.temperature = float(temperature)
        self._assumed: dict[str, Any] = {
            "rationality": rationality,
            "temperature": self.temperature,
            "error": error,
            "level": level,
            "ties": ties,
        }
        self.until = identified() | exhausted() if until is None else until
        self.metric: Metric = metric
        for env in self._choices.examples:
            family.matrix(env)
        given = None if reference is None else checked_thetas("reference", reference, family)
        self._start = State(anything(family, **self._assumed), self.candidates, None, self._choices.places)
        self._table = Table(self._start.ident, given, self.metric, self._choices.size)
        self._decisions: list[Decision] = []
        self._question: Question | None = None
        self._journal: journals.Journal | None = None
        if journal is not None:
            setting = journals.setting(self._choices.setting, strategy, family, **self._assumed)
            self._journal = journals.Journal(journal, setting)
            for line, record in enumerate(self._journal.records, 2):
                self._replay(record, f"{self._journal.path}, line {line}")

    @property
    def state(self) -> State:
        """Where the campaign stands."""
        return self._decisions[-1].state if self._decisions else self._start

    @property
    def ident(self) -> IdentifiedSet:
        """What is known of the objective now."""
        return self.state.ident

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """All observations so far."""
        return tuple(self._decisions)

    @property
    def question(self) -> Question | None:
        """What was asked and not answered yet."""
        return self._question

    @property
    def stopped_because(self) -> str:
        """Why the campaign is over, in words; empty while it is not."""
        return self._reason(self.state)

    def ask(self) -> Environment:
        """Which environment to try next; the same one until :meth:`tell` is called.

        Raises
        ------
        CampaignOver
            When the campaign has stopped.
        ValueError
            When the strategy gives anything but one finite score for each candidate.
        """
        if self._question is None:
            reason = self.stopped_because
            if reason:
                raise CampaignOver(f"the campaign is over: {reason}")
            began = time.perf_counter()
            question = self._choices.choose(self.ident)
            if self._journal is not None:
                self._journal.append(
                    {
                        "kind": "ask",
                        "step": len(self._decisions),
                        **self._choices.entry(question),
                        "seconds": time.perf_counter() - began,
                    }
                )
            self._question = question
        return self._question.environment

    def tell(self, env: Environment, observation: Any) -> None:
        """Take what was seen in ``env``, whether it was asked for or not.

        Parameters
        ----------
        env : Environment
        observation : array (S, A), Policy, Trajectories or Counts
            See :mod:`irl_ident.evidence`.

        Raises
        ------
        ValueError
            When this is not an observation of ``env``; the campaign stays as it was.
        """
        ident = identify([*self.ident.evidence, (env, observation)], self.family, **self._assumed)
        decision = self._decision(env, ident)
        _ = ident.conflict
        if self._journal is not None:
            document = journals.seen(*ident.evidence[-1])
            step = len(self._decisions)
            self._journal.append({"kind": "tell", "step": step, "environment": env.digest, "seen": document})
        self._decisions.append(decision)
        self._question = None

    def run(self, agent: Behaves) -> str:
        """Ask and tell with an agent until the campaign stops.

        Progress is shown when the standard error stream is a terminal.  An interrupt leaves the campaign as it was
        after the last whole step.

        Parameters
        ----------
        agent : anything with ``policy(env)``

        Returns
        -------
        str
            Why it ended.  That is ``stopped_because``, or that the strategy asks again for an environment in which
            the whole policy was told already.
        """
        with _progress(self.until) as advance:
            while not self.stopped_because:
                env = self.ask()
                if self._whole_policy_known(env):
                    return "every candidate that the strategy asks for has shown its whole policy already"
                self.tell(env, agent.policy(env))
                advance(len(self._decisions))
        return self.stopped_because

    @property
    def table(self) -> pd.DataFrame:
        """One row for each observation, in order.

        ======================  ========================================================================================
        step                    1, 2, ...
        environment             position among the candidates, or index in the family; -1 for another environment
        digest                  first 12 digits of the environment's digest
        asked                   the same of the candidate that had been asked for; -1 when none had
        score                   of the environment, when it was asked for
        dimension               of the identified set after the observation; missing when it is empty
        diameter_lower, _upper  certified bounds; missing when it is empty
        consistent_share        share of the reference that was consistent with all observations so far
        stopped_because         empty, unless the campaign could stop here
        price, scored,          of the question, where a family is searched: price of the environment, number of those
        exhaustive              scored, and whether none of the family is better
        ======================  ========================================================================================
        """
        return self._table.frame(self.decisions, self._reason)

    def _reason(self, state: State) -> str:
        if state.ident.conflict is not None:
            return f"contradiction: {state.ident.conflict.explanation}"
        return self.until.reason(state) if self.until.met(state) else ""

    def _decision(self, env: Environment, ident: IdentifiedSet) -> Decision:
        asked, places = self._question, self._choices.places
        state = State(ident, self.candidates, self.state, places)
        if asked is not None and asked.environment.digest == env.digest:
            return Decision(asked, env, asked.candidate, state)
        return Decision(asked, env, places.get(env.digest, (-1,))[0], state)

    def _whole_policy_known(self, env: Environment) -> bool:
        return any(
            seen.digest == env.digest and isinstance(observation, Policy) and observation.shows == "all"
            for seen, observation in self.ident.evidence
        )

    def _replay(self, record: journals.Record, place: str) -> None:
        """Take one step from the journal, without writing it again."""
        try:
            if record["step"] != len(self._decisions):
                raise ValueError(f"step is {record['step']}, should be {len(self._decisions)}")
            if record["kind"] == "ask":
                self._question = self._choices.recorded(record)
                return
            env, observation = journals.unseen(record["seen"])
            if env.digest != record["environment"]:
                raise ValueError("environment: its digest is not that of the environment in seen")
            pairs = [*self.ident.evidence, (env, observation)]
            ident = identify(pairs, self.family, **self._assumed)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error
        self._decisions.append(self._decision(env, ident))
        self._question = None


@contextmanager
def _progress(until: Rule) -> Iterator[Callable[[int], None]]:
    """Show the number of observations on a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(f"0 observations, until {until!r}")
        yield lambda count: shown.update(task, description=f"{count} observations, until {until!r}")
