"""A page of gradio on which a model is tried: what the demos of both packages share.

Gradio is an extra, so it is imported inside functions. The page needs no network: no fonts of others, no telemetry,
no link that is shared."""

import functools
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from seqgan.errors import SeqGANError, UsageError, why

P = ParamSpec("P")
R = TypeVar("R")

CSS = Path(__file__).with_name("demo.css")
FONTS = ["system-ui", "-apple-system", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "sans-serif"]
SILENT = {  # telemetry of gradio, of the hub's client, of fastapi
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OTEL_SDK_DISABLED": "true",
}
MOST_WAITING = 32  # requests in the queue; each further one is refused
# Of what a page listens to: one request computes at a time, and none is an address for programs.
LISTENING: dict[str, Any] = {"concurrency_id": "model", "api_visibility": "private", "show_progress": "minimal"}


def prepare() -> None:
    """Import gradio, without telemetry: it reads the environment when it is imported.

    Raises:
        UsageError: it is not installed."""
    os.environ.update(SILENT)
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise UsageError('the demo needs gradio, which is not installed: pip install "seqgan[demo]"') from error


def listen(host: str, port: int) -> socket.socket:
    """A socket that is bound, so that a port which is taken is found out before a model is loaded.

    Raises:
        UsageError: there is no such host here, or the port is taken or needs other rights."""
    try:
        family, *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:
        reason, _, _ = why(error).partition(" (while")  # what create_server adds
        raise UsageError(
            f"cannot listen on {host}, port {port}: {reason}; give another --port (0: any that is free), or --host"
        ) from error


def address(server: socket.socket) -> str:
    host, port = server.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(page: Any, server: socket.socket) -> None:
    """Serve a page until Ctrl-C, which is raised again."""
    import fastapi
    import gradio as gr
    import uvicorn

    page.queue(max_size=MOST_WAITING, default_concurrency_limit=1)
    app = gr.mount_gradio_app(
        fastapi.FastAPI(docs_url=None, redoc_url=None, openapi_url=None),
        page,
        path="/",
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        ssr_mode=False,
        theme=gr.themes.Base(
            primary_hue="blue", neutral_hue="slate", font=FONTS, font_mono=["ui-monospace", "monospace"]
        ),
        head=f"<style>{CSS.read_text(encoding='utf-8')}</style>",  # `css` would be rewritten for parts of the page
    )
    # Browsers keep their connections open. At the end these are dropped after a second, of which no word is needed;
    # the traceback of a defect is written by gradio.
    uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)).run(sockets=[server])
    raise KeyboardInterrupt  # the server takes the signal, and gives it on only where it was not ignored before


def told(work: Callable[P, R]) -> Callable[P, R]:
    """A function of a page whose expected errors are shown on it, in one message that stays until it is closed."""
    import gradio as gr

    @functools.wraps(work)
    def with_message(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except SeqGANError as error:
            raise gr.Error(str(error), duration=None, title="not possible", print_exception=False) from error

    return with_message


def new_seed() -> int:
    """One that a number of JavaScript holds, and that is short to read."""
    return secrets.randbelow(10**6)
