"""What does a meta-learned agent pursue inside an episode?

A recurrent network trained on many bandits learns within a trial (RL^2: Duan et al. 2016; Wang et al. 2016).  Its
choices depend on history, so its objective is looked for in the belief MDP, whose states are the counts of arms and
tokens.  Three tokens are worth 1, theta and 0; what theta does it pursue, and is that what it was trained for?

Expected: the choices of an exact Bayes agent leave a set of theta that shrinks to a point within some ten tasks.
Networks that reach 97 to 98 % of the optimum seem to pursue a theta up to .35 off, with intervals that are wrongly
tight: no theta' in [0, 1] costs more than 2 % of the optimum at theta = .5, so that training could not have fixed it.
Estimates from different tasks agree for an agent that is what it is modelled as, and disagree for one with another
prior, such as a network to which a token was never shown.  Networks look ahead as Bayes agents do.  A network trained
with a cue that names the better arm follows it where it is wrong.  Returns are those of Duan et al.'s table, and the
network of Wang et al. begins with the arm that informs.

Refuted if: an exact set loses the truth; intervals of soft Bayes agents miss it more often than their level says, or
the test of agreement rejects them more often than its level; estimates of networks leave what training tolerates; or
networks fall short of the table.

Worlds: 2 arms, 3 tokens, Dirichlet(1, 1, 1), 10 pulls (5,005 beliefs, exact dynamic programming), as in training and
changed in ways of which nobody is told; the same with a cue; Wang et al.'s eleven arms; Duan et al.'s bandits and MDPs,
of which only returns are measured: beliefs about MDPs are distributions over transitions, which nobody plans exactly.
Agents: Bayes-optimal, exact or soft with lapses; with another prior; myopic; Thompson; networks, released with this
study and, in the full run, trained anew.  Measured: the exact set of theta; profile likelihood of theta over
temperature and lapse; a likelihood-ratio test that tasks agree; whether a learner looks one pull ahead or, as a Bayes
agent does, all of them; what training tolerates; what a cue explains.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from environments import bandit_tasks
from irl_ident.agents.checkpoints import load_learner
from irl_ident.agents.learners import Learner, play
from studies import _meta_learning as worlds
from studies import _meta_learning_cue as cues
from studies import _meta_learning_figure as drawing
from studies import _meta_learning_recovered as recovered
from studies import _meta_learning_summary as summaries
from studies import _meta_table, checkpoints
from studies.checkpoints.train import token_recipe
from studies.study import Settings, Task

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

TASKS = 200
"""Tasks of each kind in which a learner is watched."""

MANY = 2000
"""Tasks in which losses are measured."""

BANDITS = 200, 1000
"""Tasks of each cell of Duan et al.'s table, in the quick and in the full run; they had 1,000."""

SEEDS = 5
"""Networks that are released, for each objective."""

CUED, INFORMATIVE = "cue network", "informative"

TOLERATED = tuple(np.round(np.linspace(0, 1, 21), 2).tolist())
"""Base objectives of which it is computed what training tolerates."""


def tasks(settings: Settings) -> list[Task]:
    """A learner to watch in each, built or trained; learners with a cue; what informs; and what training tolerates."""
    quick = settings.quick
    most = {"exact Bayes": (6, 24), "soft Bayes": (6, 40), "believes it rare": (2, 20)}
    planned: list[Task] = [{"part": "tolerated", "kind": "", "replicate": 0, "seed": 0}]
    for number, kind in enumerate(worlds.BUILT):
        planned += [
            {"part": "built", "kind": kind, "replicate": i, "seed": settings.seed_for(0, number, i)}
            for i in range(most.get(kind, (1, 20))[0 if quick else 1])
        ]
    for number, kind in enumerate(cues.BUILT):
        planned += [
            {"part": "cue built", "kind": kind, "replicate": i, "seed": settings.seed_for(1, number, i)}
            for i in range(1 if quick else 20)
        ]
    released = [(kind, theta) for kind in (worlds.NETWORK, worlds.BRIEF) for theta in worlds.TRAINED]
    released += [(worlds.UNSEEN, 0.5), (CUED, 0.5)]
    for number, (kind, theta) in enumerate(released):
        part = "cue network" if kind == CUED else "network"
        name = cues.released if kind == CUED else partial(worlds.released, kind, theta)
        planned += [
            {
                "part": part,
                "kind": kind,
                "replicate": i,
                "seed": settings.seed_for(2, number, i),
                "trained_for": theta,
                "weights": checkpoints.path(name(i)),
            }
            for i in range((1 if kind == worlds.BRIEF else 2) if quick else SEEDS)
            if checkpoints.find(name(i)) is not None
        ]
    planned.append(
        {
            "part": "informative",
            "kind": "network",
            "replicate": 0,
            "seed": settings.seed_for(3),
            "weights": checkpoints.path(INFORMATIVE),
        }
    )
    if not quick:
        for number, (kind, count) in enumerate(((worlds.NETWORK, 10), (worlds.BRIEF, 20))):
            for i in range(count):
                seed = settings.seed_for(4, number, i)
                planned.append({"part": "retrained", "kind": kind, "replicate": SEEDS + i, "seed": seed})
    cells = _meta_table.cells(quick=quick, tasks=BANDITS[0 if quick else 1], seed=settings.seed_for(5))
    return planned + [{"part": "table", "kind": cell["learner"], "replicate": 0, "cell": cell} for cell in cells]


