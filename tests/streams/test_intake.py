"""Intake: hostile input, identities, ids, limits, the native fast path."""

from __future__ import annotations

import hashlib
import hmac
import json

import msgspec
import pytest

from streams.errors import MalformedRecord, UnknownFormat
from streams.intake import Intake, IntakeSettings
from streams.record import ApiRequest, Message

NATIVE = ApiRequest(
    event_id="e-1",
    event_time_s=1790000000.0,
    account="a",
    end_user="eu",
    client_ip="192.0.2.77",
    messages=[Message("user", "hello")],
    n_messages=1,
    input_tokens=3,
)


def native(**more: object) -> bytes:
    """A native record with some fields changed."""
    return json.dumps({**msgspec.to_builtins(NATIVE), **more}).encode()


def read(value: bytes, **settings: object) -> list[ApiRequest]:
    """Reads one record with fresh state."""
    return Intake(IntakeSettings(**settings)).read(value, record_time_s=None)  # type: ignore[arg-type]


def test_fast_path_and_general_path_agree() -> None:
    """The typed decode tried first gives what the search for the format gives."""
    intake = Intake()
    first = intake.read(native(), record_time_s=None)
    second = intake.read(native(), record_time_s=None)
    named = read(native(), format="native")
    assert first == second == named


def test_native_fast_path_gives_way_to_another_format() -> None:
    """A stream that changes its format is still read."""
    intake = Intake()
    other = (
        b'{"timestamp":"2026-03-01T08:00:00Z","user_id":"b","request":{"method":"POST",'
        b'"path":"/v1/chat/completions","body":{"model":"m","messages":[]}}}'
    )
    names = [
        intake.read_named(value, record_time_s=None)[0]
        for value in (native(), native(), other, native(), other)
    ]
    assert names == ["native", "native", "openai", "native", "openai"]


def test_identities_are_replaced() -> None:
    """End user and address leave intake as HMACs; the network stays."""
    request = read(native(), hmac_key=b"k")[0]
    want = hmac.new(b"k", b"eu", hashlib.sha256).hexdigest()[:32]
    assert request.end_user == want
    assert request.client_ip not in (None, "192.0.2.77")
    assert request.network == "192.0.2.0/24"
    assert read(native(), hmac_key=b"other")[0].end_user != want
    six = read(native(client_ip="2001:db8:1:2::5"))[0]
    assert six.network == "2001:db8:1::/48"


def test_secret_keys_are_hashed() -> None:
    """A raw secret never passes; a hash or a name does."""
    secret = "sk-proj-" + "abcdefghijklmnop"
    for written in (secret, f"Bearer {secret}"):
        request = read(native(key=written))[0]
        assert request.key is not None
        assert request.key.startswith("sha256:")
        assert secret not in msgspec.json.encode(request).decode()
    assert read(native(key="9c1a77d2"))[0].key == "9c1a77d2"
    by_header = read(
        json.dumps(
            {
                "timestamp": 1790000000,
                "headers": {"Authorization": f"Bearer {secret}"},
                "path": "/v1/chat/completions",
                "body": {"model": "m", "messages": []},
            }
        ).encode(),
        account_from=("headers.authorization",),
    )[0]
    assert secret not in msgspec.json.encode(by_header).decode()
    assert by_header.account == by_header.key


def test_address_as_account_is_replaced_too() -> None:
    """An operator may point account_from at the address; it stays an address."""
    request = read(native(), account_from=("client_ip",))[0]
    assert request.account is not None
    assert request.account.startswith("ip:")


def test_event_id_comes_from_content() -> None:
    """No id in the log: equal content gives equal ids, other content others."""
    bare = native(event_id="")
    assert read(bare)[0].event_id == read(bare)[0].event_id
    assert read(bare)[0].event_id != read(native(event_id="", input_tokens=4))[0].event_id


def test_record_time_tells_equal_requests_without_time_apart() -> None:
    """Without an event time two equal prompts at two record times are two requests."""
    value = json.dumps(
        {
            "path": "/v1/chat/completions",
            "account": "a",
            "status": 200,
            "body": {"model": "m", "messages": [{"role": "user", "content": "x"}]},
        }
    )
    ids = {Intake().read(value.encode(), record_time_s=when)[0].event_id for when in (1.0, 2.0)}
    assert len(ids) == 2


