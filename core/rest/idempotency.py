"""`Idempotency-Key` on creating requests; owns the memory of answers given, for a day, in Redis and sealed.

A key belongs to its caller and route. The first request with it runs and its answer is kept; the same request again
gets that answer; another body under the same key is refused, and so is a second one while the first still runs.
Answers of 5xx are not kept: what failed on our side may be tried again. Answers are sealed, since the one of a
created key holds the key. Those that are about a tenant have it in their name and go with it; the claim, which is named
before a tenant is made, only points there, sealed too.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

import redis
import structlog
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from core.crypto import seal, unseal
from core.errors import Conflict, InvalidInput, Unavailable
from core.ids import is_ulid
from core.master_keys import Sealed, is_sealed
from core.redis import control, key
from core.rest.principal import Principal

log = structlog.get_logger(__name__)
HEADER = "Idempotency-Key"
KEEP_SECONDS = 24 * 3600
RUN_SECONDS = 120  # a process that dies in between frees the key after this
_SHAPE = re.compile(r"[\x21-\x7e]{1,255}")


class IdempotencyKeyReused(InvalidInput):
    code = "idempotency_key_reused"
    status = 422
    title = "This Idempotency-Key was used with another request"


class IdempotencyInFlight(Conflict):
    code = "idempotency_in_flight"
    title = "The first request with this Idempotency-Key is still running"


class IdempotentAnswerGone(Conflict):
    code = "idempotent_answer_gone"
    title = "What this Idempotency-Key made was deleted since, and the answer with it"


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to run a request under a key; `finish` it. `owner` is the tenant that the request is about, or ""."""

    owner: str
    digest: str
    fingerprint: str

    @property
    def name(self) -> str:
        return _name(self.owner, self.digest)

    def finish(self, response: Response) -> None:
        """Keep the answer, or free the key when the fault was ours.

        The work is committed by now: when Redis is away the caller still gets the answer, which may hold a new key.
        """
        try:
            self._close(response)
        except redis.RedisError as error:
            log.warning("rest.idempotency.not_kept", error=type(error).__name__)

    def _close(self, response: Response) -> None:
        if response.status_code >= 500:
            control().delete(self.name)
            return
        content = response.render().content.decode()
        body = json.dumps([response.status_code, response.content_type or "", content])
        kept = _name(self.owner or _tenant_made(response), self.digest)
        control().set(kept, self._sealed("a", body, kept), ex=KEEP_SECONDS)
        if kept != self.name:
            control().set(self.name, self._sealed("at", kept, self.name), ex=KEEP_SECONDS)

    def _sealed(self, field: str, text: str, name: str) -> str:
        return json.dumps({"f": self.fingerprint, field: seal(text, context=name)})


class Replayed(Exception):
    """Leaves the view early with the answer that was given before."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__()


def claim(request: Request, caller: Principal) -> Claim | None:
    """None without the header; raises Replayed, IdempotencyKeyReused, IdempotencyInFlight or Unavailable."""
    text = request.headers.get(HEADER)
    if text is None or request.method != "POST":
        return None
    if _SHAPE.fullmatch(text) is None:
        raise InvalidInput(_("An Idempotency-Key has 1 to 255 visible ASCII characters."))
    if is_sealed():
        raise Sealed()  # now, and not when the answer is to be kept and the work is done
    digest = hashlib.sha256(f"{caller.kind}\0{caller.id}\0{request.path}\0{text}".encode()).hexdigest()
    mine = Claim(_owner(request, caller), digest, hashlib.sha256(request.body).hexdigest())
    try:
        return _take(mine)
    except redis.RedisError as error:
        raise Unavailable(_("The memory of Idempotency-Keys cannot be reached.")) from error


def _name(owner: str, digest: str) -> str:
    return key("rest", "idempotency", owner or "platform", digest)


def _name_before(digest: str) -> str:
    """Under which answers were kept until they had their tenant in the name; a day after the upgrade there are none."""
    return key("rest", "idempotency", digest)


def _owner(request: Request, caller: Principal) -> str:
    """The tenant in the path, else the caller's own; an operator's other requests are about none."""
    match = request.resolver_match
    named = str(match.kwargs.get("tenant_id", "")) if match else ""
    found = named.removeprefix("ten_")
    return found if is_ulid(found) else caller.tenant.id if caller.tenant else ""


def _tenant_made(response: Response) -> str:
    """The tenant whose id the answer gives; "" when it is about something else."""
    given = response.data.get("id") if isinstance(response.data, dict) else None
    found = str(given).removeprefix("ten_")
    return found if given != found and is_ulid(found) else ""


def _take(mine: Claim) -> Claim:
    name, running = mine.name, json.dumps({"f": mine.fingerprint})
    if control().set(name, running, nx=True, ex=RUN_SECONDS):
        before = _name_before(mine.digest)
        if not control().exists(before):
            return mine
        control().delete(name)
        name = before
    stored = control().get(name)
    record = json.loads(stored) if isinstance(stored, bytes) else {"f": mine.fingerprint}
    if record["f"] != mine.fingerprint:
        raise IdempotencyKeyReused(next_step=_("Send a fresh key with every different request."))
    if "a" not in record and "at" not in record:
        raise IdempotencyInFlight(headers={"retry-after": "1"})
    status, content_type, body = _answer(record, name)
    answer = Response(json.loads(body), status=status, content_type=content_type or None)
    answer["Idempotent-Replayed"] = "true"
    raise Replayed(answer)


def _answer(record: dict[str, str], name: str) -> tuple[int, str, str]:
    """Status, content type and body as they were given. Raises IdempotentAnswerGone when they went with a tenant."""
    if "at" in record:
        name = unseal(record["at"], context=name)
        stored = control().get(name)
        if not isinstance(stored, bytes):
            raise IdempotentAnswerGone(next_step=_("Send a fresh key with every different request."))
        record = json.loads(stored)
    status, content_type, body = json.loads(unseal(record["a"], context=name))
    return status, content_type, body
