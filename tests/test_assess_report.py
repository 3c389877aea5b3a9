"""The report of assess as a page: complete in one file, well formed, and with the numbers of the JSON output."""

import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser
from typing import get_args
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

import irl_ident as ii
from irl_ident.cli import app
from irl_ident.identified import Verdict
from irl_ident.report import page, ranges_of, wording

VOID = {"meta", "img", "br", "link", "input", "hr"}
NASTY = ["<script>alert(1)</script>", "\"it's\" & 'that'", "مرحبا بالعالم", "x" * 200, "$\\frac{1}{$", "</p></html>"]

WORLD = ii.builders.grid("S.A\n.#B", 0.9, absorbing="AB", start="S")
ENV = WORLD.environment
STATES = ii.rewards.StateRewards(5)
OPTIMAL = ii.agents.Optimal(STATES, np.eye(5)[2] + np.eye(5)[4] / 2).policy(ENV)


def identified(kind):
    rng = np.random.default_rng(0)
    if kind == "optimal":
        return ii.identify([(ENV, OPTIMAL)], STATES)
    if kind == "contradiction":
        return ii.identify([(ENV, OPTIMAL), (ENV, np.roll(OPTIMAL, 1, axis=1))], STATES)
    if kind == "noisy":
        agent = ii.agents.Optimal(STATES, np.eye(5)[2])
        seen = agent.demonstrate(ENV, episodes=40, horizon=10, seed=0)
        return ii.identify([(ENV, seen)], STATES, "noisy", error=0.1, level=0.1)
    if kind == "features":
        family = ii.rewards.LinearRewards(rng.normal(size=(5, 1, 3)).repeat(4, axis=1), names=["warm", "dark", "wet"])
        return ii.identify([(ENV, ii.agents.Optimal(family, [1, 0, -1]).policy(ENV))], family)
    if kind == "soft":
        env = ii.builders.random_environment(3, 2, 0.9, seed=0)
        family = ii.rewards.StateActionRewards(3, 2)
        policy = ii.agents.SoftOptimal(family, rng.normal(size=6)).policy(env)
        return ii.identify([(env, policy)], family, "soft")
    if kind == "names":
        plain = ii.builders.random_environment(6, 2, 0.9, seed=3, successors=2)
        env = ii.Environment(plain.transitions, 0.9, states=NASTY, actions=["<b>go</b>", "$x_1$"])
        policy = ii.agents.Optimal(ii.rewards.StateRewards(6), rng.uniform(size=6)).policy(env)
        policy[2] = 0
        return ii.identify([(env, policy)], ii.rewards.StateRewards(6))
    env = ii.builders.random_environment(130, 2, 0.9, seed=0, successors=2)
    family = ii.rewards.LinearRewards(rng.normal(size=(130, 2, 3)))
    return ii.identify([(env, ii.agents.SoftOptimal(family, [1, 2, 3]).policy(env))], family, "soft")


KINDS = ("optimal", "contradiction", "noisy", "features", "soft", "names", "many states")


@pytest.fixture(scope="module")
def pages():
    return {kind: page(identified(kind), title=f"<{kind}>") for kind in KINDS}


