"""The compose file by the specification, and what it promises of every service."""

import re
from pathlib import Path
from typing import Any

import compose_spec
import podman_compose
import pytest
import yaml

FILE = Path(__file__).parents[2] / "docker" / "compose.yaml"
NAMES = yaml.safe_load(FILE.read_text())["services"].keys()


def services(**variables: str) -> dict[str, dict[str, Any]]:
    """The services with the variables put in, as a compose program reads them."""
    found: dict[str, dict[str, Any]] = compose(**variables)["services"]
    return found


def compose(**variables: str) -> dict[str, Any]:
    found: dict[str, Any] = podman_compose.rec_subs(yaml.safe_load(FILE.read_text()), variables)
    return found


@pytest.mark.parametrize(
    "variables",
    [{}, {"COVE_DATA": "/my/data", "COVE_ADMIN_KEY_FILE": "/my/key", "COVE_PORT": "80"}],
)
def test_the_file_keeps_to_the_specification(variables: dict[str, str]) -> None:
    whole = {k: v for k, v in compose(**variables).items() if not k.startswith("x-")}
    read = compose_spec.PyCompose.from_yaml(yaml.safe_dump(whole))
    assert set(read.service_names()) == set(NAMES)


def test_a_wrong_word_does_not_keep_to_the_specification() -> None:
    with pytest.raises(ValueError, match="readonly"):
        compose_spec.PyCompose.from_yaml("services: {app: {image: a, readonly: true}}")


@pytest.mark.parametrize("name", NAMES)
def test_every_service_is_confined(name: str) -> None:
    service = services()[name]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    assert service["read_only"] is True
    assert "/tmp" in service["tmpfs"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert ":latest" not in service["image"] or service["image"].startswith("localhost/")


@pytest.mark.parametrize("name", ["app", "migrate", "training", "training-gpu"])
def test_no_key_is_named_by_default_and_a_named_one_is_read_from_its_secret(name: str) -> None:
    keys = ("COVE_API_KEY_FILE", "COVE_ADMIN_KEY_FILE", "COVE_DATABASE_PASSWORD_FILE")
    named = services(**{key: f"/my/{key}" for key in keys})[name]
    for key in {*keys} & named["environment"].keys():
        assert services()[name]["environment"][key] == ""
        secret = key.removeprefix("COVE_").removesuffix("_FILE").lower()
        assert named["environment"][key] == f"/run/secrets/{secret}"
        assert secret in named["secrets"]
        assert compose(**{key: "/my/file"})["secrets"][secret] == {"file": "/my/file"}
    assert (FILE.parent / compose()["secrets"]["api_key"]["file"]).read_bytes() == b""


def test_up_alone_brings_the_migration_and_after_it_the_server() -> None:
    alone = {name for name, service in services().items() if "profiles" not in service}
    assert alone == {"migrate", "app"}
    after = services()["app"]["depends_on"]["migrate"]["condition"]
    assert after == "service_completed_successfully"


def test_only_the_gpu_profile_asks_for_a_gpu() -> None:
    asking = {name: each["profiles"] for name, each in services().items() if "deploy" in each}
    assert asking == {"training-gpu": ["gpu"]}
    assert services()["training-gpu"]["build"]["args"] == {"ACCELERATOR": "gpu", "TORCH_INDEX": ""}
