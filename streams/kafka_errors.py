"""kafka-python's errors in the words of `streams.log`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors

from streams.log import (
    Evicted,
    Fenced,
    GroupMoved,
    LogError,
    OffsetOutOfRange,
    RecordRefused,
    UnknownTopic,
    Unreachable,
)

# Another producer or member took this one's name, or a transaction was open for too long: what is
# in flight will never commit.
_FENCED = (
    errors.FencedInstanceIdError,
    errors.InvalidProducerEpochError,
    errors.ProducerFencedError,
    errors.TransactionCoordinatorFencedError,
)
# The member's place in the group is an old one; the next poll finds out what became of it.
_MOVED = (errors.CommitFailedError, errors.IllegalGenerationError)
_AGAIN = "the group is rebalancing; poll, then do it again"
_MEMBERSHIP: tuple[tuple[tuple[type[Exception], ...], type[LogError], str], ...] = (
    (_FENCED, Fenced, "another took over the name, or the transaction was open for too long"),
    (_MOVED, GroupMoved, _AGAIN),
    ((errors.UnknownMemberIdError,), Evicted, "no longer a member of the group; join anew"),
    ((errors.RebalanceInProgressError,), LogError, _AGAIN),
)
_REFUSED = (
    errors.InvalidRecordError,
    errors.InvalidTimestampError,
    errors.MessageSizeTooLargeError,
    errors.PolicyViolationError,
    errors.RecordListTooLargeError,
)
_UNKNOWN = (errors.UnknownTopicOrPartitionError, errors.InvalidTopicError)
_SILENT = (
    errors.KafkaTimeoutError,
    errors.KafkaConnectionError,
    errors.NodeNotReadyError,
    errors.BrokerNotAvailableError,
    # What came of requests on a connection that still stands, as to a broker that is frozen.
    errors.RequestTimedOutError,
    errors.NetworkExceptionError,
)


def log_error(
    error: Exception, doing: str, bootstrap: str, *, topic: str | None = None
) -> LogError:
    """The LogError for what kafka-python raised while `doing` (words: "reading", "joining …")."""
    why = str(error) or type(error).__name__
    for kinds, kind, sentence in _MEMBERSHIP:
        if isinstance(error, kinds):
            return kind(f"{doing}: {sentence} ({why})", topic=topic)
    if isinstance(error, _REFUSED):
        return RecordRefused(
            f"{doing}: the broker will never take this record ({why})", topic=topic
        )
    if isinstance(error, _UNKNOWN):
        return UnknownTopic(
            f"{doing}: no such topic or partition ({why}); `stillwatch topics create` makes "
            "Stillwatch's own",
            topic=topic,
        )
    if isinstance(error, errors.OffsetOutOfRangeError) and isinstance(error.args[0], dict):
        (where, offset), *_ = error.args[0].items()
        return OffsetOutOfRange(
            f"offset {offset} of partition {where.partition} of {where.topic!r} is not in the log",
            topic=where.topic,
            partition=where.partition,
            offset=offset,
        )
    if isinstance(error, errors.LogTruncationError):
        return OffsetOutOfRange(
            f"{doing}: the log lost records that were read ({why})", topic=topic
        )
    if isinstance(error, errors.SaslAuthenticationFailedError):
        # The greeting went well once: what is new since then is the secret, or the broker's list.
        return LogError(
            f"{doing}: Kafka at {bootstrap} refuses the login ({why}); renew kafka.sasl_password "
            "or kafka.oauth_token_file (or _url), or the file that holds it",
            topic=topic,
        )
    if isinstance(error, errors.AuthorizationError):
        return LogError(
            f"{doing}: Kafka at {bootstrap} does not allow it ({why}); grant it: "
            "`stillwatch topics acls` prints what each role needs",
            topic=topic,
        )
    if _is_silent(error):
        return Unreachable(
            f"{doing}: Kafka at {bootstrap} does not answer ({why}); start the broker, or correct "
            "the setting kafka.bootstrap (STILLWATCH_KAFKA=host:port)",
            topic=topic,
        )
    return LogError(f"{doing}: {type(error).__name__}: {why}", topic=topic)


def _is_silent(error: Exception) -> bool:
    """Whether nobody answered. A producer wraps what ended a transaction in words."""
    if type(error) is errors.KafkaError:
        return any(kind.__name__ in str(error) for kind in _SILENT)
    return isinstance(error, _SILENT)


@contextmanager
def kafka_errors(doing: str, bootstrap: str, *, topic: str | None = None) -> Iterator[None]:
    """Turns what kafka-python raises inside into a LogError."""
    try:
        yield
    except (errors.KafkaError, OSError) as error:
        raise log_error(error, doing, bootstrap, topic=topic) from error
