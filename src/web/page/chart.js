// Line charts of the last minutes, as SVG. Series in, elements out; no text of the network becomes markup.
"use strict";

const CHART = { width: 600, height: 150, left: 44, right: 6, top: 8, bottom: 20, seconds: 300 };
const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, String(value));
  return element;
}

// A round number that is not smaller.
function roundUp(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) || value;
}

function shortNumber(value) {
  if (value >= 1e6) return (value / 1e6).toPrecision(3).replace(/\.?0+$/, "") + "M";
  if (value >= 1e4) return (value / 1e3).toPrecision(3).replace(/\.?0+$/, "") + "k";
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(2)));
}

class Chart {
  // series: [{key, name, style}]; unit: of the values.
  constructor(title, series, unit) {
    this.series = series;
    this.title = title;
    this.unit = unit;
    this.width = CHART.width;
    this.svg = svg("svg", { class: "chart", role: "img" });
    this.label = svg("title");
    this.svg.append(this.label);
    this.rules = [0, 0.5, 1].map((share) => {
      const y = this.y(share, 1);
      const line = svg("line", { class: "rule", x1: CHART.left, y1: y, y2: y });
      const text = svg("text", { x: CHART.left - 5, y: y + 4, "text-anchor": "end" });
      this.svg.append(line, text);
      return [share, line, text];
    });
    this.times = [[300, "−5 min", "start"], [150, "−2.5 min", "middle"], [0, "now", "end"]].map(([ago, name, anchor]) => {
      const text = svg("text", { y: CHART.height - 5, "text-anchor": anchor });
      text.textContent = name;
      this.svg.append(text);
      return [ago, text];
    });
    this.paths = series.map((one) => {
      const path = svg("path", { class: one.style });
      this.svg.append(path);
      return path;
    });
    this.legend = document.createElement("ul");
    this.legend.className = "legend";
    this.values = series.map((one) => {
      const item = document.createElement("li");
      const mark = svg("svg", { viewBox: "0 0 12 6", "aria-hidden": "true" });
      mark.append(svg("line", { class: one.style, x1: 0, x2: 12, y1: 3, y2: 3 }));
      const value = document.createElement("span");
      item.append(mark, one.name + " ", value);
      this.legend.append(item);
      return value;
    });
    this.element = document.createElement("section");
    this.element.className = "card";
    const heading = document.createElement("h2");
    const soft = document.createElement("span");
    soft.className = "unit";
    soft.textContent = ` ${unit}`;
    heading.append(title, soft);
    this.element.append(heading, this.svg, this.legend);
    this.samples = [];
    new ResizeObserver(() => this.draw(this.samples)).observe(this.svg);
  }

  x(ago) {
    return CHART.left + (1 - ago / CHART.seconds) * (this.width - CHART.left - CHART.right);
  }

  y(value, most) {
    return CHART.top + (1 - value / most) * (CHART.height - CHART.top - CHART.bottom);
  }

  draw(samples) {
    this.samples = samples;
    const now = samples.length ? samples[samples.length - 1].at : 0;
    const shown = samples.filter((sample) => now - sample.at <= CHART.seconds);
    let most = 0;
    for (const sample of shown) for (const one of this.series) most = Math.max(most, Number(sample[one.key]) || 0);
    most = roundUp(most);
    this.width = Math.max(240, this.svg.clientWidth || CHART.width);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${CHART.height}`);
    for (const [share, line, text] of this.rules) {
      line.setAttribute("x2", String(this.width - CHART.right));
      text.textContent = shortNumber(share * most);
    }
    for (const [ago, text] of this.times) text.setAttribute("x", String(this.x(ago)));
    const newest = shown[shown.length - 1] || {};
    const said = [];
    this.series.forEach((one, index) => {
      let path = "";
      let before = null;
      for (const sample of shown) {
        const value = sample[one.key];
        if (typeof value !== "number") { before = null; continue; }
        const begins = before === null || sample.at - before > 5;
        path += `${begins ? "M" : "L"}${this.x(now - sample.at).toFixed(1)} ${this.y(value, most).toFixed(1)}`;
        before = sample.at;
      }
      this.paths[index].setAttribute("d", path);
      const value = typeof newest[one.key] === "number" ? shortNumber(newest[one.key]) : "–";
      this.values[index].textContent = value;
      said.push(`${one.name} ${value}`);
    });
    this.label.textContent = `${this.title}, ${this.unit}: ${said.join(", ")}`;
  }
}
