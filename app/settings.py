"""Settings of the server, from the environment: COVE_ARTIFACTS, COVE_PORT and so on."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cove.errors import SettingsError


class Settings(BaseSettings):
    """What a person may set; every field is also the variable COVE_<FIELD>."""

    model_config = SettingsConfigDict(env_prefix="COVE_", extra="ignore", frozen=True)

    artifacts: Path = Path("artifacts")
    """The directory that holds the artifacts, and by default the registry beside them."""
    database_url: str | None = None
    """Where the registry is; by default an SQLite file inside `artifacts`."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=256)
    """Processes that answer on the same port; each has the models in memory, tables shared."""

    api_key: SecretStr | None = None
    """What every call but the health checks and the pages must bring; none is needed without."""
    api_key_file: Path | None = None
    """A file that holds `api_key`, in its place."""
    admin_key: SecretStr | None = None
    """What calls that change something must bring; without it nobody may make them."""
    admin_key_file: Path | None = None
    """A file that holds `admin_key`, in its place."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    """Names, commas between, that the server answers to, * for any. By default any too, but for a
    server on a loopback address: there addresses and names without a dot, which no foreign web
    page can have pointed here."""

    max_list_length: int = Field(default=1000, ge=1)
    """Items that one list, `exclude` or `allow` may hold."""
    max_k: int = Field(default=1000, ge=1)
    """Items that one completion may ask for."""
    max_lists: int = Field(default=256, ge=1)
    """Lists that one request may complete."""
    max_items_scored: int = Field(default=1000, ge=1, le=10_000)
    """Items that one request may have scored."""
    max_body_bytes: int = Field(default=1 << 20, ge=1)
    """Size of a request's body."""
    max_queue: int = Field(default=256, ge=1)
    """Calls that may wait for a model; a further one is answered 429."""
    max_batch: int = Field(default=64, ge=1)
    """Lists, users or sets of pairs that are computed together."""
    cache_bytes: int = Field(default=0, ge=0)
    """Answers to keep for calls that are asked again word by word, counted without their keys."""
    recent_calls: int = Field(default=100, ge=0, le=10_000)
    """The last calls of each task that are kept in memory, for a model to be compared on."""
    request_timeout_seconds: float = Field(default=30.0, gt=0)
    """How long a call may take, its body's way here included."""
    shutdown_seconds: int = Field(default=30, ge=0)
    """How long calls in progress may take once the server is told to stop."""
    torch_threads: int = Field(default=1, ge=1)
    """Threads of one tensor operation."""
    poll_seconds: float = Field(default=0.5, gt=0)
    """How often the server looks whether another model was activated."""
    first_model_command: str | None = None
    """What people are told to run while there is no model for lists; by default `cove train`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """From `info` on, every request is one line of the log."""

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(name.strip().lower() for name in value.split(",") if name.strip())
        return value

    @field_validator("api_key", "admin_key", "api_key_file", "admin_key_file", mode="before")
    @classmethod
    def _empty_is_none(cls, value: Any) -> Any:
        return None if value == "" else value


def read_settings(**given: Any) -> Settings:
    """The settings of the environment, with those `given` in their place.

    Raises:
        SettingsError: a value breaks its rule; the sentence names the variable.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = f"COVE_{'_'.join(map(str, first['loc']))}".upper()
        got = "" if name.endswith("_KEY") else f": got {first['input']!r}"
        raise SettingsError(f"{name}: {first['msg']}{got}") from None
