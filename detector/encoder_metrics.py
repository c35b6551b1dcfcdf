"""The metrics of a worker's prompt encoder."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from detector.outputs import Outputs
from detector.pipeline import Models

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class EncoderMetrics:
    """The metrics of a worker's prompt encoder in a registry that is handed down."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(f"stillwatch_encoder_{name}", meaning, registry=registry)

        self._in_use = gauge("in_use", "1 when pieces are encoded.")
        self._gpu = gauge("gpu_in_use", "1 when the prompt encoder runs on a GPU.")
        self._pieces = Counter(
            "stillwatch_encoder_pieces", "Pieces of text encoded.", registry=registry
        )
        self._seconds = Histogram(
            "stillwatch_encoder_seconds",
            "Seconds for which a stretch of records waited for the prompt encoder.",
            registry=registry,
            buckets=_SECONDS,
        )

    def models(self, models: Models) -> None:
        """Tells whether there is an encoder and what it runs on."""
        prompts = models.prompts
        self._in_use.set(prompts is not None)
        self._gpu.set(prompts is not None and prompts.encoder.provider.startswith("CUDA"))

    def committed(self, out: Outputs) -> None:
        """Counts what one transaction cost."""
        if count := out.counts["encoded"]:
            self._pieces.inc(count)
        for seconds in out.encoder_s:
            self._seconds.observe(seconds)
