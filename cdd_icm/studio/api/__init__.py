"""The studio's server for programs: JSON over HTTP; docs/server.md describes it."""

from cdd_icm.studio.api.app import build_api

__all__ = ["build_api"]
