// Shows what the server sends each second. Whatever an agent has named reaches the page as text, never as HTML.

import { draw, forget, resize } from "./charts.js";

const byId = (name) => document.getElementById(name);
const latencies = { at: [], p50: [], p99: [] };
const LATENCIES_KEPT = 900;
let paused = false;
let newest = null;

function clock(ms) {
  return ms === null || ms === undefined ? "" : new Date(ms).toISOString().slice(11, 19);
}

function cell(value, kind) {
  const td = document.createElement("td");
  if (value instanceof Node) td.append(value);
  else td.textContent = value === null || value === undefined ? "" : String(value);
  td.className = kind;
  if (kind === "text") td.title = td.textContent;
  return td;
}

// `columns`: [heading, kind ("text" or "number"), value of a row]. What had the focus keeps it.
function table(place, rows, columns, empty) {
  const focused = document.activeElement?.dataset?.id;
  if (rows.length === 0) {
    const p = document.createElement("p");
    p.className = "empty";
    p.textContent = empty;
    place.replaceChildren(p);
    return;
  }
  const made = document.createElement("table");
  const head = made.createTHead().insertRow();
  for (const [heading, kind] of columns) {
    const th = document.createElement("th");
    th.scope = "col";
    th.textContent = heading;
    th.className = kind;
    head.append(th);
  }
  const body = made.createTBody();
  for (const row of rows) {
    const tr = body.insertRow();
    for (const [, kind, value] of columns) tr.append(cell(value(row), kind));
  }
  let scroll = place.querySelector(".scroll");
  if (!scroll) {
    scroll = document.createElement("div");
    scroll.className = "scroll";
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", place.closest("section").querySelector("h2").textContent);
    place.replaceChildren(scroll);
  }
  scroll.replaceChildren(made);
  if (focused) place.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function meter(value, most, label) {
  const found = document.createElement("meter");
  found.max = Math.max(1, Number(most));
  found.value = Number(value);
  found.setAttribute("aria-label", label);
  return found;
}

function counts(page) {
  const live = page.live;
  const shown = [
    ["agents", page.counts.agents],
    ["open calls", page.counts.open_cfps],
    ["leases", page.counts.leases],
    ["awards", page.counts.awards],
    ["awards/s now", live ? live.awards_per_s.toFixed(1) : "-"],
    ["commands/s now", live ? live.receipts_per_s.toFixed(1) : "-"],
    ["rejected in 15 min", page.counts.rejections],
  ];
  byId("counts").replaceChildren(
    ...shown.map(([label, value]) => {
      const li = document.createElement("li");
      const b = document.createElement("b");
      b.textContent = String(value);
      li.append(b, label);
      return li;
    }),
  );
}

function charts(page) {
  const times = page.times_ms.map((ms) => ms / 1000);
  draw(byId("prices"), page.prices.map((p) => p.pool), [times, ...page.prices.map((p) => p.values)]);
  draw(byId("awards-rate"), ["awards/s"], [times, page.awards_per_s], { digits: 1, step: true });
  draw(byId("latency"), ["p50 ms", "p99 ms"], [latencies.at, latencies.p50, latencies.p99], { digits: 0 });
  byId("burndown").hidden = page.burndown.length === 0;
  draw(byId("burndown"), page.burndown.map((b) => `${b.name}: left`), [times, ...page.burndown.map((b) => b.values)]);
}

function remember(page) {
  latencies.at.push(Date.now() / 1000);
  latencies.p50.push(page.live?.p50_ms ?? null);
  latencies.p99.push(page.live?.p99_ms ?? null);
  for (const values of Object.values(latencies)) values.splice(0, values.length - LATENCIES_KEPT);
}

function link(row) {
  const a = document.createElement("a");
  a.href = `award/${row.award_id}`;
  a.target = "_blank";
  a.rel = "noopener";
  a.textContent = row.award_id.slice(0, 8);
  a.dataset.id = row.award_id;
  return a;
}

function tables(page) {
  table(byId("use"), page.use, [
    ["pool", "text", (r) => r.pool],
    ["in use", "number", (r) => `${r.used} of ${r.units}`],
    ["", "text", (r) => meter(r.used, r.units, `units of ${r.pool} in use`)],
  ], "No pool is there.");
  table(byId("budgets"), page.budgets, [
    ["of", "text", (r) => r.name],
    ["spent", "number", (r) => r.spent],
    ["left", "number", (r) => `${r.left} of ${r.most}`],
    ["", "text", (r) => meter(r.spent, r.most, `spent of the budget of ${r.name}`)],
    ["runs out", "text", (r) => clock(r.runs_out_ms)],
    ["window ends", "text", (r) => clock(r.ends_ms)],
  ], "Nobody has a budget with a limit.");
  table(byId("tokens"), page.tokens, [
    ["pool", "text", (r) => r.pool],
    ["rate/min", "number", (r) => `${r.rate_per_minute} of ${r.tokens_per_minute}`],
    ["burst", "number", (r) => r.burst_tokens],
    ["granted now", "number", (r) => r.granted],
    ["used in a minute", "number", (r) => r.used_last_minute],
    ["429s", "number", (r) => r.throttled],
    ["orders", "number", (r) => r.orders],
  ], "No token pool is there.");
  table(byId("cfps"), page.cfps, [
    ["call", "text", (r) => r.cfp_id.slice(0, 8)],
    ["manager", "text", (r) => r.manager],
    ["", "text", (r) => r.direction],
    ["pool", "text", (r) => r.pool],
    ["slots", "number", (r) => `${r.slots} x ${r.units}`],
    ["reserve", "number", (r) => r.reserve_price],
    ["bids", "number", (r) => r.bids],
    ["status", "text", (r) => r.status],
    ["closes", "text", (r) => clock(r.closes_ms)],
  ], "No call is open.");
  table(byId("awards"), page.awards, [
    ["award", "text", link],
    ["at", "text", (r) => clock(r.at_ms)],
    ["agent", "text", (r) => r.agent],
    ["project", "text", (r) => r.project],
    ["task", "text", (r) => r.task],
    ["pool", "text", (r) => r.pool],
    ["units", "number", (r) => r.units],
    ["price", "number", (r) => r.price],
  ], "Nothing was awarded yet.");
  table(byId("balances"), page.balances, [
    ["agent", "text", (r) => r.name],
    ["project", "text", (r) => r.project],
    ["balance", "number", (r) => r.balance],
    ["held", "number", (r) => r.held],
    ["available", "number", (r) => r.available],
  ], "No account is there.");
  table(byId("spenders"), page.spenders, [
    ["agent", "text", (r) => r.agent],
    ["project", "text", (r) => r.project],
    ["payments", "number", (r) => r.payments],
    ["spent", "number", (r) => r.spent],
  ], "Nobody paid anything.");
}

function talks(page) {
  const place = byId("talks");
  const ids = page.talks.map((t) => t.negotiation_id).join();
  if (place.dataset.ids !== ids) {
    place.dataset.ids = ids;
    place.className = "talks";
    place.replaceChildren(
      ...page.talks.map(() => {
        const part = document.createElement("div");
        part.className = "talk";
        const chart = document.createElement("div");
        part.append(document.createElement("h3"), chart);
        return part;
      }),
    );
    if (page.talks.length === 0) {
      const p = document.createElement("p");
      p.className = "empty";
      p.textContent = "Nobody has bargained yet.";
      place.append(p);
    }
  }
  page.talks.forEach((talk, number) => {
    const [heading, chart] = place.children[number].children;
    const how = talk.status === "deal" ? `deal at ${talk.price}` : talk.status.replaceAll("_", " ");
    heading.textContent = `${talk.holder} and ${talk.buyer}: ${talk.pool}, ${talk.protocol.toLowerCase()}, ${how}`;
    const o = talk.offers;
    draw(chart, ["holder", "buyer"], [o.round, o.holder, o.buyer], { time: false, height: 150 });
  });
}

function show(page) {
  const state = byId("state");
  state.classList.toggle("problem", Boolean(page.problem || page.live?.problem));
  if (page.problem) {
    state.textContent = page.problem;
    return;
  }
  byId("market").textContent = page.market;
  const down = page.live === null ? "the market is down; " : page.live.problem ? `${page.live.problem}; ` : "";
  state.textContent = `${down}published ${clock(page.published_ms)} UTC, rules ${page.rules_version}`;
  counts(page);
  charts(page);
  tables(page);
  talks(page);
}

function take(text) {
  newest = JSON.parse(text);
  remember(newest);
  if (!paused) show(newest);
}

byId("pause").addEventListener("click", () => {
  paused = !paused;
  byId("pause").textContent = paused ? "Go on" : "Pause";
  byId("pause").setAttribute("aria-pressed", String(paused));
  if (!paused && newest) show(newest);
});
addEventListener("resize", resize);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  forget();
  byId("talks").dataset.ids = "";
  if (newest) show(newest);
});
const source = new EventSource("stream");
source.addEventListener("message", (event) => take(event.data));
source.addEventListener("error", () => {
  byId("state").classList.add("problem");
  byId("state").textContent = "the dashboard has ended, or does not answer: start it again with `contractnet dashboard`";
});
