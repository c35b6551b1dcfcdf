"""The policy file: read whole, checked whole, wrong values named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from detector.errors import PolicyError
from detector.policy import default_policy_path, load_policy, parse_policy
from tests.detector.verdict_cases import POLICY_TOML, policy


def test_packaged_policy_is_valid_and_explains_every_key() -> None:
    """The default loads, and no key of it stands without a comment on its line."""
    text = default_policy_path().read_text(encoding="utf-8")
    assert load_policy(default_policy_path()).version
    keys = [line for line in text.splitlines() if "=" in line and not line.startswith("#")]
    assert len(keys) > 30
    assert [line for line in keys if "#" not in line] == []


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("p_value = 0.004", "p_value = 1.5", "steps.throttle.p_value"),
        ("p_value = 0.004", "p_value = nan", "steps.throttle.p_value"),
        ("p_value = 0.004", 'p_value = "0.004"', "steps.throttle.p_value"),
        ("p_value = 0.004", "p_valu = 0.004", "steps.throttle.p_value"),
        ("p_value = 0.004", "p_value = 0.03\nleave_x = 1", "steps.throttle.leave_x"),
        ("p_value = 0.001", "p_value = 0.005", "steps.restrict.p_value"),
        ("leave_p_value = 0.02", "leave_p_value = 0.003", "steps.throttle.leave_p_value"),
        ("min_groups = 2", "min_groups = 0", "steps.throttle.min_groups"),
        ("score = 0.8", "score = 0.4", "steps.throttle.score"),
        ("calm_points = 2", "calm_points = 0", "calm_points"),
        ("calm_points = 2", "", "calm_points"),
        ("shadow = false", "shadow = 0", "shadow"),
        ('cue_groups = ["intent", "elicitation"]', "cue_groups = [1]", "cue_groups.0"),
        ("expires_s = 604800\nneeds", "expires_s = 0\nneeds", "steps.block.expires_s"),
        (
            "expires_s = 259200\n[steps.b",
            "expires_s = 9\nneeds_person = true\n[steps.b",
            "steps.restrict.needs_person",
        ),
        ('alert_from = "watch"', 'alert_from = "allow"', "alert_from"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(old: str, new: str, field: str) -> None:
    """Every kind of mistake is an error that names the key and what to do."""
    assert old in POLICY_TOML
    with pytest.raises(PolicyError) as caught:
        parse_policy(POLICY_TOML.replace(old, new, 1), "policy.toml")
    assert caught.value.field == field
    assert "stillwatch policy check" in str(caught.value)


def test_unreadable_files_are_policy_errors(tmp_path: Path) -> None:
    """A missing file, one that is not text and one that is not TOML stop with one sentence."""
    binary, broken = tmp_path / "binary.toml", tmp_path / "broken.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    broken.write_text("version = ")
    for path in (tmp_path / "absent.toml", binary, broken, tmp_path):
        with pytest.raises(PolicyError) as caught:
            load_policy(path)
        assert caught.value.path == str(path)


def test_the_stamp_shows_an_edit_without_a_new_version() -> None:
    """Two files of one version but other content cannot be taken for each other."""
    edited = parse_policy(POLICY_TOML.replace("calm_points = 2", "calm_points = 3"), "x")
    assert edited.version == policy().version
    assert edited.stamp != policy().stamp
    assert policy().stamp == parse_policy("# a comment\n" + POLICY_TOML, "y").stamp


def test_the_policy_is_frozen() -> None:
    """Nobody changes a policy in place: a switch is a record."""
    with pytest.raises(ValidationError):
        policy().shadow = True


def test_every_key_of_the_model_is_in_the_default_file() -> None:
    """Defaults are in the file only, where an operator sees them."""
    raw = tomllib.loads(default_policy_path().read_text(encoding="utf-8"))
    loaded = load_policy(default_policy_path()).model_dump()
    assert loaded.pop("budget") is None  # a budget is an operator's own; the file shows one
    for step in ("watch", "throttle", "restrict"):
        loaded["steps"][step].pop("needs_person")  # only block may need a person
    tuples = {name: tuple(raw[name]) for name in ("cue_groups", "template_groups")}
    assert loaded == {**raw, **tuples}
