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

import numpy as np
import numpy.typing as npt

from irl_ident.design import journal as journals
from irl_ident.design.behaviour import checked_thetas
from irl_ident.design.stopping import Rule, State, exhausted, identified
from irl_ident.design.strategies import Strategy, checked_candidates, times_seen
from irl_ident.design.table import Decision, Question, Table
from irl_ident.design.version_space import TIE
from irl_ident.environment import Array, Environment
from irl_ident.evidence import Policy
from irl_ident.identified import anything, identify
from irl_ident.rewards import RewardFamily

if TYPE_CHECKING:
    import pandas as pd

    from irl_ident.identified.base import IdentifiedSet, Metric, Rationality


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
    candidates : sequence of C Environment
        Those that the strategy may choose; all with the same states and actions.
    strategy : Strategy
        The candidate with the largest score is asked for.  Ties (within 1e-12) go to the one observed least often,
        then to the lowest position.
    family : RewardFamily
        In which the objective is looked for.
    rationality : {"optimal", "soft"}
    temperature : float
        Of soft behaviour.
    until : Rule, optional
        When to stop; ``identified() | exhausted()`` when not given.  Contradictory evidence always stops.
    journal : str or Path, optional
        Every step is written there at once.  When the file exists, the campaign goes on from it; it must be the journal
        of the same candidates, strategy, family, rationality and temperature.
    reference : array (N, d), optional
        Objectives of which the table counts the share that is still consistent; ``REFERENCE`` draws from the set of
        all rewards of the family when not given.  For soft agents that share is 0 once anything was seen, unless the
        reference holds the truth.
    metric : {"canonical", "linf", "l2"}
        Of the diameters in the table.

    Raises
    ------
    ValueError
        For candidates that do not go together, and for journals of something else, with file, line and what differs.
    """

    def __init__(
        self,
        candidates: Sequence[Environment],
        strategy: Strategy,
        family: RewardFamily,
        rationality: Rationality = "optimal",
        temperature: float = 1.0,
        *,
        until: Rule | None = None,
        journal: str | Path | None = None,
        reference: npt.ArrayLike | None = None,
        metric: Metric = "canonical",
    ) -> None:
        self.candidates = checked_candidates(candidates)
        self.strategy = strategy
        self.family = family
        self.rationality: Rationality = rationality
        self.temperature = float(temperature)
        self.until = identified() | exhausted() if until is None else until
        self.metric: Metric = metric
        for env in self.candidates:
            family.matrix(env)
        given = None if reference is None else checked_thetas("reference", reference, family)
        self._start = State(anything(family, rationality, temperature=self.temperature), self.candidates)
        self._table = Table(self._start.ident, given, self.metric)
        self._decisions: list[Decision] = []
        self._question: Question | None = None
        self._journal: journals.Journal | None = None
        if journal is not None:
            setting = journals.setting(self.candidates, strategy, family, rationality, self.temperature)
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
            scores = self._checked_scores(self.strategy.score(self.ident, self.candidates))
            chosen = self._best(scores)
            if self._journal is not None:
                self._journal.append(
                    {
                        "kind": "ask",
                        "step": len(self._decisions),
                        "candidate": chosen,
                        "environment": self.candidates[chosen].digest,
                        "scores": scores.tolist(),
                        "seconds": time.perf_counter() - began,
                    }
                )
            self._question = Question(chosen, scores)
        return self.candidates[self._question.candidate]

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
        ident = identify(
            [*self.ident.evidence, (env, observation)], self.family, self.rationality, temperature=self.temperature
        )
        decision = self._decision(env, State(ident, self.candidates, self.state))
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
        environment             position among the candidates; -1 for another environment
        digest                  first 12 digits of the environment's digest
        asked                   position of the candidate that had been asked for; -1 when none had
        score                   of the environment, when it was asked for
        dimension               of the identified set after the observation; missing when it is empty
        diameter_lower, _upper  certified bounds; missing when it is empty
        consistent_share        share of the reference that was consistent with all observations so far
        stopped_because         empty, unless the campaign could stop here
        ======================  ========================================================================================
        """
        return self._table.frame(self.decisions, self._reason)

    def _reason(self, state: State) -> str:
        if state.ident.conflict is not None:
            return f"contradiction: {state.ident.conflict.explanation}"
        return self.until.reason(state) if self.until.met(state) else ""

    def _best(self, scores: Array) -> int:
        tied = np.flatnonzero(scores >= scores.max() - TIE)
        seen = times_seen(self.ident, [self.candidates[place] for place in tied])
        return int(tied[np.argmin(seen)])

    def _checked_scores(self, scores: Any) -> Array:
        given = np.asarray(scores, dtype=float)
        if given.shape != (len(self.candidates),) or not np.isfinite(given).all():
            name = type(self.strategy).__name__
            raise ValueError(
                f"strategy: {name}.score should return {len(self.candidates)} finite numbers, one a candidate, "
                f"returned shape {given.shape}" + ("" if np.isfinite(given).all() else " with some that are not finite")
            )
        return given

    def _decision(self, env: Environment, state: State) -> Decision:
        asked = self._question
        if asked is not None and self.candidates[asked.candidate].digest == env.digest:
            return Decision(asked, env, asked.candidate, state)
        places = [place for place, candidate in enumerate(self.candidates) if candidate.digest == env.digest]
        return Decision(asked, env, places[0] if places else -1, state)

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
                self._question = self._recorded_question(record)
                return
            env, observation = journals.unseen(record["seen"])
            if env.digest != record["environment"]:
                raise ValueError("environment: its digest is not that of the environment in seen")
            pairs = [*self.ident.evidence, (env, observation)]
            ident = identify(pairs, self.family, self.rationality, temperature=self.temperature)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error
        self._decisions.append(self._decision(env, State(ident, self.candidates, self.state)))
        self._question = None

    def _recorded_question(self, record: journals.Record) -> Question:
        chosen = record["candidate"]
        if not 0 <= chosen < len(self.candidates) or record["environment"] != self.candidates[chosen].digest:
            raise ValueError(f"candidate {chosen} is not the environment {record['environment'][:12]}")
        return Question(chosen, self._checked_scores(record["scores"]))


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
