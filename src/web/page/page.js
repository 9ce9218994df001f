// The page: events of the server in, elements out. Whatever comes from the network is text, never markup.
"use strict";

const main = document.getElementById("main");
const live = document.getElementById("live");
let source = null;
let timer = null;

// ---- elements -------------------------------------------------------------------------------------------------

// An element with attributes and children; a child that is no element becomes text.
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) element.setAttribute(key, String(value));
  }
  for (const child of children.flat()) {
    if (child === null || child === undefined || child === "") continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

// Replaces the children, and keeps the focus on the link that had it.
function fill(container, ...children) {
  const active = container.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  container.replaceChildren(...children.flat().filter((child) => child));
  if (active) {
    const again = [...container.querySelectorAll("a")].find((link) => link.getAttribute("href") === active);
    if (again) again.focus({ preventScroll: true });
  }
}

function badge(text, rank) {
  return h("span", { class: "badge", "data-rank": rank }, text);
}

function problems(list, rank) {
  return list && list.length ? h("ul", { class: "problems", "data-rank": rank }, list.map((text) => h("li", {}, text))) : null;
}

// columns: [label, class]; rows of cells. On a narrow screen each row becomes a list of label and value.
function table(caption, columns, rows, empty) {
  if (!rows.length) return empty ? h("p", { class: "soft" }, empty) : null;
  const head = h("tr", {}, columns.map(([label, style]) => h("th", { scope: "col", class: style }, label)));
  const body = rows.map((row) => h("tr", {}, row.map((cell, index) => {
    const [label, style] = columns[index];
    const isEmpty = cell === null || cell === undefined || cell === "";
    return h("td", { class: `${style || ""}${isEmpty ? " none" : ""}`, "data-label": label }, cell);
  })));
  return h("div", { class: "scroll" }, h("table", { class: "stack" },
    caption ? h("caption", {}, caption) : null, h("thead", {}, head), h("tbody", {}, body)));
}

function card(title, ...children) {
  return h("section", { class: "card" }, title ? h("h2", {}, title) : null, ...children);
}

function facts(...pairs) {
  const list = h("dl", { class: "facts" });
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === "") continue;
    list.append(h("dt", {}, name), h("dd", {}, value));
  }
  return list;
}

// ---- numbers and times ----------------------------------------------------------------------------------------

function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

function clock(unix) {
  return h("time", { datetime: new Date(unix * 1000).toISOString() }, new Date(unix * 1000).toISOString().slice(11, 19));
}

// The time of day, and the date where that is another one than today's.
function moment(unix) {
  const whole = new Date(unix * 1000).toISOString();
  const isToday = whole.slice(0, 10) === new Date().toISOString().slice(0, 10);
  return isToday ? clock(unix) : h("time", { datetime: whole }, whole.replace("T", " ").slice(0, 19));
}

function day(unix) {
  return unix ? new Date(unix * 1000).toISOString().replace("T", " ").slice(0, 16) + " UTC" : "";
}

function ago(now, then) {
  return then ? `for ${span(now - then)}` : "";
}

function ahead(now, then) {
  if (!then) return "";
  return then >= now ? `in ${span(then - now)}` : `${span(now - then)} ago`;
}

function count(value) {
  return Number(value || 0).toLocaleString("en").replaceAll(",", "\u202f");
}

const RANK = { ok: "good", degraded: "warn", down: "bad" };
const GOOD = ["up", "announce", "announced", "served", "runs", "Established"];
const BAD = ["withdraw", "nothing", "refused", "expired", "silent", "wrong", "ended"];

function word(text) {
  const rank = GOOD.includes(text) ? "good" : BAD.includes(text) ? "bad" : "warn";
  return badge(text || "–", rank);
}

// ---- connection -----------------------------------------------------------------------------------------------

function say(state, text) {
  if (live.dataset.state !== state || live.textContent !== text) {
    live.dataset.state = state;
    live.textContent = text;
  }
}

// Follows a stream of events; the browser opens it again when it breaks.
function follow(path, handlers) {
  source = new EventSource(path);
  source.onopen = () => say("good", "live");
  source.onerror = () => say("bad", source && source.readyState === EventSource.CLOSED
    ? "refused: reload the page" : "no connection to this POP; trying again …");
  for (const [name, handler] of Object.entries(handlers)) {
    source.addEventListener(name, (event) => {
      say("good", "live");
      handler(JSON.parse(event.data));
    });
  }
}

