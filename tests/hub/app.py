"""The ASGI application with all its routes."""

from tests.hub.core import ORGANISATION, USERS, Hub
from tests.hub.routes import browser, community, files, repositories, upload  # noqa: F401 - they register themselves

__all__ = ["ORGANISATION", "USERS", "Hub"]
