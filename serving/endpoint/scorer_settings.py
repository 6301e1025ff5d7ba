"""The way in which a profile's run scored solutions, for a scorer behind a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from isocompute.errors import ConfigError, EngineError
from isocompute.planner.profile import Profile
from isocompute.runners.engines.registry import describe_missing_package
from isocompute.runners.scorers.registry import SCORERS, SERVED_ENGINE, load_scorer_format

if TYPE_CHECKING:
    from isocompute.runners.scorers.formats.base import RewardModelFormat


@dataclass(frozen=True)
class ScorerSettings:
    """The way in which a profile's run scored solutions.

    Args:
        kind: the scorer's kind.
        model: checkpoint folder or hub name, whose tokenizer is read here.
        prompt: the text before the solution; the kind's own if None.
        step: the delimiter that ends a step.
        aggregate: how a solution's step scores become one.
    """

    kind: str
    model: str
    prompt: str | None
    step: str
    aggregate: str

    def load_format(self) -> RewardModelFormat:
        """Load the format, with the model's tokenizer.

        Raises:
            ConfigError: the tokenizer cannot be read, or a package is missing.
        """
        try:
            return load_scorer_format(SCORERS[self.kind], self.model, self.prompt)
        except ImportError as error:
            why = describe_missing_package(f"The scorer '{self.kind}'", error, "transformers")
        except EngineError as error:
            why = str(error)
        raise ConfigError(f"{why} The scorer's tokens are made here, so its tokenizer must be here too.")


def read_scorer_settings(profile: Profile) -> ScorerSettings:
    """Return how a profile's run scored solutions.

    Raises:
        ConfigError: the profile does not say, or no server scores in this way.
    """
    sampling = profile.sampling or {}
    known = sampling.get("scorer")
    if not known:
        raise ConfigError(
            f"The profile '{profile.name}' was measured without a scorer, so nothing is known of how it scores; leave "
            "--url scorer=… out, or fit a run with a scorer."
        )
    entry = SCORERS[known["kind"]]
    if SERVED_ENGINE not in entry.engines:
        served = ", ".join(name for name in SCORERS if SERVED_ENGINE in SCORERS[name].engines)
        raise ConfigError(
            f"The scorer '{known['kind']}' of the profile '{profile.name}' has no server that returns its scores; "
            f"those that have are {served}."
        )
    return ScorerSettings(
        known["kind"],
        known["model"],
        known.get("prompt"),
        sampling.get("step") or "\n\n",
        known.get("aggregate", "last"),
    )
