"""The routes of the page: each takes what stands in its address and fills a template."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import authlog
from authlog_tools.page import drawing, restoring, views
from authlog_tools.page.live import Bell
from authlog_tools.page.proof import Proof
from authlog_tools.page.reader import Reader
from authlog_tools.page.views import View, number

STATIC = Path(__file__).parent / "static"


class Site:
    """One log's page."""

    def __init__(self, log: authlog.AuthLog) -> None:
        self.log = log
        self.bell = Bell()
        self.reader = Reader(log)
        self.proof = Proof(log, self.bell.ring)
        self.views = views.Views(self.reader, self.proof)

    def app(self) -> Starlette:
        """Return the application, which reads the log while it is served."""
        return Starlette(
            routes=[
                Route("/", self.whole),
                Route("/list", self.listed),
                Route("/rows", self.rows),
                Route("/fold", self.fold),
                Route("/overview", self.overview),
                Route("/event/{seq:int}", self.event),
                Route("/state/{seq:int}", self.state),
                Route("/near", self.near),
                Route("/suggest", self.suggest),
                Route("/proof", self.show_proof),
                Route("/verify", self.verify, methods=["POST"]),
                Route("/restore", self.plan),
                Route("/restore", self.restore, methods=["POST"]),
                Route("/live", self.live),
                Mount("/static", StaticFiles(directory=STATIC)),
            ],
            lifespan=self._life,
        )

    @asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncGenerator[None]:
        self.bell.hang()
        self.reader.begin(self._changed)
        yield
        self.reader.end()

    def _changed(self) -> None:
        if self.proof.health is None and self.proof.failure is None:
            self.proof.begin()
        self.bell.ring()

    # What the address asks for

    async def whole(self, request: Request) -> Response:
        """The page itself, with the first rows and what the address selects."""
        view = View.of(request)
        return await self._filled("page.html", self.views.whole, view, request)

    async def listed(self, request: Request) -> Response:
        """The list and all that stands above it, for another filter."""
        return await self._filled("list.html", self.views.listed, View.of(request), request)

    async def rows(self, request: Request) -> Response:
        """More rows, older than those that are there."""
        return await self._filled("more.html", self.views.more, View.of(request), request)

    async def fold(self, request: Request) -> Response:
        """The rows of a run of refreshes."""
        return await self._filled("fold.html", self.views.fold, View.of(request), request)

    async def overview(self, request: Request) -> Response:
        """Density and lanes, at the width that the page has."""
        return await self._filled("overview.html", self.views.overview, View.of(request), request)

    async def event(self, request: Request) -> Response:
        """One event in full."""
        return await self._filled("event.html", self.views.event, View.of(request), request)

    async def state(self, request: Request) -> Response:
        """The state after an event."""
        return await self._filled("state.html", self.views.state, View.of(request), request)

    async def suggest(self, request: Request) -> Response:
        """What the word being typed could become."""
        return await self._filled("suggest.html", self.views.suggest, View.of(request), request)

    async def near(self, request: Request) -> Response:
        """The seq of the event nearest to a moment, in ms since 1970."""
        index, matches = self.views.found(request.query_params.get("q", ""))
        moment = number(request.query_params.get("t", "")) / 1000
        event = drawing.nearest(index, matches.positions, moment)
        return JSONResponse({"seq": event.seq if event else None})

    # The proof

    async def show_proof(self, request: Request) -> Response:
        """What `verify` found."""
        return await self._filled("proof.html", self.views.proved, View.of(request), request)

    async def verify(self, request: Request) -> Response:
        """Verify again."""
        self.proof.begin()
        return await self.show_proof(request)

    # Restoring

    async def plan(self, request: Request) -> Response:
        """What a restore would do."""
        return await self._filled("restore.html", self.views.plan, View.of(request), request)

    async def restore(self, request: Request) -> Response:
        """Bring it back, or say why not."""
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        provider, seq = form.get("provider", ""), number(form.get("seq", ""))
        try:
            event = await run_in_threadpool(self.log.restore, provider, seq)
        except (authlog.AuthLogError, ValueError, OSError) as error:
            refusal, hint = restoring.explained(error, self.views.index, provider)
            view = View.of(request, provider=provider, seq=seq)
            values = {**self.views.plan(view), "refused": refusal, "refused_hint": hint}
            return self.views.render("restore.html", values, request)
        told = msgspec.json.encode({"restored": {"seq": event.seq}}).decode()
        return Response(status_code=204, headers={"HX-Trigger": told})

    # Live

    async def live(self, request: Request) -> Response:
        """What is new, as it comes."""
        stream = self.bell.stream(self._news, None)
        return StreamingResponse(stream, media_type="text/event-stream")

    def _news(self) -> tuple[int, str]:
        news = self.views.news()
        return self.views.index.last, msgspec.json.encode(news).decode()

    async def _filled(
        self, template: str, fill: views.Fill, view: View, request: Request
    ) -> Response:
        values = await run_in_threadpool(fill, view)
        return await run_in_threadpool(self.views.render, template, values, request)
