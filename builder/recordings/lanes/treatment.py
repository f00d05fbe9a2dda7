"""Treatment: what was done to a lane of a recording before it was drawn, and to its drawing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NotRequired

from annotated_types import Ge, Predicate
from psgimg.builder.files import safe_names
from typing_extensions import TypedDict

NOT_RECORDED = "not in the file"
ELSEWHERE = "its electrode stands in another lane"
TURNED = "recorded the other way round"
UPSIDE_DOWN = "stored upside down"
LEVEL = "level of the EMG, on a scale of its own"

Reason = Annotated[str, Predicate(safe_names.is_line)]


class TreatmentJson(TypedDict):
    """A treatment in ``build.json``; without a key, nothing of the kind was done.

    ``clipped`` is the number of pages on which a wave is cut at the lane's edge; only pages that were
    drawn are counted.
    """

    absent: NotRequired[Reason]
    inverted: NotRequired[list[Reason]]
    rescaled: NotRequired[list[Reason]]
    clipped: NotRequired[Annotated[int, Ge(1)]]


@dataclass(frozen=True)
class Treatment:
    """What was done to a lane, each with the reason; nothing by default.

    Parameters
    ----------
    absent
        Why it is not drawn; "" if it is.
    inverted
        Why its sign was changed.
    rescaled
        Why its values are not those of the file, or not drawn on the scale of its kind.
    """

    absent: str = ""
    inverted: tuple[str, ...] = ()
    rescaled: tuple[str, ...] = ()

    def to_dict(self) -> TreatmentJson:
        """Return it as JSON values."""
        values: TreatmentJson = {}
        if self.absent:
            values["absent"] = self.absent
        if self.inverted:
            values["inverted"] = list(self.inverted)
        if self.rescaled:
            values["rescaled"] = list(self.rescaled)
        return values
