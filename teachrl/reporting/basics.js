"use strict";
// What all parts of the page need: elements, numbers, scales, colours and the tip.
// Names of runs are data: they only ever become text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const RETURNS = ["#3b1f5b", "#5b4b9a", "#3f87b5", "#4fb98f", "#b5d44c", "#f9d92e"].map(rgb);

function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// The colour of the i-th teacher, the same everywhere; set by script, which the policy allows.
function coloured(element, i) {
  element.style.setProperty("--c", `var(--c${i % 8})`);
  if (i >= 8) element.classList.add("far");
  return element;
}

function swatch(i) {
  return coloured(make("span", { class: "swatch", "aria-hidden": "true" }), i);
}

function card(title, controls = [], ...content) {
  const head = make("div", { class: "head" }, make("h2", {}, title));
  if (controls.length) head.append(make("div", { class: "controls" }, controls));
  return make("section", { class: "card", "aria-label": title }, head, content);
}

function choice(label, options, onchange) {
  const select = make("select", { "aria-label": label });
  options.forEach(([value, text]) => select.append(make("option", { value }, text)));
  select.addEventListener("change", () => onchange(select.value));
  return select;
}

// Numbers ---------------------------------------------------------------------------------------

function percent(share) {
  return share === null ? "–" : `${trim(100 * share, 1)} %`;
}

function plain(value) {
  if (value === null) return "–";
  const size = Math.abs(value);
  return trim(value, size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

function trim(value, digits) {
  return String(Number(value.toFixed(digits))).replace("-", "−");
}

function stepsText(steps) {
  if (steps === "never") return "not reached";
  if (steps === null) return "–";
  if (steps >= 1e6) return `${Number((steps / 1e6).toPrecision(3))}M`;
  if (steps >= 1e3) return `${Number((steps / 1e3).toPrecision(3))}k`;
  return String(Math.round(steps));
}

function pText(p) {
  if (p === null) return "–";
  return p < 0.001 ? "< 0.001" : p.toFixed(3);
}

// "value [low, high]": the interval is quieter than the value, and its unit is said once.
function interval([value, low, high], text, bare = text) {
  if (low === null) return [text(value)];
  return [text(value), " ", make("span", { class: "range" }, `[${bare(low)}, ${bare(high)}]`)];
}

function percents(found) {
  return interval(found, (v) => `${fixed(100 * v, 1)} %`, (v) => fixed(100 * v, 1));
}

function plains(found) {
  return interval(found, plain);
}

function probabilities(found) {
  return interval(found, (v) => fixed(v, 2));
}

function fixed(value, digits) {
  return value.toFixed(digits).replace(/^-0(\.0*)?$/, "0$1").replace("-", "−");
}

function ticks(low, high, most = 5) {
  const raw = (high - low || 1) / most;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return found;
}

function scale(low, high, start, end) {
  return (value) => start + ((value - low) / (high - low || 1)) * (end - start);
}

// Colours -----------------------------------------------------------------------------------------

function rgb(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

// Share from 0 to 1 of the range of returns.
function returnColour(share) {
  const place = Math.min(Math.max(share, 0), 1) * (RETURNS.length - 1);
  const i = Math.min(Math.floor(place), RETURNS.length - 2);
  const mixed = RETURNS[i].map((c, k) => Math.round(c + (RETURNS[i + 1][k] - c) * (place - i)));
  return `rgb(${mixed.join(",")})`;
}

function colourScale(low, label, high) {
  const bar = make("i");
  const stops = [0, 0.2, 0.4, 0.6, 0.8, 1].map(returnColour).join(",");
  bar.style.background = `linear-gradient(90deg, ${stops})`;
  return make("span", { class: "scale" }, low, bar, high, ` ${label}`);
}

function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// The tip -----------------------------------------------------------------------------------------

function showTip(x, y, title, rows) {
  const tip = document.getElementById("tip");
  tip.replaceChildren(make("b", {}, title));
  rows.forEach(([name, ...value]) => tip.append(make("div", {}, make("span", {}, name), make("span", {}, value))));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = x + 18 + width > innerWidth ? x - 18 - width : x + 18;
  tip.style.left = `${Math.max(6, left)}px`;
  tip.style.top = `${Math.min(Math.max(6, y - height / 2), innerHeight - height - 6)}px`;
}

function hideTip() {
  document.getElementById("tip").hidden = true;
}
