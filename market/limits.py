"""Every limit of the rules, with its reason. A limit is part of the rules: changing one is a new rules version."""

from __future__ import annotations

# Money. 10^15 micro-credits are a billion credits: more than anyone needs in one posting.
AMOUNT_UCR_MAX = 10**15
# All issued credits together. Every balance and every sum of balances then fits a signed 64-bit integer with room.
ISSUED_UCR_MAX = 4 * 10**18

# Accounts and keys. State must fit one worker's memory: an account with its keys takes about 2 KiB.
ACCOUNTS_MAX = 100_000
# Live and revoked ones together: a revoked key is remembered for ever, so an account cannot rotate without end.
KEYS_PER_ACCOUNT_MAX = 64
# Newest sequences remembered per key to tell a repeat from a new command. One connection keeps order; this covers the
# commands an agent may have had under way when it died.
SEQUENCES_PER_KEY_MAX = 128
# Bytes of a command's id kept with its sequence. Only a key's holder could make two alike, and fool itself.
COMMAND_TAG_BYTES = 4
# Weight changes remembered per account: as many as may happen while one CFP is open.
WEIGHTS_PER_ACCOUNT_MAX = 16
WEIGHT_PERMILLE_MIN = 500
WEIGHT_PERMILLE_MAX = 1000

# Pools. A pool is a kind of resource, not a machine.
POOLS_MAX = 1_000
UNITS_MAX = 1_000_000

# CFPs. Shorter than 50 ms and no bid could arrive; a hold must not lock credits for more than a day.
CFP_OPEN_MS_MIN = 50
CFP_OPEN_MS_MAX = 24 * 3600 * 1000
OPEN_CFPS_MAX = 20_000
OPEN_CFPS_PER_MANAGER_MAX = 5_000
# All that happens at a close is one Kafka transaction of at most four entries a bid.
BIDS_PER_CFP_MAX = 1_000
# Withdrawn ones included: without it, an account could place and withdraw a thousand bids of next to nothing, fill the
# call against everybody else, and have it all back at the close.
BIDS_PER_ACCOUNT_AND_CFP_MAX = 8
SLOTS_MAX = 64
# A manager that chooses itself: shorter, and its answer could not arrive. With the time for bids it takes no longer
# than CFP_OPEN_MS_MAX in all, as the bids bind meanwhile.
DECIDE_MS_MIN = 100
# One for each account and CFP, remembered until its end.
REFUSALS_PER_CFP_MAX = 1_000
# By invitation: as many as there may be slots. Each is an entry and a sealed notice of the opening's record, and is
# remembered until the CFP's end.
INVITED_PER_CFP_MAX = 64
# A flood from one account must not fill everybody's CFPs.
OPEN_BIDS_PER_ACCOUNT_MAX = 2_000
# An ended CFP is remembered for precise answers ("it has ended" rather than "there is none").
CLOSED_CFPS_REMEMBERED = 4_096

# Leases. Notices are kept for 14 days, so that a gate that starts afresh learns of every current lease.
LEASE_MS_MIN = 100
LEASE_MS_MAX = 7 * 24 * 3600 * 1000
START_DELAY_MS_MAX = 24 * 3600 * 1000
# Bounds the step function of each pool's capacity, which every award reads.
LEASES_PER_POOL_MAX = 20_000

# The first version of the rules in which keys expire, the operator's can be rotated, and a revoked one is answered its
# repeats.
KEYS_RULES_VERSION = 3
# Private notices. The first version of the rules whose records have them.
SEALED_RULES_VERSION = 3
# A record that ends a CFP has at least this many, and always a power of two, so that their number does not tell how
# many had bid: up to seven bidders and their manager look like nobody. So have the invitations to one.
SEALED_PER_CLOSE_MIN = 8

# The first version of the rules whose managers may award themselves, and in which accounts may refuse.
DECISIONS_RULES_VERSION = 5

