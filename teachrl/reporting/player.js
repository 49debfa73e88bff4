// The time slider that plays each teacher's curriculum, and how difficult each test task is.

const PLAY = 140; // milliseconds per stretch
const TRAIL = 6; // stretches before the present one that are still seen, fading

function player(benchmark) {
  const { maps, teachers } = benchmark;
  const dims = [0, 1].slice(0, maps.axes.length);
  const stretches = maps.runs[0].stretches.length;
  const end = Math.max(...maps.runs.map((run) => run.end));
  const columns = teachers.map((teacher, i) => playerColumn(maps, teacher, i, dims, refresh)).filter((c) => c);
  const slider = make("input", { type: "range", id: "time", min: 1, max: stretches, value: stretches, "aria-label": "time" });
  const clock = make("output", { id: "clock", for: "time" });
  const button = make("button", { type: "button", id: "play" }, "play");
  let timer = null;
  function refresh() {
    const at = Number(slider.value);
    const steps = (end * at) / stretches;
    clock.textContent = `${stepsText(steps)} of ${stepsText(end)} steps`;
    slider.setAttribute("aria-valuetext", clock.textContent);
    columns.forEach((column) => column.show(at, steps));
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = "play";
  }
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (Number(slider.value) === stretches) slider.value = 0;
    button.textContent = "pause";
    timer = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      refresh();
      if (Number(slider.value) === stretches || !slider.isConnected) stop();
    }, PLAY);
  });
  slider.addEventListener("input", () => {
    stop();
    refresh();
  });
  const [low, high] = maps.returns;
  const hidden = maps.hidden ? ` ${maps.hidden} further coordinates are not shown.` : "";
  const note = `Above, the tasks each teacher chose in the last tenth of the time, fading with age, and outlines of what it believed, stronger where `
    + `it saw more to gain; below, the test set as last evaluated, mastered tasks dotted. To keep the page small, `
    + `${maps.rule}.${hidden}`;
  const section = card("Curricula over time",
    [...axisChoice(maps, dims, refresh), colourScale(plain(low), "return", plain(high))],
    make("div", { class: "timeline" }, button, slider, clock),
    make("div", { class: "maps" }, columns.map((column) => column.element)),
    make("p", { class: "note" }, note));
  return [section, refresh];
}

// One teacher: a choice of its runs, the map of its tasks and that of the test set.
function playerColumn(maps, teacher, i, dims, refresh) {
  const runs = maps.runs.filter((run) => run.teacher === i);
  if (!runs.length) return null;
  let run = runs[0];
  const described = (k) => {
    const e = lastBefore(run.evaluated, column.steps);
    if (e < 0) return "not evaluated yet";
    const [low, high] = maps.returns;
    const value = low + (run.results[e][k] / 99) * (high - low);
    return `return ≈ ${plain(value)}${run.mastered[e][k] === "1" ? ", mastered" : ""}`;
  };
  const tasks = new TaskMap(maps, dims), tests = new TaskMap(maps, dims, described);
  const [above, below] = [make("p"), make("p")];
  const seeds = choice(`run of ${teacher.name}`, runs.map((r, k) => [k, `seed ${r.seed}`]), (value) => {
    run = runs[Number(value)];
    refresh();
  });
  const caption = make("figcaption", {}, swatch(i), `${teacher.name} `, seeds);
  const element = make("figure", { class: "map" }, caption, tasks.canvas, above, tests.canvas, below);
  const column = { element, steps: 0, show };
  function show(at, steps) {
    column.steps = steps;
    tasks.begin();
    const [played, units, shades] = run.stretches[at - 1];
    for (let back = Math.min(TRAIL, at - 1); back > 0; back--) { // earlier stretches fade
      const [, before, their] = run.stretches[at - 1 - back];
      tasks.tasks(before, their, 0.75 * (1 - back / (TRAIL + 1)));
    }
    tasks.tasks(units, shades);
    const b = lastBefore(run.beliefs.map(([step]) => step), steps);
    if (b >= 0) tasks.belief(run.beliefs[b][1]);
    above.textContent = `${shades.length} of ${played} episodes of this stretch`;
    tests.begin();
    const e = lastBefore(run.evaluated, steps);
    below.textContent = "not evaluated yet";
    if (e < 0) return;
    const mastered = run.mastered[e];
    tests.tests(run.results[e].map((shade) => shade / 99), mastered);
    const share = [...mastered].filter((digit) => digit === "1").length / mastered.length;
    below.textContent = `${percent(share)} mastered at ${stepsText(run.evaluated[e])}`;
  }
  return column;
}

function lastBefore(steps, end) {
  let found = -1;
  steps.forEach((step, i) => {
    if (step <= end + 1e-6) found = i;
  });
  return found;
}

function difficulty(benchmark) {
  const { maps, teachers } = benchmark;
  const dims = [0, 1].slice(0, maps.axes.length);
  const known = maps.difficulty.map((shares, i) => [shares, i]).filter(([shares]) => shares);
  const pictures = known.map(([shares, i]) => {
    const map = new TaskMap(maps, dims, (k) => `mastered by ${percent(shares[k])} of the runs`);
    const caption = make("figcaption", {}, swatch(i), teachers[i].name);
    const runs = make("p", {}, `${teachers[i].runs} ${teachers[i].runs === 1 ? "run" : "runs"}`);
    return [map, shares, make("figure", { class: "map" }, caption, map.canvas, runs)];
  });
  function refresh() {
    pictures.forEach(([map, shares]) => {
      map.begin();
      map.tests(shares);
    });
  }
  const section = card("How difficult each test task is",
    [...axisChoice(maps, dims, refresh), colourScale("0 %", "of the runs master it in the end", "100 %")],
    make("div", { class: "maps" }, pictures.map(([, , element]) => element)));
  return [section, refresh];
}
