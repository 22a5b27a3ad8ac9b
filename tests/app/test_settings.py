"""Settings come from the environment."""

from pathlib import Path

import pytest

from app.settings import read_settings
from cove.errors import SettingsError


def test_settings_come_from_the_environment_and_what_is_given_wins(monkeypatch) -> None:
    monkeypatch.setenv("COVE_ARTIFACTS", "/somewhere")
    monkeypatch.setenv("COVE_MAX_K", "7")
    assert read_settings().artifacts == Path("/somewhere")
    assert read_settings(max_k=8).max_k == 8


def test_a_wrong_setting_gets_one_sentence_that_names_its_variable(monkeypatch) -> None:
    monkeypatch.setenv("COVE_MAX_K", "many")
    with pytest.raises(SettingsError, match=r"COVE_MAX_K: .* got 'many'"):
        read_settings()
