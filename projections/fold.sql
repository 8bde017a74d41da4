-- What a batch of events does to the tables. A block runs when the batch holds its event type, as the relation in_<Type>;
-- `events` stands for all of them.
-- Blocks run in this order, whatever the order in the batch: an entity's changes only go forward (it is opened, then it
-- ends), so creating first and ending last gives the same rows as one event at a time.
-- id() and ts() are macros of store.py.

-- on MarketOpened
INSERT INTO markets BY NAME
SELECT market, partition, id(bank) AS bank_id, rules_version, signed, id(operator_key) AS operator_key,
    id(genesis_hash) AS genesis_hash, ts(at_ms) AS opened_at
FROM in_MarketOpened;

-- on MarketOpened
INSERT INTO accounts BY NAME
SELECT market, id(bank) AS account_id, 'bank' AS name, 'bank' AS project, 'bank' AS budget_root, true AS is_bank,
    1000 AS weight_permille, 0 AS balance_ucr, 0 AS held_ucr, 0 AS owed_ucr, false AS is_system,
    ts(at_ms) AS opened_at, partition
FROM in_MarketOpened;

-- on RulesActivated
UPDATE markets SET rules_version = i.version
FROM (SELECT market, arg_max(version, ledger_offset) AS version FROM in_RulesActivated GROUP BY market) i
WHERE markets.market = i.market;

-- The bank has its row from the genesis; should it be opened by name as well, that name counts.
-- on AccountOpened
UPDATE accounts SET name = i.name, project = i.project, budget_root = i.budget_root
FROM in_AccountOpened i WHERE accounts.market = i.market AND accounts.account_id = id(i.account);

-- on AccountOpened
INSERT INTO accounts BY NAME
SELECT market, id(account) AS account_id, name, project, budget_root, false AS is_bank, 1000 AS weight_permille,
    0 AS balance_ucr, 0 AS held_ucr, 0 AS owed_ucr, false AS is_system, ts(at_ms) AS opened_at, partition
FROM in_AccountOpened i ANTI JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account);

-- Keys are registered once, and revoked or given an end only after that: inserting first holds for them as well.
-- on MarketOpened
INSERT INTO keys BY NAME
SELECT market, id(operator_key) AS signing_key, ts(at_ms) AS registered_at, partition FROM in_MarketOpened;

-- on MarketOpened
INSERT INTO keys BY NAME
SELECT market, id(bank_key) AS signing_key, id(bank) AS account_id, ts(at_ms) AS registered_at, partition
FROM in_MarketOpened;

-- on AccountOpened
INSERT INTO keys BY NAME
SELECT market, id(signing_key) AS signing_key, id(account) AS account_id, ts(at_ms) AS registered_at, partition
FROM in_AccountOpened;

-- on KeyRegistered
INSERT INTO keys BY NAME
SELECT market, id(signing_key) AS signing_key, id(account) AS account_id, ts(at_ms) AS registered_at, partition
FROM in_KeyRegistered;

-- on OperatorKeyRotated
INSERT INTO keys BY NAME
SELECT market, id(signing_key) AS signing_key, ts(at_ms) AS registered_at, partition FROM in_OperatorKeyRotated;

-- on OperatorKeyRotated
UPDATE keys SET revoked_at = ts(i.at_ms)
FROM in_OperatorKeyRotated i WHERE keys.market = i.market AND keys.signing_key = id(i.revoked_key);

-- on KeyExpires
UPDATE keys SET expires_at = ts(i.expires_at_ms)
FROM in_KeyExpires i WHERE keys.market = i.market AND keys.signing_key = id(i.signing_key);

-- on KeyRevoked
UPDATE keys SET revoked_at = ts(i.at_ms)
FROM in_KeyRevoked i WHERE keys.market = i.market AND keys.signing_key = id(i.signing_key);

-- on WeightChanged
UPDATE accounts SET weight_permille = i.weight_permille
FROM (
    SELECT market, id(account) AS account_id, arg_max(weight_permille, ledger_offset) AS weight_permille
    FROM in_WeightChanged GROUP BY ALL
) i
WHERE accounts.market = i.market AND accounts.account_id = i.account_id;

