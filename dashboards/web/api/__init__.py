"""The interface for programs: ``/api/v1``, read only; described by itself at ``/api/v1/openapi.json``."""

from dashboards.web.api.endpoint import Problem
from dashboards.web.api.routes import problem, routes

__all__ = ["Problem", "problem", "routes"]
