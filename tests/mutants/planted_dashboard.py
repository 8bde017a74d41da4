"""Bugs planted by hand in the dashboard. See planted.py."""

from __future__ import annotations

from tests.mutants.mutant import Mutant

PAGE, SERVER = "analytics/dashboard/static/page.js", "analytics/dashboard/server.py"
QUERIES = "analytics/dashboard/queries.py"
OF_PAGES = "tests/analytics/dashboard/test_page.py"

DASHBOARD_MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "names are HTML",
        PAGE,
        '  else td.textContent = value === null || value === undefined ? "" : String(value);\n',
        '  else td.innerHTML = value === null || value === undefined ? "" : String(value);\n',
        "an agent's name puts elements into the operator's page",
        (f"{OF_PAGES}::test_names_are_text_and_the_browser_has_nothing_to_say",),
    ),
    Mutant(
        "rows that are made anew lose the focus",
        PAGE,
        "  if (focused) place.querySelector(",
        "  if (!focused) place.querySelector(",
        "nobody gets to an award by keyboard within a second",
        (f"{OF_PAGES}::test_the_keyboard_reaches_an_award_and_keeps_it_while_rows_change",),
    ),
    Mutant(
        "any host",
        SERVER,
        'HOSTS = ["127.0.0.1", "localhost"]\n',
        'HOSTS = ["*"]\n',
        "a page of another origin reads sealed bids by a name that points to this machine",
        (f"{OF_PAGES}::test_strangers_are_not_answered",),
    ),
    Mutant(
        "no secret",
        SERVER,
        'routes=[Mount(f"/{secret}", routes=routes)]',
        'routes=[Mount(f"/{secret}", routes=routes), *routes]',
        "every user of the machine reads sealed bids",
        (f"{OF_PAGES}::test_strangers_are_not_answered",),
    ),
    Mutant(
        "inline scripts",
        SERVER,
        "script-src 'self'; style-src",
        "script-src 'self' 'unsafe-inline'; style-src",
        "what gets past the escaping runs",
        (f"{OF_PAGES}::test_every_answer_has_its_policy",),
    ),
    Mutant(
        "the whole past in one chart",
        QUERIES,
        "WHERE market = $market AND awarded_at > $since GROUP BY ALL ORDER BY at_ms, pool",
        "WHERE market = $market AND awarded_at < $since GROUP BY ALL ORDER BY at_ms, pool",
        "charts show nothing of the last minutes",
        (f"{OF_PAGES}::test_what_is_drawn_is_what_happened",),
    ),
)
