"""The dashboard's page in a real browser, over a published ledger whose names want to be obeyed."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

from analytics.dashboard import server
from analytics.dashboard.queries import BUCKET_S, snapshot
from analytics.ledger import open_ledger
from contractnet.messages import Direction, Pricing
from contractnet.messages import commands as c
from tests.analytics.towns import BANK, MANAGER, MARKETS, Traffic, judged, published
from tests.market.town import budget, key_pair

PARTITION = 3
MARKET = MARKETS[PARTITION]
SECRET = "a-secret-of-the-test"
NASTY = "<img src=x onerror=alert(1)>"
RIGHT_TO_LEFT = "שלום"
OPEN_MS, HOUR_MS = 120, 3_600_000
UPLOT = {
    # uPlot 1.6.32 (MIT) as the npm package has it: dist/uPlot.iife.min.js and dist/uPlot.min.css.
    "uplot.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uplot.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market in which three agents, two of them with odd names, won something; one call is open."""
    town = Traffic(MARKET, 1)
    town.open()
    for name in ("ann", NASTY, RIGHT_TO_LEFT):
        account = town.send(c.OpenAccount(name, "lab", name, key_pair(name).public, bytes(32)), BANK)
        town.send(c.IssueCredits(account, 10**6, ""), BANK)
        town.send(budget(account, limit_ucr=900_000), BANK)
        cfp = town.send(c.CallForProposals(Direction.SELL, "rack", 1, HOUR_MS, 1, OPEN_MS, 100, Pricing.FIRST), MANAGER)
        town.send(c.PlaceBid(cfp, 250_000, 0, NASTY, bytes(32), None), key_pair(name))
        town.at_ms += OPEN_MS
        town.tick()
    town.send(c.CallForProposals(Direction.SELL, "rack", 1, HOUR_MS, 1, HOUR_MS, 100, Pricing.FIRST), MANAGER)
    data_dir = tmp_path_factory.mktemp("dashboard")
    published(judged({PARTITION: town.records}), data_dir)
    return data_dir


@pytest.fixture(scope="module")
def address(data: Path) -> Iterator[str]:
    """Where the page is served, in a thread of this process."""
    with socket.socket() as listener:
        listener.bind((server.LOOPBACK, 0))
        listener.listen()
        app = server.application(server.Watch(data, MARKET, None), SECRET)
        web = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=lambda: asyncio.run(web.serve(sockets=[listener])), daemon=True)
        thread.start()
        yield f"http://{server.LOOPBACK}:{listener.getsockname()[1]}/"
        web.should_exit = True
        thread.join(10)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium of this machine."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on PATH: install it (Debian: apt install chromium) to see the page in a browser")
    with sync_playwright() as playwright:
        # Root has no sandbox of its own, as in a container.
        yield playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])


def opened(browser: Browser, address: str, *, width: int = 1280, scheme: str = "light") -> tuple[Page, list[str]]:
    """The page once it shows the awards, and whatever the browser complained of, dialogs among it."""
    page = browser.new_page(
        viewport={"width": width, "height": 844}, color_scheme="dark" if scheme == "dark" else "light"
    )
    said: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        said.append(message.text)

    def refuse(dialog: Dialog) -> None:
        said.append(f"dialog {dialog.message}")
        dialog.dismiss()

    page.on("console", complain)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", refuse)
    page.goto(f"{address}{SECRET}/")
    page.wait_for_selector("#awards table", timeout=30_000)
    return page, said


def test_what_is_drawn_is_what_happened(data: Path) -> None:
    """Three awards of a unit for an hour at 0.25 credits, each out of a budget of 0.9."""
    with open_ledger(data) as connection:
        page = snapshot(connection, MARKET)
    [prices] = page["prices"]
    assert {price for price in prices["values"] if price is not None} == {0.25}
    assert sum(page["awards_per_s"]) * BUCKET_S == pytest.approx(3)
    ends = {budget["name"]: budget["values"][-1] for budget in page["burndown"]}
    drawn = [ends[name] for name in ("ann", NASTY, RIGHT_TO_LEFT) if name in ends]
    assert len(drawn) >= 2
    assert drawn == pytest.approx([0.65] * len(drawn))
    assert [row["left"] for row in page["budgets"]].count("0.65") == 3
    assert len(page["times_ms"]) == len(prices["values"]) == len(page["awards_per_s"])


