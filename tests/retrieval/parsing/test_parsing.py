"""Parsers: what the rules read, what a cache keeps, and what is refused."""

from __future__ import annotations

import json

import pytest

from cdd_icm.errors import InputError
from retrieval.cli import main
from retrieval.parsing.base import Entity, Relation, SceneGraph
from retrieval.parsing.registry import CachedParser, make_parser
from retrieval.parsing.rules import RuleParser, parse


@pytest.mark.parametrize(
    ("text", "entities", "relations"),
    [
        (
            "Add a red cube behind it on the left and in front of the blue sphere",
            [("cube", ("red", "left")), ("it", ()), ("sphere", ("blue",))],
            [(0, "behind", 1), (0, "in front of", 2)],
        ),
        ("is longer and has white text on it", [("it", ("longer",)), ("text", ("white",))], [(1, "on", 0)]),
        ("behind the swing is a small tree", [("swing", ()), ("tree", ("small",))], [(1, "behind", 0)]),
        ("the shirt is red and white", [("shirt", ("red", "white"))], []),
        ("<teller> on the left a cat <= <teller> a dog", [("it", ("left",)), ("cat", ()), ("dog", ())], []),
        ("", [], []),
    ],
)
def test_what_the_rules_read(text, entities, relations):
    graph = parse(text)
    assert graph.entities == tuple(Entity(*entity) for entity in entities)
    assert graph.relations == tuple(Relation(*relation) for relation in relations)


def test_a_graph_survives_json_and_others_are_refused():
    graph = parse("a red cube behind the sphere")
    assert SceneGraph.from_json(json.loads(json.dumps(graph.to_json())), "x") == graph
    for value in (
        None,
        {},
        {"entities": [{"name": "", "attributes": []}], "relations": []},
        {"entities": [3]},
    ):
        with pytest.raises(InputError, match="^x: not a scene graph"):
            SceneGraph.from_json(value, "x")
    with pytest.raises(InputError, match="^x: relations: .* names an entity that is not there"):
        SceneGraph.from_json({"entities": [], "relations": [[0, "on", 1]]}, "x")


def test_a_cache_asks_only_for_new_texts_and_survives(tmp_path):
    asked = []

    class Counting(RuleParser):
        def __call__(self, texts):
            asked.extend(texts)
            return super().__call__(texts)

    file = tmp_path / "parsed" / "cache.jsonl"
    first = CachedParser(Counting(), file)(["a red cube", "a sphere", "a red cube"])
    assert asked == ["a red cube", "a sphere"] and first[0] == first[2] == parse("a red cube")
    again = CachedParser(Counting(), file)(["a sphere", "a cone"])
    assert asked == ["a red cube", "a sphere", "a cone"] and again[0] == first[1]
    file.write_text(file.read_text() + "{\n")
    with pytest.raises(InputError, match=r"cache\.jsonl:4: "):
        CachedParser(Counting(), file)


def test_the_command_shows_the_graph_and_refuses_unknown_parsers(capsys):
    assert main(["parse", "a red cube behind the sphere"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "0. cube [red]",
        "1. sphere",
        "   cube --behind--> sphere",
    ]
    assert main(["parse", "a cube", "--parser", "none"]) == 2
    assert "parser is 'none', expected one of rules, endpoint, transformers" in capsys.readouterr().err
    with pytest.raises(InputError, match="parser: rules with "):
        make_parser("rules", {"model": "x"})
