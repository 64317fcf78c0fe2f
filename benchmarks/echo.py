"""The yardstick: a bare Starlette application that answers a body with itself.

It runs on the service's own protocol class and server settings, so that a ratio to it tells what
the service's work costs, and nothing of what the server costs.
"""

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aboveboard.observe import Metrics, Observed
from aboveboard.protocol import deadlined


async def echo(request: Request) -> Response:
    """Answer the body as it came."""
    return Response(await request.body(), media_type="application/json")


async def ready(_request: Request) -> Response:
    """Say that the server has started."""
    return Response(b"{}", media_type="application/json")


@asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    """Freeze what start-up made, as the service does."""
    gc.collect()
    gc.freeze()
    yield


def main() -> None:
    """Serve on the port given first; `framed` after it puts the service's middleware around."""
    routes = [Route("/echo", echo, methods=["POST"]), Route("/readyz", ready)]
    frame = [Middleware(Observed, metrics=Metrics(), access_log=False)]
    uvicorn.run(
        Starlette(
            routes=routes,
            middleware=frame if sys.argv[2:] == ["framed"] else [],
            lifespan=lifespan,
        ),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http=deadlined(),
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
