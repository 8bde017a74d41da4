-- Showback to FinOps tools: the payments as rows of FOCUS 1.2 (FinOps Open Cost and Usage Specification). Nothing is
-- billed: credits are the pricing currency, and costs in a national currency are what somebody says that a credit is
-- worth. docs/attribution.md has the mapping.

CREATE MACRO focus_costs_in(currency, per_credit) AS TABLE
WITH used AS (
    SELECT market, grant_id, sum(tokens)::BIGINT AS tokens FROM token_usage GROUP BY ALL
), facts AS (
    SELECT t.*, payee.name AS payee, m.newest_event_at AS now,
        CASE t.reason WHEN 'AWARD' THEN if(w.award_id IS NULL, 'lease', 'work') WHEN 'DEAL' THEN 'lease'
            WHEN 'TOKENS' THEN 'tokens' ELSE 'none' END AS kind,
        r.units, r.starts_at, r.ends_at, r.ended_at, w.started_at, a.duration_ms, g.tokens, g.granted_at, g.expires_at,
        coalesce(u.tokens, 0) AS used_tokens
    FROM attribution t
    JOIN (SELECT market, newest_event_at FROM markets JOIN meta USING (partition)) m ON m.market = t.market
    LEFT JOIN accounts payee ON payee.market = t.market AND payee.account_id = t.payee_id
    LEFT JOIN reservations r ON r.market = t.market AND r.award_id = t.award_id
    LEFT JOIN awards a ON a.market = t.market AND a.award_id = t.award_id
    LEFT JOIN works w ON w.market = t.market AND w.award_id = t.award_id
    LEFT JOIN token_grants g ON g.market = t.market AND g.grant_id = t.award_id
    LEFT JOIN used u ON u.market = t.market AND u.grant_id = t.award_id
), measured AS (
    SELECT *, CASE kind WHEN 'lease' THEN starts_at WHEN 'work' THEN started_at WHEN 'tokens' THEN granted_at
            ELSE hour END AS starts,
        CASE kind WHEN 'lease' THEN ends_at WHEN 'work' THEN paid_at WHEN 'tokens' THEN expires_at
            ELSE hour + INTERVAL 1 HOUR END AS stops,
        CASE kind WHEN 'lease' THEN units * date_diff('ms', starts_at, ends_at) WHEN 'work' THEN units * duration_ms
            END AS paid_ms,
        CASE kind WHEN 'lease' THEN units * greatest(0, date_diff('ms', starts_at,
                least(ends_at, coalesce(ended_at, now), now)))
            WHEN 'work' THEN units * date_diff('ms', started_at, paid_at) END AS used_ms,
        (credits::DECIMAL(19, 0) * per_credit::DECIMAL(10, 6) * 0.000001::DECIMAL(7, 6))::DECIMAL(36, 12) AS cost
    FROM facts
)
SELECT cost AS BilledCost, market AS BillingAccountId, market AS BillingAccountName, currency::VARCHAR AS BillingCurrency,
    date_trunc('month', paid_at) + INTERVAL 1 MONTH AS BillingPeriodEnd, date_trunc('month', paid_at) AS BillingPeriodStart,
    if(kind = 'none', 'Adjustment', 'Usage') AS ChargeCategory, NULL::VARCHAR AS ChargeClass,
    CASE reason WHEN 'AWARD' THEN if(kind = 'work', 'Work that was bought', 'Lease of units that an auction gave')
        WHEN 'DEAL' THEN 'Rest of a lease that was bargained for' WHEN 'TOKENS' THEN 'Tokens of a rate limit'
        WHEN 'FORFEIT' THEN 'Bond of work that failed' WHEN 'DEPOSIT' THEN 'Deposit, paid to bidders who were not served'
        WHEN 'FEE' THEN 'Fee of an offer in a negotiation' ELSE reason END AS ChargeDescription,
    if(kind = 'none', 'One-Time', 'Usage-Based') AS ChargeFrequency, stops AS ChargePeriodEnd, starts AS ChargePeriodStart,
    CASE kind WHEN 'tokens' THEN used_tokens::DECIMAL(24, 3) WHEN 'none' THEN NULL
        ELSE (used_ms::DECIMAL(21, 0) * 0.001)::DECIMAL(24, 3) END AS ConsumedQuantity,
    CASE kind WHEN 'tokens' THEN 'Tokens' WHEN 'none' THEN NULL ELSE 'Unit-Seconds' END AS ConsumedUnit,
    cost AS ContractedCost, cost AS EffectiveCost, NULL::VARCHAR AS InvoiceId,
    payee AS InvoiceIssuerName, cost AS ListCost,
    if(kind = 'none', NULL, 'Dynamic') AS PricingCategory, 'credits' AS PricingCurrency,
    (credits::DECIMAL(19, 0) * 0.000001)::DECIMAL(26, 6) AS PricingCurrencyEffectiveCost,
    CASE kind WHEN 'tokens' THEN tokens::DECIMAL(24, 3) WHEN 'none' THEN NULL
        ELSE (paid_ms::DECIMAL(21, 0) * 0.001)::DECIMAL(24, 3) END AS PricingQuantity,
    CASE kind WHEN 'tokens' THEN 'Tokens' WHEN 'none' THEN NULL ELSE 'Unit-Seconds' END AS PricingUnit,
    payee AS ProviderName, payee AS PublisherName, nullif(market || '/' || pool, market || '/') AS ResourceId,
    nullif(pool, '') AS ResourceName, if(pool = '', NULL, 'Pool') AS ResourceType,
    CASE kind WHEN 'tokens' THEN 'AI and Machine Learning' WHEN 'none' THEN 'Other' ELSE 'Compute' END AS ServiceCategory,
    CASE kind WHEN 'tokens' THEN 'API tokens' WHEN 'lease' THEN 'Leases' WHEN 'work' THEN 'Work' ELSE 'Market' END
        AS ServiceName,
    CASE kind WHEN 'tokens' THEN 'Generative AI' WHEN 'none' THEN 'Other (Other)' ELSE 'Other (Compute)' END
        AS ServiceSubcategory,
    market || '/' || project AS SubAccountId, project AS SubAccountName, 'Project' AS SubAccountType,
    json_object('agent', agent, 'task', task)::VARCHAR AS Tags,
    agent AS x_Agent, account_id AS x_AgentId, award_id AS x_AwardId, cfp_id AS x_CfpId, credits AS x_MicroCredits,
    paid_at AS x_PaidAt, payee_id AS x_PayeeId, reason AS x_Reason, task AS x_Task
FROM measured;

-- At 0 a credit: what was paid is in PricingCurrencyEffectiveCost.
CREATE VIEW focus_costs AS FROM focus_costs_in('USD', 0);
