"""kafka-python's errors in the words of `streams.log`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors

from streams.log import Fenced, LogError, OffsetOutOfRange, RecordRefused, UnknownTopic

# Another member or producer has taken over, or the broker has forgotten this one: either way what
# is in flight will never commit, and the caller starts afresh.
_FENCED = (
    errors.CommitFailedError,
    errors.FencedInstanceIdError,
    errors.IllegalGenerationError,
    errors.InvalidProducerEpochError,
    errors.InvalidProducerIdMappingError,
    errors.ProducerFencedError,
    errors.TransactionCoordinatorFencedError,
    errors.UnknownMemberIdError,
    errors.UnknownProducerIdError,
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
)


def log_error(
    error: Exception, doing: str, bootstrap: str, *, topic: str | None = None
) -> LogError:
    """The LogError for what kafka-python raised while `doing` (words: "reading", "joining …")."""
    why = str(error) or type(error).__name__
    if isinstance(error, _FENCED):
        return Fenced(f"{doing}: another took over ({why}); rejoin, or stop", topic=topic)
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
    if isinstance(error, errors.RebalanceInProgressError):
        return LogError(f"{doing}: the group is rebalancing; poll, then do it again", topic=topic)
    if isinstance(error, errors.AuthorizationError):
        return LogError(
            f"{doing}: Kafka at {bootstrap} does not allow it ({why}); grant it to this client",
            topic=topic,
        )
    if isinstance(error, _SILENT):
        return LogError(
            f"{doing}: Kafka at {bootstrap} does not answer ({why}); start the broker, or correct "
            "the setting kafka.bootstrap (STILLWATCH_KAFKA=host:port)",
            topic=topic,
        )
    return LogError(f"{doing}: {type(error).__name__}: {why}", topic=topic)


@contextmanager
def kafka_errors(doing: str, bootstrap: str, *, topic: str | None = None) -> Iterator[None]:
    """Turns what kafka-python raises inside into a LogError."""
    try:
        yield
    except (errors.KafkaError, OSError) as error:
        raise log_error(error, doing, bootstrap, topic=topic) from error
