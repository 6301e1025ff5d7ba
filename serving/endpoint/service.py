"""The service behind the routes: the profile, the servers and the plans, and what becomes of a chat completion."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from isocompute.serving.endpoint.answering import Answering
from isocompute.serving.endpoint.errors import UPSTREAM, ApiError
from isocompute.serving.endpoint.ledger import Ledger, Prices
from isocompute.serving.endpoint.limits import Admission
from isocompute.serving.endpoint.memory import MemoryPool
from isocompute.serving.endpoint.metrics import Metrics
from isocompute.serving.endpoint.options import OFF
from isocompute.serving.endpoint.passing import fetch_completion, stream_completion
from isocompute.serving.endpoint.plans import SINGLE_CALL, PlanBook, Spending
from isocompute.serving.endpoint.prompting import RoleSettings, SolverCall, build_solver_call
from isocompute.serving.endpoint.reading import AnswerReader
from isocompute.serving.endpoint.requests import ChatRequest
from isocompute.serving.endpoint.samples import Outcome, Verifier
from isocompute.serving.endpoint.scorer_settings import ScorerSettings
from isocompute.serving.endpoint.scoring import RewardModel
from isocompute.serving.endpoint.upstream import Upstream

if TYPE_CHECKING:
    from isocompute.runners.scorers.formats.base import RewardModelFormat

MODELS_SECONDS = 5.0
"""Seconds for which a list of models is not asked for again."""

PASSED = "passed through"

Passed = TypeVar("Passed")


@dataclass(eq=False)
class Job:
    """One chat completion: what was asked, how it is answered, and what it used so far.

    Args:
        request: the request.
        spending: how its compute is spent.
        call: how solutions are sampled; None if it is passed through.
        verifier: the verifier; None if nothing is verified.
        scorer: the reward model; None if nothing is scored.
        ends_at: the time of the event loop at which the answer is due; None without a deadline.
        ledger: every call so far.
        notes: what the client should know.
    """

    request: ChatRequest
    spending: Spending
    call: SolverCall | None
    verifier: Verifier | None
    scorer: RewardModel | None
    ends_at: float | None
    ledger: Ledger = field(default_factory=Ledger)
    notes: tuple[str, ...] = ()


@dataclass(eq=False)
class Service:
    """All that requests share.

    Args:
        plans: the plans.
        solver: the solver's servers.
        verifier: the verifier's servers; None without any.
        scorer: the scorer's servers; None without any.
        settings: how each role was prompted in the profile's run.
        scoring: how its scorer scored, and the format of its tokens; None without one.
        given_models: role → its model's name at its server; one that is not there has a server with a single model.
        reader: reads answers.
        admission: how many requests are answered at once.
        bodies: the memory of the requests' bodies.
        metrics: counts.
        width: solutions side by side.
        keep_alive: seconds between the comments of a stream without an answer yet.
        key: the key that clients must have; None for none.
    """

    plans: PlanBook
    solver: Upstream
    verifier: Upstream | None
    scorer: Upstream | None
    settings: Mapping[str, RoleSettings]
    scoring: tuple[ScorerSettings, RewardModelFormat] | None
    given_models: Mapping[str, str]
    reader: AnswerReader
    admission: Admission
    bodies: MemoryPool
    metrics: Metrics
    width: int = 4
    keep_alive: float = 10.0
    key: str | None = None

    def __post_init__(self) -> None:
        self.prices: Prices = self.plans.read_prices()
        self.models: list[dict[str, Any]] = []
        self.models_at = -MODELS_SECONDS
        self.listing = asyncio.Lock()
        self.found_models: dict[str, str] = {}  # the names of verifier and scorer, once their servers listed them

    async def list_models(self) -> list[dict[str, Any]]:
        """Return the models of the solver's servers, asked for at most every `MODELS_SECONDS`.

        Raises:
            ApiError: 502, no server lists them.
        """
        async with self.listing:
            if time.monotonic() - self.models_at >= MODELS_SECONDS:
                self.models = await self.solver.list_models()
                self.models_at = time.monotonic()
        return self.models

    async def check_model(self, name: str) -> None:
        """Check that the solver's servers have a model.

        Raises:
            ApiError: 404, they have not; 502, they do not list their models.
        """
        if all(model["id"] != name for model in self.models) and all(
            model["id"] != name for model in await self.list_models()
        ):
            known = ", ".join(model["id"] for model in self.models[:10])
            raise ApiError(
                404,
                f"The model '{name:.80}' does not exist; there are: {known}.",
                param="model",
                code="model_not_found",
            )

    async def find_verifier(self) -> Verifier | None:
        """Return the verifier, with its name at its server; None without one.

        Raises:
            ApiError: 502, its server does not list its models, or lists several and none was named.
        """
        if self.verifier is None:
            return None
        return Verifier(self.verifier, await self._find_model_name(self.verifier), self.settings["verifier"])

    async def find_scorer(self) -> RewardModel | None:
        """Return the reward model, with its name at its server; None without one.

        Raises:
            ApiError: as `find_verifier`.
        """
        if self.scorer is None or self.scoring is None:
            return None
        settings, tokens = self.scoring
        return RewardModel(self.scorer, await self._find_model_name(self.scorer), tokens, settings)

    async def _find_model_name(self, upstream: Upstream) -> str:
        role = upstream.role
        async with self.listing:
            if role not in self.found_models:
                names = [model["id"] for model in await upstream.list_models()]
                if role not in self.given_models and len(names) != 1:
                    raise ApiError(
                        502, f"The {role}'s server has several models; name one with --model {role}=NAME.", UPSTREAM
                    )
                self.found_models[role] = self.given_models.get(role) or names[0]
        return self.found_models[role]

    async def prepare_job(self, request: ChatRequest, arrived: float) -> Job:
        """Return how a request is answered.

        Args:
            request: the request.
            arrived: the time of the event loop at which it came.

        Raises:
            ApiError: its model, its budget or its prompt cannot be served.
        """
        await self.check_model(request.model)
        deadline = request.options.deadline
        ends_at = None if deadline is None else arrived + deadline
        is_chat = self.settings["solver"].chat
        is_off = self.plans.choose_policy(request.options) == OFF
        if request.passed_why is not None and not is_chat and not request.passed_why.startswith("temperature"):
            raise ApiError(
                400, f"The profile's solver is not a chat model, so that a request with {request.passed_why} cannot be "
                "passed through.", code="not_a_chat_model",
            )  # fmt: skip
        why = request.passed_why or ("the policy is off" if is_off else None)
        if why is not None:
            notes = (f"Passed through with a single call: {why}.",)
            call = None if is_chat else build_solver_call(request, self.settings["solver"])
            return Job(request, SINGLE_CALL, call, None, None, ends_at, notes=notes)
        spending = await self.plans.find_spending(request.options)
        call = build_solver_call(request, self.settings["solver"])
        verifier, scorer = await self.find_verifier(), await self.find_scorer()
        return Job(request, spending, call, verifier, scorer, ends_at, notes=spending.notes)

    async def sample_answer(self, job: Job) -> Outcome:
        """Sample until the policy stops, and choose the answer.

        Raises:
            ApiError: there is none.
        """
        assert job.call is not None, "a job that is passed through is not sampled"
        work = Answering(
            job.call, job.spending.decider, self.solver, job.verifier, job.scorer, self.reader, job.ledger, self.width,
            job.ends_at,
        )  # fmt: skip
        return await work.find_answer()

    async def fetch_answer(self, job: Job) -> dict[str, Any]:
        """Return a server's own answer to a request.

        Raises:
            ApiError: there is none.
        """
        work = fetch_completion(self.solver, build_passed_body(job.request), job.ledger)
        return await self._limit_time(job, work)

    async def stream_answer(self, job: Job, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Hand on a server's own stream.

        Raises:
            ApiError: there is none, or it breaks off.
        """
        work = stream_completion(
            self.solver, build_passed_body(job.request), job.ledger, job.request.sends_usage,
            lambda: self.describe_passed(job), send,
        )  # fmt: skip
        await self._limit_time(job, work)

    async def _limit_time(self, job: Job, work: Awaitable[Passed]) -> Passed:
        try:
            async with asyncio.timeout_at(job.ends_at):
                return await work
        except TimeoutError:
            raise ApiError(504, "The deadline passed before the answer was complete.", code="deadline") from None

    def describe_passed(self, job: Job) -> dict[str, Any]:
        """Return the field ``isocompute`` of a request that was passed through."""
        return self._describe_job(job, PASSED, {"answer": None, "agreement": None, "p_right": None,
                                                "solutions": job.request.samples, "verifications": 0}, ())  # fmt: skip

    def describe_outcome(self, job: Job, outcome: Outcome) -> dict[str, Any]:
        """Return the field ``isocompute`` of an answer."""
        fields = {
            "answer": outcome.answer,
            "agreement": round(outcome.agreement, 6),
            "p_right": outcome.p_right,
            "solutions": outcome.solutions,
            "verifications": outcome.verifications,
        }
        return self._describe_job(job, outcome.stopped, fields, outcome.notes)

    def _describe_job(self, job: Job, stopped: str, fields: dict[str, Any], notes: tuple[str, ...]) -> dict[str, Any]:
        ledger = job.ledger
        compute = ledger.compute_cost(self.prices)
        self.metrics.record_stop(stopped)
        if compute is not None:
            self.metrics.compute.observe(compute)
        return {
            **fields,
            "compute": None if compute is None else round(compute, 4),
            "tokens": ledger.sum_role_tokens(),
            "stopped": stopped,
            "cancelled": sum(charge.status == "cancelled" for charge in ledger.charges),
            "failed": sum(charge.status == "failed" for charge in ledger.charges),
            "policy": job.spending.name,
            "notes": [*job.notes, *notes, *ledger.sum_usage()[1]],
        }


def build_passed_body(request: ChatRequest) -> dict[str, Any]:
    """Return the body of a call that hands a request on as it is."""
    body = {"model": request.model, **request.settings, "messages": request.messages}
    return body if request.samples == 1 else body | {"n": request.samples}
