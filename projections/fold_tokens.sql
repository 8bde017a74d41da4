-- Token pools: blocks like those of fold.sql, run after them.

-- on PriorityChanged
UPDATE accounts SET is_system = i.system
FROM (SELECT market, account, arg_max(system, ledger_offset) AS system FROM in_PriorityChanged GROUP BY ALL) i
WHERE accounts.market = i.market AND accounts.account_id = id(i.account);

-- on TokenPoolCreated
INSERT INTO token_pools BY NAME
SELECT i.market, i.pool, id(i.token_pool) AS token_pool_id, id(i.owner) AS owner_id, a.name AS owner,
    i.tokens_per_minute, i.burst_tokens, i.reserve_permille, i.interval_ms, i.reserve_per_1000_ucr, i.grant_ms,
    i.tokens_per_minute AS rate_per_minute, ts(i.at_ms) AS created_at, i.partition
FROM in_TokenPoolCreated i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.owner);

-- on TokenPoolResized
UPDATE token_pools SET tokens_per_minute = i.tokens_per_minute, burst_tokens = i.burst_tokens,
    reserve_permille = i.reserve_permille, interval_ms = i.interval_ms,
    reserve_per_1000_ucr = i.reserve_per_1000_ucr, grant_ms = i.grant_ms, resized_at = ts(i.at_ms)
FROM (
    FROM in_TokenPoolResized QUALIFY row_number() OVER (PARTITION BY market, pool ORDER BY ledger_offset DESC) = 1
) i
WHERE token_pools.market = i.market AND token_pools.pool = i.pool;

-- The rate is that of the last of both kinds of events: each sets it with its place, and the later place wins.
-- on TokenPoolResized
UPDATE token_pools SET rate_per_minute = i.tokens_per_minute, rate_offset = i.ledger_offset
FROM (
    FROM in_TokenPoolResized QUALIFY row_number() OVER (PARTITION BY market, pool ORDER BY ledger_offset DESC) = 1
) i
WHERE token_pools.market = i.market AND token_pools.pool = i.pool
    AND i.ledger_offset > coalesce(token_pools.rate_offset, -1);

-- on TokenRateChanged
UPDATE token_pools SET rate_per_minute = i.tokens_per_minute, rate_offset = i.ledger_offset
FROM (
    FROM in_TokenRateChanged QUALIFY row_number() OVER (PARTITION BY market, pool ORDER BY ledger_offset DESC) = 1
) i
WHERE token_pools.market = i.market AND token_pools.pool = i.pool
    AND i.ledger_offset > coalesce(token_pools.rate_offset, -1);

-- on StandingOrderPlaced
INSERT INTO token_orders BY NAME
SELECT i.market, id(i."order") AS order_id, i.pool, id(i.account) AS account_id, a.name AS agent, a.project, i.tokens,
    i.limit_per_1000_ucr, i.task, ts(i.at_ms) AS placed_at, ts(i.expires_at_ms) AS expires_at, 'standing' AS status,
    i.partition, i.ledger_offset
FROM in_StandingOrderPlaced i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account);

-- on StandingOrderEnded
UPDATE token_orders SET status = lower(i.reason), ended_at = ts(i.at_ms), final_offset = i.ledger_offset
FROM in_StandingOrderEnded i WHERE token_orders.market = i.market AND token_orders.order_id = id(i."order");

-- on TokenPoolCleared
INSERT INTO token_clearings BY NAME
SELECT market, pool, pricing, roots, supply_tokens, sold_tokens, price_per_1000_ucr, ts(at_ms) AS cleared_at, partition,
    ledger_offset
FROM in_TokenPoolCleared;

-- on TokensGranted
INSERT INTO token_grants BY NAME
SELECT i.market, id(i."grant") AS grant_id, i.pool, id(i.account) AS account_id, a.name AS agent, a.project,
    id(i."order") AS order_id, i.tokens, i.paid_ucr, i.task, i.system AS is_system, ts(i.at_ms) AS granted_at,
    ts(i.expires_at_ms) AS expires_at, i.partition, i.ledger_offset
FROM in_TokensGranted i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account);

-- on UsageReported
INSERT INTO token_usage BY NAME
SELECT i.market, id(i."grant") AS grant_id, i.pool, id(i.account) AS account_id, a.name AS agent, a.project, i.tokens,
    i.calls, i.throttled, i.task, ts(i.at_ms) AS reported_at, i.partition, i.ledger_offset
FROM in_UsageReported i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account);
