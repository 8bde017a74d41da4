-- The views of a published generation, beside those that join segments and mutable rows into one table each.

-- Who spent how much on what: one row per payment. Credits are micro-credits. Issued credits and the bank's transfers are
-- no spending and stay out, so that sum(credits) is what was paid.
CREATE VIEW attribution AS
SELECT market, project, agent, task, pool, award_id, date_trunc('hour', transferred_at) AS hour, reason,
    amount_ucr AS credits
FROM transfers WHERE reason NOT IN ('ISSUE', 'TRANSFER');

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