-- on PoolCreated
INSERT INTO pools BY NAME
SELECT i.market, i.pool, id(i.owner) AS owner_id, a.name AS owner, i.units, ts(i.at_ms) AS created_at, i.partition
FROM in_PoolCreated i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.owner);

-- on PoolResized
UPDATE pools SET units = i.units, resized_at = ts(i.at_ms)
FROM (
    SELECT market, pool, arg_max(units, ledger_offset) AS units, max(at_ms) AS at_ms FROM in_PoolResized GROUP BY ALL
) i
WHERE pools.market = i.market AND pools.pool = i.pool;

-- on PoolCreated
INSERT INTO pool_sizes BY NAME
SELECT market, pool, units, ts(at_ms) AS set_at, partition, ledger_offset FROM in_PoolCreated;

-- on PoolResized
INSERT INTO pool_sizes BY NAME
SELECT market, pool, units, ts(at_ms) AS set_at, partition, ledger_offset FROM in_PoolResized;

-- on CfpOpened
INSERT INTO cfps BY NAME
SELECT i.market, id(i.cfp) AS cfp_id, id(i.manager) AS manager_id, a.name AS manager, i.direction, i.pool, i.units,
    i.duration_ms, i.slots, i.reserve_price_ucr, i.pricing, ts(i.at_ms) AS opened_at, ts(i.closes_at_ms) AS closes_at,
    'AUTO' AS award, false AS by_invitation, 'open' AS status, i.partition, i.ledger_offset
FROM in_CfpOpened i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.manager);

-- on AwardDeferred
UPDATE cfps SET award = 'MANAGER', decide_ms = i.decide_ms
FROM in_AwardDeferred i WHERE cfps.market = i.market AND cfps.cfp_id = id(i.cfp);

-- on AccountInvited
UPDATE cfps SET by_invitation = true
FROM in_AccountInvited i WHERE cfps.market = i.market AND cfps.cfp_id = id(i.cfp);

-- on AccountInvited
INSERT INTO invitations BY NAME
SELECT i.market, id(i.cfp) AS cfp_id, id(i.account) AS account_id, a.name AS agent, a.project,
    ts(i.at_ms) AS invited_at, i.partition, i.ledger_offset
FROM in_AccountInvited i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account);

-- on PurchaseOpened
UPDATE cfps SET delay_cost_per_s_ucr = i.delay_cost_per_s_ucr, bond_ucr = i.bond_ucr,
    start_within_ms = i.start_within_ms, grace_ms = i.grace_ms
FROM in_PurchaseOpened i WHERE cfps.market = i.market AND cfps.cfp_id = id(i.cfp);

-- on CfpRefused
INSERT INTO refusals BY NAME
SELECT i.market, id(i.cfp) AS cfp_id, id(i.account) AS account_id, a.name AS agent, a.project, i.reason,
    ts(i.at_ms) AS refused_at, i.partition, i.ledger_offset
FROM in_CfpRefused i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account);

-- on DecisionOpened
UPDATE cfps SET status = 'deciding', decides_until = ts(i.decides_until_ms)
FROM in_DecisionOpened i WHERE cfps.market = i.market AND cfps.cfp_id = id(i.cfp);

-- on BidPlaced
INSERT INTO bids BY NAME
SELECT i.market, id(i.bid) AS bid_id, id(i.cfp) AS cfp_id, id(i.account) AS account_id, a.name AS agent, a.project,
    i.task, c.pool, i.price_ucr, i.weight_permille, i.start_delay_ms, i.claim.priority AS claim_priority,
    i.claim.deadline_at_ms AS claim_deadline_at_ms, i.claim.expected_value_points AS claim_expected_value_points,
    ts(i.at_ms) AS placed_at, 'live' AS status, i.partition, i.ledger_offset
FROM in_BidPlaced i
LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account)
LEFT JOIN cfps c ON c.market = i.market AND c.cfp_id = id(i.cfp);

-- on BidGrouped
UPDATE bids SET group_id = id(i."group"), wins_max = i.wins_max
FROM in_BidGrouped i WHERE bids.market = i.market AND bids.bid_id = id(i.bid);

-- An ask is for units of the contractor's pool.
-- on UnitsOffered
UPDATE bids SET pool = i.pool
FROM in_UnitsOffered i WHERE bids.market = i.market AND bids.bid_id = id(i.bid);

