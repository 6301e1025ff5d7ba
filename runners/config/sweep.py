"""The configuration of a sweep, as its YAML file describes it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PrivateAttr, StrictBool, ValidationError, model_validator

from isocompute.errors import ConfigError
from isocompute.registry import Registry
from isocompute.runners.config.base import (
    ConfigBlock,
    Count,
    CountFromZero,
    ProblemCount,
    Seed,
)
from isocompute.runners.config.cluster import ClusterConfig
from isocompute.runners.config.model_role import ModelRole
from isocompute.runners.config.search import ScorerRole, SearchConfig, SearchShape
from isocompute.runners.config.taken import SourceRun
from isocompute.runners.config.tasks import TASKS, FileTask, TaskConfig
from isocompute.runners.engines.options import find_bad_option
from isocompute.runners.engines.registry import ENGINES
from isocompute.runners.grading.registry import GRADERS
from isocompute.runners.scorers.registry import SCORERS
from isocompute.runners.search.registry import SEARCH_STRATEGIES

OWNING_BLOCKS = {"problems": "task", "thinking_end": "solver"}
"""For each key that belongs to `solutions_from`, the block that has its own such key."""


POLICY_KEY = "policy"
"""The key of a manifest for the policy that decided which rows were sampled, in words."""


class Sweep(ConfigBlock):
    """A sweep: S solutions of each problem and V verifications of each of the first ``verified`` of them.

    With a ``scorer`` the first ``scored`` solutions are scored step by step, and ``searches`` are run; with them there
    may be 0 solutions, from which nothing can be fitted. A step ends with
    the text ``step``; with ``boxed_ends`` a closed box ends a search's solution, even if the model would continue.

    With ``solutions_from`` the problems and solutions come from another run, swept or imported, and only verifications,
    scores and searches are sampled. There is no ``task`` then. A ``solver`` is given only for searches, and must be the
    model that made the solutions. ``problems`` and ``solutions`` say how much is taken: the first problems, and the
    first solutions of each. Their defaults are all problems and all solutions that every problem has, or, in a run that
    has begun, what was taken before. ``thinking_end`` replaces the other run's.
    """

    run: Annotated[str, Field(min_length=1)]
    """The folder of the run, or a path in an object store."""
    task: TaskConfig | None = None
    """The problems; not with ``solutions_from``."""
    engine: Annotated[str, AfterValidator(ENGINES.check_name)]
    """The engine that samples solutions and verifications."""
    solver: ModelRole | None = None
    """The model that writes solutions."""
    verifier: ModelRole | None = None
    """The model that judges solutions."""
    solutions: CountFromZero | None = None
    """S, the number of solutions of each problem."""
    solutions_from: Annotated[str, Field(min_length=1)] | None = None
    """The run whose problems and solutions are taken."""
    problems: ProblemCount | None = None
    """With ``solutions_from``: the number of problems that are taken. All, unless set."""
    thinking_end: Annotated[str, Field(min_length=1)] | None = None
    """With ``solutions_from``: replaces the ``thinking_end`` of the other run's solver."""
    verifications: CountFromZero = 0
    """V, the number of verifications of each verified solution."""
    verified: Count | None = None
    """The number of solutions of each problem that are verified, the first ones. All, unless set."""
    scorer: ScorerRole | None = None
    """The reward model that scores solutions, and the steps of searches."""
    step: Annotated[str, Field(min_length=1)] = "\n\n"
    """The text that ends a step."""
    boxed_ends: StrictBool = False
    """True if a closed box ends a search's solution."""
    scored: CountFromZero = 0
    """The number of solutions of each problem that are scored, the first ones."""
    searches: tuple[SearchConfig, ...] = ()
    """The searches that are run on each problem."""
    seed: Seed = 0
    """The number that the seeds of all rows are derived from, with their keys."""
    checkpoint_seconds: Annotated[float, Field(gt=0, le=86_400, strict=True)] = 5.0
    """The seconds between two parts that are written; a sweep that is killed loses at most these."""
    cluster: ClusterConfig | None = None
    """The replicas of each role on a Ray cluster; read with ``--on`` only."""
    _taken: SourceRun | None = PrivateAttr(None)
    _policy: str | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _check_source(self) -> Sweep:
        if self.solutions_from is None:
            if self.task is None:
                raise ValueError(
                    "the key 'task' is missing; give it, or 'solutions_from' with the run whose solutions are taken"
                )
            for key in ("solver", "solutions"):
                if getattr(self, key) is None:
                    raise ValueError(f"the key '{key}' is missing")
            for key in ("problems", "thinking_end"):
                if getattr(self, key) is not None:
                    raise ValueError(f"'{key}' is only for 'solutions_from'; give '{OWNING_BLOCKS[key]}.{key}' instead")
            return self
        if self.task is not None:
            raise ValueError(
                "'task' and 'solutions_from' are both given; the problems come with the solutions, so leave 'task' out"
            )
        if self.solver is not None and not self.searches:
            raise ValueError(
                "'solver' has nothing to sample, because the solutions come from 'solutions_from'; leave it out"
            )
        if self.solver is None and self.searches:
            raise ValueError("searches are requested, but no 'solver' is given; name the model that made the solutions")
        if not (self.verifications or self.scored or self.searches):
            raise ValueError("nothing is to be sampled; request 'verifications', 'scored' or 'searches'")
        return self

    @model_validator(mode="after")
    def _check_consistency(self) -> Sweep:
        if self.solutions == 0 and not self.searches:
            raise ValueError(
                "'solutions' is 0, and nothing else is requested; it must be at least 1 without 'searches'"
            )
        if self.verifications and self.verifier is None:
            raise ValueError("verifications are requested, but no 'verifier' is given")
        if too_many := self._describe_excess(self.solutions):
            raise ValueError(too_many)
        if (self.scored or self.searches) and self.scorer is None:
            raise ValueError("solutions or searches are to be scored, but no 'scorer' is given")
        if self.scorer is not None and self.scorer.uses_verifier and self.verifier is None:
            raise ValueError("the scorer is 'verdicts', but no 'verifier' is given")
        shapes = Counter(shape for search in self.searches for shape in search.shapes)
        if repeated := [shape for shape, count in shapes.items() if count > 1]:
            raise ValueError(f"two searches have the same strategy, n, width and lookahead: {tuple(repeated[0])}")
        if len({search.revision_prompt for search in self.searches} - {None}) > 1:
            raise ValueError("all revisions must use the same 'prompt'")
        return self

    @model_validator(mode="after")
    def _check_options(self) -> Sweep:
        known = ENGINES[self.engine].options
        for name, role in (("solver", self.solver), ("verifier", self.verifier)):
            if role is not None and (fault := find_bad_option(known, role.options)):
                raise ValueError(f"{name}.options: {fault}")
        if self.scorer is not None and not self.scorer.uses_verifier:
            scorer = SCORERS[self.scorer.kind]
            known = () if scorer.loader else ENGINES[self.scorer.engine].options
            if fault := find_bad_option(known, self.scorer.options):
                raise ValueError(f"scorer.options: {fault}")
        return self

    def _describe_excess(self, solutions: int | None) -> str | None:
        """Return which setting needs too many solutions; None if no setting does, or if their number is unknown."""
        for key, count in (("verified", self.verified), ("scored", self.scored)):
            if solutions is not None and count is not None and count > solutions:
                return f"'{key}' is {count}, more than the {solutions} solutions"
        return None

    def bind_source_run(self, taken: SourceRun) -> Sweep:
        """Return the sweep with its source run, and with the numbers of problems and solutions taken from it.

        Raises:
            ConfigError: more solutions are to be verified or scored than are taken.
        """
        if too_many := self._describe_excess(taken.solutions):
            raise ConfigError(f"{too_many} of '{taken.run}'.")
        sweep = self.model_copy(update={"problems": taken.problems, "solutions": taken.solutions})
        sweep._taken = taken
        return sweep

    @property
    def source_run(self) -> SourceRun | None:
        """The run that problems and solutions are taken from; None without one, and before `bind_source_run`."""
        return self._taken

    def bind_policy(self, policy: str) -> Sweep:
        """Return the sweep as it is bounded by its numbers, while a policy decides which rows are sampled."""
        sweep = self.model_copy()
        sweep._policy = policy
        return sweep

    @property
    def policy(self) -> str | None:
        """The policy that decided which rows were sampled; None if all that the sweep requests are."""
        return self._policy

    @property
    def is_unanswered(self) -> bool:
        """True if right answers may be unknown, here or in the source run."""
        if isinstance(self.task, FileTask):
            return self.task.unanswered
        source = None if self.source_run is None else self.source_run.config
        task = None if source is None else source.get("task")
        return isinstance(task, dict) and task.get("unanswered") is True

    @property
    def sampling_solver(self) -> ModelRole | None:
        """The solver that sampled the solutions, for taken ones that of the other run; None if that is unknown."""
        if self.solutions_from is None:
            return self.solver
        try:
            return ModelRole.model_validate(None if self.source_run is None else self.source_run.sampling_solver)
        except ValidationError:
            return None

    @property
    def solution_count(self) -> int:
        """The number of solutions of each problem, sampled or taken."""
        assert self.solutions is not None, "with 'solutions_from', the other run gives the number"
        return self.solutions

    @property
    def to_verify(self) -> int:
        """The number of solutions of each problem that are verified."""
        return (self.verified or self.solution_count) if self.verifications else 0

    @property
    def task_name(self) -> str:
        """The task's name: its own, its generator's, its file's, or the one in the source run."""
        if self.task is None:
            return "" if self.source_run is None else self.source_run.task
        return self.task.title

    @property
    def models(self) -> dict[str, str]:
        """The models by role; the solver of taken solutions is the source run's, if it is known."""
        roles = {"solver": self.solver, "verifier": self.verifier}
        models = {name: role.model for name, role in roles.items() if role is not None}
        solved = None if self.source_run is None else self.source_run.solver
        return models if solved is None else {"solver": solved} | models

    @property
    def all_models(self) -> dict[str, str]:
        """The models by role, with the scorer's; a scorer of verdicts has the verifier's model."""
        return self.models | ({} if self.scorer is None else {"scorer": self.scorer.model or self.models["verifier"]})

    @property
    def solutions_thinking_end(self) -> str | None:
        """The text that ends the thinking in a solution."""
        if self.solutions_from is not None:
            return self.thinking_end or (None if self.source_run is None else self.source_run.thinking_end)
        return None if self.solver is None else self.solver.thinking_end

    @property
    def searches_by_shape(self) -> dict[SearchShape, SearchConfig]:
        """The searches by shape."""
        return {shape: search for search in self.searches for shape in search.shapes}

    @property
    def revision_prompt(self) -> str | None:
        """The prompt for revisions; None if no search revises."""
        return next((search.revision_prompt for search in self.searches if search.revision_prompt), None)

    def collect_packages(self, grader: str) -> dict[str, str]:
        """Return the third-party packages that provide what the sweep names, with their versions.

        Args:
            grader: name or title of the task's grader.
        """
        named: list[tuple[Registry[Any], str]] = [(ENGINES, self.engine), (GRADERS, grader.partition("/")[0])]
        if self.task is not None and not isinstance(self.task, FileTask):
            named.append((TASKS, self.task.name))
        if self.scorer is not None:
            named.append((SCORERS, self.scorer.kind))
        named += [(SEARCH_STRATEGIES, search.strategy) for search in self.searches]
        packages = (registry.find_package(name) for registry, name in named)
        return dict(sorted(package for package in packages if package is not None))

    def build_identity(self) -> dict[str, Any]:
        """Return the settings that may not change when a run is resumed: all but its size, location and speed."""
        size = {"run", "solutions", "verifications", "verified", "scored", "searches", "checkpoint_seconds", "cluster"}
        # The source run's folder may move; `storage.taking` checks that its rows are the same.
        identity = self.model_dump(mode="json", exclude=size | {"solutions_from", "problems"})
        for key in ("problems", "grader") if self.task is not None else ():  # the manifest holds the grader's version
            identity["task"].pop(key, None)
        for name in ("solver", "verifier", "scorer"):
            if (role := identity[name]) is not None:
                free = self._get_free_options(name)
                role.pop("parameters")  # the run stores the size that was known when it was made
                role["options"] = {key: value for key, value in role["options"].items() if key not in free}
        return identity

    def _get_free_options(self, role: str) -> frozenset[str]:
        """Return the options of a role that affect only where and how fast it runs, not its results."""
        if role != "scorer" or self.scorer is None or self.scorer.uses_verifier:
            return ENGINES[self.engine].free_options
        entry = SCORERS[self.scorer.kind]
        return entry.free_options if entry.loader else ENGINES[self.scorer.engine].free_options
