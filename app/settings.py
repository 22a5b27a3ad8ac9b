"""Settings of the server, from the environment: COVE_ARTIFACTS, COVE_PORT and so on."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


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
    max_body_bytes: int = Field(default=8 << 20, ge=1)
    """Size of a request's body."""
    torch_threads: int = Field(default=1, ge=1)
    """Threads of one tensor operation; requests run beside each other anyway."""
    poll_seconds: float = Field(default=1.0, gt=0)
    """How often the server looks whether another model was activated."""
