"""The small readers: points in time, numbers, contents, cut JSON, templates, paths."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.errors import MalformedRecord
from streams.formats.chat_template import templated_turns
from streams.formats.cut_json import read_cut
from streams.formats.finish import NORMALISED, normalised_finish
from streams.formats.paths import look_up
from streams.formats.times import epoch_s
from streams.formats.tokens import merge_usage, read_usage
from streams.formats.values import Fields, count, identity

WHEN = 1790000000.5


@pytest.mark.parametrize(
    "written",
    [
        1790000000.5,
        "1790000000.5",
        1790000000500,
        "1790000000500",
        1790000000500000,
        1790000000500000000,
        "1790000000500000000",
        [1790000000, 500000000],
        {"seconds": 1790000000, "nanos": 500000000},
        {"seconds": "1790000000", "nanos": 500000000},
        {
            "low": 1790000000500000000 % 2**32,
            "high": 1790000000500000000 // 2**32,
            "unsigned": True,
        },
        {"low": 1790000000500000000 % 2**32 - 2**32, "high": 1790000000500000000 // 2**32},
        621355968000000000 + 17900000005000000,
        "2026-09-21T14:13:20.5Z",
        "2026-09-21 14:13:20.500000",
        "2026-09-21T14:13:20.500000000+00:00",
        "2026-09-21T07:13:20.5-07:00",
        "2026-09-21 16:13:20.5+0200",
        "/Date(1790000000500)/",
        "2026-09-21T14:13:20,500",
    ],
)
def test_one_point_in_time_in_all_its_forms(written: object) -> None:
    """Seconds to nanoseconds, pairs, .NET, ISO with and without zones."""
    read = epoch_s(written, "t")
    assert read is not None
    assert math.isclose(read, WHEN, abs_tol=1e-6)


def test_access_log_time() -> None:
    """The form of nginx and Apache."""
    assert epoch_s("[21/Sep/2026:16:13:20 +0200]", "t") == 1790000000.0


@pytest.mark.parametrize("written", [None, "", "-", "None", "NaN", 0, "0", -1, -1000, [], {}])
def test_no_time(written: object) -> None:
    """Nothing, zero and sentinels are absent, not 1970."""
    assert epoch_s(written, "t") is None


@pytest.mark.parametrize(
    "written",
    [
        -5,
        12,
        9e20,
        "soon",
        "2026-13-01",
        "2026-02-30T00:00:00Z",
        True,
        [1],
        {"a": 1},
        "9" * 300,
    ],
)
def test_absurd_times_name_their_field(written: object) -> None:
    """What cannot be a time is refused with the field's name."""
    with pytest.raises(MalformedRecord) as caught:
        epoch_s(written, "startTime")
    assert caught.value.field == "startTime"


@given(st.integers(946_684_800_000, 7_258_118_400_000))
def test_milliseconds_of_any_year_are_told_from_seconds(stamp_ms: int) -> None:
    """Every millisecond from 2000 to 2200 reads the same in four units."""
    for factor in (1, 1000, 1_000_000):
        read = epoch_s(stamp_ms * factor, "t")
        assert read is not None
        assert math.isclose(read, stamp_ms / 1e3, rel_tol=1e-9)


@pytest.mark.parametrize(
    ("written", "want"),
    [
        (3, 3),
        ("3", 3),
        ("3.0", 3),
        (3.0, 3),
        ("NaN", None),
        ("", None),
        (-1, None),
        ("-1", None),
        ("None", None),
        (None, None),
        ({"low": 7, "high": 0}, 7),
        ({"low": -1, "high": -1}, None),
        (0, 0),
    ],
)
def test_counts(written: object, want: int | None) -> None:
    """Numbers in every dress; sentinels are absent, zero is zero."""
    assert count(written, "n") == want


@pytest.mark.parametrize("written", ["many", -7, 2**60, True, [1], {"a": 1}, "1" * 100])
def test_no_counts(written: object) -> None:
    """What is no count is refused."""
    with pytest.raises(MalformedRecord):
        count(written, "n")


def test_large_ids_keep_their_digits() -> None:
    """Numeric ids become text without passing through a float."""
    assert identity(9007199254740993) == "9007199254740993"


def test_stream_usage_takes_the_maximum_per_field() -> None:
    """The last event may repeat the input as 0."""
    fields: Fields = {}
    merge_usage(fields, read_usage({"input_tokens": 15, "output_tokens": 1}))
    merge_usage(fields, read_usage({"input_tokens": 0, "output_tokens": 6}))
    assert fields == {"input_tokens": 15, "output_tokens": 6}


def test_cached_accounting_follows_the_names() -> None:
    """OpenAI and Gemini count inside, Anthropic and Bedrock beside."""
    inside = read_usage({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}})
    beside = read_usage({"input_tokens": 9, "cache_read_input_tokens": 40})
    assert (inside["cached_in_input"], beside["cached_in_input"]) == (True, False)


def test_every_finish_reason_maps_to_one_word() -> None:
    """No raw reason stands under two normalised ones; unknown ones are `other`."""
    raws = [raw for group in NORMALISED.values() for raw in group]
    assert len(raws) == len(set(raws))
    assert normalised_finish("SAFETY") == "content_filter"
    assert normalised_finish("brand_new") == "other"
    assert normalised_finish(None) is None


@settings(max_examples=200)
@given(
    st.recursive(
        st.text(max_size=8) | st.integers() | st.none(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
        ),
        max_leaves=12,
    ),
    st.data(),
)
def test_cut_json_never_invents(document: object, data: st.DataObject) -> None:
    """Whatever is read from a cut document is a prefix of it in content."""
    text = json.dumps({"a": document})
    cut = text[: data.draw(st.integers(1, len(text)))]
    read = read_cut(cut)
    assert read is None or isinstance(read, dict)
    if isinstance(read, dict) and cut == text:
        assert read == json.loads(text)


def test_chat_templates() -> None:
    """The system prompt and turns of templated prompts; no generation prompt at the end."""
    want = [("system", "Be brief."), ("user", "Tide?")]
    assert (
        templated_turns(
            "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nTide?"
            "<|im_end|>\n<|im_start|>assistant\n"
        )
        == want
    )
    assert (
        templated_turns(
            "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
            "<|start_header_id|>user<|end_header_id|>\n\nTide?<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\n"
        )
        == want
    )
    assert templated_turns("<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nTide? [/INST]") == want
    assert templated_turns("[1, 2]") is None
    assert templated_turns("<p>hello</p>") is None


def test_paths() -> None:
    """Dots, positions, JSON in text, dotted names, header case."""
    raw = {
        "a": {"b": [{"c": 1}]},
        "m": '{"u": {"id": "x"}}',
        "attributes": {"user.id": "y"},
        "headers": {"X-Org": "z"},
    }
    assert look_up(raw, "a.b[0].c") == 1
    assert look_up(raw, "m(json).u.id") == "x"
    assert look_up(raw, "attributes[user.id]") == look_up(raw, "attributes.user.id") == "y"
    assert look_up(raw, "headers.x-org") == "z"
    assert look_up(raw, "a.b[5].c") is None
