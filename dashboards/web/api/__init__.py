"""The interface for programs: ``/api/v1``, to read and to do; describes itself at ``/api/v1/openapi.json``."""

from dashboards.web.api.endpoint import Problem
from dashboards.web.api.routes import problem, reader, routes

__all__ = ["Problem", "problem", "reader", "routes"]
