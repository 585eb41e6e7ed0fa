"""A kind of leased work that the service does not have."""

from __future__ import annotations

from sqlalchemy.orm import DeclarativeBase

from store.bells import Bell
from store.models import Base, Queued


def define_toy() -> type[Queued]:
    """Define the table. Called, not imported: what is defined is known to the whole process."""

    class ToyBase(DeclarativeBase):
        type_annotation_map = Base.type_annotation_map

    class Toy(Queued, ToyBase):
        __tablename__ = "toys"
        noun = "toy"
        bell = Bell.EXAMINE
        program = "tests.support.toy_program:play"

    return Toy