def run(task: Task) -> list[dict[str, Any]]:
    """The rows of one of them."""
    part, kind = task["part"], task["kind"]
    if part == "table":
        return [{"part": part, "replicate": 0, **_meta_table.run_cell(task["cell"]), "kind": kind}]
    seed = task["seed"]
    theta = float(np.random.default_rng([seed, 0]).uniform(0.05, 0.95))
    if part == "tolerated":
        rows = [
            {
                "true_theta": base,
                "costliest": recovered.costliest(base),
                "short_sighted": recovered.short_sighted(base),
                **recovered.tolerance(base),
            }
            for base in TOLERATED
        ]
    elif part == "informative":
        rows = informed(load_learner(task["weights"]), seed)
    elif part == "built":
        rows = watched(worlds.built(kind, theta), theta, seed, sharp=kind.startswith("exact"))
    elif part == "network":
        theta = task["trained_for"]
        rows = watched(load_learner(task["weights"]), theta, seed)
    elif part == "retrained":
        recipe = token_recipe(theta, task["replicate"], "brief" if kind == worlds.BRIEF else "plain")
        rows = watched(recipe.train(), theta, seed)
    else:
        base = float(cues.BASE[1])
        learner = load_learner(task["weights"]) if part == "cue network" else cues.built(kind, base)
        rows = cues.compared(cues.concluded(cues.watch(learner, TASKS, seed)), MANY, seed, learner)
    return [{"part": part, "kind": kind, "replicate": task["replicate"], **row} for row in rows]


def watched(learner: Learner, theta: float, seed: int, *, sharp: bool = False) -> list[dict[str, Any]]:
    """Watch a learner, conclude, and compare with what it was built or trained for.

    An agent without noise is asked for the exact set alone: intervals of likelihood ratios are for choices that vary.
    """
    seen = worlds.watch_everywhere(learner, TASKS, seed)
    rows = recovered.exactly(seen) + ([] if sharp else recovered.concluded(seen))
    many = worlds.watch(learner, worlds.flat(MANY, np.random.default_rng([seed, 1])), worlds.PULLS, seed)
    return recovered.compared(rows, many, theta)


def informed(learner: Learner, seed: int) -> list[dict[str, Any]]:
    """How often the network of Wang et al. pulls the arm that informs, and then the arm that it names."""
    tasks = bandit_tasks.informative(MANY, np.random.default_rng([seed, 0]))
    histories = play(learner, tasks, bandit_tasks.INFORMATIVE_STEPS, seed)
    last = tasks.n_actions - 1
    target = tasks.distributions[:, last].argmax(axis=1)
    informs, right = histories.actions == last, histories.actions == target[:, None]
    worth = bandit_tasks.INFORMATIVE_PAYOUTS
    gained = worth[histories.outcomes].sum(axis=1)
    return [
        {
            "informs_first": informs[:, 0].mean(),
            "then_right": right[informs[:, 0], 1:].mean() if informs[:, 0].any() else 0.0,
            "gained": gained.mean(),
            "gained_error": gained.std(ddof=1) / np.sqrt(MANY),
            "pays_informing": worth[:10].mean(),
            "pays_any_other": (worth[-1] + 9 * worth[9]) / 10,
            "most": worth[:10].mean() + 4 * worth[-1],
        }
    ]


def summarise(table: pd.DataFrame) -> Mapping[str, Any]:
    """Claims, learners by kind and by kind of tasks, exact sets, tolerances, cues, and the arm that informs."""
    return summaries.summary(table)


def findings(summary: Mapping[str, Any]) -> list[str]:
    """What learners seem to pursue, what training could have fixed, whether tasks agree, and what a cue does."""
    return summaries.findings(summary)


def draw(table: pd.DataFrame, summary: Mapping[str, Any]) -> Figure:
    """Returns; estimates against truths; estimates by kind of tasks; what a cue explains."""
    return drawing.figure(table, summary)
