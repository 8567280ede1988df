"""How problems of a file are collected and told."""

from __future__ import annotations

import pytest

from policy.document import DocumentError, MappingNode, Problems, ScalarNode, SequenceNode, suggestion
from policy.model import Location


def at(line: int, column: int = 1) -> Location:
    return Location("f.yaml", line, column)


def told(problems: Problems) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        problems.raise_any(DocumentError)
    return caught.value.findings


def test_problems_are_told_in_the_order_of_the_file_and_not_of_their_discovery() -> None:
    problems = Problems()
    for line, column in ((10, 2), (9, 7), (10, 1)):
        problems.add(at(line, column), "wrong")
    assert told(problems) == ["f.yaml:9:7: wrong", "f.yaml:10:1: wrong", "f.yaml:10:2: wrong"]


def test_without_problems_nothing_is_raised() -> None:
    Problems().raise_any(DocumentError)


@pytest.mark.parametrize("text", ["", "  ", "~", "null"])
def test_a_text_must_say_something(text: str) -> None:
    problems = Problems()
    assert problems.text(ScalarNode(text, True, at(1)), "class") is None
    assert told(problems) == ["f.yaml:1:1: class must be a text that is not empty"]


def test_a_quoted_null_is_a_text() -> None:
    assert Problems().text(ScalarNode("null", False, at(1)), "class") == "null"


def test_a_choice_that_is_no_scalar_is_told_without_its_content() -> None:
    problems = Problems()
    assert problems.choice(SequenceNode((), at(2)), ["a", "b"], "mode") is None
    assert told(problems) == ["f.yaml:2:1: mode must be one of a, b"]


def test_unknown_keys_are_told_with_what_they_look_like() -> None:
    problems = Problems()
    node = ScalarNode("x", True, at(3))
    mapping = MappingNode({"polcy": node, "policy": node}, {"polcy": at(3), "policy": at(4)}, at(3))
    problems.unknown_keys(mapping, ("policy", "listen"), "the file")
    assert told(problems) == ["f.yaml:3:1: unknown key 'polcy' in the file (did you mean 'policy'?)"]


def test_nothing_is_suggested_for_what_looks_like_nothing() -> None:
    assert suggestion("zzz", ["policy", "listen"]) == ""
