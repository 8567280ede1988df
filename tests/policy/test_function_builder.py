"""Functions in the policy: every form of a name, and every mistake with its place."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from policy.document import DocumentError
from policy.model import Policy
from tests.policy.samples import policy_of

TABLES = "  jobs: {payload: random, label: equal}\n  other.notes: {label: equal}\n"


def policy(directory: Path, text: str) -> Policy:
    return policy_of(directory, TABLES + text)


def test_arguments_and_results(tmp_path: Path) -> None:
    loaded = policy(
        tmp_path,
        "functions:\n"
        "  enqueue: {args: payload, returns: payload}\n"
        "  other.all:\n"
        "    args: {1: jobs.payload, notes: other.notes.label}\n"
        "    returns: {what: public.jobs.label}\n"
        "  some: {args: [payload]}\n"
        "  batch: {args: {jobs: {payload: jobs.payload}}}\n",
    )
    fields = {str(field): field for field in loaded.fields()}
    payload, label = fields["public.jobs.payload"], fields["public.jobs.label"]
    enqueue, every = loaded.functions["public", "enqueue"], loaded.functions["other", "all"]
    assert (enqueue.args, enqueue.returns) == ({"payload": payload}, payload)
    assert every.args == {"1": payload, "notes": fields["other.notes.label"]}
    assert every.returns == {"what": label}
    assert loaded.functions["public", "some"].args == {"payload": payload}
    assert loaded.functions["public", "batch"].args == {"jobs": {"payload": payload}}


def test_trusted_functions(tmp_path: Path) -> None:
    loaded = policy(tmp_path, "trusted_functions: [audit, app.sync, '\"a.b\".c']\n")
    assert loaded.trusted_functions == {("", "audit"), ("app", "sync"), ("a.b", "c")}


def test_trusted_blocks(tmp_path: Path) -> None:
    digest = sha256(b"BEGIN END").hexdigest()
    loaded = policy(tmp_path, f"trusted_blocks: ['sha256:{digest}']\n")
    assert loaded.trusted_blocks == {digest}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("functions: [a]\n", "8:12", "functions must be a mapping"),
        (
            "functions: {f: {args: label}}\n",
            "8:23",
            "which field is 'label'? (public.jobs.label and other.notes",
        ),
        ("functions: {f: {args: nothing}}\n", "8:23", "which field is 'nothing'? (no column has this name"),
        (
            "functions: {f: {returns: jobs.playload}}\n",
            "8:26",
            "the policy has no field 'jobs.playload' (did you",
        ),
        ("functions: {f: {}}\n", "8:13", "function public.f has neither args nor returns"),
        (
            "functions: {f: {argz: payload}}\n",
            "8:17",
            "unknown key 'argz' in function public.f (did you mean",
        ),
        ("functions: {f(int): {args: payload}}\n", "8:13", "cannot read the function name 'f(int)'"),
        (
            "functions: {f: {args: payload}, public.f: {args: payload}}\n",
            "8:33",
            "duplicate function public.f",
        ),
        ("trusted_functions: audit\n", "8:20", "trusted_functions must be a list"),
        ("trusted_blocks: sha256\n", "8:17", "trusted_blocks must be a list"),
        ("trusted_blocks: ['BEGIN END']\n", "8:18", "a trusted block is sha256: and 64 hexadecimal digits"),
        ("trusted_functions: [a.b.c]\n", "8:21", "cannot read the function name 'a.b.c'"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, place: str, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        policy(tmp_path, text)
    assert f"policy.yaml:{place}: {message}" in str(caught.value)
