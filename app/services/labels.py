"""People's names for codes: kept in the registry, read from memory, so that browsing needs none."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.browsing_schemas import CodeLabel, CodeLabels, CodeSummary, CodeTree, Levels
from app.services.entity_index import EntityIndex
from app.services.errors import InvalidError
from training.registry.queries import Registry

Labels = Mapping[tuple[int, int], str]
"""The label of a level and a code, of one model's items or users."""
_UNPRINTABLE = {"Cc", "Cs"}


@dataclass(frozen=True)
class _Held:
    changes: int | None = None
    labels: dict[tuple[str, str], dict[tuple[int, int], str]] = field(default_factory=dict)
    """By model and entity."""


class LabelBook:
    """The labels as they were when the registry could last be read; at first none."""

    def __init__(self) -> None:
        self._held = _Held()

    def follow(self, registry: Registry) -> None:
        """Read the labels where any has changed.

        Raises:
            RegistryError: the registry cannot be used; what is held stays.
        """
        changes = registry.label_changes()
        if changes == self._held.changes:
            return
        held = _Held(changes)
        for each in registry.list_labels():
            labels = held.labels.setdefault((each.model_id, each.entity), {})
            labels[each.level, each.code] = each.label
        self._held = held  # at once, whoever else reads them now

    def of(self, index: EntityIndex) -> Labels:
        """The labels of a model's codes of an entity."""
        return self._held.labels.get((index.model_id, index.entity), {})


def cleaned(label: str) -> str:
    """A label as it is kept: single spaces, none around it.

    Raises:
        InvalidError: it holds control characters.
    """
    label = " ".join(label.split())
    if any(unicodedata.category(character) in _UNPRINTABLE for character in label):
        raise InvalidError("label", "control characters cannot be shown: leave them out")
    return label


def with_labels(codes: Iterable[CodeSummary], labels: Labels) -> None:
    """Put the labels into descriptions of codes."""
    for each in codes:
        each.label = labels.get((each.level, each.code))


def count_labels(answer: Levels, labels: Labels) -> None:
    """Say of each level how many of its codes have a label."""
    for each in answer.levels:
        each.labelled = sum(level == each.level for level, _ in labels)


def name_tree(answer: CodeTree, labels: Labels) -> None:
    """Put the labels into a tree."""
    for (level, code), label in labels.items():
        answer.levels[level - 1].labels[code] = label


def labels_of(codes: list[int], labels: Labels) -> list[str | None]:
    """The labels of an entity's codes, level 1 first."""
    return [labels.get((level, code)) for level, code in enumerate(codes, start=1)]


def all_labels(index: EntityIndex, labels: Labels) -> CodeLabels:
    """Every label of a model's codes of an entity, by level and code."""
    return CodeLabels(
        model=index.model_id,
        entity=index.entity,
        labels=[
            CodeLabel(level=level, code=code, label=label)
            for (level, code), label in sorted(labels.items())
        ],
    )