-- on HoldPlaced
INSERT INTO holds BY NAME
SELECT i.market, id(i.hold) AS hold_id, id(i.account) AS account_id, a.name AS agent, id(i.cfp) AS cfp_id,
    i.amount_ucr, ts(i.at_ms) AS placed_at, 'held' AS status, i.partition, i.ledger_offset
FROM in_HoldPlaced i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account);

-- on AwardMade
INSERT INTO awards BY NAME
SELECT i.market, id(i.award) AS award_id, id(i.cfp) AS cfp_id, i.slot, id(i.award) AS bid_id,
    id(i.account) AS account_id, a.name AS agent, a.project, b.task, b.pool, c.units, c.duration_ms, i.price_ucr,
    i.bid_price_ucr, c.manager_id, c.manager, c.opened_at, c.closes_at, ts(i.at_ms) AS awarded_at,
    i.at_ms - epoch_ms(c.closes_at) AS latency_ms, i.at_ms - epoch_ms(c.opened_at) AS since_opened_ms,
    i.partition, i.ledger_offset, i.command_offset, i.index
FROM in_AwardMade i
LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account)
LEFT JOIN bids b ON b.market = i.market AND b.bid_id = id(i.award)
LEFT JOIN cfps c ON c.market = i.market AND c.cfp_id = id(i.cfp);

-- on AwardMade
INSERT INTO works BY NAME
SELECT i.market, id(i.award) AS award_id, id(i.cfp) AS cfp_id, c.manager_id, c.manager, id(i.account) AS account_id,
    b.agent, b.pool, i.price_ucr, b.start_delay_ms AS promised_delay_ms, 'awarded' AS status, i.partition,
    i.ledger_offset
FROM in_AwardMade i
JOIN cfps c ON c.market = i.market AND c.cfp_id = id(i.cfp) AND c.direction = 'BUY'
LEFT JOIN bids b ON b.market = i.market AND b.bid_id = id(i.award);

-- on WorkReported
UPDATE works SET status = 'started', delay_ms = i.delay_ms, started_at = ts(i.at_ms)
FROM in_WorkReported i WHERE i.progress = 'STARTED' AND works.market = i.market AND works.award_id = id(i.award);

-- on WorkReported
UPDATE works SET status = lower(i.progress), paid_ucr = i.paid_ucr, result = i."text", ended_at = ts(i.at_ms),
    final_offset = i.ledger_offset
FROM in_WorkReported i WHERE i.progress <> 'STARTED' AND works.market = i.market AND works.award_id = id(i.award);

-- on SlotReserved
INSERT INTO reservations BY NAME
SELECT i.market, id(i.award) AS award_id, id(i.account) AS account_id, a.name AS agent, a.project, i.pool, i.units,
    ts(i.at_ms) AS reserved_at, ts(i.starts_at_ms) AS starts_at, ts(i.ends_at_ms) AS ends_at, 'active' AS status,
    i.partition, i.ledger_offset
FROM in_SlotReserved i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account);

-- A negotiation has the pool of its lease, which was reserved before.
-- on NegotiationOpened
INSERT INTO negotiations BY NAME
SELECT i.market, id(i.negotiation) AS negotiation_id, id(i.award) AS award_id, id(i.holder) AS holder_id,
    h.name AS holder, id(i.counterpart) AS buyer_id, b.name AS buyer, r.pool, i.protocol, i.issues, i.rounds_max,
    i.round_ms, i.still_rounds_max, ts(i.at_ms) AS opened_at, 'proposed' AS status, false AS claimed,
    i.partition, i.ledger_offset
FROM in_NegotiationOpened i
LEFT JOIN accounts h ON h.market = i.market AND h.account_id = id(i.holder)
LEFT JOIN accounts b ON b.market = i.market AND b.account_id = id(i.counterpart)
LEFT JOIN reservations r ON r.market = i.market AND r.award_id = id(i.award);

-- on LeaseClaimed
UPDATE negotiations SET claimed = true, cap_ucr = i.cap_ucr, task = i.task
FROM in_LeaseClaimed i
WHERE negotiations.market = i.market AND negotiations.negotiation_id = id(i.negotiation);