class Reader(HTMLParser):
    """Refuses tags that are not closed in order; keeps elements, and texts of those that are asked for."""

    def __init__(self, text):
        super().__init__()
        self.open, self.elements, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} twice"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append((tuple(self.open), data))

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]

    def text(self, tag):
        return [data for tags, data in self.texts if tag in tags]


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_well_formed_and_can_be_read_by_all(pages, kind):
    reader = Reader(pages[kind])
    assert pages[kind].startswith("<!doctype html>\n")
    assert reader.all("html") == [{"lang": "en"}]
    assert f"<{kind}>" in "".join(reader.text("title"))
    levels = [int(tag[1]) for tag, _ in reader.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert max(np.diff(levels)) <= 1
    assert all(head.get("scope") in ("row", "col") for head in reader.all("th"))
    assert all(len(picture["alt"]) > 20 for picture in reader.all("img"))
    ids = [attrs["id"] for _, attrs in reader.elements if "id" in attrs]
    assert len(set(ids)) == len(ids)
    assert {link["href"][1:] for link in reader.all("a")} <= set(ids)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_needs_no_other_file_and_runs_nothing(pages, kind):
    reader = Reader(pages[kind])
    assert not {"script", "link", "iframe", "object", "style src"} & {tag for tag, _ in reader.elements}
    for _, attrs in reader.elements:
        assert not [name for name in attrs if name.startswith("on")]
        for name in ("src", "href", "srcset", "action"):
            assert attrs.get(name, "#").startswith(("#", "data:image/svg+xml;base64,"))
    styles = "".join(reader.text("style"))
    assert "url(" not in styles
    assert "@import" not in styles
    for image in reader.all("img"):
        drawing = ElementTree.fromstring(base64.b64decode(image["src"].partition("base64,")[2]))
        assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
        references = [value for part in drawing.iter() for key, value in part.attrib.items() if key.endswith("href")]
        assert all(value.startswith(("#", "data:image/png")) for value in references)
    assert len(pages[kind]) < 1_000_000


def test_names_are_told_as_they_are(pages):
    reader = Reader(pages["names"])
    told = [data for tags, data in reader.texts if "bdi" in tags]
    for name in NASTY:
        assert f"R({name})" in told
    drawn = [base64.b64decode(image["src"].partition("base64,")[2]).decode() for image in reader.all("img")]
    assert any("مرحبا" in text for text in drawn)
    assert any("$\\frac{1}" in text for text in drawn)


def test_the_same_evidence_gives_the_same_page(pages):
    assert page(identified("many states"), title="<many states>") == pages["many states"]


ROW = re.compile(r'<th scope="row"><bdi>(.*?)</bdi></th>\s*((?:<td class="n">.*?</td>\s*)+)</tr>')


def table(text):
    """What stands in the ``data`` elements of the tables of intervals, by parameter."""
    cells = {name: re.findall(r'<data value="(.*?)">', row) for name, row in ROW.findall(text)}
    return {name: [float(value) if value else None for value in values] for name, values in cells.items()}


@pytest.mark.parametrize("kind", ["optimal", "soft"])
def test_the_page_has_the_numbers_of_the_json_output(tmp_path, kind):
    ident = identified(kind)
    ii.evidence.save(tmp_path / "seen it.json", ident.evidence, family=ident.family)
    path, html = tmp_path / "seen it.json", tmp_path / "report.html"
    words = ["assess", str(path), "--html", str(html), "--json", "--out", str(tmp_path)]
    words += ["--rationality", "soft"] if kind == "soft" else []
    told = json.loads(CliRunner().invoke(app, words).stdout)
    text = html.read_text(encoding="utf-8")
    rows = table(text)
    assert sorted(rows) == sorted(told["parameters"])
    for j, name in enumerate(told["parameters"]):
        low, high, width, one, another = rows[name]
        assert [low, high] == told["ranges"][j]
        assert width == (None if None in (low, high) else high - low)
        assert [one, another] == [member[j] for member in told["farthest_pair"]]
    listed = re.search(r'id="singular-values">(.*?)</p>', text)
    values = [float(v) for v in re.findall(r'value="(.*?)"', listed[1])] if listed else []
    assert values == told["report"]["singular_values"]
    plain = "".join(data for _, data in Reader(text).texts)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in plain
    assert f"irl-ident assess '{path}' --html {html}" in plain
    assert told["html"] == str(html)
    for said in (*told["report"]["reasons"], told["report"]["next_step"]):
        assert said[1:] in plain


def test_the_report_speaks_with_the_names_of_the_page():
    """Cells that a wall hides were never seen: what to do next names them as the map does."""
    world = ii.builders.grid("..#.", 0.9)
    seen = ii.evidence.Policy([[1.0, 0, 0, 0], [0, 0, 0, 1.0], [0, 0, 0, 0]])
    ident = ii.identify([(world.environment, seen)], ii.rewards.StateRewards(3))
    hidden = world.environment.states[2]
    assert hidden != "s2"
    assert f"(R({hidden}): {hidden} never reached)" in ident.report().next_step
    text = page(ident, title="A wall")
    assert f"R({hidden}): {hidden} never reached" in text
    assert "R(s" not in text


def test_every_open_direction_is_named_and_pictured(pages):
    for kind in ("optimal", "noisy", "features", "soft", "names", "many states"):
        headings = re.findall(r'<span class="tag">(\S+), (\d+) direction', pages[kind])
        assert headings == [(a.kind, str(a.dimension)) for a in identified(kind).ambiguities]
        chapter = pages[kind].partition('<section id="open">')[2].partition("</section>")[0]
        parts = chapter.split("<h3>")[1:]
        assert len(parts) == len(headings)
        assert all("<img" in part for part in parts)


def test_a_contradiction_is_told_with_its_observations(pages):
    ident = identified("contradiction")
    chapter = pages["contradiction"].partition('<section id="conflict">')[2].partition("</section>")[0]
    assert chapter.count("<h3>") == len({place for place, _ in ident.conflict.observations})
    assert chapter.count("<img") == chapter.count("<h3>")
    for place, state in ident.conflict.observations:
        shown = ident.evidence[place][1].probabilities[state]
        did = " or ".join(ENV.actions[a] for a in np.flatnonzero(shown))
        assert f"in {ENV.states[state]} it did {did}" in chapter.replace("In r", "in r")
    assert 'id="ranges"' not in pages["contradiction"]


def test_pictures_say_what_they_show(pages):
    alts = [image["alt"] for image in Reader(pages["optimal"]).all("img")]
    right = ENV.actions.index("right")
    assert OPTIMAL[0].tolist() == np.eye(4)[right].tolist()
    assert "in r0c0: right (1)" in alts[0]
    for member in ranges_of(identified("optimal")).pair:
        low, high = int(member.argmin()), int(member.argmax())
        told = f": from {member[low]:.3g} at {ENV.states[low]} to {member[high]:.3g} at {ENV.states[high]}"
        assert told in alts[-1]


def test_members_of_linear_families_stay_in_the_gauge():
    for theta in ranges_of(identified("features")).pair:
        assert np.abs(theta).max() <= 1 + 1e-9


@pytest.fixture
def seen(tmp_path):
    ii.evidence.save(tmp_path / "seen.json", [(ENV, OPTIMAL)])
    return tmp_path


@pytest.mark.parametrize("absent", ["jinja2", "matplotlib"])
def test_without_the_extra_the_text_still_prints(seen, absent, monkeypatch):
    monkeypatch.setitem(sys.modules, absent, None)
    for name in [name for name in sys.modules if name.startswith(("irl_ident.figures", "irl_ident.report.html"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "irl_ident.report.pictures", raising=False)
    monkeypatch.delattr(ii, "figures", raising=False)
    result = CliRunner().invoke(
        app, ["assess", str(seen / "seen.json"), "--html", str(seen / "r.html"), "--out", str(seen)]
    )
    assert result.exit_code == 0
    assert "Verdict: a set" in result.stdout
    assert 'pip install "irl-ident[report]"' in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert not (seen / "r.html").exists()


def test_evidence_is_not_overwritten(seen):
    before = (seen / "seen.json").read_bytes()
    result = CliRunner().invoke(app, ["assess", str(seen / "seen.json"), "--html", str(seen / "seen.json")])
    assert result.exit_code == 2
    assert "--html" in result.stderr
    assert (seen / "seen.json").read_bytes() == before


def test_nothing_is_reported_of_no_evidence():
    with pytest.raises(ValueError, match="ident: has no evidence"):
        page(ii.identified.anything(STATES), title="nothing")


def test_members_lie_in_the_intervals_where_rounding_is_all_that_they_differ_by():
    env = ii.builders.random_environment(5, 3, discount=0.9, seed=0)
    told = ranges_of(ii.identify([(env, np.full((5, 3), 1 / 3))], ii.rewards.StateRewards(5)))
    np.testing.assert_array_equal(told.intervals, 0)
    np.testing.assert_array_equal(told.pair, 0)


def test_every_verdict_has_plain_words():
    assert set(wording.VERDICTS) == set(get_args(Verdict))
