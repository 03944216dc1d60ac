"""The settings of one run and their defaults, for `mossgen.expand` and for a run file (run.yaml).

Arguments override the run file, and the run file overrides the defaults. The command line passes its flags, or the
environment variable of a flag that is not given (MOSSGEN_SEED, ...).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mossgen.core.defaults import PRESET
from mossgen.errors import ConfigError
from mossgen.sets.dataset import Dataset
from mossgen.stimulus.types import StimulusType

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def _text(value: Any) -> Any:
    """Converts a path, a loaded type or an opened set to text."""
    if isinstance(value, StimulusType):
        return str(value.source)
    if isinstance(value, Dataset):
        return str(value.path)
    return str(value) if isinstance(value, Path) else value


Text = Annotated[str, BeforeValidator(_text)]
Names = tuple[Text, ...]
Count = Annotated[int, Field(strict=True, ge=1)]
Amount = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class Settings(BaseModel):
    """All settings of a run. Their descriptions also appear in a saved run file and in its errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    type: Text = Field(description="exaggerated_risk, negated_harm, counterintuitive, or a template's YAML")
    n: Count = Field(12, description="items to accept")
    seed: int = Field(0, strict=True, ge=0, description="the same seed gives the same bytes")
    run: Text | None = Field(None, description="the run's folder; empty: generated/TYPE-SEED where mossgen runs")
    preset: str = Field(PRESET, description="a choice of plugins: embedded, gpu, openai")
    llm: str | None = Field(None, description="what writes the questions; empty: the preset's")
    imager: str | None = Field(None, description="what draws; empty: the preset's")
    embedder: str | None = Field(None, description="what embeds pictures and texts; empty: the preset's")
    options: dict[str, Any] = Field({}, description="plugin.option: value; `mossgen plugins` names the plugins")
    checkers: Names = Field((), description="what checks an item; empty: the preset's")
    vlm: str | None = Field(None, description="a model that sees picture and question: kind:model[@url]")
    gates: Names = Field((), description="checkers that decide, though they are normally only recorded")
    signals: Names = Field((), description="checkers that are only recorded")
    reviewed: bool = Field(False, strict=True, description="whether only what people settled as benign counts")
    votes: Count = Field(3, description="votes of people wanted for an item")
    against: Names = Field((), description="sets that nothing accepted may be near to: names, runs, folders, files")
    max_cost: Amount | None = Field(None, description="US dollars that one invocation may spend")
    max_time: Amount | None = Field(None, description="seconds that one invocation may take")
    max_candidates: Count | None = Field(None, description="candidates that the run may try in all")


class Given(TypedDict, total=False):
    """Keyword arguments of `expand` and `preview`: the fields of Settings except `type` and `n`. None: not given."""

    seed: int | None
    run: str | Path | None
    preset: str | None
    llm: str | None
    imager: str | None
    embedder: str | None
    options: Mapping[str, Any] | None
    checkers: Sequence[str] | None
    vlm: str | None
    gates: Sequence[str] | None
    signals: Sequence[str] | None
    reviewed: bool | None
    votes: int | None
    against: Sequence[str | Path | Dataset] | None
    max_cost: float | None
    max_time: float | None
    max_candidates: int | None


def over(given: Mapping[str, Any], beneath: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides the settings in `beneath`, each as a whole; `options` are merged one by one."""
    merged = {**beneath, **{name: value for name, value in given.items() if value is not None}}
    if beneath.get("options") and given.get("options"):
        merged["options"] = {**beneath["options"], **given["options"]}
    return merged


def checked(values: Mapping[str, Any]) -> Settings:
    """Validates the settings and adds the defaults. Raises ConfigError naming the first wrong one."""
    if values.get("type") is None:
        raise ConfigError("`type` is missing: give the name of a type, or the YAML file of your own.")
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        where, sentence = wrong(error)[0]
        raise ConfigError(f"`{where[0]}`{''.join(f'.{part}' for part in where[1:])}: {sentence}") from None


def wrong(error: ValidationError) -> list[tuple[tuple[str | int, ...], str]]:
    """The place of each wrong setting, with a sentence about what is wrong."""
    return [(one["loc"], _sentence(one)) for one in error.errors()]


def _sentence(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return f"there is no such setting; there are {', '.join(Settings.model_fields)}."
    said = error["msg"].replace("a valid tuple", "a list").replace("a valid dictionary", "a mapping")
    return f"{said} (got {error['input']!r})."