# Groups of bids. The first version of the rules that has them.
GROUPS_RULES_VERSION = 6
# Open bids of one group. A win may drop all others in its own record, and their entries count for nothing there, as
# they must not tell how many they are: 16 CFPs of 64 winners each, which have DUE_ENTRIES_PER_COMMAND_MAX without
# them, make 70,000 at most, and a Kafka producer queues 100,000 by default.
BIDS_PER_GROUP_MAX = 32
# Groups that won something and have no open bid, remembered per account, so that a bid that was under way at the last
# win does not begin its group anew. Such a bid is seconds late.
GROUPS_REMEMBERED_PER_ACCOUNT = 16
# The first version of the rules that has CFPs by invitation.
INVITATIONS_RULES_VERSION = 6
# The first version of the rules in which accounts may buy.
PURCHASES_RULES_VERSION = 6

# Budgets. The first version of the rules that has them.
BUDGETS_RULES_VERSION = 4
# A window's start costs entries, and every budget has one at least as often as BUDGET_WINDOW_MS_MAX.
BUDGETS_MAX = 1_000
# Shorter than what market time may move by in one record, and a record could owe several windows at once; longer than a
# year and a day, and nobody would live to see it end.
BUDGET_WINDOW_MS_MIN = 60_000
BUDGET_WINDOW_MS_MAX = 366 * 24 * 3600 * 1000
# Accounts of a project that has a budget: its window's start is at most two postings for each, in one record.
ACCOUNTS_PER_BUDGET_MAX = 1_000
CAP_ALLOWANCES_MAX = 1_000

# Time. One wrong stamp of a broker must not expire a market.
CLOCK_STEP_MS_MAX = 60_000
# A tick is recorded after this much silence, so that market time never falls behind by CLOCK_STEP_MS_MAX.
CLOCK_ADVANCE_MS = 30_000
# What one command may set off besides its own effect; the rest waits for the next record.
DUE_PER_COMMAND_MAX = 64
# Nor is anything more settled by a record that has this many entries: 64 full CFPs would be 136,000, more than a Kafka
# producer queues by default.
DUE_ENTRIES_PER_COMMAND_MAX = 4_096

# Negotiations. The first version of the rules that has them.
NEGOTIATIONS_RULES_VERSION = 6
# Each is state with every offer that stands in it.
NEGOTIATIONS_MAX = 1_000
# A negotiation asks an account for its attention, by a notice.
NEGOTIATIONS_PER_HOLDER_MAX = 64
# Zeuthen's strategy needed at most 66 on the domains of the benchmark (docs/bargaining.md). With the time to join, all
# rounds take no longer than CFP_OPEN_MS_MAX: what a buyer holds is locked for a day at most.
ROUNDS_MAX = 256
# Shorter, and no answer could arrive.
ROUND_MS_MIN = 50
ISSUES_MAX = 4
OPTIONS_MAX = 64
# Names of issues and options together: they go into one notice.
ISSUES_BYTES_MAX = 1_024
# An ended negotiation is remembered for precise answers.
NEGOTIATIONS_REMEMBERED = 1_024

