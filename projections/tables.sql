-- The tables of state.duckdb. Those with a column final_offset have rows that still change; see fold.sql.
-- Ids are lowercase hex. Times are UTC. Money (*_ucr) is in micro-credits. (market, id) identifies an entity.
-- No indexes: every statement works on whole batches, and a hash join over the small mutable part is cheaper.

CREATE TABLE format (version INTEGER NOT NULL);

CREATE TABLE positions (
    partition INTEGER NOT NULL,
    next_offset BIGINT NOT NULL,   -- where reading goes on
    last_offset BIGINT NOT NULL,   -- the last record applied, and its chain: how a different ledger is recognised
    chain BLOB,
    events BIGINT NOT NULL,        -- rows of this partition in events and unreadable_entries
    newest_event_at TIMESTAMP
);

CREATE TABLE segments (table_name VARCHAR NOT NULL, file VARCHAR NOT NULL, row_count BIGINT NOT NULL);

CREATE TABLE markets (
    market VARCHAR, partition INTEGER, bank_id VARCHAR, rules_version INTEGER, signed BOOLEAN, operator_key VARCHAR,
    genesis_hash VARCHAR, opened_at TIMESTAMP
);

CREATE TABLE accounts (
    market VARCHAR, account_id VARCHAR, name VARCHAR, project VARCHAR, budget_root VARCHAR, is_bank BOOLEAN,
    weight_permille INTEGER, balance_ucr BIGINT, held_ucr BIGINT, owed_ucr BIGINT, is_system BOOLEAN,
    opened_at TIMESTAMP, partition INTEGER
);

CREATE TABLE keys (
    market VARCHAR, signing_key VARCHAR, account_id VARCHAR,   -- the operator's keys have no account
    registered_at TIMESTAMP, expires_at TIMESTAMP, revoked_at TIMESTAMP, partition INTEGER
);

CREATE TABLE pools (
    market VARCHAR, pool VARCHAR, owner_id VARCHAR, owner VARCHAR, units INTEGER, created_at TIMESTAMP,
    resized_at TIMESTAMP, partition INTEGER
);

-- What a pool has had: one row for each size.
CREATE TABLE pool_sizes (
    market VARCHAR, pool VARCHAR, units INTEGER, set_at TIMESTAMP, partition INTEGER, ledger_offset BIGINT
);

CREATE TABLE budgets (
    market VARCHAR, budget_id VARCHAR, scope VARCHAR,   -- account or project
    account_id VARCHAR, agent VARCHAR, project VARCHAR, limit_ucr BIGINT,   -- no limit: NULL
    allowance_ucr BIGINT, window_ms BIGINT, offset_ms BIGINT, decay_permille INTEGER, cap_allowances INTEGER,
    warn_permille INTEGER, set_at TIMESTAMP, cleared_at TIMESTAMP, partition INTEGER
);

-- One row for each window of each budget. What is held now is in the view budget_status.
CREATE TABLE budget_windows (
    market VARCHAR, budget_id VARCHAR, starts_at TIMESTAMP, ends_at TIMESTAMP, limit_ucr BIGINT, topped_up_ucr BIGINT,
    spent_ucr BIGINT, warned_at TIMESTAMP,
    issued_ucr BIGINT,    -- at its start
    decayed_ucr BIGINT,   -- at its end
    ended_at TIMESTAMP, partition INTEGER, ledger_offset BIGINT, final_offset BIGINT
);

CREATE TABLE policies (
    market VARCHAR, issue_limit_ucr BIGINT, issue_window_ms BIGINT, round_fee_ucr BIGINT, set_at TIMESTAMP,
    partition INTEGER, ledger_offset BIGINT
);

-- What managers deposit for calls that open from then on: thousandths of the reserve (where they buy, from rules version
-- 11 on: of the bond), for each slot and hour.
CREATE TABLE deposit_rates (
    market VARCHAR, hourly_permille BIGINT,
    floor_ucr BIGINT,     -- what a unit counts for in an hour of the lease at least, whatever the reserve is
    set_at TIMESTAMP, partition INTEGER, ledger_offset BIGINT
);

-- How long a deal over a lease that is made from then on is open to others, milliseconds; 0: not at all.
CREATE TABLE resale_calls (
    market VARCHAR, call_ms BIGINT, set_at TIMESTAMP, partition INTEGER, ledger_offset BIGINT
);

CREATE TABLE events (
    partition INTEGER, ledger_offset BIGINT, market VARCHAR, type VARCHAR, command_offset BIGINT, index INTEGER,
    command_id VARCHAR, occurred_at TIMESTAMP, cause VARCHAR,
    account_id VARCHAR, kind VARCHAR, code VARCHAR   -- outcomes of commands only: who sent what, and the answer
);

