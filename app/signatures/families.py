"""Families: a second layer over signatures that never changes one.

Messages that differ only in a word that varies are one family. Families are worked out anew
from all distinct messages seen so far, so the order in which they came plays no part, and more
evidence revises them. What people merged or split bounds the outcome, whatever the evidence.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from app.signatures.decisions import Decision, Partition, Wishes
from app.signatures.family_words import VALUE, Words, read_words
from app.signatures.grouping import group
from app.signatures.model import Signature


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One signature as families see it."""

    signature_id: str
    scope: str
    """Only members of one scope can be one family: exception type and machine-readable code."""
    text: str
    """The masked message."""


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Signatures that are one to the reader."""

    family_id: str
    template: str
    """The words they share, `<*>` where they differ."""
    signatures: tuple[str, ...]

    @classmethod
    def alone(cls, signature_id: str, template: str) -> "Family":
        """A signature as long as it resembles no other."""
        return cls(
            family_id=_family_id(signature_id), template=template, signatures=(signature_id,)
        )


class FamilyState(msgspec.Struct, frozen=True, kw_only=True):
    """All that must be kept to settle the same families again: JSON-ready."""

    members: tuple[Member, ...] = ()
    decisions: tuple[Decision, ...] = ()
    named: tuple[str, ...] = ()
    """Signatures that families were named after, in the order in which they first were."""


class UnknownSignatureError(KeyError):
    """No observed signature has this id."""


class Families:
    """Observe signatures, settle families, take a person's word over the evidence."""

    def __init__(self, state: FamilyState | None = None) -> None:
        state = state or FamilyState()
        self._members = {member.signature_id: member for member in state.members}
        self._decisions = list(state.decisions)
        self._named = {one: place for place, one in enumerate(state.named)}
        self._settled: Mapping[str, Family] | None = None

    def observe(self, signature: Signature) -> None:
        """Take note of a signature; one seen before changes nothing."""
        if signature.signature_id not in self._members:
            self._members[signature.signature_id] = _member(signature)
            self._settled = None

    def settle(self) -> Mapping[str, Family]:
        """Every observed signature's family, by signature id, as the evidence stands now."""
        if self._settled is None:
            self._settled = _settled(self._members, self._decisions, self._named)
            for family in sorted(set(self._settled.values()), key=lambda one: one.signatures):
                self._named.setdefault(_namesake(family.signatures, self._named), len(self._named))
        return self._settled

    def merge(self, *signature_ids: str) -> Decision:
        """Make the families of these signatures one."""
        together = {one for known in signature_ids for one in self._family(known).signatures}
        return self._decide(Decision(kind="merge", signatures=tuple(sorted(together))))

    def split(self, *signature_ids: str) -> Decision:
        """Take these signatures out of their families, for good: no evidence brings them back."""
        family = {one for known in signature_ids for one in self._family(known).signatures}
        rest = tuple(sorted(family.difference(signature_ids)))
        taken = tuple(sorted(set(signature_ids)))
        return self._decide(Decision(kind="split", signatures=taken, rest=rest))

    def withdraw(self, decision: Decision) -> None:
        """Forget a decision (its latest copy), as if it had never been taken."""
        at = len(self._decisions) - 1 - self._decisions[::-1].index(decision)
        del self._decisions[at]
        self._settled = None

    def state(self) -> FamilyState:
        """What `Families(state)` starts from again."""
        members = sorted(self._members.values(), key=lambda member: member.signature_id)
        return FamilyState(
            members=tuple(members), decisions=tuple(self._decisions), named=tuple(self._named)
        )

    def _family(self, signature_id: str) -> Family:
        family = self.settle().get(signature_id)
        if family is None:
            raise UnknownSignatureError(signature_id)
        return family

    def _decide(self, decision: Decision) -> Decision:
        self._decisions.append(decision)
        self._settled = None
        return decision


def _member(signature: Signature) -> Member:
    """Frames or a sender's own fingerprint have spoken: no message joins such signatures."""
    variant = signature.explanation.variant
    alone = variant in {"frames", "custom"}
    return Member(
        signature_id=signature.signature_id,
        scope=signature.signature_id if alone else _scope(signature),
        text=signature.title if alone else signature.message,
    )


def _scope(signature: Signature) -> str:
    return f"{signature.type} {signature.code}" if signature.code else signature.type


def _settled(
    members: Mapping[str, Member], decisions: Iterable[Decision], named: Mapping[str, int]
) -> dict[str, Family]:
    words = {
        one: read_words(member.text, typed=bool(member.scope)) for one, member in members.items()
    }
    families = _by_evidence(members, words)
    partition = Partition(members, Wishes(decisions))
    for key in sorted(families):
        partition.join(families[key])
    settled: dict[str, Family] = {}
    for group_ids in partition.groups():
        family = _family([members[one] for one in sorted(group_ids)], words, named)
        settled.update(dict.fromkeys(group_ids, family))
    return settled


def _by_evidence(
    members: Mapping[str, Member], words: Mapping[str, Words]
) -> dict[tuple[str, Words], list[str]]:
    """The machine's families: signature ids by scope and shared words."""
    scopes: dict[str, list[str]] = defaultdict(list)
    for one, member in members.items():
        scopes[member.scope].append(one)
    families: dict[tuple[str, Words], list[str]] = defaultdict(list)
    for scope, ids in scopes.items():
        shared = group({words[one] for one in ids})
        for one in ids:
            families[scope, shared[words[one]]].append(one)
    return families


def _family(members: list[Member], words: Mapping[str, Words], named: Mapping[str, int]) -> Family:
    signatures = tuple(member.signature_id for member in members)
    return Family(
        family_id=_family_id(_namesake(signatures, named)),
        template=_template(members, words),
        signatures=signatures,
    )


def _namesake(signatures: tuple[str, ...], named: Mapping[str, int]) -> str:
    """The member a family is named after: who first gave a name, else the least.

    No two families have a member in common, and whoever joins later takes no name away.
    """
    return min(signatures, key=lambda one: (named.get(one, len(named)), one))


def _family_id(namesake: str) -> str:
    return "f" + namesake.replace(":", "-")


def _template(members: list[Member], words: Mapping[str, Words]) -> str:
    texts = sorted({member.text for member in members})
    if len(texts) == 1:
        return texts[0]
    columns = [text.split() for text in texts]
    if len(set(map(len, columns))) > 1:
        columns = [list(words[member.signature_id]) for member in members]
    shortest = min(columns, key=len)
    if any(len(column) != len(shortest) for column in columns):
        # A person merged what has no common shape: the first of them stands for all.
        return texts[0]
    shared = [
        word if all(column[place] == word for column in columns) else "<*>"
        for place, word in enumerate(shortest)
    ]
    return " ".join("<*>" if word == VALUE else word for word in shared).replace(VALUE, "<*>")