# Token pools. The first version of the rules that has them.
TOKENS_RULES_VERSION = 7
# Each is cleared once an interval, and a record settles DUE_PER_COMMAND_MAX things.
TOKEN_POOLS_MAX = 256
# Tokens per minute, of a burst, an order or a draw: a provider's largest plans are tens of millions a minute.
TOKENS_MAX = 10**9
# A clearing is up to three entries an order in one record, and a sort of them.
ORDERS_PER_POOL_MAX = 256
# Shorter, and the clock would do nothing but clear; longer, and a grant would come too late to be of use.
TOKEN_INTERVAL_MS_MIN = 1_000
TOKEN_INTERVAL_MS_MAX = 3_600_000
# As long as a bid may bind. An order holds nothing, and is dropped from a clearing that it cannot pay.
ORDER_OPEN_MS_MAX = 24 * 3600 * 1000
# Shorter, and a grant would be over before its holder reads of it; longer than so many intervals, and their number,
# that times the orders, would be too much state.
GRANT_MS_MIN = 1_000
GRANT_INTERVALS_MAX = 64
# What was used of a grant may be told so long after its end: calls that were under way take a while.
GRANT_GRACE_MS = 60_000
# Draws are free, so they alone could fill the state; sales are bounded by the orders.
GRANTS_PER_POOL_MAX = 32_768
# Calls of one report.
CALLS_MAX = 10**9
# One price for all from so many budget roots on, none of which asks for more than one part in UNIFORM_SHARES of what is
# sold: demand reduction gains 1.4% there, and 47% with two (DESIGN 6).
UNIFORM_ROOTS_MIN = 10
UNIFORM_SHARES = 5
# AIMD: a throttled pool's rate is halved, once an interval, down to this part of its rate; each interval without that
# gives back this part of it.
RATE_FLOOR_DIVISOR = 16
RATE_STEP_DIVISOR = 20
# Nobody slows a pool down alone, unless nobody else has grants, or by being a System agent.
COMPLAINING_ROOTS_MIN = 2
# The operator's policy. The first version of the rules that has one. Windows as those of budgets: shorter, and a bound
# on what is issued in one would bound nothing.
POLICIES_RULES_VERSION = 7
ISSUE_WINDOW_MS_MIN = BUDGET_WINDOW_MS_MIN
ISSUE_WINDOW_MS_MAX = BUDGET_WINDOW_MS_MAX

# The deposit of managers that sell. The first version of the rules that has it. Nobody's credits are worth more than
# the whole reserve in 3.6 seconds.
DEPOSITS_RULES_VERSION = 8
DEPOSIT_HOURLY_PERMILLE_MAX = 1_000_000
# A floor under it, for each unit and hour. The first version of the rules that has one. No posting is larger.
DEPOSIT_FLOOR_RULES_VERSION = 10
DEPOSIT_FLOOR_UCR_MAX = AMOUNT_UCR_MAX
# Managers that buy deposit for the bonds that they have held. The first version of the rules in which they do.
BUYER_DEPOSITS_RULES_VERSION = 11

# Caps by budget root. The first version of the rules that has them. Half of what there is room for: accounts of one
# root, however many, leave others the other half.
ROOTS_RULES_VERSION = 9
BIDS_PER_ROOT_AND_CFP_MAX = BIDS_PER_CFP_MAX // 2
OPEN_CFPS_PER_ROOT_MAX = OPEN_CFPS_MAX // 2
NEGOTIATIONS_PER_ROOT_MAX = NEGOTIATIONS_MAX // 2

# Resales with an open call, and claims on leases. The first version of the rules that has them. A call is at least as
# long as any other; longer than a minute, and the lease that is sold on would mostly be waited for.
RESALES_RULES_VERSION = 9
RESALE_CALL_MS_MIN = CFP_OPEN_MS_MIN
RESALE_CALL_MS_MAX = 60_000
# Of all negotiations: who claims needs no lease, and must not keep those who have one from bargaining.
CLAIMS_MAX = NEGOTIATIONS_MAX // 2
CLAIMS_PER_ROOT_MAX = CLAIMS_MAX // 2
# Claims that wait in vain. The first version of the rules that bounds them. A holder's program answers within seconds,
# and a person whom it asks within minutes; while a claim waits, nobody else may claim the lease.
CLAIM_WAIT_RULES_VERSION = 10
CLAIM_WAIT_MS_MAX = 5 * 60_000
# A budget root whose claim on a lease was not joined may not claim it again for so long: it has at most 5 of 65 minutes
# of a lease, and an hour is time for a dozen others.
CLAIM_AGAIN_MS = 3_600_000
# By lease; the oldest is forgotten. Twelve roots in turn keep a lease for good, so that more would bound nothing more.
CLAIMS_REMEMBERED_PER_LEASE = 64

# Decay of what an account had on average. The first version of the rules that has it.
DECAY_RULES_VERSION = 9

# Second identities. The first versions of the rules in which ties are drawn by budget root, and in which a root's
# accounts all have the least weight of them.
ROOT_TIES_RULES_VERSION = 10
ROOT_WEIGHTS_RULES_VERSION = 10
