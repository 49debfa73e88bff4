// Learning curves with a cursor, the performance profile, and the radar over benchmarks.

const WIDE = { width: 1100, height: 360, left: 52, right: 14, top: 10, bottom: 44 };
const NARROWEST = 760; // pixels of a window that has room for a wide plot
const NARROW = { width: 560, height: 340, left: 48, right: 12, top: 10, bottom: 44 };
const HALF = { width: 520, height: 320, left: 48, right: 12, top: 10, bottom: 44 };

function learningCurves(benchmark) {
  const shown = new Set(benchmark.teachers.keys());
  const plot = make("div", { id: "curves" });
  const metrics = [...new Map(benchmark.curves.map((c) => [c.metric, c.label])).entries()];
  const state = { metric: benchmark.curves[0].metric, axis: "train" };
  const axes = choice("horizontal axis", Object.entries(benchmark.axes), (axis) => set({ axis }));
  const metric = choice("metric", metrics, (name) => set({ metric: name }));
  const find = () => benchmark.curves.find((c) => c.metric === state.metric && c.axis === state.axis);
  let isNarrow = null;
  function set(change) {
    Object.assign(state, change);
    isNarrow = innerWidth < NARROWEST;
    const found = find();
    plot.replaceChildren(found ? curvePlot(benchmark, found, shown)
      : make("p", { class: "note" }, "These runs counted training steps only."));
  }
  const legend = make("div", { class: "legend", role: "group", "aria-label": "teachers" });
  benchmark.teachers.forEach((teacher, i) => {
    const button = make("button", { type: "button", "aria-pressed": "true" }, swatch(i), teacher.name);
    button.addEventListener("click", () => {
      shown.has(i) ? shown.delete(i) : shown.add(i);
      button.setAttribute("aria-pressed", shown.has(i));
      set({});
    });
    legend.append(button);
  });
  const refresh = () => isNarrow !== innerWidth < NARROWEST && set({});
  set({});
  const note = "Interquartile mean over runs, 95 % interval, and every run. Point at the curves, or focus "
    + "them and press the arrow keys.";
  return [card("Learning curves", [metric, axes], plot, legend, make("p", { class: "note" }, note)), refresh];
}

function curvePlot(benchmark, chosen, shown) {
  const isShare = chosen.label.endsWith("(%)");
  const curves = chosen.teachers.map((curve, i) => [curve, i]).filter(([c, i]) => c && shown.has(i));
  const values = curves.flatMap(([c]) => [...c.middle, ...c.high, ...c.low, ...c.runs.flat()]);
  const known = values.filter((v) => v !== null);
  const last = Math.max(1, ...curves.flatMap(([c]) => c.steps));
  const low = isShare ? 0 : Math.min(0, ...known);
  const high = isShare ? Math.min(1, Math.max(0.1, ...known) * 1.05) : Math.max(low + 1e-9, ...known);
  const label = chosen.label;
  const x = { low: 0, high: last, text: stepsText, label: benchmark.axes[chosen.axis] };
  const y = { low, high, text: isShare ? (v) => plain(100 * v) : plain, label };
  const frame = plotFrame(innerWidth < NARROWEST ? NARROW : WIDE, x, y, `learning curves: ${label}`);
  curves.forEach(([curve, i]) => {
    frame.svg.append(
      coloured(draw("path", { class: "area", d: bandPath(frame, curve.steps, curve.low, curve.high) }), i));
    curve.runs.length > 1 && curve.runs.forEach((run) => frame.svg.append(
      coloured(draw("path", { class: "series thin", d: linePath(frame, curve.steps, run) }), i)));
    frame.svg.append(
      coloured(draw("path", { class: "series line", d: linePath(frame, curve.steps, curve.middle) }), i));
  });
  addCursor(frame, curves, benchmark.teachers, isShare ? percents : plains);
  return frame.svg;
}

