"""What routes are given: the settings, the store, the model that a request names."""

from typing import Annotated, cast

from fastapi import Depends, Query, Request

from app.services.model_store import ModelStore
from app.services.served_model import ServedModel
from app.settings import Settings


def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


def _store(request: Request) -> ModelStore:
    return cast(ModelStore, request.app.state.store)


SettingsOf = Annotated[Settings, Depends(_settings)]
StoreOf = Annotated[ModelStore, Depends(_store)]


def _model(
    store: StoreOf,
    model: Annotated[
        str | None, Query(max_length=200, description="A model's id; the active one by default")
    ] = None,
) -> ServedModel:
    return store.find(model)


ModelOf = Annotated[ServedModel, Depends(_model)]
