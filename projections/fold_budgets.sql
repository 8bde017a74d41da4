-- Budgets and their windows: blocks like those of fold.sql, run after them.

-- A budget has the id of the command that set it first; later ones change its terms.
-- on BudgetSet
INSERT INTO budgets BY NAME
SELECT i.market, id(i.budget) AS budget_id, if(i.account IS NULL, 'project', 'account') AS scope,
    id(i.account) AS account_id, a.name AS agent, coalesce(a.project, i.project) AS project, i.limit_ucr,
    i.allowance_ucr, i.window_ms, i.offset_ms, i.decay_permille, i.cap_allowances, i.warn_permille,
    ts(i.at_ms) AS set_at, i.partition
FROM in_BudgetSet i LEFT JOIN accounts a ON a.market = i.market AND a.account_id = id(i.account)
WHERE i.budget = i.command;

-- on BudgetSet
UPDATE budgets SET limit_ucr = i.limit_ucr, allowance_ucr = i.allowance_ucr, window_ms = i.window_ms,
    offset_ms = i.offset_ms, decay_permille = i.decay_permille, cap_allowances = i.cap_allowances,
    warn_permille = i.warn_permille
FROM (
    FROM in_BudgetSet QUALIFY row_number() OVER (PARTITION BY market, budget ORDER BY ledger_offset DESC) = 1
) i
WHERE budgets.market = i.market AND budgets.budget_id = id(i.budget);

-- on BudgetCleared
UPDATE budgets SET cleared_at = ts(i.at_ms)
FROM in_BudgetCleared i WHERE budgets.market = i.market AND budgets.budget_id = id(i.budget);

-- Windows: all that begin, then the ends, then what happened in each, by the place in the ledger.
-- on BudgetSet
INSERT INTO budget_windows BY NAME
SELECT market, id(budget) AS budget_id, ts(starts_at_ms) AS starts_at, ts(ends_at_ms) AS ends_at, limit_ucr,
    0 AS topped_up_ucr, 0 AS spent_ucr, 0 AS issued_ucr, 0 AS decayed_ucr, partition, ledger_offset
FROM in_BudgetSet WHERE budget = command;

-- on BudgetWindowStarted
INSERT INTO budget_windows BY NAME
SELECT market, id(budget) AS budget_id, ts(starts_at_ms) AS starts_at, ts(ends_at_ms) AS ends_at, limit_ucr,
    0 AS topped_up_ucr, 0 AS spent_ucr, issued_ucr, 0 AS decayed_ucr, partition, ledger_offset
FROM in_BudgetWindowStarted;

-- on BudgetWindowStarted
UPDATE budget_windows SET ended_at = ts(i.at_ms), decayed_ucr = i.decayed_ucr, final_offset = i.ledger_offset
FROM (
    SELECT w.market, w.budget_id, w.ledger_offset AS window_offset, e.at_ms, e.decayed_ucr, e.ledger_offset
    FROM budget_windows w JOIN in_BudgetWindowStarted e
        ON e.market = w.market AND id(e.budget) = w.budget_id AND e.ledger_offset > w.ledger_offset
    WHERE w.final_offset IS NULL
    QUALIFY row_number() OVER (PARTITION BY w.market, w.budget_id, w.ledger_offset ORDER BY e.ledger_offset) = 1
) i
WHERE budget_windows.market = i.market AND budget_windows.budget_id = i.budget_id
    AND budget_windows.ledger_offset = i.window_offset;

-- on BudgetCleared
UPDATE budget_windows SET ended_at = ts(i.at_ms), final_offset = i.ledger_offset
FROM in_BudgetCleared i
WHERE budget_windows.market = i.market AND budget_windows.budget_id = id(i.budget)
    AND budget_windows.final_offset IS NULL;

