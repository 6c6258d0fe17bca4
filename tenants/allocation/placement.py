"""Where a request goes: which pool for each kind, or what is short. Pure; it takes nothing.

Who has hosts of its own is placed there and nowhere else, and nobody else is. All kinds of a request or none. What is
held stays in its pool where the pool has room. Pools of one name are one host: the host that has room for most of the
request's kinds is preferred, of those the one that is then least full.
A kind of which the region has no pool is not rationed there, and not given out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from tenants.allocation import sentences
from tenants.allocation.data import ANYBODY, Applicant, Choice, Holding, Placement, PoolFacts, ResourceKind


@dataclass(frozen=True, slots=True)
class _Offer:
    """What one pool says to one kind of the request; `more` is what it would have to give."""

    pool: PoolFacts
    amount: int
    more: int
    is_home: bool

    @property
    def missing(self) -> int:
        return max(0, self.more - self.pool.free)

    @property
    def fits(self) -> bool:
        return self.more <= 0 or (self.pool.accepting and not self.missing)

    @property
    def fullness(self) -> Fraction:
        return Fraction(self.pool.used + self.more, max(1, self.pool.limit))


_Offers = dict[ResourceKind, list[_Offer]]


def place(
    wanted: Mapping[ResourceKind, int],
    pools: Sequence[PoolFacts],
    held: Mapping[ResourceKind, Holding] | None = None,
    who: Applicant = ANYBODY,
) -> Placement:
    """The pools for what is wanted in the end, given what is held already. Amounts are above 0."""
    offers = _offers(wanted, pools, who, held or {})
    free_of_ration = [kind for kind in wanted if kind not in offers]
    short = tuple(kind for kind, mine in offers.items() if not any(offer.fits for offer in mine))
    if short:
        complaints = [_complaint(kind, offers[kind], who) for kind in short]
        complaints += [sentences.NO_HOST] if who.dedicated and not any(offers.values()) else []
        return Placement((), short, sentences.waits(complaints))
    ranks = _ranks(offers)
    chosen = {kind: min((o for o in mine if o.fits), key=lambda o: _rank(o, ranks)) for kind, mine in offers.items()}
    told = [_praise(offer, offers[kind], ranks) for kind, offer in chosen.items()]
    choices = tuple(Choice(offer.pool, offer.amount, offer.more) for offer in chosen.values())
    return Placement(choices, (), sentences.placed(told, free_of_ration))


def _offers(
    wanted: Mapping[ResourceKind, int],
    pools: Iterable[PoolFacts],
    who: Applicant,
    held: Mapping[ResourceKind, Holding],
) -> _Offers:
    """By kind, without those that the region has no pool of; none for one whose pools are all others'."""
    found: _Offers = {}
    for pool in pools:
        amount = wanted.get(pool.kind, 0)
        if amount and not who.may_use(pool):
            found.setdefault(pool.kind, [])
        elif amount:
            home = pool.kind in held and held[pool.kind].pool_id == pool.id
            more = amount - held[pool.kind].amount if home else amount
            found.setdefault(pool.kind, []).append(_Offer(pool, amount, more, home))
    return found


def _ranks(offers: _Offers) -> dict[str, tuple[int, Fraction, str]]:
    """Of each host with room for something: how it compares with the others, the lowest first."""
    fitting: dict[str, list[_Offer]] = {}
    for offer in (offer for mine in offers.values() for offer in mine if offer.fits):
        fitting.setdefault(offer.pool.name, []).append(offer)
    return {name: (-len(mine), max(offer.fullness for offer in mine), name) for name, mine in fitting.items()}


def _rank(offer: _Offer, ranks: Mapping[str, tuple[int, Fraction, str]]) -> tuple[bool, tuple[int, Fraction, str]]:
    return not offer.is_home, ranks[offer.pool.name]


def _praise(chosen: _Offer, offers: Sequence[_Offer], ranks: Mapping[str, tuple[int, Fraction, str]]) -> str:
    others = [
        sentences.passed_over(offer.pool.name, _fault(offer, chosen, ranks)) for offer in offers if offer is not chosen
    ]
    why = sentences.HOME if chosen.is_home else sentences.BEST if others else sentences.ONLY
    after = chosen.pool.used + chosen.more
    return sentences.chosen(chosen.pool.kind, chosen.pool.name, (after, chosen.pool.limit), why, others)


def _fault(offer: _Offer, chosen: _Offer, ranks: Mapping[str, tuple[int, Fraction, str]]) -> str:
    """Why this pool was not chosen."""
    if not offer.fits:
        return _refusal(offer)
    if chosen.is_home:
        return sentences.WOULD_MOVE
    mine, best = ranks[offer.pool.name], ranks[chosen.pool.name]
    if mine[0] != best[0]:
        return sentences.LACKS_THE_REST
    return sentences.FULLER if mine[1] > best[1] else sentences.AS_GOOD


def _refusal(offer: _Offer) -> str:
    return sentences.missing(offer.pool.kind, offer.missing) if offer.pool.accepting else sentences.CLOSED


def _complaint(kind: ResourceKind, offers: Sequence[_Offer], who: Applicant) -> str:
    if not offers:
        return sentences.reserved(kind, alone=who.dedicated)
    return sentences.lacking(kind, [sentences.passed_over(offer.pool.name, _refusal(offer)) for offer in offers])


def queued(wanted: Collection[ResourceKind], in_front: Iterable[Collection[ResourceKind]]) -> Placement | None:
    """A placement behind those in front, if one of them waits for a kind that is wanted too; None: the way is free.

    `in_front` is what each of them is short of. Whoever wants other kinds passes: it takes nothing that somebody
    waits for.
    """
    missed = {kind for short in in_front for kind in short}
    kinds = tuple(kind for kind in ResourceKind if kind in missed and kind in wanted)
    return Placement((), kinds, sentences.behind(kinds)) if kinds else None