CREATE TABLE cfps (
    market VARCHAR, cfp_id VARCHAR, manager_id VARCHAR, manager VARCHAR, direction VARCHAR, pool VARCHAR, units INTEGER,
    duration_ms BIGINT, slots INTEGER, reserve_price_ucr BIGINT, pricing VARCHAR, opened_at TIMESTAMP,
    closes_at TIMESTAMP, award VARCHAR,   -- AUTO or MANAGER
    decide_ms BIGINT, decides_until TIMESTAMP,   -- with MANAGER; the latter once the deadline is over
    by_invitation BOOLEAN,                       -- who is invited: invitations
    delay_cost_per_s_ucr BIGINT, bond_ucr BIGINT, start_within_ms BIGINT, grace_ms BIGINT,   -- with direction BUY
    status VARCHAR, closed_at TIMESTAMP, bids INTEGER, awards INTEGER,   -- status: open, deciding, or the outcome
    resale_of VARCHAR,                           -- the lease that it sells on, by its award; its id is the negotiation's
    partition INTEGER, ledger_offset BIGINT, final_offset BIGINT
);

-- Who alone may answer a CFP by invitation.
CREATE TABLE invitations (
    market VARCHAR, cfp_id VARCHAR, account_id VARCHAR, agent VARCHAR, project VARCHAR, invited_at TIMESTAMP,
    partition INTEGER, ledger_offset BIGINT
);

-- Who said that it does not bid.
CREATE TABLE refusals (
    market VARCHAR, cfp_id VARCHAR, account_id VARCHAR, agent VARCHAR, project VARCHAR, reason VARCHAR,
    refused_at TIMESTAMP, partition INTEGER, ledger_offset BIGINT
);

CREATE TABLE bids (
    market VARCHAR, bid_id VARCHAR, cfp_id VARCHAR, account_id VARCHAR, agent VARCHAR, project VARCHAR, task VARCHAR,
    pool VARCHAR, price_ucr BIGINT, weight_permille INTEGER, start_delay_ms BIGINT, claim_priority VARCHAR,
    claim_deadline_at_ms BIGINT,           -- the bidder's word, any 64-bit number: not every one is a TIMESTAMP
    claim_expected_value_points BIGINT, placed_at TIMESTAMP, status VARCHAR, reason VARCHAR, ended_at TIMESTAMP,
    group_id VARCHAR, wins_max INTEGER,    -- of a bid in a group: at most so many of the account's bids of it win
    partition INTEGER, ledger_offset BIGINT, final_offset BIGINT
);

CREATE TABLE awards (
    market VARCHAR, award_id VARCHAR, cfp_id VARCHAR, slot INTEGER, bid_id VARCHAR, account_id VARCHAR, agent VARCHAR,
    project VARCHAR, task VARCHAR, pool VARCHAR, units INTEGER, duration_ms BIGINT, price_ucr BIGINT,
    bid_price_ucr BIGINT, manager_id VARCHAR, manager VARCHAR, opened_at TIMESTAMP, closes_at TIMESTAMP,
    awarded_at TIMESTAMP, latency_ms BIGINT, since_opened_ms BIGINT,
    partition INTEGER, ledger_offset BIGINT,
    command_offset BIGINT, index INTEGER   -- with partition: the fencing token
);

-- Work that was bought, from its award to its end.
CREATE TABLE works (
    market VARCHAR, award_id VARCHAR, cfp_id VARCHAR, manager_id VARCHAR, manager VARCHAR, account_id VARCHAR,
    agent VARCHAR, pool VARCHAR, price_ucr BIGINT,   -- the contractor, and what is in escrow for it
    promised_delay_ms BIGINT, status VARCHAR,        -- awarded, started, done, failed or timed_out
    delay_ms BIGINT, paid_ucr BIGINT, result VARCHAR, started_at TIMESTAMP, ended_at TIMESTAMP,
    partition INTEGER, ledger_offset BIGINT, final_offset BIGINT
);

CREATE TABLE reservations (
    market VARCHAR, award_id VARCHAR, account_id VARCHAR, agent VARCHAR, project VARCHAR, pool VARCHAR, units INTEGER,
    reserved_at TIMESTAMP, starts_at TIMESTAMP, ends_at TIMESTAMP, status VARCHAR, ended_at TIMESTAMP,
    partition INTEGER, ledger_offset BIGINT, final_offset BIGINT
);

CREATE TABLE transfers (
    market VARCHAR, debit_id VARCHAR, credit_id VARCHAR, amount_ucr BIGINT, reason VARCHAR, agent VARCHAR,
    project VARCHAR, task VARCHAR, pool VARCHAR, cfp_id VARCHAR, award_id VARCHAR, memo VARCHAR,
    transferred_at TIMESTAMP, partition INTEGER, ledger_offset BIGINT
);

