-- Views and macros that say who spent what, at what prices, and what is left: on top of the view attribution of views.sql,
-- whose rows are the payments. Macros take times in UTC, as a TIMESTAMP or as text.

-- One of the bounds of [from_ts, to_ts). Who has the two the wrong way round is told so, and does not take no rows for an
-- answer. A constant where they are not, so that it reaches the segments.
CREATE MACRO ordered(bound, from_ts, to_ts) AS if(from_ts::TIMESTAMP > to_ts::TIMESTAMP,
    error('from_ts, ' || from_ts::VARCHAR || ', is after to_ts, ' || to_ts::VARCHAR
        || ': there is no time between them. Give the earlier time first.')::TIMESTAMP, bound::TIMESTAMP);

-- Whether a time is in [from_ts, to_ts).
CREATE MACRO is_within(ts, from_ts, to_ts) AS ts >= ordered(from_ts, from_ts, to_ts) AND ts < ordered(to_ts, from_ts, to_ts);

-- The payments of [from_ts, to_ts).
CREATE MACRO attribution_between(from_ts, to_ts) AS TABLE
FROM attribution WHERE is_within(paid_at, from_ts, to_ts);

-- Spending by everything that a payment is attributed to. Deposits, forfeited bonds and fees are rows of their own.
CREATE VIEW spend AS
SELECT market, project, agent, task, pool, hour, reason, count(*)::BIGINT AS payments, sum(credits)::BIGINT AS credits
FROM attribution GROUP BY ALL;

-- Agents by what they have paid since their market opened; those who paid the same share a rank.
CREATE VIEW top_spenders AS
WITH spent AS (
    SELECT market, project, agent, count(*)::BIGINT AS payments, sum(credits)::BIGINT AS credits
    FROM attribution GROUP BY ALL
)
SELECT market, rank() OVER by_credits AS rank, project, agent, payments, credits,
    credits / sum(credits) OVER (PARTITION BY market) AS share
FROM spent WINDOW by_credits AS (PARTITION BY market ORDER BY credits DESC);

-- What every account had right after the last posting until ts, from the postings alone; the bank's is what it has given
-- and not got back, below 0. Accounts that were opened later are no rows.
CREATE MACRO balances_at(ts) AS TABLE
WITH pairs AS (  -- of accounts: far fewer than postings
    SELECT market, debit_id, credit_id, sum(amount_ucr)::BIGINT AS amount_ucr
    FROM transfers WHERE transferred_at <= ts::TIMESTAMP GROUP BY ALL
), folded AS (
    SELECT market, account_id, sum(amount_ucr)::BIGINT AS balance_ucr FROM (
        SELECT market, credit_id AS account_id, amount_ucr FROM pairs
        UNION ALL
        SELECT market, debit_id, -amount_ucr FROM pairs
    ) GROUP BY ALL
)
SELECT a.market, a.account_id, a.name, a.project, a.is_bank, coalesce(f.balance_ucr, 0) AS balance_ucr
FROM accounts a LEFT JOIN folded f ON f.market = a.market AND f.account_id = a.account_id
WHERE a.opened_at <= ts::TIMESTAMP;

-- Where the credits of every account came from and went to. What the bank gives is below 0 for the bank itself. The
-- difference is 0 where balance and attribution agree: what was given, earned and not spent is there.
CREATE VIEW account_flows AS
WITH pairs AS (
    SELECT market, debit_id, credit_id, reason, sum(amount_ucr)::BIGINT AS amount_ucr
    FROM transfers WHERE reason IN ('ISSUE', 'TRANSFER', 'ALLOWANCE', 'DECAY') GROUP BY ALL
), paid AS (
    SELECT market, account_id, payee_id, sum(credits)::BIGINT AS credits FROM attribution GROUP BY ALL
), sides AS (
    SELECT market, credit_id AS account_id, reason, amount_ucr FROM pairs
    UNION ALL
    SELECT market, debit_id, reason, -amount_ucr FROM pairs
    UNION ALL
    SELECT market, account_id, 'SPENT', credits FROM paid
    UNION ALL
    SELECT market, payee_id, 'EARNED', credits FROM paid
), flows AS (
    SELECT market, account_id, coalesce(sum(amount_ucr) FILTER (reason = 'ISSUE'), 0)::BIGINT AS issued_ucr,
        coalesce(sum(amount_ucr) FILTER (reason = 'ALLOWANCE'), 0)::BIGINT AS allowances_ucr,
        coalesce(sum(amount_ucr) FILTER (reason = 'TRANSFER'), 0)::BIGINT AS transferred_ucr,
        -coalesce(sum(amount_ucr) FILTER (reason = 'DECAY'), 0)::BIGINT AS decayed_ucr,
        coalesce(sum(amount_ucr) FILTER (reason = 'EARNED'), 0)::BIGINT AS earned_ucr,
        coalesce(sum(amount_ucr) FILTER (reason = 'SPENT'), 0)::BIGINT AS spent_ucr
    FROM sides GROUP BY ALL
)
SELECT market, account_id, a.name, a.project, a.is_bank, coalesce(f.issued_ucr, 0) AS issued_ucr,
    coalesce(f.allowances_ucr, 0) AS allowances_ucr, coalesce(f.transferred_ucr, 0) AS transferred_ucr,
    coalesce(f.decayed_ucr, 0) AS decayed_ucr, coalesce(f.earned_ucr, 0) AS earned_ucr,
    coalesce(f.spent_ucr, 0) AS spent_ucr, a.balance_ucr,
    coalesce(a.balance_ucr, 0) - (coalesce(f.issued_ucr, 0) + coalesce(f.allowances_ucr, 0)
        + coalesce(f.transferred_ucr, 0) - coalesce(f.decayed_ucr, 0) + coalesce(f.earned_ucr, 0)
        - coalesce(f.spent_ucr, 0)) AS difference_ucr
