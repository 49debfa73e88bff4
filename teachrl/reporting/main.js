// Put the page together, for one benchmark at a time.

(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const main = document.getElementById("main"), tabs = document.getElementById("tabs");
  let redraw = [];

  function show(k) {
    const benchmark = data.benchmarks[k];
    [...tabs.children].forEach((tab, i) => tab.setAttribute("aria-selected", i === k));
    redraw = [];
    const parts = [facts(benchmark), leaderboard(benchmark)];
    for (const part of benchmark.maps ? [learningCurves, player, difficulty] : [learningCurves]) {
      const [section, refresh] = part(benchmark);
      parts.push(section);
      redraw.push(refresh);
    }
    parts.push(make("div", { class: "split" }, profiles(benchmark), comparisons(benchmark)));
    if (data.benchmarks.length > 2) parts.push(radar(data.benchmarks));
    parts.push(repetition(benchmark));
    hideTip();
    main.replaceChildren(...parts.filter((part) => part));
    redraw.forEach((refresh) => refresh());
  }

  function facts(benchmark) {
    const list = make("dl", { class: "facts" });
    benchmark.facts.forEach(([name, value]) => list.append(
      make("div", {}, make("dt", {}, name), make("dd", {}, value))));
    return list;
  }

  function setTheme(name) {
    document.documentElement.dataset.theme = name;
    redraw.forEach((refresh) => refresh());
  }

  const dark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  document.getElementById("theme").addEventListener("click", () => {
    setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  });
  if (data.benchmarks.length > 1) {
    data.benchmarks.forEach((benchmark, k) => tabs.append(
      make("button", { type: "button", role: "tab", onclick: () => show(k) }, benchmark.name)));
    tabs.setAttribute("role", "tablist");
  }
  new ResizeObserver(() => redraw.forEach((refresh) => refresh())).observe(main);
  show(0);
})();