async function ask(path) {
  const response = await fetch(path, { credentials: "same-origin" });
  if (!response.ok) throw new Error(`${response.status}: ${(await response.text()).trim()}`);
  return response.json();
}

const popLink = (name) => "#/pop/" + encodeURIComponent(name);
const zoneLink = (name) => h("a", { href: "#/zone/" + encodeURIComponent(name) }, name);

// ---- the fleet ------------------------------------------------------------------------------------------------

const MOST_NAMED = 5;

// What POPs serve, and which POPs; what fewer serve stands first.
function grouped(served) {
  const groups = new Map();
  for (const [pop, what] of served) groups.set(what, [...(groups.get(what) || []), pop]);
  const group = ([what, names]) => {
    const more = names.length - MOST_NAMED;
    return `${what} at ${names.slice(0, MOST_NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  };
  return [...groups].sort(([, one], [, other]) => one.length - other.length).map(group).join("; ");
}

// A line for other content under the same serial, and one for other serials.
function differences({ zone, serials, contents }) {
  const lines = [];
  const serial = new Map(serials);
  if (contents.length) {
    lines.push(h("li", {}, zoneLink(zone), ": same serial, other content: "
      + grouped(contents.map(([pop, content]) => [pop, `${serial.get(pop)} digest ${content}`]))));
  }
  if (new Set(serial.values()).size > 1) {
    lines.push(h("li", {}, zoneLink(zone), " has different serials: "
      + grouped(serials.map(([pop, number]) => [pop, number === null ? "none" : number]))));
  }
  return lines;
}

function fleetView() {
  const heading = h("h1", {}, "Fleet");
  const sub = h("p", { class: "sub" }, "asking the POPs …");
  const wrong = h("div");
  const grid = h("div", { class: "grid" });
  fill(main, heading, sub, wrong, grid);
  const pops = new Map();
  const cards = new Map();
  let loads = new Map();
  let order = [];
  let zones = { differing: [], age: null, more: false };

  function summary() {
    const all = order.map((name) => pops.get(name)).filter(Boolean);
    const silent = all.filter((pop) => pop.error).length;
    const well = all.filter((pop) => pop.verdict === "ok" && pop.answer_age === null).length;
    const announced = all.filter((pop) => pop.announced).length;
    const total = [...loads.values()].reduce((sum, load) => sum + load.queries, 0);
    sub.textContent = `${all.length} ${all.length === 1 ? "POP" : "POPs"}: ${well} ok, ${all.length - well - silent} with problems, ${silent} without an answer; `
      + `${announced} announced; ${shortNumber(total)} queries/s`;
    const list = zones.differing.flatMap(differences);
    if (zones.age !== null && list.length) list.unshift(h("li", {}, `as of ${span(zones.age)} ago: since then a POP has not said what it serves`));
    const silentOnes = zones.silent ?? [];
    const why = silentOnes.length ? `: ${silentOnes.slice(0, 5).join(", ")}${silentOnes.length > 5 ? ` and ${silentOnes.length - 5} more` : ""} did not tell what they serve` : "";
    if (zones.more) list.push(h("li", {}, `and more zones may differ${why}`));
    const isWell = well === all.length && !list.length && all.length;
    fill(wrong, list.length ? card("Zones that differ", h("ul", { class: "problems", "data-rank": zones.differing.some((zone) => zone.contents.length) ? "bad" : "warn" }, list))
      : isWell ? h("p", { class: "card all-well" }, "All POPs are healthy, and they serve the same.") : null);
  }

  function draw(name) {
    const pop = pops.get(name);
    if (!pop) return;
    let parts = cards.get(name);
    if (!parts) {
      const link = h("a", { href: popLink(name) }, name);
      const state = h("span");
      const load = h("dd", {}, "–");
      const share = svg("svg", { class: "bar", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" });
      share.append(svg("rect", { width: 100, height: 4 }), svg("rect", { width: 0, height: 4 }));
      const body = h("div");
      const box = h("article", { class: "card pop" }, h("h2", {}, link, state), share, body);
      parts = { box, state, load, share, body };
      cards.set(name, parts);
    }
    const isLate = pop.answer_age !== null;
    const rank = pop.error ? "bad" : pop.stopping || (isLate && pop.verdict === "ok") ? "warn" : RANK[pop.verdict] || "warn";
    parts.box.dataset.rank = rank;
    fill(parts.state, badge(pop.error ? "no answer" : pop.stopping ? "stopping" : pop.verdict, rank));
    if (pop.error) {
      fill(parts.body, problems([pop.error], "bad"), h("p", { class: "soft" }, pop.url));
      return;
    }
    const route = pop.prefixes.map((prefix) => h("div", {}, prefix.prefix + " ", word(prefix.intent), h("span", { class: "whole" }, pop.dry_run ? " dry run"
      : ` sent to ${prefix.sent} of ${prefix.neighbors}`)));
    const list = facts(["Route", route.length ? h("div", {}, route) : "no prefix"],
      ["Zones", pop.zones_not_well ? `${count(pop.zones)}, ${count(pop.zones_not_well)} not well` : count(pop.zones)],
      ["Last resort", pop.delay ? `versions are served ${span(pop.delay)} after they came` : null],
      ["Version", pop.version], ["Since", day(pop.since)]);
    list.prepend(h("dt", {}, "Load"), parts.load);
    const late = isLate ? [`as of ${span(pop.answer_age)} ago: the next answer is overdue`] : [];
    fill(parts.body, list, problems(late.concat(pop.reasons), rank === "bad" ? "bad" : "warn"));
  }

  follow("/events/fleet", {
    order: (data) => {
      order = data.pops;
      heading.textContent = data.alone ? "This POP" : "Fleet";
      for (const name of [...cards.keys()]) if (!order.includes(name)) { cards.delete(name); pops.delete(name); }
      order.forEach(draw);
      fill(grid, order.map((name) => cards.get(name) && cards.get(name).box));
    },
    pop: (pop) => {
      pops.set(pop.name, pop);
      draw(pop.name);
      if (order.includes(pop.name)) fill(grid, order.map((name) => cards.get(name) && cards.get(name).box));
      summary();
    },
    zones: (data) => { zones = data; summary(); },
    load: (rows) => {
      loads = new Map(rows.map(([name, queries, limited, servfail]) => [name, { queries, limited, servfail }]));
      const total = [...loads.values()].reduce((sum, load) => sum + load.queries, 0);
      for (const [name, load] of loads) {
        const parts = cards.get(name);
        if (!parts) continue;
        const share = total > 0 ? 100 * load.queries / total : 0;
        parts.share.lastChild.setAttribute("width", String(share));
        parts.load.textContent = `${shortNumber(load.queries)} queries/s, ${Math.round(share)} % of all`
          + (load.limited > 0 ? `, ${shortNumber(load.limited)} limited/s` : "")
          + (load.servfail > 0 ? `, ${shortNumber(load.servfail)} SERVFAIL/s` : "");
      }
      summary();
    },
  });
}

// ---- one POP --------------------------------------------------------------------------------------------------

function routes(status) {
  const rows = [];
  for (const prefix of status.prefixes) {
    const why = prefix.reasons.join("; ");
    if (!prefix.neighbors.length) {
      rows.push([prefix.prefix, word(prefix.intent), status.dry_run ? "dry run" : "none", "", "", ago(status.now, prefix.since), why]);
    }
    for (const neighbor of prefix.neighbors) {
      rows.push([prefix.prefix, word(prefix.intent), neighbor.neighbor, word(neighbor.session), word(neighbor.sent),
        ago(status.now, neighbor.since), why]);
    }
  }
  return card("Routes and sessions", table(null, [["Prefix"], ["Desired"], ["Neighbor"], ["Session"], ["Sent"], ["Since", "when"], ["Why", "text"]],
    rows, "no prefix is configured"));
}

function probes(status) {
  const rows = status.probes.map((probe) => [probe.address, probe.transport, word(probe.standing), ago(status.now, probe.since),
    probe.round_trip_us === null ? "" : `${(probe.round_trip_us / 1000).toFixed(1)} ms`,
    probe.reason ? `${probe.reason} (${span(status.now - (probe.reason_at || status.now))} ago)` : "", probe.zone_fault || ""]);
  return card("Probes of this POP by itself", table(null, [["Address"], ["Over"], ["Standing"], ["Since", "when"], ["Answer", "number"],
    ["Last fault", "text"], ["Zone"]], rows, "nothing is probed"));
}

function zoneRows(zones, now) {
  return zones.map((zone) => [zoneLink(zone.name), word(zone.state), zone.serial === null ? "none" : zone.serial, ago(now, zone.since),
    zone.faults.join("; ")]);
}

const ZONE_COLUMNS = [["Zone", "name"], ["State"], ["Serial", "number"], ["Since", "when"], ["Fault", "text"]];

function zonesOf(status) {
  const counts = status.zone_counts;
  const bad = status.zones.filter((zone) => zone.state !== "served" || zone.faults.length);
  const more = counts.not_well - bad.length;
  return card("Zones",
    facts(["Total", count(counts.total)], ["Not well", count(counts.not_well)], ["Loading", counts.loading ? count(counts.loading) : ""],
      ["Kept", counts.kept ? count(counts.kept) : ""], ["Refused", counts.refused ? count(counts.refused) : ""],
      ["Expired", counts.expired ? count(counts.expired) : ""], ["Updates", status.updates_fault || "taken as they come"], ["Progress", status.progress]),
    table("Zones that are not well", ZONE_COLUMNS, zoneRows(bad, status.now)),
    more > 0 ? h("p", { class: "soft" }, `and ${count(more)} more: `, h("a", { href: "#/zones" }, "search")) : null);
}

function inside(status) {
  const silent = status.tasks.filter((task) => task.state !== "runs" || task.panics > 0);
  const lost = status.serve.listeners.filter((listener) => listener.fault);
  const stale = status.serve.workers.filter((worker) => worker.stale).length;
  return card("Process",
    facts(["Version", status.version], ["Instance", status.instance], ["Up", span(status.now - status.started)],
      ["Engine", status.serve.engine], ["Workers", `${status.serve.workers.length}${stale ? `, ${stale} without a heartbeat` : ""}`],
      ["Sockets", `${status.serve.listeners.length}${lost.length ? `, ${lost.length} lost` : ""}`],
      ["Limiter", `${status.rate_limit.mode}: ${count(status.rate_limit.limited)} limited, ${count(status.rate_limit.slipped)} truncated`],
      ["Operator", status.operator.order === "automatic" ? "" : `${status.operator.order}: ${status.operator.reason}`],
      ["Tasks", silent.length ? `${status.tasks.length}` : `${status.tasks.length}, all run`]),
    table("Facts that decide about the route", [["Fact"], ["Last checked", "when"]],
      (status.facts || []).map((fact) => [fact.name, `${(fact.age_ms / 1000).toFixed(1)} s ago`])),
    table(null, [["Task"], ["State"], ["Panics", "number"]], silent.map((task) => [task.name, word(task.state), task.panics])),
    table(null, [["Socket"], ["Over"], ["Fault"]], lost.map((listener) => [listener.address, listener.transport, listener.fault])));
}

function popView(name) {
  const heading = h("h1", {}, name || "This POP");
  const sub = h("p", { class: "sub" }, "asking …");
  const trouble = h("div");
  const parts = [routes, probes, zonesOf, inside].map((draw) => [draw, h("div")]);
  const charts = [
    new Chart("Queries", [{ key: "queries", name: "queries", style: "s1" }, { key: "limited", name: "limited", style: "s2" }], "per second"),
    new Chart("Responses by RCODE", [{ key: "noerror", name: "NOERROR", style: "s1" }, { key: "nxdomain", name: "NXDOMAIN", style: "s2" },
      { key: "servfail", name: "SERVFAIL", style: "s5" }, { key: "refused", name: "REFUSED", style: "s3" }, { key: "other", name: "other", style: "s6" }], "per second"),
    new Chart("Query latency in the worker", [{ key: "worker_us", name: "mean", style: "s1" }, { key: "worker_p99_us", name: "99 %", style: "s2" }], "microseconds"),
    new Chart("Probe latency", [{ key: "probe_ms", name: "slowest", style: "s4" }], "milliseconds"),
  ];
  const timeline = h("ol", { class: "timeline" });
  const [clients, look] = catchmentCard(name, () => heading.isConnected);
  timer = setInterval(look, CATCHMENT.period);
  fill(main, heading, sub, trouble, h("div", { class: "grid wide" }, charts.map((chart) => chart.element)), parts.map(([, box]) => box),
    clients, card("Timeline of routes and state (UTC)", timeline));
  let samples = [];
  // A stream that is opened again tells all of them again.
  const told = new Set();
  follow("/events/pop" + (name ? "?name=" + encodeURIComponent(name) : ""), {
    trouble: (text) => { fill(trouble, problems([text], "bad")); },
    pop: (data) => {
      const status = data.status;
      const verdict = status.overall.verdict;
      fill(heading, document.createTextNode((status.pop || name) + " "), badge(verdict, RANK[verdict]));
      sub.textContent = `${verdict} for ${span(status.now - status.overall.since)}${status.dry_run ? "; dry run: no route is sent" : ""}${
        status.stopping ? "; stopping in order" : ""}`;
      fill(trouble, problems(status.overall.reasons, verdict === "down" ? "bad" : "warn"));
      for (const [draw, box] of parts) fill(box, draw(status));
      if (data.history.length) samples = data.history;
      const newest = samples[samples.length - 1];
      if (data.load.at && (!newest || data.load.at > newest.at)) samples.push(data.load);
      samples = samples.slice(-400);
      charts.forEach((chart) => chart.draw(samples));
      for (const change of data.changes) {
        const key = `${status.started} ${change.number}`;
        if (told.has(key)) continue;
        told.add(key);
        timeline.prepend(h("li", {}, clock(change.at), h("span", {}, `${change.subject}: ${change.state}`),
          change.reasons.length ? h("span", { class: "why" }, change.reasons.join("; ")) : null));
      }
      while (timeline.childElementCount > 200) timeline.lastChild.remove();
    },
  });
}

// ---- zones ----------------------------------------------------------------------------------------------------

function zonesView() {
  const input = h("input", { type: "search", name: "zones", id: "search", autocomplete: "off", spellcheck: "false", maxlength: 255, placeholder: "example.org, or part of a name" });
  const form = h("form", { role: "search" }, h("label", { for: "search" }, "Name or part of a name; empty: zones that are not well", input), h("button", {}, "Search"));
  const result = h("div", { "aria-live": "polite" });
  fill(main, h("h1", {}, "Zones"), form, result);
  let wanted = 0;
  async function show() {
    const text = input.value.trim();
    const number = ++wanted;
    const pattern = text ? (/[*?]/.test(text) ? text : `*${text}*`) : "bad";
    try {
      const status = await ask(`/api/v1/status?most=50&zones=${encodeURIComponent(pattern)}`);
      if (number !== wanted) return;
      const counts = status.zone_counts;
      const said = text ? `${count(counts.matched)} of ${count(counts.total)} zones match, ${count(counts.matched_not_well)} not well`
        : `${count(counts.not_well)} of ${count(counts.total)} zones ${counts.not_well === 1 ? "is" : "are"} not well`;
      fill(result, h("p", { class: "sub" }, said + (counts.matched > status.zones.length ? `; the first ${status.zones.length}:` : "")),
        status.zones.length ? h("section", { class: "card" }, table(null, ZONE_COLUMNS, zoneRows(status.zones, status.now))) : null);
      say("good", "live");
    } catch (error) {
      if (number === wanted) fill(result, problems([String(error.message || error)], "bad"));
    }
  }
  form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
  show();
  timer = setInterval(() => { if (!input.value.trim()) show(); }, 5000);
}

function zoneView(name) {
  const body = h("div");
  const log = h("ol", { class: "timeline" });
  fill(main, h("h1", {}, "Zone " + name), body, card("Serials over time (UTC)", log));
  const serials = new Map();
  let steps = [];
  function note(...more) {
    steps = steps.concat(more).sort((one, other) => other.at - one.at).slice(0, 200);
    fill(log, steps.map(({ at, text }) => h("li", {}, moment(at), h("span", {}, text))));
  }
  // What a POP kept of the time before this page was opened; one that keeps nothing tells what it serves now.
  async function before(pop) {
    const begin = serials.get(pop);
    try {
      const history = await ask(`/api/v1/history?zone=${encodeURIComponent(name)}&pop=${encodeURIComponent(pop)}`);
      const began = { at: history.began_at, text: `${pop}: ${history.began_serial} (${history.began_reason})` };
      const kept = history.steps.map(({ from, to, accepted_at, origin }) => ({ at: accepted_at, text: `${pop}: ${from} → ${to} (${origin})` }));
      note(...(kept.length && kept.length < 200 ? [began, ...kept] : kept.length ? kept : [began]));
      if (String(history.serial) === begin) return;
    } catch { /* The POP keeps no history, or an older anyns does not tell it. */ }
    note({ at: Date.now() / 1000, text: `${pop}: ${begin}` });
  }
  follow("/events/zone?zone=" + encodeURIComponent(name), {
    zone: (rows) => {
      const now = Date.now() / 1000;
      // At a last-resort POP an older serial is meant while newer versions wait.
      const known = rows.filter((row) => row.zone && !row.zone.waiting).map((row) => row.zone.serial);
      const differ = new Set(known).size > 1;
      const contents = new Map();
      for (const { zone } of rows) if (zone && zone.serial !== null && zone.digest) contents.set(zone.serial, (contents.get(zone.serial) || new Set()).add(zone.digest));
      const diverged = (zone) => contents.has(zone.serial) && contents.get(zone.serial).size > 1;
      const asked = rows.filter((row) => !(row.zone && row.zone.waiting)).length;
      const cells = rows.map(({ pop, zone, error }) => {
        if (error || !zone) return [h("a", { href: popLink(pop) }, pop), badge(error ? "no answer" : "none", error ? "bad" : "warn"), "", "", "", "", "", error || "the POP has no such zone"];
        const transfer = zone.transfer || {};
        const signatures = zone.signatures || {};
        const waiting = zone.waiting ? [`serial ${zone.waiting.newest} waits${zone.waiting.until ? `, next ${ahead(now, zone.waiting.until)}` : ""}: ${zone.waiting.why}`] : [];
        return [h("a", { href: popLink(pop) }, pop), word(zone.state), zone.serial === null ? "none" : String(zone.serial), ago(now, zone.since),
          ahead(now, transfer.next), transfer.expires ? `${day(transfer.expires)} (${ahead(now, transfer.expires)})` : "",
          signatures.expires ? `${day(signatures.expires)} (${ahead(now, signatures.expires)})` : "", waiting.concat(diverged(zone) ? [`other content than at other POPs under the same serial${zone.digest ? `: digest ${zone.digest.slice(0, 16)}` : ""}`] : [], zone.faults, transfer.last_error && transfer.failures ? [transfer.last_error] : []).join("; ")];
      });
      const served = rows.some((row) => row.zone && row.zone.serial !== null);
      const silent = rows.some((row) => row.error);
      const said = rows.some((row) => row.zone && diverged(row.zone)) ? badge("other content under the same serial", "bad") : differ ? badge("serials differ", "warn") : !served ? badge(silent ? "no POP that answers serves it" : "no POP serves it", "bad") : !known.length ? null
        : known.length < asked ? badge(`the same serial at ${known.length} of ${asked} POPs`, "warn")
        : badge("the same serial everywhere", "good");
      fill(body, h("p", { class: "sub" }, said),
        h("section", { class: "card" }, table(null, [["POP"], ["State"], ["Serial", "number"], ["Since", "when"], ["Next refresh"], ["Expiry"], ["Signatures until"], ["Fault", "text"]], cells)));
      for (const { pop, zone, error } of rows) {
        const told = error ? "no answer" : zone && zone.serial !== null ? String(zone.serial) : "not served";
        if (serials.get(pop) === told) continue;
        const was = serials.get(pop);
        serials.set(pop, told);
        if (was) note({ at: now, text: `${pop}: ${was} → ${told}` });
        else before(pop);
      }
    },
  });
}

// ---- which view -----------------------------------------------------------------------------------------------

function decoded(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}

function show() {
  if (source) source.close();
  source = null;
  clearInterval(timer);
  const [, view, name] = location.hash.match(/^#\/([a-z]*)(?:\/(.*))?$/) || [];
  const current = view === "zone" ? "zones" : view || "fleet";
  for (const link of document.querySelectorAll("nav a")) {
    if (link.dataset.view === current && !(view === "pop" && name)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  say("wait", "connecting …");
  if (view === "pop") popView(name ? decoded(name) : "");
  else if (view === "zones") zonesView();
  else if (view === "zone" && name) zoneView(decoded(name));
  else fleetView();
  document.title = (name ? decoded(name) : current) + " – anyns";
}

window.addEventListener("hashchange", () => { show(); main.focus({ preventScroll: true }); window.scrollTo(0, 0); });
show();