CREATE TABLE holds (
    market VARCHAR, hold_id VARCHAR, account_id VARCHAR, agent VARCHAR, cfp_id VARCHAR,
    amount_ucr BIGINT,                     -- 0 while better bids of the same group hold their prices
    placed_at TIMESTAMP, status VARCHAR, captured_ucr BIGINT, released_ucr BIGINT, resolved_at TIMESTAMP,
    partition INTEGER, ledger_offset BIGINT, final_offset BIGINT
);

-- Over what is left of a lease, which its holder sells. Issues with their options, and the options of an offer by number
-- from 0, one of each issue. Status: proposed, bargaining, or the outcome. Claimed: the buyer has opened it.
CREATE TABLE negotiations (
    market VARCHAR, negotiation_id VARCHAR, award_id VARCHAR, holder_id VARCHAR, holder VARCHAR, buyer_id VARCHAR,
    buyer VARCHAR, pool VARCHAR, protocol VARCHAR, issues STRUCT(name VARCHAR, options VARCHAR[])[],
    rounds_max INTEGER, round_ms BIGINT, still_rounds_max INTEGER, opened_at TIMESTAMP, cap_ucr BIGINT, task VARCHAR,
    joined_at TIMESTAMP, status VARCHAR, rounds INTEGER, options INTEGER[], price_ucr BIGINT, ended_at TIMESTAMP,
    claimed BOOLEAN,
    partition INTEGER, ledger_offset BIGINT, final_offset BIGINT
);

CREATE TABLE offers (
    market VARCHAR, negotiation_id VARCHAR, round INTEGER, account_id VARCHAR, agent VARCHAR, options INTEGER[],
    price_ucr BIGINT, made_at TIMESTAMP, partition INTEGER, ledger_offset BIGINT
);

CREATE TABLE rejections (
    market VARCHAR, command_id VARCHAR, code VARCHAR, detail VARCHAR, account_id VARCHAR, agent VARCHAR, kind VARCHAR,
    key VARCHAR, sequence BIGINT, rejected_at TIMESTAMP, command_offset BIGINT, partition INTEGER, ledger_offset BIGINT
);

-- Records of the ledger topic that are no entry: nothing of ours writes such bytes, so every row is worth a look.
CREATE TABLE unreadable_entries (
    partition INTEGER, ledger_offset BIGINT, key BLOB, reason VARCHAR, value BLOB
);

-- Pools of API tokens, with the terms that hold now, and the rate that throttling has left of theirs.
CREATE TABLE token_pools (
    market VARCHAR, pool VARCHAR, token_pool_id VARCHAR, owner_id VARCHAR, owner VARCHAR, tokens_per_minute BIGINT,
    burst_tokens BIGINT, reserve_permille INTEGER, interval_ms BIGINT, reserve_per_1000_ucr BIGINT, grant_ms BIGINT,
    rate_per_minute BIGINT, rate_offset BIGINT,   -- tokens per minute now, and which record of the ledger said so
    created_at TIMESTAMP, resized_at TIMESTAMP, partition INTEGER
);

CREATE TABLE token_orders (
    market VARCHAR, order_id VARCHAR, pool VARCHAR, account_id VARCHAR, agent VARCHAR, project VARCHAR, tokens BIGINT,
    limit_per_1000_ucr BIGINT, task VARCHAR, placed_at TIMESTAMP, expires_at TIMESTAMP,
    status VARCHAR,   -- standing, replaced, cancelled or expired
    ended_at TIMESTAMP, partition INTEGER, ledger_offset BIGINT, final_offset BIGINT
);

CREATE TABLE token_clearings (
    market VARCHAR, pool VARCHAR, pricing VARCHAR, roots INTEGER, supply_tokens BIGINT, sold_tokens BIGINT,
    price_per_1000_ucr BIGINT,   -- with UNIFORM
    cleared_at TIMESTAMP, partition INTEGER, ledger_offset BIGINT
);

-- What was sold (order_id) or drawn by a System agent.
CREATE TABLE token_grants (
    market VARCHAR, grant_id VARCHAR, pool VARCHAR, account_id VARCHAR, agent VARCHAR, project VARCHAR,
    order_id VARCHAR, tokens BIGINT, paid_ucr BIGINT, task VARCHAR, is_system BOOLEAN, granted_at TIMESTAMP,
    expires_at TIMESTAMP, partition INTEGER, ledger_offset BIGINT
);

-- What agents say that they used.
CREATE TABLE token_usage (
    market VARCHAR, grant_id VARCHAR, pool VARCHAR, account_id VARCHAR, agent VARCHAR, project VARCHAR, tokens BIGINT,
    calls BIGINT, throttled BIGINT, task VARCHAR, reported_at TIMESTAMP, partition INTEGER, ledger_offset BIGINT
);
