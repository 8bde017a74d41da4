-- The views of a published generation, beside those that join segments and mutable rows into one table each.

-- Who spent how much on what: one row per payment. Credits are micro-credits. Issued credits, the bank's transfers, and
-- what budgets give and take back are no spending and stay out, so that sum(credits) is what was paid. Whoever paid is
-- agent and account_id, whoever was paid is payee_id.
CREATE VIEW attribution AS
SELECT market, project, agent, task, pool, award_id, date_trunc('hour', transferred_at) AS hour, reason,
    amount_ucr AS credits, transferred_at AS paid_at, debit_id AS account_id, credit_id AS payee_id, cfp_id
FROM transfers WHERE reason NOT IN ('ISSUE', 'TRANSFER', 'ALLOWANCE', 'DECAY');

-- One row per market, ok where the books balance: balances add up to 0 and are the fold of the transfers, and what is held
-- is the sum of the open holds. It scans all transfers.
CREATE VIEW balances_check AS
WITH postings AS (
    SELECT market, credit_id AS account_id, amount_ucr FROM transfers
    UNION ALL
    SELECT market, debit_id, -amount_ucr FROM transfers
), folded AS (
    SELECT market, account_id, sum(amount_ucr)::BIGINT AS balance_ucr FROM postings GROUP BY ALL
), open_holds AS (
    SELECT market, account_id, sum(amount_ucr)::BIGINT AS held_ucr FROM holds WHERE status = 'held' GROUP BY ALL
), compared AS (
    SELECT market, account_id, coalesce(a.balance_ucr, 0) AS balance_ucr,
        a.balance_ucr IS DISTINCT FROM coalesce(f.balance_ucr, 0) AS balance_differs,
        a.held_ucr IS DISTINCT FROM coalesce(h.held_ucr, 0) AS held_differs
    FROM accounts a
    FULL JOIN folded f USING (market, account_id)
    FULL JOIN open_holds h USING (market, account_id)
)
SELECT market, count(*)::BIGINT AS accounts, sum(balance_ucr)::BIGINT AS sum_balance_ucr,
    count(*) FILTER (balance_differs)::BIGINT AS balances_differing,
    count(*) FILTER (held_differs)::BIGINT AS held_differing,
    sum_balance_ucr = 0 AND balances_differing = 0 AND held_differing = 0 AS ok
FROM compared GROUP BY market;

-- Every budget with the window that runs: what it allows, what awards have cost, what open bids hold, what is left for
-- one more bid (below 0 where the terms changed under what was held), and the decay that its accounts owe. Without a
-- limit, most and left are NULL.
CREATE VIEW budget_status AS
WITH held AS (
    SELECT market, account_id, NULL AS project, held_ucr, owed_ucr FROM accounts
    UNION ALL
    SELECT market, NULL, project, sum(held_ucr)::BIGINT, sum(owed_ucr)::BIGINT
    FROM accounts WHERE NOT is_bank GROUP BY ALL
)
SELECT b.market, b.scope, b.agent, b.project, w.limit_ucr, w.topped_up_ucr, w.limit_ucr + w.topped_up_ucr AS most_ucr,
    w.spent_ucr, coalesce(h.held_ucr, 0) AS held_ucr, most_ucr - w.spent_ucr - coalesce(h.held_ucr, 0) AS left_ucr,
    w.warned_at, w.starts_at, w.ends_at, b.allowance_ucr, b.decay_permille, b.cap_allowances,
    coalesce(h.owed_ucr, 0) AS owed_ucr, b.budget_id
FROM budgets b
JOIN budget_windows w ON w.market = b.market AND w.budget_id = b.budget_id AND w.ended_at IS NULL
LEFT JOIN held h ON h.market = b.market
    AND CASE b.scope WHEN 'account' THEN h.account_id = b.account_id ELSE h.project = b.project END
WHERE b.cleared_at IS NULL;

-- Tokens by who they were for: what was granted and paid, what System agents drew, and what was reported as used. The task
-- is that of the order or draw; of usage, that of the report, or of the grant where the report names none.
CREATE VIEW token_attribution AS
WITH rows AS (
    SELECT market, project, agent, task, pool, date_trunc('hour', granted_at) AS hour, tokens AS granted_tokens,
        if(is_system, tokens, 0) AS drawn_tokens, paid_ucr AS credits, 0 AS used_tokens, 0 AS calls, 0 AS throttled
    FROM token_grants
    UNION ALL
    SELECT u.market, u.project, u.agent, coalesce(nullif(u.task, ''), g.task), u.pool, date_trunc('hour', u.reported_at),
        0, 0, 0, u.tokens, u.calls, u.throttled
    FROM token_usage u JOIN token_grants g USING (market, grant_id)
)
SELECT market, project, agent, task, pool, hour, sum(granted_tokens)::BIGINT AS granted_tokens,
    sum(drawn_tokens)::BIGINT AS drawn_tokens, sum(used_tokens)::BIGINT AS used_tokens, sum(calls)::BIGINT AS calls,
    sum(throttled)::BIGINT AS throttled, sum(credits)::BIGINT AS credits
