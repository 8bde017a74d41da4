"""What the busy town of test_rules.py has beside accounts, calls, bids and leases, for its cases."""

from __future__ import annotations

from collections.abc import Callable

from market import limits
from tests.market.cases_decay import DECAY_IDS, owe
from tests.market.cases_decisions import DECISION_IDS, leave_to_the_manager
from tests.market.cases_deposits import DEPOSIT_IDS, ask_deposits
from tests.market.cases_groups import bid_in_groups
from tests.market.cases_invitations import INVITATION_IDS, invite
from tests.market.cases_negotiations import NEGOTIATION_IDS, bargain
from tests.market.cases_resales import RESALE_IDS, sell_on
from tests.market.cases_tokens import TOKEN_IDS, grant_tokens
from tests.market.cases_waits import WAIT_IDS, claim_in_vain
from tests.market.town import Town

STAGES: tuple[tuple[int, Callable[[Town, dict[str, bytes]], None]], ...] = (
    (limits.DECISIONS_RULES_VERSION, leave_to_the_manager),
    (limits.GROUPS_RULES_VERSION, bid_in_groups),
    (limits.INVITATIONS_RULES_VERSION, invite),
    (limits.NEGOTIATIONS_RULES_VERSION, bargain),
    (limits.TOKENS_RULES_VERSION, grant_tokens),
    (limits.DEPOSITS_RULES_VERSION, ask_deposits),
    (limits.RESALES_RULES_VERSION, sell_on),
    (limits.DECAY_RULES_VERSION, owe),
    (limits.CLAIM_WAIT_RULES_VERSION, claim_in_vain),
)
"""Since which version of the rules there is what, in that order."""
CASE_IDS = (
    *(*DECAY_IDS, *DECISION_IDS, *DEPOSIT_IDS, *INVITATION_IDS, *NEGOTIATION_IDS, *RESALE_IDS, *TOKEN_IDS),
    *WAIT_IDS,
)
"""What the cases name of it."""
