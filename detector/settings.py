"""The settings: built once at start from command line, environment and a TOML file, handed down.

The first that names a setting wins: command line, STILLWATCH_* environment, file, default.
"""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as SourceError

from detector.errors import DetectorError
from detector.policy import default_policy_path
from streams.intake import IntakeSettings
from streams.kafka_settings import KafkaSettings

ENV_PREFIX = "STILLWATCH_"
SETTINGS_FILE_VARIABLE = "STILLWATCH_SETTINGS"


class SettingsError(DetectorError):
    """A setting is not known, or its value is wrong."""

    def __init__(self, field: str, problem: str) -> None:
        self.field, self.problem = field, problem
        super().__init__(
            f"setting {field}: {problem}; correct it on the command line, in "
            f"{ENV_PREFIX}{field.split('.', maxsplit=1)[0].upper()} or in the settings file"
        )


def packaged_models() -> Path:
    """Where the released models lie: beside the workshop, which is found and not imported."""
    found = importlib.util.find_spec("models")
    folders = found.submodule_search_locations if found is not None else None
    root = Path(next(iter(folders))) if folders else Path(__file__).parent.parent / "models"
    return root / "artifacts"


class Settings(BaseSettings):
    """Every setting. The key in a file is the field's name.

    Attributes:
        model_dir: folder with cues.npz, cues.json, account.onnx and account.json.
        calibration: file of `stillwatch calibrate` for these models; None: the model card's table.
        policy: the policy file.
        format: name of the log's format; None: found by its marks, record by record.
        account_from: paths to the account in a raw record, tried in order before the format's own;
            in the environment separated by commas or a JSON list.
        hmac_key: replaces end users and addresses by HMACs; one key a deployment, kept secret.
        tenant: name of the tenant for records that name none.
        lateness_s: events older than the partition's clock by more are kept out of rate features.
        bad_ratio_cap: share of unreadable records (0 to 1) that stops a run.
        encoder: folder of the prompt encoder that `make encoder` builds; None: pieces are read by
            the cues alone.
        require_gpu: stop at start when classifier and encoder cannot run on a GPU.
        data: the optional data folder.
        kafka: how to reach Kafka; a table in the file; STILLWATCH_KAFKA=host:port, or
            STILLWATCH_KAFKA__BOOTSTRAP and so on, in the environment.
        input_topic: topic of the request logs.
        rekey_from: topic of request logs that are not keyed by account (an OpenTelemetry
            collector's, say); `stillwatch rekey` brings them to input_topic. None: there is none.
        group: consumer group of the workers; also begins their transactional ids.
        batch_records: records a worker takes into one transaction.
        snapshots: folder or fsspec URL for snapshots of the workers' state; None: there are none,
            and a worker that starts replays the input topic.
        snapshot_every_s: changed rows of a partition are written so often,
        snapshot_full_every_s: all of them so often.
        database: SQLAlchemy URL of the alert feed's database.
        lake: folder or fsspec URL of the analysts' store; None: the API tells no score history.
        keys: TOML file of API keys; see `stillwatch keys new`.
        host, port: where the API listens.
        stale_after_s: the gateway hook lets everybody pass once the API has not reached the end of
            the verdicts topic for so long.
        decision_account_header, decision_key_header, decision_end_user_header: request headers that
            the gateway hook takes identity from; empty: not looked at.
        decision_key_hash: how the log's keys come from what the key header carries: "sha256" of the
            bare key (as LiteLLM does) or "none".
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,  # it may be a secret
    )

    model_dir: Path = Field(default_factory=packaged_models)
    calibration: Path | None = None
    policy: Path = Field(default_factory=default_policy_path)
    format: str | None = None
    account_from: Annotated[tuple[str, ...], NoDecode] = ()
    hmac_key: SecretStr = SecretStr("stillwatch-demo")
    tenant: Annotated[str, Field(min_length=1, max_length=200)] = "default"
    lateness_s: Annotated[float, Field(ge=0)] = 3600.0
    bad_ratio_cap: Annotated[float, Field(ge=0, le=1)] = 0.5
    encoder: Path | None = None
    require_gpu: bool = False
    data: Path = Path("../shared")

    kafka: Annotated[KafkaSettings, NoDecode] = Field(default_factory=KafkaSettings)
    input_topic: Annotated[str, Field(min_length=1)] = "llm.requests"
    rekey_from: Annotated[str, Field(min_length=1)] | None = None
    group: Annotated[str, Field(min_length=1)] = "stillwatch"
    batch_records: Annotated[int, Field(ge=1, le=100_000)] = 2000
    snapshots: str | None = None
    snapshot_every_s: Annotated[float, Field(gt=0)] = 30.0
    snapshot_full_every_s: Annotated[float, Field(gt=0)] = 600.0
    database: str = "sqlite:///build/stillwatch.db"
    lake: str | None = None
    keys: Path | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    stale_after_s: Annotated[float, Field(gt=0)] = 60.0
    decision_account_header: str = "x-stillwatch-account"
    decision_key_header: str = "authorization"
    decision_end_user_header: str = "x-stillwatch-end-user"
    decision_key_hash: Literal["sha256", "none"] = "sha256"

    @field_validator("account_from", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        return [path.strip() for path in value.split(",") if path.strip()]

    @field_validator("kafka", mode="before")
    @classmethod
    def _bootstrap(cls, value: object) -> object:
        return {"bootstrap": value} if isinstance(value, str) else value

    @field_validator("rekey_from")
    @classmethod
    def _another(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and value == info.data.get("input_topic"):
            raise ValueError("must be another topic than input_topic")
        return value

    @property
    def intake(self) -> IntakeSettings:
        """How records are read."""
        return IntakeSettings(
            format=self.format,
            account_from=self.account_from,
            hmac_key=self.hmac_key.get_secret_value().encode(),
            tenant=self.tenant,
        )

    @property
    def corpus(self) -> Path | None:
        """The folder of released prompts, or None where there is none."""
        folder = self.data / "data"
        return folder if folder.is_dir() else None


class _Environment(EnvSettingsSource):
    """The environment, in which STILLWATCH_KAFKA names the brokers and takes nothing else away.

    Login and encryption that stand in the file, or under STILLWATCH_KAFKA__…, stay as they are.
    """

    def prepare_field_value(
        self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool
    ) -> Any:
        if field_name != "kafka" or not isinstance(value, str):
            return super().prepare_field_value(field_name, field, value, value_is_complex)
        rest = super().prepare_field_value(field_name, field, None, True)
        return {**(rest or {}), "bootstrap": value}


def load_settings(file: Path | None = None, **given: object) -> Settings:
    """Reads file and environment; `given` comes from the command line, None is "not given".

    Raises SettingsError naming the setting.
    """
    if file is not None and not file.is_file():
        raise SettingsError("settings", f"there is no file {file}")

    class _Filed(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            sources = (init_settings, _Environment(settings_cls))
            if file is None:
                return sources
            return (*sources, TomlConfigSettingsSource(settings_cls, toml_file=file))

    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if isinstance(brokers := values.get("kafka"), str):
        values["kafka"] = {"bootstrap": brokers}
    try:
        return _Filed(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        known = ", ".join(Settings.model_fields)
        unknown = first["type"] == "extra_forbidden"
        raise SettingsError(field, f"is not one of {known}" if unknown else first["msg"]) from error
    except (SourceError, ValueError, OSError) as error:
        raise SettingsError("settings", f"{file or 'the environment'}: {error}") from error


def settings_file_from_environment() -> Path | None:
    """The file that STILLWATCH_SETTINGS names, or None."""
    named = os.environ.get(SETTINGS_FILE_VARIABLE)
    return Path(named) if named else None
