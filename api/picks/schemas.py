"""Responses of the calls about picks."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from api.http.pages import Page

Part = Literal["shared", "only_first", "only_second"]


class ComparedPick(BaseModel):
    """An OOD image that one or both jobs picked."""

    index: int = Field(description="In the pool.")
    first_rounds: list[int] = Field(description="Rounds of the first job that picked it.")
    second_rounds: list[int] = Field(description="Rounds of the second job that picked it.")
    alike_to: int | None = Field(
        None, description="With `alike`: the earlier image of the page that it nearly equals on pixels, such as a copy."
    )


class ComparedPicks(Page[ComparedPick]):
    """The images of one part, by index, and the sizes of all parts."""

    job_ids: tuple[str, str]
    round: int | None = Field(description="Null: picks of all rounds.")
    shared: int = Field(description="Images that both jobs picked.")
    only_first: int
    only_second: int
    shared_by_chance: float = Field(
        description="Expected number of shared images if each job had picked as many at random: the product of both "
        "numbers over the size of the pool."
    )