-- Whose lease is claimed joins with nothing of its own.
-- on NegotiationJoined
UPDATE negotiations SET status = 'bargaining', cap_ucr = if(claimed, negotiations.cap_ucr, i.cap_ucr),
    task = if(claimed, negotiations.task, i.task), joined_at = ts(i.at_ms)
FROM in_NegotiationJoined i
WHERE negotiations.market = i.market AND negotiations.negotiation_id = id(i.negotiation);

-- on OfferMade
INSERT INTO offers BY NAME
SELECT i.market, id(i.negotiation) AS negotiation_id, i.round, id(i.account) AS account_id, a.name AS agent, i.options,
    i.price_ucr, ts(i.at_ms) AS made_at, i.partition, i.ledger_offset
FROM in_OfferMade i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account);

-- A deal's call for its lease has the id of the negotiation.
-- on CfpOpened
UPDATE cfps SET resale_of = n.award_id
FROM in_CfpOpened i JOIN negotiations n ON n.market = i.market AND n.negotiation_id = id(i.cfp)
WHERE cfps.market = i.market AND cfps.cfp_id = id(i.cfp);

-- on NegotiationClosed
UPDATE negotiations SET status = lower(i.outcome), rounds = i.rounds, options = i.options, price_ucr = i.price_ucr,
    ended_at = ts(i.at_ms), final_offset = i.ledger_offset
FROM in_NegotiationClosed i
WHERE negotiations.market = i.market AND negotiations.negotiation_id = id(i.negotiation);

-- on CreditsTransferred
INSERT INTO transfers BY NAME
SELECT market, id(debit) AS debit_id, id(credit) AS credit_id, amount_ucr, reason, agent, project, task, pool,
    id(cfp) AS cfp_id, id(award) AS award_id, memo, ts(at_ms) AS transferred_at, partition, ledger_offset
FROM in_CreditsTransferred;

-- on CreditsTransferred
UPDATE accounts SET balance_ucr = balance_ucr + i.change_ucr
FROM (
    SELECT market, account_id, sum(change_ucr)::BIGINT AS change_ucr
    FROM (
        SELECT market, id(credit) AS account_id, amount_ucr AS change_ucr FROM in_CreditsTransferred
        UNION ALL
        SELECT market, id(debit), -amount_ucr FROM in_CreditsTransferred
    )
    GROUP BY ALL
) i
WHERE accounts.market = i.market AND accounts.account_id = i.account_id;

-- on HoldPlaced
UPDATE accounts SET held_ucr = held_ucr + i.change_ucr
FROM (
    SELECT market, id(account) AS account_id, sum(amount_ucr)::BIGINT AS change_ucr FROM in_HoldPlaced GROUP BY ALL
) i
WHERE accounts.market = i.market AND accounts.account_id = i.account_id;

-- A hold goes from 0 to the price of its bid and back, maybe several times in a batch. A manager that buys and chooses
-- itself holds the ceiling of one slot less with each award. A buyer's cap shrinks to the price of its deal.
-- on HoldResized
UPDATE accounts SET held_ucr = held_ucr + i.change_ucr
FROM (
    SELECT r.market, id(r.account) AS account_id,
        sum(CASE WHEN n.negotiation_id IS NOT NULL THEN r.amount_ucr - n.cap_ucr
            WHEN b.bid_id IS NULL THEN -c.reserve_price_ucr WHEN r.amount_ucr > 0 THEN r.amount_ucr
            ELSE -b.price_ucr END)::BIGINT AS change_ucr
    FROM in_HoldResized r
    LEFT JOIN bids b ON b.market = r.market AND b.bid_id = id(r.hold)
    LEFT JOIN cfps c ON c.market = r.market AND c.cfp_id = id(r.hold)
    LEFT JOIN negotiations n ON n.market = r.market AND n.negotiation_id = id(r.hold)
    GROUP BY ALL
) i
WHERE accounts.market = i.market AND accounts.account_id = i.account_id;

-- on HoldResized
UPDATE holds SET amount_ucr = i.amount_ucr
FROM (
    SELECT market, id(hold) AS hold_id, arg_max(amount_ucr, ledger_offset) AS amount_ucr
    FROM in_HoldResized GROUP BY ALL
) i
WHERE holds.market = i.market AND holds.hold_id = i.hold_id;

