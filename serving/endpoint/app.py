"""The routes of the endpoint, and the life of a request: read, admitted, answered, given up when the client goes."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from isocompute.serving.endpoint.bodies import ClientGoneError, read_limited_body
from isocompute.serving.endpoint.errors import ApiError
from isocompute.serving.endpoint.limits import check_content_type, check_sender
from isocompute.serving.endpoint.memory import MemoryShare
from isocompute.serving.endpoint.passing import encode_event
from isocompute.serving.endpoint.requests import ChatRequest, parse_body, read_chat_request
from isocompute.serving.endpoint.service import Job, Service
from isocompute.serving.endpoint.streams import DONE, KEEP_ALIVE, build_completion, write_chunks

LOGGER = logging.getLogger("isocompute.serve")
STREAM_HEADERS = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}

OpenService = Callable[[], Any]
"""Returns an async context manager of the service, entered when the server starts and left when it stops."""


def build_app(open_service: OpenService) -> FastAPI:
    """Return the endpoint's application.

    Args:
        open_service: opens the service.
    """

    @asynccontextmanager
    async def hold_service(app: FastAPI) -> AsyncIterator[None]:
        async with open_service() as service:
            app.state.service = service
            yield

    app = FastAPI(lifespan=hold_service, openapi_url=None, redirect_slashes=False)
    app.add_exception_handler(ApiError, handle_api_error)
    app.add_exception_handler(HTTPException, handle_http_error)
    app.add_exception_handler(Exception, handle_unexpected)

    @app.post("/v1/chat/completions", response_model=None)
    async def complete_chat(request: Request) -> Response:
        return ChatResponse(request.app.state.service)

    @app.get("/v1/models", response_model=None)
    async def list_models(request: Request) -> Response:
        service: Service = request.app.state.service
        check_sender(read_headers(request.scope), service.key)
        models = [
            {"id": model["id"], "object": "model", "created": read_created(model), "owned_by": "isocompute"}
            for model in await service.list_models()
        ]
        return build_json_response({"object": "list", "data": models})

    @app.get("/health", response_model=None)
    async def report_health() -> Response:
        return build_json_response({"status": "ok"})

    @app.get("/metrics", response_model=None)
    async def report_metrics(request: Request) -> Response:
        service: Service = request.app.state.service
        check_sender(read_headers(request.scope), service.key)
        return Response(service.metrics.render_text(), media_type="text/plain; version=0.0.4")

    return app


class ChatResponse(Response):
    """The response to a chat completion: it reads the request itself, to notice at once when the client goes.

    Args:
        service: answers it.
    """

    def __init__(self, service: Service) -> None:
        super().__init__()
        self.service = service
        self.is_started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or refuse it if there are too many."""
        try:
            with self.service.admission.count_opened(), self.service.bodies.open_share() as share:
                await self.hold_request(scope, receive, send, share)
        except ApiError as error:
            await self.send_error(error, scope, receive, send)

    async def hold_request(self, scope: Scope, receive: Receive, send: Send, share: MemoryShare) -> None:
        """Answer the request, or stop all its calls when the client goes; its body takes memory until then."""
        arrived, metrics = time.monotonic(), self.service.metrics
        try:
            request = await self.read_request(scope, receive, share)
        except ClientGoneError:
            metrics.requests.labels("499").inc()
            return
        except ApiError as error:
            await self.send_error(error, scope, receive, send)
            return
        except Exception as error:  # noqa: BLE001 - as below
            await self.send_error(describe_unexpected(error), scope, receive, send)
            return
        work = asyncio.create_task(self.serve_request(request, scope, receive, send))
        gone = asyncio.create_task(wait_until_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, gone):
                task.cancel()
            ended = await asyncio.gather(work, gone, return_exceptions=True)
        if isinstance(ended[0], asyncio.CancelledError):
            metrics.requests.labels("499").inc()
        metrics.seconds.observe(time.monotonic() - arrived)

    async def read_request(self, scope: Scope, receive: Receive, share: MemoryShare) -> ChatRequest:
        """Return the request, checked.

        Raises:
            ApiError: it cannot be answered.
            ClientGoneError: the client went away before it was complete.
        """
        headers = read_headers(scope)
        check_sender(headers, self.service.key)
        check_content_type(headers)
        content = await read_limited_body(receive, headers, share)
        return read_chat_request(parse_body(content), headers, time.time())

    async def serve_request(self, request: ChatRequest, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request once there is room for it; every error becomes a response."""
        arrived = asyncio.get_running_loop().time()
        deadline = request.options.deadline
        try:
            async with self.service.admission.claim_place(None if deadline is None else arrived + deadline):
                job = await self.service.prepare_job(request, arrived)
                if request.is_streamed:
                    await self.send_stream(job, send)
                else:
                    await self.send_whole(job, scope, receive, send)
        except ApiError as error:
            await self.send_error(error, scope, receive, send)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an answer
            await self.send_error(describe_unexpected(error), scope, receive, send)

    async def send_whole(self, job: Job, scope: Scope, receive: Receive, send: Send) -> None:
        """Send an answer as one JSON object."""
        service = self.service
        if job.call is None:
            body = await service.fetch_answer(job)
            body["isocompute"] = service.describe_passed(job)
        else:
            outcome = await service.sample_answer(job)
            own = service.describe_outcome(job, outcome)
            body = build_completion(job.request.model, outcome.text, job.ledger.sum_usage()[0], own)
        self.is_started = True
        await build_json_response(body)(scope, receive, send)
        service.metrics.requests.labels("200").inc()

    async def send_stream(self, job: Job, send: Send) -> None:
        """Send an answer as a stream, with comments until it is there."""
        service = self.service

        async def send_event(event: bytes) -> None:
            await self.start_stream(send)
            await send({"type": "http.response.body", "body": event, "more_body": True})

        if job.call is None:
            await service.stream_answer(job, send_event)
        else:
            work = asyncio.create_task(service.sample_answer(job))
            try:
                await send_event(KEEP_ALIVE)
                while not (await asyncio.wait({work}, timeout=service.keep_alive))[0]:
                    await send_event(KEEP_ALIVE)
                outcome = work.result()
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
            usage = job.ledger.sum_usage()[0] if job.request.sends_usage else None
            own = service.describe_outcome(job, outcome)
            await send_event(b"".join(write_chunks(job.request.model, outcome.text, usage, own)))
        await self.finish_stream(DONE, send)
        service.metrics.requests.labels("200").inc()

    async def start_stream(self, send: Send) -> None:
        """Send the head of a stream, once."""
        if not self.is_started:
            self.is_started = True
            headers = [(name.encode(), value.encode()) for name, value in STREAM_HEADERS.items()]
            await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def finish_stream(self, event: bytes, send: Send) -> None:
        """Send the last event of a stream."""
        await send({"type": "http.response.body", "body": event, "more_body": False})

    async def send_error(self, error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
        """Send an error: as a response, or as an event of a stream that has begun."""
        self.service.metrics.requests.labels(str(error.status)).inc()
        if self.is_started:
            await self.finish_stream(encode_event(error.to_body()) + DONE, send)
        else:
            self.is_started = True
            headers = error.to_headers() | ({"connection": "close"} if error.status in (408, 413, 503) else {})
            await build_json_response(error.to_body(), error.status, headers)(scope, receive, send)


async def wait_until_gone(receive: Receive) -> None:
    """Wait until the client closes the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def build_json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response of JSON in ASCII: texts of clients and models may hold halves of characters."""
    return Response(json.dumps(body), status, headers, media_type="application/json")


def read_created(model: Mapping[str, Any]) -> int:
    """Return the time of a model's creation, as its server lists it; 0 if it is unknown."""
    created = model.get("created")
    return created if type(created) is int else 0


def read_headers(scope: Scope) -> dict[str, str]:
    """Return the headers of a request, names in lower case."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def describe_unexpected(error: Exception) -> ApiError:
    """Return the error of a defect; the log gets its kind and place, and no text of a client."""
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = f"{place[0].filename}:{place[0].lineno}" if place else "unknown"
    LOGGER.error("%s at %s", type(error).__name__, where)
    return ApiError(500, "The server failed; its log has the place.", "server_error", code="internal_error")


async def handle_api_error(request: Request, error: Exception) -> Response:
    """Return the response of an error."""
    assert isinstance(error, ApiError)
    return build_json_response(error.to_body(), error.status, error.to_headers())


async def handle_http_error(request: Request, error: Exception) -> Response:
    """Return the response of a path or a method that does not exist."""
    assert isinstance(error, HTTPException)
    known = {
        404: ("There is nothing at this path.", "not_found"),
        405: ("The method is not allowed at this path.", "method_not_allowed"),
    }
    message, code = known.get(error.status_code, (str(error.detail), "invalid_http"))
    failed = ApiError(error.status_code, message, code=code)
    return build_json_response(failed.to_body(), failed.status, error.headers)


async def handle_unexpected(request: Request, error: Exception) -> Response:
    """Return the response of a defect."""
    failed = describe_unexpected(error)
    return build_json_response(failed.to_body(), failed.status)