def test_names_are_text_and_the_browser_has_nothing_to_say(browser: Browser, address: str) -> None:
    """No element comes of an agent's name, no dialog opens, and no policy is broken."""
    page, said = opened(browser, address)
    rows = page.inner_text("#awards")
    assert NASTY in rows
    assert RIGHT_TO_LEFT in rows
    assert page.locator("img").count() == 0
    assert "3" in page.inner_text("#counts li:has-text('awards') b >> nth=0")
    assert page.locator("#prices canvas").count() == 1
    assert page.locator("#burndown canvas").count() == 1
    assert page.locator("#cfps tbody tr").count() == 1
    assert said == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_and_can_be_read(browser: Browser, address: str, width: int, scheme: str) -> None:
    """Nothing is wider than the window, and text stands out from what is behind it (4.5 to 1, WCAG 2.2, 1.4.3)."""
    page, said = opened(browser, address, width=width, scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    contrasts = page.evaluate(CONTRASTS)
    assert contrasts
    assert min(contrasts) >= 4.5
    assert said == []
    page.close()


CONTRASTS = """() => {
  const light = (text) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = text.match(/[\\d.]+/g).map((v) => linear(Number(v) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (!/rgba\\(.*, 0\\)/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.querySelectorAll("h1, h2, p, td, th, a, button, li")];
  return texts.filter((e) => e.textContent.trim()).map((e) => {
    const [one, two] = [light(getComputedStyle(e).color), light(behind(e))];
    return (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  });
}"""


def test_the_keyboard_reaches_an_award_and_keeps_it_while_rows_change(browser: Browser, address: str) -> None:
    """Tab gets to the first award's link, which stays in focus as the page is made anew each second; Enter opens its
    report."""
    page, _ = opened(browser, address)
    focused = "document.activeElement.getAttribute('href') || ''"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(focused).startswith("award/"):
            break
    before = page.evaluate(focused)
    assert before.startswith("award/")
    page.wait_for_timeout(2_500)
    assert page.evaluate(focused) == before
    with page.expect_popup() as popup:
        page.keyboard.press("Enter")
    report = popup.value
    report.wait_for_load_state()
    assert "won and pays 0.25 credits" in report.inner_text("main")
    assert report.locator("img").count() == 0
    report.close()
    page.close()


def test_pause_holds_what_is_shown(browser: Browser, address: str) -> None:
    """A paused page changes no more, and goes on when told."""
    page, _ = opened(browser, address)
    page.click("#pause")
    assert page.get_attribute("#pause", "aria-pressed") == "true"
    page.evaluate("document.getElementById('state').textContent = 'held'")
    page.wait_for_timeout(2_500)
    assert page.inner_text("#state") == "held"
    page.click("#pause")
    page.wait_for_function("document.getElementById('state').textContent !== 'held'")
    page.close()


def fetched(url: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Status, body and headers of an answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return answer.status, answer.read().decode(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def test_strangers_are_not_answered(address: str) -> None:
    """Without the secret there is nothing, and another host's name is refused, as after DNS rebinding."""
    assert fetched(address)[0] == 404
    assert fetched(f"{address}data")[0] == 404
    assert fetched(f"{address}{SECRET}/data")[0] == 200
    for host in ("evil.example", "127.0.0.1.evil.example", "[::1]"):
        assert fetched(f"{address}{SECRET}/data", Host=host)[0] == 400, host


def test_every_answer_has_its_policy(address: str, data: Path) -> None:
    """No script of another origin, no inline one; a report has no script at all. Files outside are not served."""
    [(award,)] = open_ledger(data).execute("SELECT min(award_id) FROM awards").fetchall()
    for path in ("", "page.js", "uplot.js", "data", "nothing"):
        _, _, headers = fetched(f"{address}{SECRET}/{path}")
        assert "script-src 'self';" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
    status, page, headers = fetched(f"{address}{SECRET}/award/{award}")
    assert status == 200
    assert "script-src" not in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "<script" not in page
    for path in ("server.py", "../server.py", "%2e%2e/server.py", "award/..%2f..%2fserver.py", "award/' OR 1=1 --"):
        assert fetched(f"{address}{SECRET}/{path.replace(' ', '%20')}")[0] == 404, path


@pytest.mark.parametrize(("market", "says"), [(MARKET, "contractnet up"), ("elsewhere", "--market")])
def test_what_is_not_there_is_told(data: Path, tmp_path: Path, market: str, says: str) -> None:
    """Instead of data: nothing published, or another market."""
    watch = server.Watch(tmp_path if market == MARKET else data, market, None)
    # The browser's driver has a running loop in this thread.
    with ThreadPoolExecutor(1) as pool:
        page = json.loads(pool.submit(lambda: asyncio.run(watch.page())).result())
    assert says in page["problem"]


def test_what_is_vendored_is_what_was_published() -> None:
    """Byte for byte, with its licence."""
    for name, digest in UPLOT.items():
        assert hashlib.sha256((server.STATIC / name).read_bytes()).hexdigest() == digest, name
    assert "MIT License" in (server.STATIC / "uplot.LICENSE").read_text()
