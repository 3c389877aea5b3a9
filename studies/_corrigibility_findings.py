"""What the study of corrigibility found, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studies._corrigibility_summary import FAMILIAR, ODDS
from studies.wording import unmet

IN_WORDS = {
    "button": "the standard one",
    "luck": "one in which luck is seen with the button",
    "successor": "one in which a successor does the work",
    "alone": "one in which nobody watches",
}
WITHOUT = {"luck": "luck that is seen with the button", "watch": "environments in which nobody watches"}


def findings(summary: Mapping[str, Any]) -> list[str]:
    """Sentences that answer the question, from the summary alone."""
    told = summary["claims"]
    surprise = next(row for row in told if row["claim"] == ODDS)
    others = [row for row in told if row["claim"] != ODDS]
    return [
        told_apart(summary["smallest_sets"], summary["pairs"]),
        naive(summary["knobs"], summary["pairs"], surprise),
        generations(summary["chain"]),
        proved(summary["proofs"], summary["witnesses"]),
        outside(summary["explained"], summary["proofs"]),
        *unmet(others),
    ]


def told_apart(covers: list[dict[str, Any]], pairs: list[dict[str, Any]]) -> str:
    """How few environments tell all types apart, and which knobs cannot be done without."""
    whole = next(row for row in covers if row["fixed"] == "none")
    never = [
        f"without {WITHOUT.get(row['fixed'], row['fixed'])} nothing tells {row['never_apart'][0]} agents apart"
        for row in covers
        if row["never_apart"]
    ]
    chosen = ", ".join(IN_WORDS.get(name, name) for name in whole["chosen"])
    return (
        f"Yes, if the environments are chosen for it: {whole['size']} of {pairs[0]['of']} ({chosen}) tell all eight "
        f"types of agent apart, and none of the {whole['smaller_tried']} sets with one less does (the same set does so "
        f"in {whole['draws_told']} of {whole['draws']} draws of prices); {'; '.join(never)}."
    )


def naive(knobs: list[dict[str, Any]], pairs: list[dict[str, Any]], surprise: Mapping[str, Any]) -> str:
    """What tells naive from indifferent agents, which was expected to be the odds alone."""
    row = next(row for row in pairs if (row["one"], row["other"]) == ("naive", "indifferent"))
    left = {own["varied"]: own["alike"] for own in knobs}
    return (
        f"Naive agents, which are paid for stopping, were expected to be told from indifferent ones only where the "
        f"odds of the command are varied, but {row['environments']} of {row['of']} environments tell them apart and "
        f"{surprise['held']} of these vary the odds; of {knobs[0]['of']} naive agents, to which stopping is worth 0 to "
        f"2 units of work, {left['nothing']} pass in the standard environment, {left['odds']} whatever the odds and "
        f"{left['stake']} when what is at stake is varied."
    )


def generations(chain: list[dict[str, Any]]) -> str:
    """Whether successors stay corrigible."""
    dear = [row for row in chain if row["price"] > 0]
    lost = max(row["last_obeys"] for row in dear if row["type"] in ("indifferent", "counterfactual"))
    free = next(row for row in chain if row["type"] == "indifferent" and row["price"] == 0)
    kept = [f"{row['obeys_until']} at a price of {row['price']:g}" for row in dear if row["type"] == "corrigible"]
    return (
        f"What an indifferent agent builds does not stay corrigible: at any price above 0 the chance that generation 1 "
        f"or a later one stops when told is {lost:g}, and at no price it halves with each generation "
        f"({free['last_obeys']:.3f} in generation {free['generations']}); a corrigible agent's successors obey up to "
        f"generation {', '.join(kept)}, where the odds of the command are .2 in each."
    )


def proved(proofs: list[dict[str, Any]], witnesses: list[dict[str, Any]]) -> str:
    """What is proved of a corrigible agent, and from which evidence nothing is."""
    mine = [row for row in proofs if row["type"] == "corrigible"]
    most = max(row["environments"] for row in mine)
    alone = [row for row in mine if row["pool"] == "alone" and row["environments"] == most]
    said = ", ".join(f"'{row['question']}' of {row.get('proved', 0)} of {row['n']}" for row in alone)
    watched = [row for row in proofs if row["pool"] == "watched" and row["type"] != "indifferent"]
    against = [row for row in witnesses if row["pool"] == "watched"]
    deeds = {deed: sum(row.get(deed, 0) for row in against) for deed in ("blocks", "provokes", "goes on")}
    done = ", ".join(f"{deed} ({count})" for deed, count in deeds.items())
    return (
        f"After {most} environments in which nobody watches it is proved of corrigible agents: {said}; when the same "
        f"environments are watched, {sum(row.get('proved', 0) for row in watched)} of "
        f"{sum(row['n'] for row in watched)} properties are proved of agents of any type, because a twin is left that "
        f"behaves the same there and, alone, {done}."
    )


def outside(explained: list[dict[str, Any]], proofs: list[dict[str, Any]]) -> str:
    """That indifference is no objective of the family, and what comes of not noticing it."""
    row = next(row for row in explained if row["type"] == "indifferent")
    other = next(row for row in explained if row["type"] == "counterfactual")
    wrong = [own for own in proofs if own["type"] == "indifferent"]
    wrongly, asked = sum(own["proved_wrongly"] for own in wrong), sum(own["n"] for own in wrong)
    return (
        f"Indifference as published is no single objective: {row['of'] - row['explained']} of {row['of']} such agents "
        f"contradict every reward of the family, in {row['fewest']} environments or more, while "
        f"{other['explained']} of {other['of']} counterfactually indifferent ones pass for agents that hardly care to "
        f"obey; who takes the former for agents of the family before that shows 'proves' of them what is wrong in "
        f"{wrongly} of {asked} cases, and of agents of the family in "
        f"{sum(own['proved_wrongly'] for own in proofs if own['type'] in FAMILIAR)} of "
        f"{sum(own['n'] for own in proofs if own['type'] in FAMILIAR)}."
    )