-- on BudgetSet
UPDATE budget_windows SET starts_at = ts(i.starts_at_ms), ends_at = ts(i.ends_at_ms), limit_ucr = i.limit_ucr
FROM (
    SELECT w.market, w.budget_id, w.ledger_offset AS window_offset, e.starts_at_ms, e.ends_at_ms, e.limit_ucr
    FROM budget_windows w JOIN in_BudgetSet e
        ON e.market = w.market AND id(e.budget) = w.budget_id
        AND e.ledger_offset > w.ledger_offset AND (w.final_offset IS NULL OR e.ledger_offset < w.final_offset)
    QUALIFY row_number() OVER (PARTITION BY w.market, w.budget_id, w.ledger_offset ORDER BY e.ledger_offset DESC) = 1
) i
WHERE budget_windows.market = i.market AND budget_windows.budget_id = i.budget_id
    AND budget_windows.ledger_offset = i.window_offset;

-- on BudgetToppedUp
UPDATE budget_windows SET topped_up_ucr = topped_up_ucr + i.amount_ucr
FROM (
    SELECT w.market, w.budget_id, w.ledger_offset, sum(e.amount_ucr)::BIGINT AS amount_ucr
    FROM budget_windows w JOIN in_BudgetToppedUp e
        ON e.market = w.market AND id(e.budget) = w.budget_id
        AND e.ledger_offset > w.ledger_offset AND (w.final_offset IS NULL OR e.ledger_offset < w.final_offset)
    GROUP BY ALL
) i
WHERE budget_windows.market = i.market AND budget_windows.budget_id = i.budget_id
    AND budget_windows.ledger_offset = i.ledger_offset;

-- on BudgetWarned
UPDATE budget_windows SET warned_at = ts(i.at_ms)
FROM in_BudgetWarned i
WHERE budget_windows.market = i.market AND budget_windows.budget_id = id(i.budget)
    AND i.ledger_offset > budget_windows.ledger_offset
    AND (budget_windows.final_offset IS NULL OR i.ledger_offset < budget_windows.final_offset);

-- A payment counts for the budget of the account that pays, and for that of its project.
-- on CreditsTransferred
UPDATE budget_windows SET spent_ucr = spent_ucr + i.amount_ucr
FROM (
    SELECT w.market, w.budget_id, w.ledger_offset, sum(e.amount_ucr)::BIGINT AS amount_ucr
    FROM budgets b
    JOIN budget_windows w ON w.market = b.market AND w.budget_id = b.budget_id
    JOIN accounts a ON a.market = b.market AND if(b.scope = 'account', a.account_id = b.account_id, a.project = b.project)
    JOIN in_CreditsTransferred e
        ON e.market = a.market AND id(e.debit) = a.account_id AND e.reason IN ('AWARD', 'DEAL', 'FORFEIT', 'TOKENS')
        AND e.ledger_offset > w.ledger_offset AND (w.final_offset IS NULL OR e.ledger_offset < w.final_offset)
    GROUP BY ALL
) i
WHERE budget_windows.market = i.market AND budget_windows.budget_id = i.budget_id
    AND budget_windows.ledger_offset = i.ledger_offset;

-- on DecayOwed
UPDATE accounts SET owed_ucr = i.owed_ucr
FROM (
    SELECT market, account, arg_max(owed_ucr, ledger_offset) AS owed_ucr FROM in_DecayOwed GROUP BY ALL
) i
WHERE accounts.market = i.market AND accounts.account_id = id(i.account);

-- What the operator sets for the whole market.
-- on PolicySet
INSERT INTO policies BY NAME
SELECT market, issue_limit_ucr, issue_window_ms, round_fee_ucr, ts(at_ms) AS set_at, partition, ledger_offset
FROM in_PolicySet;

-- on DepositSet
INSERT INTO deposit_rates BY NAME
SELECT market, hourly_permille, floor_ucr, ts(at_ms) AS set_at, partition, ledger_offset FROM in_DepositSet;

-- on ResaleCallSet
INSERT INTO resale_calls BY NAME
SELECT market, call_ms, ts(at_ms) AS set_at, partition, ledger_offset FROM in_ResaleCallSet;
