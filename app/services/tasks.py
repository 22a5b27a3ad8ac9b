"""The tasks that the server has a call for, and how a person gets a model for each."""

from dataclasses import dataclass

from cove.recommenders import CLICKS, LISTS, PREFERENCES


@dataclass(frozen=True)
class Task:
    """A task in the words of those who call the server."""

    objects: str
    """What its models are for: "There is no model for lists yet"."""
    call: str
    how_to_train: str
    """The command that trains one; {} stands for the directory of artifacts."""


TASKS: dict[str, Task] = {
    LISTS: Task(
        objects="lists",
        call="POST /complete-list",
        how_to_train="cove train fans --data ml100k --from DIR --cove 100,10 --output {}/films",
    ),
    CLICKS: Task(
        objects="clicks",
        call="POST /score-clicks",
        how_to_train="cove train deepfm --data ml100k --from DIR --user-cove 100 --item-cove 100 "
        "--output {}/clicks",
    ),
    PREFERENCES: Task(
        objects="recommendations",
        call="POST /recommend-items",
        how_to_train="cove train bprmf --data ml100k --from DIR --user-cove 50 --item-cove 50 "
        "--output {}/recommend",
    ),
}
"""The first of them whose model is served is the one that is browsed by default."""