def test_long_text_is_cut_on_a_character_boundary() -> None:
    """Text past the limit is cut and marked; ten megabytes do not hurt."""
    text = "é" * 5_000_000
    value = native().replace(b'"hello"', b'"' + text.encode() + b'"')
    request = read(value)[0]
    assert request.truncated
    assert request.messages is not None
    kept = request.messages[0].text
    assert len(kept.encode()) <= 256 * 1024
    assert set(kept) == {"é"}
    small = read(native(output_text="abcé"), max_text_bytes=4)[0]
    assert (small.output_text, small.output_chars, small.truncated) == ("abc", 4, True)


def test_record_past_the_limit_is_refused() -> None:
    """A record larger than max_record_bytes is refused before it is decoded."""
    with pytest.raises(MalformedRecord, match="at most 100 bytes"):
        read(native(output_text="x" * 200), max_record_bytes=100)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event_time_s", -5.0),
        ("event_time_s", 9e12),
        ("event_time_s", "soon"),
        ("input_tokens", -1),
        ("input_tokens", 2**60),
        ("input_tokens", "many"),
        ("messages", [{"text": 1}]),
        ("messages", "hello"),
        ("temperature", "hot"),
        ("logprobs", 3),
        ("status", [200]),
        ("account", 17),
    ],
)
def test_wrong_values_name_their_field(field: str, value: object) -> None:
    """A native field that is not what it must be is refused, and the reason names it."""
    for settings in ({}, {"format": "native"}):
        with pytest.raises(MalformedRecord) as caught:
            read(native(**{field: value}), **settings)
        assert caught.value.field.startswith(field)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"   ",
        b"\x00\x01\x02\xff\xfe",
        b'{"a":',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"event_time_s": NaN}',
        b'{"event_time_s": Infinity}',
        b'{"event_time_s": 1e999}',
        b'{"event_time_s": 1790000000, "input_tokens": 1e40}',
        b"null",
        b"42",
        b'"x"',
        b"[]",
        b"{}",
    ],
)
def test_hostile_bytes_are_refused(value: bytes) -> None:
    """Empty, binary, cut, deeply nested and out-of-range input: a reason, no crash."""
    for settings in ({}, {"format": "native"}, {"format": "otel"}):
        with pytest.raises(MalformedRecord):
            read(value, **settings)


def test_half_surrogates_and_nul_survive() -> None:
    """JSON may hold half a surrogate pair and NUL; the record is read, the half replaced."""
    value = (
        b'{"event_time_s":1790000000,"messages":[{"role":"user","text":'
        b'"a\\ud83d b\\u0000c \\ud83d\\ude00 \\\\ud83d"}],"n_messages":1}'
    )
    request = read(value)[0]
    assert request.messages is not None
    assert request.messages[0].text == "a\ufffd b\x00c \U0001f600 \\ud83d"
    msgspec.json.encode(request)


def test_invalid_utf8_is_replaced() -> None:
    """A byte that is no UTF-8 costs one character, not the record."""
    value = b'{"event_time_s":1790000000,"account":"a","output_text":"x\xffy"}'
    assert read(value)[0].output_text == "x\ufffdy"


def test_unknown_format_tells_the_shape_and_no_values() -> None:
    """The reason shows keys, never what stands behind them."""
    with pytest.raises(UnknownFormat) as caught:
        read(b'{"foo":"secret text","bar":1}')
    assert "foo" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_unknown_setting_is_refused_with_the_known_names() -> None:
    """A format name that does not exist stops at start."""
    with pytest.raises(MalformedRecord, match="litellm"):
        Intake(IntakeSettings(format="nonsense"))


def test_shippers_envelopes_are_opened() -> None:
    """Docker, Elasticsearch and queue envelopes around a known format."""
    inner = json.loads(native())
    for raw in (
        {"log": native().decode() + "\n", "stream": "stdout"},
        {"_source": inner},
        {"value": native().decode()},
        json.dumps(native().decode()),
        [inner, inner],
        [{"heartbeat": 1}, inner],
    ):
        requests = read(json.dumps(raw).encode())
        assert {request.account for request in requests} == {"a"}


def test_tenant_of_the_settings() -> None:
    """Records take the tenant of their source."""
    assert read(native(), tenant="blue")[0].tenant == "blue"
