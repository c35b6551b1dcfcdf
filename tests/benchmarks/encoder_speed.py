"""The pipeline with the prompt encoder on: its calls an account and its share of the time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from time import process_time

from detector.encoder import CARD, Encoder
from detector.pipeline import Models, Pipeline, load_models
from detector.policy import Policy
from detector.settings import packaged_models
from streams.files import FileRecord
from tests.benchmarks.kafka_day import Unavailable
from tests.benchmarks.recorded_day import RecordedDay, batches, read_requests, released
from tests.benchmarks.report import Row
from tests.benchmarks.requests_per_account import deal_out

ENCODER = Path(__file__).parents[2] / "build" / "encoder"
THIN_EVENTS = 5_000
THIN = 25
ROUNDS = 3


def measure(day: RecordedDay) -> list[Row]:
    """Three rows: the day's mix, thin accounts, and a piece alone. No goal."""
    if not (ENCODER / CARD).exists():
        raise Unavailable("build the prompt encoder with `make encoder`")
    bare, policy = released()
    models = _on_cpu_time(load_models(packaged_models(), encoder=ENCODER))
    mix = [record for batch in batches(day.native) for record in batch]
    requests = read_requests(day.native)
    some = sorted(requests, key=lambda request: request.event_id)[:THIN_EVENTS]
    times_s = sorted(request.event_time_s or 0.0 for request in some)
    thin = deal_out(some, times_s, THIN)
    return [
        _row("the day's mix", mix, models, bare, policy),
        _row(f"accounts of {THIN} requests", thin, models, bare, policy),
        _piece(models, [r.messages[-1].text for r in some if r.messages]),
    ]


def _row(name: str, log: list[FileRecord], models: Models, bare: Models, policy: Policy) -> Row:
    _run(log, models, policy)  # warm-up
    pairs = [(_run(log, bare, policy), _run(log, models, policy)) for _ in range(ROUNDS)]
    without_s = min(plain[0] for plain, _ in pairs)
    with_s, pieces, encoder_s, accounts = min(full for _, full in pairs)
    return Row(
        name=f"pipeline with the prompt encoder, {name}",
        value=len(log) / with_s,
        unit="events/s",
        reference=len(log) / without_s,
        ratio=without_s / with_s,
        note=f"{len(log):,} events of {accounts:,} accounts; {pieces / accounts:.1f} pieces "
        f"encoded an account; {encoder_s / with_s:.0%} of the time is the encoder's; reference: "
        f"without it; CPU time, best of {ROUNDS} runs, {_provider(models)}",
    )


def _on_cpu_time(models: Models) -> Models:
    """The models with an encoder that counts seconds as the benchmark does."""
    if models.prompts is None:
        raise Unavailable("no prompt encoder was loaded")
    return replace(models, prompts=replace(models.prompts, clock=process_time))


def _piece(models: Models, texts: list[str]) -> Row:
    if models.prompts is None:
        raise Unavailable("no prompt encoder was loaded")
    some = texts[:500]
    best_s = min(_timed(models.prompts.encoder, some) for _ in range(ROUNDS))
    return Row(
        name="prompt encoder",
        value=best_s / len(some) * 1e3,
        unit="ms a piece",
        note=f"{len(some)} last messages of the day, tokens and vectors, {_provider(models)}",
    )


def _timed(encoder: Encoder, texts: list[str]) -> float:
    start_s = process_time()
    encoder.encode(texts)
    return process_time() - start_s


def _run(log: list[FileRecord], models: Models, policy: Policy) -> tuple[float, int, float, int]:
    """CPU seconds, pieces encoded, seconds of the encoder, accounts."""
    pipeline = Pipeline(models, policy)
    pieces, encoder_s = 0, 0.0
    start_s = process_time()
    for first in range(0, len(log), 5000):
        out = pipeline.process(log[first : first + 5000])
        pieces += out.counts["encoded"]
        encoder_s += sum(out.encoder_s)
    return process_time() - start_s, pieces, encoder_s, len(pipeline.partition(0).state.accounts)


def _provider(models: Models) -> str:
    return "CPU" if models.prompts is None else models.prompts.encoder.provider