FROM accounts a FULL JOIN flows f USING (market, account_id);

-- One row per market, ok where attribution agrees with the balances to the last micro-credit, and every payment is
-- attributed to the account that paid it. It scans all transfers.
CREATE VIEW attribution_check AS
WITH accounts_differing AS (
    SELECT market, count(*)::BIGINT AS accounts, sum(spent_ucr)::BIGINT AS spent_ucr,
        sum(earned_ucr)::BIGINT AS earned_ucr, count(*) FILTER (difference_ucr <> 0)::BIGINT AS accounts_differing
    FROM account_flows GROUP BY market
), payers AS (
    SELECT market, account_id, agent, project, count(*)::BIGINT AS payments, sum(credits)::BIGINT AS credits
    FROM attribution GROUP BY ALL
), attributed AS (
    SELECT p.market, sum(p.payments)::BIGINT AS payments, sum(p.credits)::BIGINT AS attributed_ucr,
        coalesce(sum(p.payments) FILTER (a.name IS DISTINCT FROM p.agent OR a.project IS DISTINCT FROM p.project), 0)
            ::BIGINT AS payments_misattributed
    FROM payers p LEFT JOIN accounts a ON a.market = p.market AND a.account_id = p.account_id GROUP BY ALL
)
SELECT d.market, coalesce(a.payments, 0) AS payments, coalesce(a.attributed_ucr, 0) AS attributed_ucr, d.spent_ucr,
    d.earned_ucr, d.accounts, d.accounts_differing, coalesce(a.payments_misattributed, 0) AS payments_misattributed,
    coalesce(a.attributed_ucr, 0) = d.spent_ucr AND d.spent_ucr = d.earned_ucr AND d.accounts_differing = 0
        AND coalesce(a.payments_misattributed, 0) = 0 AS ok
FROM accounts_differing d LEFT JOIN attributed a USING (market);

