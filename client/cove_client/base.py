"""What all answers have in common."""

from pydantic import BaseModel, ConfigDict

Id = str | int
"""An id as it is in the data; 50 and "50" are one item, or one user."""


class Answer(BaseModel):
    """The base of all answers. A field that a newer server adds is passed over.

    What a field means is said in the server's /docs.
    """

    model_config = ConfigDict(frozen=True)
