"""Plain words for what a report says in terms."""

QUESTION = "What could this agent be pursuing, given how it behaved?"

VERDICTS = {
    "identified": "The objective is known: one reward explains what was seen.",
    "identified up to a constant": "The objective is known, but for a constant that may be added to every reward. No "
    "behaviour shows that constant.",
    "identified up to a positive affine map": "The objective is known, but for its zero and its unit: all rewards may "
    "be raised by a constant and multiplied by a positive number. No behaviour shows either.",
    "identified up to shaping": "The objective is known, but for potential shaping: reward may be paid in advance and "
    "taken back later in ways that leave this agent's behaviour here as it is.",
    "a set": "The objective is not known. Many objectives explain all that was seen, and they are not the same: in "
    "another environment agents that pursue them could part ways.",
    "trivial rewards only": "Only an agent to which everything is the same would have done all that was seen. Either "
    "this one cares for nothing that was considered, or what is assumed below is wrong of it.",
    "nothing": "Nothing is known of the objective: every reward that was considered explains what was seen.",
    "undecided": "The numbers do not decide what is known: the gap between singular values is too small to say how "
    "many directions are open.",
    "contradiction": "No objective explains what was seen. Under these assumptions the observations contradict each "
    "other.",
}

KINDS = {
    "constant": ("A constant added to every reward", "Where a reward is zero cannot be seen in behaviour."),
    "scale": (
        "The unit of the rewards",
        "An agent that pursues twice the rewards acts alike: only ratios of differences matter.",
    ),
    "shaping": (
        "Potential shaping",
        "Reward is paid for entering a state and taken back for leaving it, so that in these environments every way of "
        "acting gains the same.",
    ),
    "redistribution": (
        "Features that cancel",
        "These weights can change together without any change of any reward.",
    ),
    "unvisited": (
        "Never seen",
        "Nothing that was observed depends on these rewards: the agent was not seen where they matter.",
    ),
    "symmetry": (
        "Interchangeable states",
        "The environments and all that was seen in them stay the same when these states are exchanged: a difference "
        "between their rewards shows in nothing.",
    ),
    "experimental": (
        "Open until another environment tells",
        "What was seen bounds these rewards and does not fix them; another environment could.",
    ),
}
"""Of each kind of open direction a title and what it means."""

MEANINGS = {
    "rationality": "how the objective becomes behaviour",
    "rewards": "which rewards were considered",
    "discount": "what a reward is worth one step later",
    "environments": "where the agent was seen",
}

GLOSSARY = {
    "canonical reward": "a reward moved and stretched so that the least is 0 and the greatest is 1; objectives that "
    "differ in zero and unit alone have the same",
    "identified set": "all rewards of the family that explain what was seen",
    "open direction": "a change of the rewards that keeps an objective in the identified set, or keeps it there for as "
    "long as it is small",
    "optimal agent": "takes only actions that are best in the long run, and may take any of them",
    "maximum causal entropy agent": "takes better actions more often, the more so the lower its temperature "
    "(soft-optimal)",
    "noisy agent": "optimal, but takes a random action with some probability",
    "potential shaping": "adding f(now) less the discount times f(next) to the reward, for any f of the state; it "
    "changes no agent's behaviour (Ng, Harada & Russell 1999)",
    "reward family": "the rewards that were considered, and the numbers (parameters) that tell them apart",
    "singular values": "how strongly the evidence holds each combination of rewards; those below the tolerance count "
    "as 0, and a wide gap between the two groups means that their number is certain",
    "certified": "right whatever the solver did: the bound was computed again from the multipliers that it gave",
}


def headline(dimension: int, ambient: int) -> str:
    """How much is open, in one sentence.

    >>> headline(1, 8)
    '1 of the 8 dimensions of the objective is open to experiment.'
    """
    if dimension == 0:
        return f"None of the {ambient} dimensions of the objective is open to experiment."
    return (
        f"{dimension} of the {ambient} dimensions of the objective {'is' if dimension == 1 else 'are'} open to "
        "experiment."
    )
