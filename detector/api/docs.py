"""The page at `/docs`: every call, with its parameters and an answer, and a button that sends it.

It brings all it needs: many who watch for abuse sit in networks where no page may load scripts from
elsewhere, as FastAPI's own page does.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, RedirectResponse

router = APIRouter(include_in_schema=False)

_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@router.get("/docs")
async def docs() -> Response:
    """The page."""
    return HTMLResponse(_page(), headers={"Content-Security-Policy": _POLICY})


@router.get("/")
async def root() -> Response:
    """Whoever comes by browser wants to know what is here."""
    return RedirectResponse("/docs")


@lru_cache(maxsize=1)
def _page() -> str:
    return files("detector.api").joinpath("docs.html").read_text(encoding="utf-8")
