"""Which URL does what; a table, in which a path that ends in a slash stands for everything below it."""

from __future__ import annotations

from typing import Final

from proxy.endpoints.base import Endpoint, no_such_route, wrong_method
from proxy.endpoints.completions import chat, embeddings
from proxy.endpoints.models import list_models, read_model

ENDPOINTS: Final[tuple[tuple[str, dict[str, Endpoint]], ...]] = (
    ("/v1/chat/completions", {"POST": chat, "*": wrong_method("POST")}),
    ("/v1/embeddings", {"POST": embeddings, "*": wrong_method("POST")}),
    ("/v1/models", {"GET": list_models, "*": wrong_method("GET")}),
    ("/v1/models/", {"GET": read_model, "*": wrong_method("GET")}),
)

__all__ = ["ENDPOINTS", "Endpoint", "no_such_route"]
