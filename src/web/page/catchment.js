// Which client prefixes reach a POP: a card that asks for them every ten seconds. Whatever comes from the network is text, never markup.
"use strict";

const CATCHMENT = { shown: 12, period: 10000 };

function percent(part, whole) {
  return whole > 0 ? `${(100 * part / whole).toFixed(1)} %` : "–";
}

// A part of a whole as a bar and in words.
function shareOf(part, whole) {
  const bar = svg("svg", { class: "bar", viewBox: "0 0 100 4", preserveAspectRatio: "none", "aria-hidden": "true" });
  const width = whole > 0 ? Math.min(100, 100 * part / whole) : 0;
  bar.append(svg("rect", { width: 100, height: 4 }), svg("rect", { width, height: 4 }));
  return h("div", { class: "share" }, bar, h("span", {}, percent(part, whole)));
}

function catchmentRows(told) {
  const families = [told.ipv4, told.ipv6];
  const all = families.reduce((sum, family) => sum + Number(family.samples || 0), 0);
  const prefixes = families.flatMap((family) => family.prefixes)
    .sort((one, other) => other.samples - one.samples).slice(0, CATCHMENT.shown);
  const rows = prefixes.map(({ prefix, samples }) => [String(prefix), count(samples), shareOf(Number(samples) || 0, all)]);
  const rest = all - prefixes.reduce((sum, one) => sum + (Number(one.samples) || 0), 0);
  if (rest > 0) rows.push(["all others", count(rest), shareOf(rest, all)]);
  return [all, rows];
}

function catchmentParts(told) {
  const [all, rows] = catchmentRows(told);
  const four = Number(told.ipv4.samples || 0);
  return [
    h("p", { class: "soft" }, `${count(all)} ${all === 1 ? "sample" : "samples"}, ${told.one_in > 1 ? `one query in ${count(told.one_in)}` : "every query"}, of the last ${span(told.now - told.since)}; `
      + `IPv4 ${percent(four, all)}, IPv6 ${percent(all - four, all)}`),
    table(null, [["Client prefix", "name"], ["Samples", "number"], ["Share", "part"]], rows, "no client has asked yet"),
  ];
}

// The card of a POP; an empty name: this one. `isShown` tells whether its view is still there.
function catchmentCard(name, isShown) {
  const body = h("div", {}, h("p", { class: "soft" }, "asking …"));
  const path = `/api/v1/catchment?most=${CATCHMENT.shown}` + (name ? `&pop=${encodeURIComponent(name)}` : "");
  async function look() {
    let parts;
    try {
      parts = catchmentParts(await ask(path));
    } catch (error) {
      parts = [h("p", { class: "soft" }, String(error.message || error).replace(/^404: /, ""))];
    }
    if (isShown()) fill(body, parts);
  }
  look();
  return [card("Clients by prefix", body), look];
}
