// The leaderboard, every comparison, and how to repeat it all.

const COLUMNS = [
  ["teacher", (t) => t.name],
  ["runs", (t) => t.runs],
  ["test set mastered", (t) => t.value[0]],
  ["", null],
  ["mean over training", (t) => t.area[0]],
  ["steps to threshold", (t) => (typeof t.time[0] === "number" ? t.time[0] : Infinity)],
  ["beats the first", (t) => (t.improvement ? t.improvement[0] : -1)],
];

function leaderboard(benchmark) {
  const { teachers, threshold } = benchmark;
  const body = make("tbody");
  const most = Math.max(0.02, ...teachers.flatMap((t) => [t.value[2] ?? 0, ...t.scores]));
  let order = { column: 2, down: true };
  const heads = COLUMNS.map(([label, key], column) => {
    const text = column === 5 ? `steps to ${percent(threshold)}`
      : column === 6 ? `P(better than ${teachers[0].name})` : label;
    if (!key) return make("th", { scope: "col", "aria-label": "interval" });
    const sort = () => {
      order = { column, down: column === order.column ? !order.down : column !== 0 && column !== 5 };
      refresh();
    };
    return make("th", { scope: "col" }, make("button", { type: "button", onclick: sort }, text));
  });
  function refresh() {
    const key = COLUMNS[order.column][1];
    const rows = teachers.map((t, i) => [key(t), i]);
    rows.sort(([a, i], [b, j]) => (order.down ? -1 : 1) * (a < b ? -1 : a > b ? 1 : 0) || i - j);
    body.replaceChildren(...rows.map(([, i]) => leaderRow(teachers[i], i, most)));
    heads.forEach((head, i) => {
      if (i === order.column) head.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }
  refresh();
  const table = make("table", { id: "leaderboard" }, make("thead", {}, make("tr", {}, heads)), body);
  const note = "Interquartile means over runs at the end of training, in brackets their 95 % intervals "
    + "(stratified bootstrap); dots are single runs. The time is the median over runs, those that never "
    + "arrive included; a head sorts.";
  return card("Leaderboard", [], make("div", { class: "scroll" }, table), make("p", { class: "note" }, note));
}

function leaderRow(teacher, i, most) {
  const name = [swatch(i), teacher.name];
  if (teacher.stored) name.push(make("span", { class: "tag" }, "baseline"));
  return make("tr", {},
    make("td", {}, name),
    make("td", {}, String(teacher.runs)),
    make("td", {}, percents(teacher.value)),
    make("td", { class: "bar" }, bar(teacher, i, most)),
    make("td", {}, percents(teacher.area)),
    make("td", {}, teacher.time[1] === "never" ? "not reached" : interval(teacher.time, stepsText, orNever)),
    make("td", {}, teacher.improvement ? probabilities(teacher.improvement) : "–"));
}

function orNever(steps) {
  return steps === "never" ? "never" : stepsText(steps);
}

function bar(teacher, i, most) {
  const x = scale(0, most, 4, 256);
  const [value, low, high] = teacher.value;
  const picture = draw("svg", { viewBox: "0 0 260 26", role: "img", "aria-label": `${percent(value)}` });
  picture.append(draw("line", { class: "grid", x1: 4, x2: 256, y1: 13, y2: 13 }));
  if (low !== null) {
    const band = { class: "area", x: x(low), width: Math.max(1, x(high) - x(low)), y: 6, height: 14, rx: 3 };
    picture.append(coloured(draw("rect", band), i));
  }
  teacher.scores.slice(0, 200).forEach((score) => {
    const dot = coloured(draw("circle", { class: "dot", cx: x(score), cy: 13, r: 3.2 }), i);
    dot.style.opacity = 0.6;
    picture.append(dot);
  });
  const mark = draw("line", { class: "series", "stroke-width": 3, x1: x(value), x2: x(value), y1: 2, y2: 24 });
  picture.append(coloured(mark, i));
  return picture;
}

function comparisons(benchmark) {
  const { pairs, teachers } = benchmark;
  if (!pairs.length) return null;
  const heads = ["teachers", "difference of means", "p (Welch)", "p (Holm)", "P(first is better)"];
  const name = (i) => [swatch(i), teachers[i].name];
  const rows = pairs.map((pair) => make("tr", { class: pair.adjusted !== null && pair.adjusted < 0.05 ? "sure" : null },
    make("td", {}, name(pair.a), make("span", { class: "tag" }, " against "), name(pair.b)),
    make("td", {}, pair.difference ? percents(pair.difference) : "–"),
    make("td", {}, pText(pair.p)),
    make("td", {}, pText(pair.adjusted)),
    make("td", {}, probabilities(pair.improvement))));
  const head = make("tr", {}, heads.map((text) => make("th", { scope: "col" }, text)));
  const table = make("table", { id: "pairs" }, make("thead", {}, head), make("tbody", {}, rows));
  const note = "Share of the test set mastered at the end. Welch’s t-test of unequal variances; Holm’s "
    + `correction for ${pairs.length} ${pairs.length === 1 ? "comparison" : "comparisons"}. `
    + "Bold: corrected p below 0.05.";
  return card("Every comparison", [], make("div", { class: "scroll" }, table), make("p", { class: "note" }, note));
}

function repetition(benchmark) {
  const { commands, config, teachers, versions, git } = benchmark.repeat;
  const parts = commands.map((command) => commandLine(command));
  if (!commands.length) parts.push(make("p", { class: "note" }, "The runs did not keep a command."));
  const configs = { ...config, teachers };
  const list = versions.map((found) => Object.entries(found).map(([k, v]) => `${k} ${v}`).join("   "));
  const revisions = git.map((revision) => `git ${revision}`);
  return card("Repeat it", [],
    make("p", { class: "note" }, "Run it again where the folders are, and nothing that is finished is repeated."),
    parts,
    make("pre", { id: "versions" }, [...list, ...revisions].join("\n") || "versions were not kept"),
    make("details", {}, make("summary", {}, "the whole configuration"),
      make("pre", { id: "config" }, JSON.stringify(configs, null, 2))));
}

function commandLine(command) {
  const copy = make("button", { type: "button" }, "copy");
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
      copy.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(text); // files opened from disk may not use the clipboard
      copy.textContent = "selected";
    }
  });
  const text = make("pre", { class: "line" }, command);
  return make("div", { class: "command" }, text, copy);
}
