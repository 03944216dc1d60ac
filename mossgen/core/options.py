"""The base of every plugin's Options: what a user may set, and what must be known before anything is loaded."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

UNKNOWN_LICENCE = "see the model's page"


class PluginOptions(BaseModel):
    """What a user may set: one field an option, each with a default (where there can be one) and a description.

    The methods answer what is asked of a plugin before it is built, from the options alone: nothing is loaded and
    nothing is sent. A plugin overrides those to which its answer is another one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    paid: ClassVar[bool] = False  # whether using it may cost money
    forms: ClassVar[tuple[str, ...]] = ("MODEL",)  # what may follow `NAME:` where a plugin is named with its model

    def needs_weights(self) -> tuple[str, ...]:
        """The embedded models that it loads, by name: they are fetched before it is built."""
        return ()

    def model_licence(self) -> str:
        """The licence of the model that it runs, for the manifest of what was made with it."""
        return UNKNOWN_LICENCE

    def estimate(self, tokens_in: int = 0, tokens_out: int = 0, pictures: int = 0) -> float | None:
        """US dollars for so much work; None where it costs money and no price was given."""
        return None if self.paid else 0.0
