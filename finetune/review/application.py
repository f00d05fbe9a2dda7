"""Application: what a browser can ask of a review, and the answers.

Nights have keys and epochs numbers: no path can be asked for. The page itself, a folder of static
files, is part of the package.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from psgimg.builder.errors import BuildError, PsgimgError
from psgimg.builder.files import bounded
from psgimg.finetune.review import comparison, night_json, view_request
from psgimg.finetune.review.gate import Gate
from psgimg.finetune.review.night import Night, StaleError
from psgimg.finetune.review.why import Explainer, UnavailableError
from psgimg.finetune.review.worklist import Worklist
from psgimg.finetune.review.writing import Writer
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

BODY = bounded.Bound("a list of edits", bounded.MB, b",[{", 100_000, "values")

Answer = Callable[[Request], Any]


class Application:
    """The requests that a review answers; each runs in a thread of its own."""

    def __init__(self, worklist: Worklist, writer: Writer, explainer: Explainer) -> None:
        self._worklist, self._writer, self._explainer = worklist, writer, explainer

    def routes(self) -> list[Route]:
        """Return the routes of all requests but those of the page's files."""
        night = "/api/nights/{night}"
        return [
            Route("/api/worklist", self.worklist),
            Route(night, self.night),
            Route(f"{night}/page/{{epoch:int}}.png", self.page),
            Route(f"{night}/page/{{epoch:int}}.json", self.page_text),
            Route(f"{night}/thumb/{{epoch:int}}.png", self.thumb),
            Route(f"{night}/statistics", self.statistics),
            Route(f"{night}/agreement", self.agreement),
            Route(f"{night}/why/{{epoch:int}}", self.why),
            Route(f"{night}/edits", self.edits, methods=["POST"]),
        ]

    def worklist(self, _: Request) -> Response:
        """Answer with all nights and their progress."""
        nights = self._worklist.nights.values()
        return JSONResponse(
            {
                "nights": [night_json.summary(night) for night in nights],
                "blind": any(night.config.blind for night in nights),
                "version": version("psgimg"),
            }
        )

    def night(self, request: Request) -> Response:
        """Answer with all that is known of a night but its pictures."""
        return JSONResponse(night_json.full(self._night(request)))

    def page(self, request: Request) -> Response:
        """Answer with a window of the signals as a picture."""
        night = self._night(request)
        return self._picture(
            request, night, view_request.view(night, self._epoch(request), request.query_params)
        )

    def thumb(self, request: Request) -> Response:
        """Answer with a page in small."""
        night = self._night(request)
        return self._picture(request, night, view_request.thumb(night, self._epoch(request)))

    def page_text(self, request: Request) -> Response:
        """Answer with what stands where in the picture of a window."""
        night, epoch = self._night(request), self._epoch(request)
        asked = view_request.view(night, epoch, request.query_params)
        views = self._worklist.views(night)
        lanes, gaps = views.lanes(asked), views.gaps(asked)
        return JSONResponse(view_request.described(night, epoch, asked, lanes, gaps))

    def statistics(self, request: Request) -> Response:
        """Answer with the sleep statistics of the stages as they stand."""
        return JSONResponse(self._night(request).staged.statistics.to_dict())

    def agreement(self, request: Request) -> Response:
        """Answer with the agreement of the stages as they stand with the second scoring."""
        night = self._night(request)
        if night.against is None:
            raise HTTPException(404, "no second scoring; start psgimg review with --against")
        found = comparison.agreement(night.staged.stages, night.against)
        return JSONResponse({"name": night.against_name, **found})

    def why(self, request: Request) -> Response:
        """Answer with what the model's answer hangs on."""
        night, epoch = self._night(request), self._epoch(request)
        try:
            return JSONResponse(self._explainer.why(night, self._worklist.views(night), epoch))
        except UnavailableError as error:
            raise HTTPException(409, str(error)) from error

    async def edits(self, request: Request) -> Response:
        """Edit stages, notes or lights, and answer with what has changed."""
        night = self._night(request)
        try:
            content = await _body(request)
            values = bounded.loads(content, "the request", BODY)
            if not isinstance(values, dict) or type(values.get("revision")) is not int:
                raise ValueError("revision: give that of the night as it is shown")
            changes = await run_in_threadpool(night.edit, values.get("edits"), values["revision"])
        except ValueError as error:
            raise HTTPException(400, str(error)) from error
        except BuildError as error:  # not saved, and so not changed
            raise HTTPException(507, str(error)) from error
        except StaleError:
            now = await run_in_threadpool(night_json.full, night)
            return JSONResponse({"error": "changed elsewhere meanwhile", "night": now}, 409)
        self._writer.changed(night)
        return JSONResponse(await run_in_threadpool(night_json.changed, night, changes))

    def _picture(self, request: Request, night: Night, asked: Any) -> Response:
        tag = view_request.tag(night, asked)
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        png = self._worklist.views(night).png(asked)
        return Response(png, media_type="image/png", headers={"ETag": tag})

    def _night(self, request: Request) -> Night:
        night = self._worklist.nights.get(request.path_params["night"])
        if night is None:
            raise HTTPException(404, "no such night")
        return night

    def _epoch(self, request: Request) -> int:
        epoch: int = request.path_params["epoch"]
        if epoch >= len(self._night(request)):
            raise HTTPException(404, "no such epoch")
        return epoch


async def _body(request: Request) -> bytes:
    """Return the body of a request, of which no more is read than is allowed."""
    content = b""
    async for part in request.stream():
        content += part
        if len(content) > BODY.n_bytes:
            raise HTTPException(413, f"more than {BODY.n_bytes / bounded.MB:g} MB")
    return content


def application(
    worklist: Worklist, writer: Writer, explainer: Explainer, token: str, cookie: str
) -> Gate:
    """Return the whole application, behind its gate."""
    page = StaticFiles(directory=Path(str(files(__package__))) / "page", html=True)
    answers = Application(worklist, writer, explainer)
    inner = Starlette(
        routes=[*answers.routes(), Mount("/", page)],
        exception_handlers={HTTPException: _refused, PsgimgError: _failed},
    )
    return Gate(inner, token, cookie)


def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _failed(_: Request, error: Exception) -> Response:
    """Return the message of an error that psgimg reports in one line."""
    status = 400 if isinstance(error, BuildError) else 422
    return JSONResponse({"error": str(error)}, status)
