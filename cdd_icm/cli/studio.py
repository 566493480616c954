"""The command `studio`: a page on which anybody draws by talking, and a server for programs."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cdd_icm.cli.arguments import positive, whole_number
from cdd_icm.console import say
from cdd_icm.errors import InputError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from cdd_icm.studio.engine import Engines
    from cdd_icm.studio.finder import Finder
    from cdd_icm.studio.limits import VisitorLimits

PRETRAINED = Path(__file__).parents[2] / "data" / "pretrained"
SHIPPED = [PRETRAINED / name for name in ("iclevr", "blocks", "codraw")]
"""The models that come with the sources; a package installed without them has none."""

END_SECONDS = 5
"""How long requests that are being answered may take after Ctrl-C or SIGTERM."""


def add_commands(commands: argparse._SubParsersAction) -> None:
    """Adds the command of this module."""
    studio = commands.add_parser("studio", help="draw in the browser, and serve programs")
    studio.add_argument(
        "--model",
        type=Path,
        nargs="+",
        action="extend",
        metavar="DIR",
        required=not all(folder.is_dir() for folder in SHIPPED),
        help="pipeline folders; the first is where a dialog begins (default: those that are shipped)",
    )
    studio.add_argument(
        "--store", metavar="URI", help="find pictures in it: a path that ends in .db, or a Milvus URL"
    )
    studio.add_argument(
        "--store-model", type=Path, metavar="DIR", help="the model of --store (default: the shipped one)"
    )
    studio.add_argument("--device", default="auto", help="auto (default), cpu, cuda or mps")
    studio.add_argument("--dtype", default="auto", help="auto (default), fp32, bf16 or fp16")
    studio.add_argument(
        "--host",
        default="127.0.0.1",
        help="default: %(default)s, this machine alone; 0.0.0.0: its network too",
    )
    studio.add_argument("--port", type=port, default=7860, help="0: any free one (default: %(default)s)")
    studio.add_argument(
        "--sessions",
        type=Path,
        default=Path("outputs/studio"),
        metavar="DIR",
        help="where visitors' dialogs are saved (default: %(default)s)",
    )
    studio.add_argument(
        "--share-nothing",
        action="store_true",
        help="save no dialog: with the server all of them are gone, and no link leads to one",
    )
    studio.add_argument(
        "--waiting", type=positive, default=64, help="requests that may wait (default: %(default)s)"
    )
    studio.add_argument(
        "--requests-a-minute", type=positive, default=120, help="of one visitor (default: %(default)s)"
    )
    studio.add_argument(
        "--largest-batch",
        type=positive,
        default=8,
        help="turns of several callers that are drawn at once (default: %(default)s)",
    )
    studio.set_defaults(run=_studio)


def port(text: str) -> int:
    """An argument type for argparse: a TCP port, or 0."""
    value = whole_number(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 65535")
    return value


def _studio(arguments: argparse.Namespace) -> None:
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when gradio is imported
    _check_installed()
    import uvicorn

    from cdd_icm.studio.api import build_api
    from cdd_icm.studio.engine import Engines
    from cdd_icm.studio.finder import InQueue, open_finder
    from cdd_icm.studio.limits import VisitorLimits

    limits = VisitorLimits(requests_a_minute=arguments.requests_a_minute)
    with ExitStack() as opened:
        listening = opened.enter_context(closing(_listen(arguments.host, arguments.port)))
        sessions = opened.enter_context(_sessions(arguments))
        engines = opened.enter_context(
            Engines.load(
                arguments.model or SHIPPED,
                arguments.device,
                arguments.dtype,
                arguments.waiting,
                limits.waiting,
                arguments.largest_batch,
            )
        )
        finder = None
        if arguments.store is not None:
            finder = open_finder(arguments.store, arguments.store_model, arguments.device)
            opened.callback(finder.close)
        elif arguments.store_model is not None:
            raise InputError("--store-model: allowed only with --store")
        for engine in engines:
            engine.warm_up().result()
        app = build_api(engines, finder, limits)
        for_page = finder and InQueue(finder, engines[0].queue)
        _mount_page(app, engines, for_page, limits, sessions)
        # what is here stays until the end; looking through it for garbage would hold up a turn for a second
        gc.collect()
        gc.freeze()
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=END_SECONDS
        )
        number = listening.getsockname()[1]
        host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        say(f"http://{host}:{number}  {', '.join(engines.names)} on {engines[0].queue.device}", flush=True)
        uvicorn.Server(config).run(sockets=[listening])


def _check_installed() -> None:
    missing = [
        name for name in ("fastapi", "uvicorn", "prometheus_client", "gradio") if find_spec(name) is None
    ]
    if missing:
        raise InputError(
            f"studio: {missing[0]} is not installed; the command is an extra: pip install 'cdd-icm[studio]'"
        )


def _listen(host: str, number: int) -> socket.socket:
    """A listening socket, before models are loaded for nothing. Raises InputError if there can't be one."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise InputError(f"--host {host}: no such address ({getattr(error, 'strerror', error)})") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)  # takes the port: only then does another program's bind fail
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"--port {number}: in use on {host}; choose another, or 0 for any") from None
        what = f"--port {number}" if error.errno == errno.EACCES else f"--host {host}"
        raise InputError(f"{what}: can't listen there ({error.strerror})") from None
    return listening


@contextmanager
def _sessions(arguments: argparse.Namespace) -> Iterator[Path]:
    """The folder of the visitors' dialogs, held for this process."""
    from cdd_icm.lock import claimed

    if arguments.share_nothing:
        with TemporaryDirectory(prefix="cdd-icm-studio-") as folder:
            yield Path(folder)
        return
    with claimed(arguments.sessions):
        yield arguments.sessions


def _mount_page(
    app: FastAPI, engines: Engines, finder: Finder | None, limits: VisitorLimits, sessions: Path
) -> None:
    """Puts the page at /, below the API's addresses."""
    import gradio as gr

    from cdd_icm.studio.api.client import add_endpoints
    from cdd_icm.studio.page import build_page
    from cdd_icm.studio.style import mount_options

    page = build_page(engines, finder, limits, sessions)
    add_endpoints(page, app)
    gr.mount_gradio_app(app, page, path="/", **mount_options())
