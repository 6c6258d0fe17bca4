"""Walking along a chain, link by link, up to the first that does not hold; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from audit.chain.links import GENESIS, chain_of, digest_of, link_hash
from audit.data import ChainFault, FaultKind, SignedHead
from audit.names import are_its_names


@dataclass(frozen=True, slots=True)
class Link:
    """One link as it is stored, with the content of its entry as it is stored.

    `content` None: there is no such entry. `retired`: its month was dropped by rule, so only the digest is left.
    `names`: what is stored apart from it, None when there is nothing or when it was erased.
    """

    sequence: int
    entry_id: str
    digest: str
    hash: str
    content: Mapping[str, Any] | None
    retired: bool = False
    names: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Walk:
    """`sequence` links hold, the last of them has `hash`; `known` are signed heads of this chain by their sequence."""

    chain: str
    known: Mapping[int, SignedHead] = field(default_factory=dict)
    sequence: int = 0
    hash: str = GENESIS
    confirmed: int = 0

    def through(self, links: Iterable[Link]) -> ChainFault | None:
        """Go on over these links; the first fault, or None when all hold."""
        return next((fault for link in links if (fault := self._step(link)) is not None), None)

    def end(self, head: SignedHead | None) -> ChainFault | None:
        """What is wrong when the chain ends here, under `head`."""
        later = [known for known in self.known.values() if known.sequence > self.sequence]
        promised = max([*later, *([head] if head else [])], key=lambda one: one.sequence, default=None)
        if promised is not None and promised.sequence > self.sequence:
            text = f"the head signed at {promised.sealed_at:%Y-%m-%d %H:%M:%S} UTC has {promised.sequence} links"
            return self._fault(
                FaultKind.CUT_TAIL, self.sequence + 1, f"the chain ends after link {self.sequence}; {text}"
            )
        if head is None or (head.sequence, head.hash) != (self.sequence, self.hash):
            return self._fault(FaultKind.FORGED_HEAD, self.sequence, "the head is not that of the last link")
        return None

    def _step(self, link: Link) -> ChainFault | None:
        number = self.sequence + 1
        if link.sequence != number:
            return self._fault(FaultKind.GAP, number, f"link {number} is missing; the next one is {link.sequence}")
        if fault := self._entry_fault(link):
            return fault
        if link.hash != link_hash(chain=self.chain, sequence=number, previous=self.hash, digest=link.digest):
            return self._fault(FaultKind.BROKEN_LINK, number, f"link {number} does not follow from the one before it")
        known = self.known.get(number)
        if known is not None and known.hash != link.hash:
            text = f"links {self.confirmed + 1} to {number} are not those of the head signed at {known.sealed_at} UTC"
            return self._fault(FaultKind.REWRITTEN, self.confirmed + 1, text)
        self.sequence, self.hash = number, link.hash
        self.confirmed = number if known is not None else self.confirmed
        return None

    def _entry_fault(self, link: Link) -> ChainFault | None:
        name = f"entry {link.entry_id} of link {link.sequence}"
        if link.content is None:
            return None if link.retired else self._fault(FaultKind.ENTRY_GONE, link.sequence, f"{name} is gone")
        own = link.content.get("id") == link.entry_id and chain_of(str(link.content.get("tenant_id"))) == self.chain
        if not own or digest_of(link.content) != link.digest:
            return self._fault(FaultKind.ALTERED, link.sequence, f"{name} was changed after it was sealed")
        if link.names is not None and not are_its_names(link.content, link.names):
            return self._fault(
                FaultKind.RENAMED, link.sequence, f"the names of {name} are not those it was written with"
            )
        return None

    def _fault(self, kind: FaultKind, sequence: int, sentence: str) -> ChainFault:
        return ChainFault(self.chain, kind, sequence, sentence)