FROM rows GROUP BY ALL;
-- What the bank has issued in each window of each policy, and what that left; policy_offset is the policy's
-- ledger_offset. Before the first policy of a market there are days without a limit.
CREATE VIEW issuance AS
WITH postings AS (
    SELECT market, reason, amount_ucr, transferred_at, ledger_offset
    FROM transfers WHERE reason IN ('ISSUE', 'ALLOWANCE')
), placed AS (
    SELECT t.market, t.reason, t.amount_ucr, p.ledger_offset AS policy_offset, p.issue_limit_ucr AS limit_ucr,
        coalesce(p.issue_window_ms, 86_400_000) AS window_ms,
        epoch_ms(t.transferred_at) - epoch_ms(t.transferred_at) % window_ms AS starts_ms
    FROM postings t ASOF LEFT JOIN policies p ON t.market = p.market AND t.ledger_offset >= p.ledger_offset
)
SELECT market, policy_offset, make_timestamp(starts_ms * 1000) AS starts_at, window_ms, limit_ucr,
    coalesce(sum(amount_ucr) FILTER (reason = 'ISSUE'), 0)::BIGINT AS issued_ucr,
    coalesce(sum(amount_ucr) FILTER (reason = 'ALLOWANCE'), 0)::BIGINT AS allowances_ucr,
    issued_ucr + allowances_ucr AS total_ucr, limit_ucr - total_ucr AS left_ucr
FROM placed GROUP BY market, policy_offset, window_ms, limit_ucr, starts_ms;

-- What managers have deposited, by call, and what of it went to bidders whom the call did not serve. Where they buy, the
-- call's own id is that of the hold of its ceiling (market/works.py).
CREATE VIEW deposits AS
WITH calls AS (
    SELECT market, cfp_id, manager, pool, status,
        CASE direction WHEN 'SELL' THEN cfp_id ELSE left(sha256('contractnet/deposit/1'::BLOB || unhex(cfp_id)), 32) END AS hold_id
    FROM cfps WHERE resale_of IS NULL
),
paid AS (
    SELECT market, cfp_id, sum(amount_ucr)::BIGINT AS paid_ucr, count(*)::BIGINT AS bidders
    FROM transfers WHERE reason = 'DEPOSIT' GROUP BY ALL
)
SELECT h.market, c.cfp_id, c.manager, c.pool, c.status, h.amount_ucr, coalesce(p.paid_ucr, 0) AS paid_ucr,
    coalesce(p.bidders, 0) AS bidders, h.placed_at, h.resolved_at
FROM holds h
JOIN calls c ON c.market = h.market AND c.hold_id = h.hold_id
LEFT JOIN paid p ON p.market = h.market AND p.cfp_id = c.cfp_id;

-- Leases that were called for once they were bargained for: what was agreed on, with whom, who has got it, and what for.
CREATE VIEW resales AS
SELECT c.market, c.cfp_id, c.resale_of, c.manager AS holder, n.buyer, c.pool, c.status, c.reserve_price_ucr AS agreed_ucr,
    a.agent AS winner, a.price_ucr AS paid_ucr, c.bids, c.opened_at, c.closes_at
FROM cfps c
JOIN negotiations n ON n.market = c.market AND n.negotiation_id = c.cfp_id
LEFT JOIN awards a ON a.market = c.market AND a.cfp_id = c.cfp_id
WHERE c.resale_of IS NOT NULL;

-- The screens of every CFP that is closed, over the bids that stood at its end: analytics/screens/statistics.py has their
-- definitions. The best bid is the highest of a sale and the lowest of a purchase. NULL: not defined for these bids.
CREATE VIEW cfp_screens AS
WITH standing AS (
    SELECT b.market, b.cfp_id, b.price_ucr::DOUBLE AS price, min(price) OVER w AS lowest, max(price) OVER w AS highest,
        -- Moments of prices in micro-credits would lose all their digits to cancellation: of places in the range they don't.
        (price - lowest) / nullif(highest - lowest, 0) AS place, count(*) OVER w AS standing_bids,
        row_number() OVER (w ORDER BY b.price_ucr, b.bid_id) AS rank,
        if(c.direction = 'SELL', standing_bids + 1 - rank, rank) AS from_best
    FROM bids b JOIN cfps c ON c.market = b.market AND c.cfp_id = b.cfp_id
    WHERE c.closed_at IS NOT NULL AND b.status IN ('won', 'rejected')
    WINDOW w AS (PARTITION BY b.market, b.cfp_id)
), screened AS (
    SELECT market, cfp_id, count(*)::BIGINT AS bids, stddev_samp(price) / nullif(avg(price), 0) AS cv,
        if(count(*) > 1, (max(price) - min(price)) / nullif(min(price), 0), NULL) AS spd,
        abs(max(price) FILTER (from_best = 2) - max(price) FILTER (from_best = 1)) AS gap,
        gap / nullif(max(price) FILTER (from_best = 1), 0) AS diffp,
        gap / nullif(stddev_samp(price) FILTER (from_best > 1), 0) AS rd,
        if(count(*) > 3, kurtosis(place), NULL) AS kurt, if(count(*) > 2, skewness(place), NULL) AS skew,
        max(greatest(rank / standing_bids - place, place - (rank - 1) / standing_bids)) AS ks
    FROM standing GROUP BY market, cfp_id
)
SELECT s.market, s.cfp_id, c.pool, c.direction, c.manager, c.closed_at, s.bids, s.cv, s.spd, s.diffp, s.rd, s.kurt, s.skew, s.ks
FROM screened s JOIN cfps c ON c.market = s.market AND c.cfp_id = s.cfp_id;