// Axes, grid and labels; returns the picture and its scales.
function plotFrame(size, x, y, title) {
  const { width, height, left, right, top, bottom } = size;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title, tabindex: 0 });
  const toX = scale(x.low, x.high, left, width - right), toY = scale(y.low, y.high, height - bottom, top);
  ticks(y.low, y.high).forEach((v) => svg.append(
    draw("line", { class: "grid", x1: left, x2: width - right, y1: toY(v), y2: toY(v) }),
    draw("text", { x: left - 8, y: toY(v) + 4, "text-anchor": "end" }, y.text(v))));
  ticks(x.low, x.high, width < 600 ? 5 : 8).forEach((v) => svg.append(
    draw("text", { x: toX(v), y: height - bottom + 18, "text-anchor": "middle" }, x.text(v))));
  svg.append(
    draw("line", { class: "axis", x1: left, x2: width - right, y1: toY(y.low), y2: toY(y.low) }),
    draw("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, x.label),
    draw("text", { transform: `translate(12 ${(top + height - bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, y.label));
  return { svg, x: toX, y: toY, size };
}

function linePath({ x, y }, steps, values) {
  return steps.map((s, k) => `${k ? "L" : "M"}${x(s).toFixed(1)} ${y(values[k]).toFixed(1)}`).join("");
}

function bandPath({ x, y }, steps, low, high) {
  if (low.includes(null)) return "";
  const there = steps.map((s, k) => `${x(s).toFixed(1)} ${y(high[k]).toFixed(1)}`);
  const back = steps.map((s, k) => `${x(s).toFixed(1)} ${y(low[k]).toFixed(1)}`).reverse();
  return `M${[...there, ...back].join("L")}Z`;
}

// A line that follows the pointer or the arrow keys from evaluation to evaluation.
function addCursor(frame, curves, teachers, text, title = (step) => `${stepsText(step)} steps`) {
  const { svg, x, y, size } = frame;
  const steps = [...new Set(curves.flatMap(([c]) => c.steps))].sort((a, b) => a - b);
  const line = draw("line", { class: "cursor", y1: size.top, y2: size.height - size.bottom, visibility: "hidden" });
  const dots = curves.map(([, i]) => coloured(draw("circle", { class: "dot", r: 5, visibility: "hidden" }), i));
  svg.append(line, ...dots);
  let at = -1;
  function show(k) {
    at = Math.min(Math.max(k, 0), steps.length - 1);
    const step = steps[at];
    line.setAttribute("x1", x(step));
    line.setAttribute("x2", x(step));
    line.setAttribute("visibility", "visible");
    const rows = curves.map(([curve, i], n) => {
      const [value, low, high] = [curve.middle, curve.low, curve.high].map((v) => between(curve.steps, v, step));
      dots[n].setAttribute("visibility", value === null ? "hidden" : "visible");
      if (value === null) return null;
      dots[n].setAttribute("cx", x(step));
      dots[n].setAttribute("cy", y(value));
      return [value, [[swatch(i), teachers[i].name], ...text([value, low, high])]];
    }).filter((row) => row);
    rows.sort(([a], [b]) => b - a);
    const box = svg.getBoundingClientRect();
    const factor = box.width / size.width;
    const tipY = box.top + (size.top + 70) * factor;
    showTip(box.left + x(step) * factor, tipY, title(step), rows.map(([, row]) => row));
  }
  function hide() {
    line.setAttribute("visibility", "hidden");
    dots.forEach((dot) => dot.setAttribute("visibility", "hidden"));
    hideTip();
  }
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const place = ((event.clientX - box.left) * size.width) / box.width;
    const far = steps.map((step) => Math.abs(x(step) - place));
    show(far.indexOf(Math.min(...far)));
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") hide();
    if (move === undefined) return;
    event.preventDefault();
    show(at + move);
  });
}

// The value of a curve at a step, linear between evaluations; null outside of it.
function between(steps, values, step) {
  const k = steps.findIndex((s) => s >= step);
  if (k < 0 || step < steps[0] || values[k] === null) return null;
  if (steps[k] === step) return values[k];
  return values[k - 1] + ((values[k] - values[k - 1]) * (step - steps[k - 1])) / (steps[k] - steps[k - 1]);
}

function profiles(benchmark) {
  const { thresholds, bands } = benchmark.profile;
  const shares = { low: 0, high: 1, text: (v) => plain(100 * v) };
  const frame = plotFrame(HALF, { ...shares, label: "share of the test set mastered (%)" },
    { ...shares, label: "runs above it (%)" }, "performance profile");
  bands.forEach(([value, low, high], i) => {
    if (low[0] !== null) {
      frame.svg.append(coloured(draw("path", { class: "area", d: bandPath(frame, ...stairs(thresholds, low, high)) }), i));
    }
    frame.svg.append(coloured(draw("path", { class: "series line", d: stairPath(frame, thresholds, value) }), i));
  });
  const curves = bands.map(([middle, low, high], i) => [{ steps: thresholds, middle, low, high }, i]);
  addCursor(frame, curves, benchmark.teachers, percents, (share) => `more than ${percent(share)}`);
  const note = "Which share of the runs masters more than so much: higher is better, everywhere.";
  return card("Performance profile", [], frame.svg, make("p", { class: "note" }, note));
}

// A profile jumps at the scores of single runs: between two thresholds it keeps the value of the first.
function stairPath(frame, thresholds, values) {
  return linePath(frame, ...stairs(thresholds, values));
}

function stairs(thresholds, ...columns) {
  const at = thresholds.flatMap((t, k) => (k ? [t, t] : [t]));
  return [at, ...columns.map((values) => values.flatMap((v, k) => (k ? [values[k - 1], v] : [v])))];
}

function radar(benchmarks, metricOf = (t) => t.value) {
  const names = [...new Set(benchmarks.flatMap((b) => b.teachers.map((t) => t.name)))];
  const find = (b, name) => b.teachers.find((t) => t.name === name);
  const most = Math.max(0.1, ...benchmarks.flatMap((b) => b.teachers.map((t) => metricOf(t)[2] ?? metricOf(t)[0])));
  const centre = [320, 210], radius = 160;
  const turn = (k) => (2 * Math.PI * k) / benchmarks.length - Math.PI / 2;
  const place = (k, v) => [centre[0] + Math.cos(turn(k)) * radius * (v / most), centre[1] + Math.sin(turn(k)) * radius * (v / most)];
  const svg = draw("svg", { class: "radar", viewBox: "0 0 640 420", role: "img", "aria-label": "share mastered by benchmark" });
  ticks(0, most, 4).filter((v) => v).forEach((v) => svg.append(
    draw("circle", { class: "grid", cx: centre[0], cy: centre[1], r: (radius * v) / most, fill: "none" }),
    draw("text", { x: centre[0] + 4, y: centre[1] - (radius * v) / most - 3 }, percent(v))));
  benchmarks.forEach((b, k) => {
    const [x, y] = place(k, most), [tx, ty] = place(k, most * 1.12);
    const anchor = Math.abs(tx - centre[0]) < 20 ? "middle" : tx < centre[0] ? "end" : "start";
    svg.append(draw("line", { class: "axis", x1: centre[0], y1: centre[1], x2: x, y2: y }),
      draw("text", { x: tx, y: ty + 4, "text-anchor": anchor }, b.name));
  });
  names.forEach((name, i) => {
    const rows = benchmarks.map((b, k) => [find(b, name), k]).filter(([t]) => t);
    const corners = rows.map(([t, k]) => place(k, metricOf(t)[0]).map((c) => c.toFixed(1)).join(" "));
    svg.append(coloured(draw("path", { class: "series line", d: `M${corners.join("L")}Z` }), i));
    rows.forEach(([t, k]) => {
      const [, low, high] = metricOf(t);
      if (low === null) return;
      const [[x1, y1], [x2, y2]] = [place(k, low), place(k, high)];
      svg.append(coloured(draw("line", { class: "series", "stroke-width": 5, opacity: 0.3, x1, y1, x2, y2 }), i));
    });
  });
  const legend = make("div", { class: "legend" }, names.map((name, i) => make("span", {}, swatch(i), `${name}  `)));
  return card("Share mastered, by benchmark", [], svg, legend);
}