-- What a unit cost for an hour, and 1,000 tokens, by pool, buyer's project and hour of the payment, for the payments of
-- [from_ts, to_ts). unit_ms is the time that was paid for, times units: of a lease the whole of it, whatever became of it;
-- of a resale what was left; of work that was done what the call asked for. The prices are rounded down; for those of
-- several rows, divide the sums.
CREATE MACRO unit_prices_between(from_ts, to_ts) AS TABLE
-- opened_at is in the join for its speed: it says where in the segments to look. DuckDB is twice as fast without a copy.
WITH resold AS NOT MATERIALIZED (
    SELECT a.market, a.pool, a.project, a.awarded_at, a.units * a.duration_ms AS unit_ms, a.price_ucr, a.award_id
    FROM cfps c JOIN awards a ON a.market = c.market AND a.opened_at = c.opened_at AND a.cfp_id = c.cfp_id
    WHERE c.resale_of IS NOT NULL
), leased AS (  -- with the awards of resales. Added up by itself, as tokens are: rows in a UNION cost as much again.
    -- Work has the place of its award in the ledger: numbers are compared faster than ids.
    SELECT a.market, a.pool, a.project, date_trunc('hour', a.awarded_at) AS hour, count(*)::BIGINT AS sales,
        sum(a.units * a.duration_ms)::BIGINT AS unit_ms, sum(a.price_ucr)::BIGINT AS credits
    FROM awards a
    ANTI JOIN works w ON w.partition = a.partition AND w.ledger_offset = a.ledger_offset
    WHERE is_within(a.awarded_at, from_ts, to_ts)
    GROUP BY a.market, a.pool, a.project, date_trunc('hour', a.awarded_at)
), granted AS (
    SELECT market, pool, project, date_trunc('hour', granted_at) AS hour, count(*)::BIGINT AS sales,
        sum(tokens)::BIGINT AS tokens, sum(paid_ucr)::BIGINT AS credits
    FROM token_grants
    WHERE NOT is_system AND is_within(granted_at, from_ts, to_ts) GROUP BY ALL
), others AS (
    SELECT r.market, 'resale' AS kind, r.pool, r.project, r.awarded_at AS sold_at,
        l.units * date_diff('ms', l.starts_at, l.ends_at) AS unit_ms, r.price_ucr AS credits
    FROM resold r JOIN reservations l ON l.market = r.market AND l.award_id = r.award_id
    UNION ALL
    SELECT n.market, 'resale', n.pool, l.project, n.ended_at, l.units * date_diff('ms', l.starts_at, l.ends_at),
        n.price_ucr
    FROM negotiations n
    JOIN reservations l ON l.market = n.market AND l.award_id = n.negotiation_id
    ANTI JOIN cfps c ON c.market = n.market AND c.cfp_id = n.negotiation_id AND c.resale_of IS NOT NULL
    WHERE n.status = 'deal'
    UNION ALL
    SELECT w.market, 'work', w.pool, m.project, w.ended_at, a.units * a.duration_ms, w.paid_ucr
    FROM works w
    JOIN awards a ON a.partition = w.partition AND a.ledger_offset = w.ledger_offset
    JOIN accounts m ON m.market = w.market AND m.account_id = w.manager_id
    WHERE w.status = 'done'
), sold AS (
    SELECT market, 'lease' AS kind, pool, project, hour, sales, unit_ms, NULL::BIGINT AS tokens, credits FROM leased
    UNION ALL  -- less the resales: to look for them among all awards would read the ids of all
    SELECT market, 'lease', pool, project, date_trunc('hour', awarded_at), -1, -unit_ms, NULL, -price_ucr
    FROM resold WHERE is_within(awarded_at, from_ts, to_ts)
    UNION ALL
    SELECT market, 'tokens', pool, project, hour, sales, NULL, tokens, credits FROM granted
    UNION ALL
    SELECT market, kind, pool, project, date_trunc('hour', sold_at), 1, unit_ms, NULL, credits
    FROM others WHERE is_within(sold_at, from_ts, to_ts)
)
SELECT market, kind, pool, project, hour, sum(sales)::BIGINT AS sales,
    sum(unit_ms)::BIGINT AS unit_ms, sum(tokens)::BIGINT AS tokens, sum(credits)::BIGINT AS credits,
    try_cast(sum(credits) * 3_600_000 // sum(unit_ms) AS BIGINT) AS per_unit_hour_ucr,
    try_cast(sum(credits) * 1_000 // sum(tokens) AS BIGINT) AS per_1000_tokens_ucr
FROM sold s GROUP BY market, kind, pool, project, hour HAVING sum(s.sales) > 0;

CREATE VIEW unit_prices AS FROM unit_prices_between('-infinity'::TIMESTAMP, 'infinity'::TIMESTAMP);

-- What was paid under every budget in the window that runs, hour by hour of the payments, and what was left then. Only
-- what budgets count: awards, deals, bonds and tokens.
CREATE VIEW budget_burndown AS
WITH running AS (
    SELECT b.market, b.budget_id, b.scope, b.agent, b.project, b.account_id, w.starts_at, w.ends_at,
        w.limit_ucr + w.topped_up_ucr AS most_ucr, w.ledger_offset
    FROM budgets b
    JOIN budget_windows w ON w.market = b.market AND w.budget_id = b.budget_id AND w.ended_at IS NULL
    WHERE b.cleared_at IS NULL
), paid AS (
    SELECT r.market, r.budget_id, r.scope, r.agent, r.project, r.starts_at, r.ends_at, r.most_ucr,
        date_trunc('hour', t.transferred_at) AS hour, sum(t.amount_ucr)::BIGINT AS spent_ucr
    FROM running r
    JOIN accounts a ON a.market = r.market
        AND CASE r.scope WHEN 'account' THEN a.account_id = r.account_id ELSE a.project = r.project END
    JOIN transfers t ON t.market = a.market AND t.debit_id = a.account_id AND t.ledger_offset > r.ledger_offset
        AND t.reason IN ('AWARD', 'DEAL', 'FORFEIT', 'TOKENS')
    GROUP BY ALL
)
SELECT *, sum(spent_ucr) OVER so_far::BIGINT AS spent_so_far_ucr, most_ucr - spent_so_far_ucr AS left_ucr
FROM paid WINDOW so_far AS (PARTITION BY market, budget_id ORDER BY hour);

-- Where every budget's window ends if spending goes on as it has so far in it: at the newest event of the market's
-- partition, which is as_of. runs_out_at is NULL where that is not before the window's end.
CREATE VIEW budget_forecast AS
WITH told AS (
    SELECT s.market, s.scope, s.agent, s.project, s.starts_at, s.ends_at, s.most_ucr, s.spent_ucr, s.held_ucr, s.left_ucr,
        s.budget_id, least(p.newest_event_at, s.ends_at) AS as_of, greatest(s.starts_at, b.set_at) AS counted_from,
        date_diff('ms', counted_from, as_of) AS elapsed_ms, date_diff('ms', as_of, s.ends_at) AS to_go_ms
    FROM budget_status s
    JOIN budgets b ON b.market = s.market AND b.budget_id = s.budget_id
    JOIN markets m ON m.market = s.market
    JOIN meta p ON p.partition = m.partition
)
SELECT market, scope, agent, project, starts_at, ends_at, as_of, most_ucr, spent_ucr, held_ucr, left_ucr, elapsed_ms, to_go_ms,
    if(elapsed_ms > 0, try_cast(spent_ucr + spent_ucr::HUGEINT * to_go_ms // elapsed_ms AS BIGINT), NULL) AS forecast_ucr,
    most_ucr - forecast_ucr AS forecast_left_ucr,
    if(forecast_ucr > most_ucr AND spent_ucr > 0,
        as_of + to_milliseconds((greatest(most_ucr - spent_ucr, 0)::HUGEINT * elapsed_ms // spent_ucr)::BIGINT), NULL)
        AS runs_out_at,
    budget_id
FROM told;

-- Units of every pool, hour by hour of [from_ts, to_ts) as far as the market's ledger goes, times milliseconds: what the
-- pool had, what was leased, and what nobody had. Below 0 is idle where a pool was made smaller than what was leased.
CREATE MACRO capacity_between(from_ts, to_ts) AS TABLE
WITH clock AS (
    SELECT m.market, greatest(ordered(from_ts, from_ts, to_ts), m.opened_at) AS begins,
        least(ordered(to_ts, from_ts, to_ts), p.newest_event_at) AS ends
    FROM markets m JOIN meta p ON p.partition = m.partition
), sizes AS (
    SELECT market, pool, units, set_at, lead(set_at) OVER (PARTITION BY market, pool ORDER BY ledger_offset) AS next_at
    FROM pool_sizes
), spans AS (
    SELECT s.market, s.pool, false AS is_lease, s.units, greatest(s.set_at, c.begins) AS starts,
        least(coalesce(s.next_at, c.ends), c.ends) AS stops
    FROM sizes s JOIN clock c ON c.market = s.market
    UNION ALL
    SELECT r.market, r.pool, true, r.units, greatest(r.starts_at, c.begins),
        least(r.ends_at, coalesce(r.ended_at, c.ends), c.ends)
    FROM reservations r JOIN clock c ON c.market = r.market
    WHERE r.starts_at < to_ts::TIMESTAMP AND r.ends_at > from_ts::TIMESTAMP
), alike AS (  -- added up before they are cut into hours: spans are many, pairs of a first and a last hour are few
    SELECT market, pool, is_lease, date_trunc('hour', starts) AS first_hour,
        date_trunc('hour', stops - INTERVAL 1 MICROSECOND) AS last_hour, sum(units)::BIGINT AS units,
        sum(units * date_diff('ms', first_hour, starts))::BIGINT AS before_ms,
        sum(units * date_diff('ms', last_hour, stops))::BIGINT AS until_ms
    FROM spans WHERE starts < stops GROUP BY ALL
), hours AS (
    SELECT *, unnest(generate_series(first_hour, last_hour, INTERVAL 1 HOUR)) AS hour FROM alike
), measured AS (
    SELECT market, pool, is_lease, hour,
        if(hour = last_hour, until_ms, units * 3_600_000) - if(hour = first_hour, before_ms, 0) AS ms
    FROM hours
)
SELECT market, pool, hour, coalesce(sum(ms) FILTER (NOT is_lease), 0)::BIGINT AS unit_ms,
    coalesce(sum(ms) FILTER (is_lease), 0)::BIGINT AS leased_unit_ms,
    unit_ms - leased_unit_ms AS idle_unit_ms, leased_unit_ms / nullif(unit_ms, 0) AS utilization
FROM measured GROUP BY market, pool, hour;

CREATE VIEW capacity AS FROM capacity_between('-infinity'::TIMESTAMP, 'infinity'::TIMESTAMP);