-- on HoldCaptured
UPDATE accounts SET held_ucr = held_ucr - i.change_ucr
FROM (
    SELECT market, id(account) AS account_id, sum(captured_ucr + released_ucr)::BIGINT AS change_ucr
    FROM in_HoldCaptured GROUP BY ALL
) i
WHERE accounts.market = i.market AND accounts.account_id = i.account_id;

-- on HoldReleased
UPDATE accounts SET held_ucr = held_ucr - i.change_ucr
FROM (
    SELECT market, id(account) AS account_id, sum(amount_ucr)::BIGINT AS change_ucr FROM in_HoldReleased GROUP BY ALL
) i
WHERE accounts.market = i.market AND accounts.account_id = i.account_id;

-- on HoldCaptured
UPDATE holds SET status = 'captured', captured_ucr = i.captured_ucr, released_ucr = i.released_ucr,
    resolved_at = ts(i.at_ms), final_offset = i.ledger_offset
FROM in_HoldCaptured i WHERE holds.market = i.market AND holds.hold_id = id(i.hold);

-- on HoldReleased
UPDATE holds SET status = 'released', captured_ucr = 0, released_ucr = i.amount_ucr, resolved_at = ts(i.at_ms),
    final_offset = i.ledger_offset
FROM in_HoldReleased i WHERE holds.market = i.market AND holds.hold_id = id(i.hold);

-- A withdrawn bid keeps its status when the end of its CFP rejects it, too. It is final only then.
-- on BidWithdrawn
UPDATE bids SET status = 'withdrawn', ended_at = ts(i.at_ms)
FROM in_BidWithdrawn i WHERE bids.market = i.market AND bids.bid_id = id(i.bid);

-- on BidRejected
UPDATE bids SET status = if(status = 'withdrawn', status, 'rejected'), reason = i.reason,
    ended_at = coalesce(ended_at, ts(i.at_ms)), final_offset = i.ledger_offset
FROM in_BidRejected i WHERE bids.market = i.market AND bids.bid_id = id(i.bid);

-- on AwardMade
UPDATE bids SET status = 'won', ended_at = ts(i.at_ms), final_offset = i.ledger_offset
FROM in_AwardMade i WHERE bids.market = i.market AND bids.bid_id = id(i.award);

-- on LeaseEnded
UPDATE reservations SET status = lower(i.reason), ended_at = ts(i.at_ms), final_offset = i.ledger_offset
FROM in_LeaseEnded i WHERE reservations.market = i.market AND reservations.award_id = id(i.award);

-- on CfpClosed
UPDATE cfps SET status = lower(i.outcome), closed_at = ts(i.at_ms), bids = i.bids, awards = i.awards,
    final_offset = i.ledger_offset
FROM in_CfpClosed i WHERE cfps.market = i.market AND cfps.cfp_id = id(i.cfp);

-- on CfpClosed
UPDATE bids SET final_offset = i.ledger_offset
FROM in_CfpClosed i WHERE bids.market = i.market AND bids.cfp_id = id(i.cfp) AND bids.final_offset IS NULL;

-- on CommandRejected
INSERT INTO rejections BY NAME
SELECT i.market, id(i.command) AS command_id, i.code, i.detail, id(i.account) AS account_id, a.name AS agent, i.kind,
    id(i.key) AS key, i.sequence, ts(i.at_ms) AS rejected_at, i.command_offset, i.partition, i.ledger_offset
FROM in_CommandRejected i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account);

-- on CommandUnreadable
INSERT INTO rejections BY NAME
SELECT market, id(command) AS command_id, 'UNREADABLE' AS code,
    reason || ', ' || size_bytes || ' bytes, SHA-256 ' || id(digest) AS detail, ts(at_ms) AS rejected_at,
    command_offset, partition, ledger_offset
FROM in_CommandUnreadable;

-- All events of the batch, whatever their type; store.py puts them together.
-- on events
INSERT INTO events BY NAME
SELECT partition, ledger_offset, market, type, command_offset, index, id(command) AS command_id,
    ts(at_ms) AS occurred_at, cause, id(account) AS account_id, kind, code
FROM in_events ORDER BY partition, ledger_offset;
