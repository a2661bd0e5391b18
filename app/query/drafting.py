"""What a draft of a catalogue entry is made of, read."""

from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app.catalogue.matching import subject_of_sample
from app.catalogue.queries import sample_of
from app.query.draft import draft_entry
from app.query.incident_queries import chains_of_signature
from app.query.queries import signatures_by_id
from app.query.views import SignatureView

CHAINS: Final = 5


async def begin_entry(session: AsyncSession, signature_id: str) -> tuple[SignatureView, str] | None:
    """A signature and the entry begun from it; None: no error with it was ever stored."""
    found = (await signatures_by_id(session, [signature_id])).get(signature_id)
    sample = await sample_of(session, signature_id)
    if found is None or sample is None:
        return None
    chains = await chains_of_signature(session, signature_id, limit=CHAINS)
    return found, draft_entry(found, chains, subject_of_sample(sample))
