"""Settings of the server, from the environment: COVE_ARTIFACTS, COVE_PORT and so on."""

from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

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
    max_list_length: int = Field(default=1000, ge=1)
    """Items that one list, `exclude` or `allow` may hold."""
    max_k: int = Field(default=1000, ge=1)
    """Items that one completion may ask for."""
    max_lists: int = Field(default=256, ge=1)
    """Lists that one request may complete."""
    max_items_scored: int = Field(default=1000, ge=1, le=10_000)
    """Items that one request may have scored; they go through the network as one batch."""
    max_body_bytes: int = Field(default=8 << 20, ge=1)
    """Size of a request's body."""
    torch_threads: int = Field(default=1, ge=1)
    """Threads of one tensor operation; requests run beside each other anyway."""
    poll_seconds: float = Field(default=1.0, gt=0)
    """How often the server looks whether another model was activated."""
    first_model_command: str | None = None
    """What people are told to run while there is no model for lists; by default `cove train`."""


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
        raise SettingsError(f"{name}: {first['msg']}: got {first['input']!r}") from None
