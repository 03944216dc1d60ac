"""The base class of every plugin's Options: what a user may set, and facts known before loading."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

UNKNOWN_LICENCE = "see the model's page"


class PluginOptions(BaseModel):
    """What a user may set: one field per option, with a description and, where possible, a default.

    The methods describe a plugin before it is built, from the options alone: they load nothing and send nothing.
    A plugin overrides a method if its answer differs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    paid: ClassVar[bool] = False  # whether using it may cost money
    forms: ClassVar[tuple[str, ...]] = ("MODEL",)  # what may follow `NAME:` when a plugin is given with its model

    def needs_weights(self) -> tuple[str, ...]:
        """The names of the embedded models that it loads; they are fetched before it is built."""
        return ()

    def model_licence(self) -> str:
        """The licence of the model that it runs, for the manifest of what was made with it."""
        return UNKNOWN_LICENCE

    def estimate(self, tokens_in: int = 0, tokens_out: int = 0, pictures: int = 0) -> float | None:
        """The cost of this work in US dollars; None if it costs money and no price was given."""
        return None if self.paid else 0.0
