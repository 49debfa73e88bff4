// Maps of the task space: a panel with axes in task units, points, cells and outlines.

const MARGIN = { left: 40, right: 8, top: 8, bottom: 34 };

// A canvas that shows two coordinates of the task space, or one with the return as height.
class TaskMap {
  constructor(maps, dims, describe = null) {
    this.maps = maps;
    this.dims = dims;
    this.describe = describe; // what the tip says of a test task
    this.canvas = make("canvas", { width: 10, height: 10 });
    this.spots = []; // [x, y, index] of what can be pointed at
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", hideTip);
  }

  // Clear, and draw the axes.
  begin() {
    const box = this.canvas.getBoundingClientRect();
    this.width = Math.max(box.width, 160);
    this.height = Math.max(box.height, 160);
    const dense = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.width * dense);
    this.canvas.height = Math.round(this.height * dense);
    const pen = (this.pen = this.canvas.getContext("2d"));
    pen.scale(dense, dense);
    const { left, right, top, bottom } = MARGIN;
    this.x = scale(-0.05, 1.05, left, this.width - right);
    this.y = scale(-0.05, 1.05, this.height - bottom, top);
    this.spots = [];
    pen.fillStyle = themed("--soft");
    pen.font = "11px system-ui, sans-serif";
    const [first, second] = this.dims;
    this.axis(this.maps.axes[first], true);
    this.axis(this.isLine() ? { name: "return", low: this.maps.returns[0], high: this.maps.returns[1], kind: "float" }
      : this.maps.axes[second], false);
  }

  isLine() {
    return this.dims.length === 1;
  }

  axis(axis, isFlat) {
    const { pen } = this;
    const middle = isFlat ? (MARGIN.left + this.width - MARGIN.right) / 2 : (MARGIN.top + this.height - MARGIN.bottom) / 2;
    axisTicks(axis).forEach(([unit, text]) => {
      const place = isFlat ? this.x(unit) : this.y(unit);
      pen.textAlign = isFlat ? "center" : "right";
      pen.textBaseline = isFlat ? "top" : "middle";
      if (isFlat) pen.fillText(text, place, this.height - MARGIN.bottom + 4);
      else pen.fillText(text, MARGIN.left - 5, place);
    });
    pen.save();
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    if (isFlat) pen.translate(middle, this.height - 7);
    else {
      pen.translate(9, middle);
      pen.rotate(-Math.PI / 2);
    }
    pen.fillText(axis.name, 0, 0);
    pen.restore();
  }

  // Where the i-th of flat unit coordinates in thousandths lies; its shade is the height on a line.
  place(units, i, shade) {
    const d = this.maps.axes.length;
    const at = (k) => units[i * d + this.dims[k]] / 1000;
    return [this.x(at(0)), this.y(this.isLine() ? shade : at(1))];
  }

  tasks(units, shades, fade = 1) {
    const { pen } = this;
    pen.globalAlpha = 0.9 * fade;
    pen.strokeStyle = themed("--rim"); // dark colours need one on dark paper
    pen.lineWidth = 0.7;
    shades.forEach((shade, i) => {
      const [x, y] = this.place(units, i, shade / 99);
      pen.fillStyle = returnColour(shade / 99);
      pen.beginPath();
      pen.arc(x, y, 3.2, 0, 7);
      pen.fill();
      pen.stroke();
    });
    pen.globalAlpha = 1;
  }

  // Test tasks: cells where they are a grid, else dots; those that are mastered carry a mark.
  tests(shares, mastered = "") {
    const { pen } = this;
    const units = this.maps.tests;
    const cells = this.cells();
    shares.forEach((share, i) => {
      const [x, y] = this.place(units, i, share);
      this.spots.push([x, y, i]);
      pen.fillStyle = returnColour(share);
      pen.beginPath();
      if (cells) pen.rect(...cells[i]);
      else pen.arc(x, y, 5, 0, 7);
      pen.fill();
      if (mastered[i] !== "1") return;
      pen.beginPath();
      pen.arc(x, y, cells ? Math.min(4, cells[i][2] / 4) : 2.2, 0, 7);
      pen.fillStyle = "#ffffff";
      pen.fill();
      pen.strokeStyle = "#22252a";
      pen.lineWidth = 1.2;
      pen.stroke();
    });
  }

  // A rectangle for each test task, half way to its neighbours; null where they are no grid of these coordinates.
  cells() {
    if (this.isLine()) return null;
    const d = this.maps.axes.length, units = this.maps.tests;
    const column = (k) => units.filter((_, j) => j % d === this.dims[k]);
    const [xs, ys] = [column(0), column(1)];
    const places = new Set(xs.map((x, i) => `${x} ${ys[i]}`));
    if (places.size !== xs.length || new Set(xs).size * new Set(ys).size !== xs.length) return null;
    const [wide, high] = [borders(xs), borders(ys)];
    if (!wide || !high) return null;
    return xs.map((x, i) => {
      const [[left, right], [bottom, top]] = [wide.get(x), high.get(ys[i])];
      return [this.x(left) + 0.5, this.y(top) + 0.5, this.x(right) - this.x(left) - 1, this.y(bottom) - this.y(top) - 1];
    });
  }

  // What a teacher believes: outlines that are stronger where it sees more to gain.
  belief(belief) {
    const outlines = outlinesOf(belief, this.dims);
    const values = belief.values && belief.values.length === outlines.length ? belief.values : outlines.map(() => 1);
    const most = Math.max(1e-9, ...values);
    const { pen } = this;
    pen.save();
    pen.beginPath();
    pen.rect(MARGIN.left, MARGIN.top, this.width - MARGIN.left - MARGIN.right, this.height - MARGIN.top - MARGIN.bottom);
    pen.clip();
    pen.strokeStyle = themed("--ink");
    outlines.forEach((outline, i) => {
      pen.globalAlpha = 0.25 + 0.7 * Math.max(0, values[i] / most);
      pen.lineWidth = 1.5;
      pen.beginPath();
      outline.forEach(([x, y], k) => (k ? pen.lineTo : pen.moveTo).call(pen, this.x(x), this.y(y)));
      pen.closePath();
      pen.stroke();
    });
    pen.restore();
  }

  point(event) {
    if (!this.describe || !this.spots.length) return;
    const box = this.canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const far = this.spots.map(([x, y]) => Math.hypot(x - px, y - py));
    const nearest = Math.min(...far);
    if (nearest > 24) return hideTip();
    const i = this.spots[far.indexOf(nearest)][2];
    const d = this.maps.axes.length;
    const rows = this.maps.axes.map((axis, k) => [axis.name, plain(taskValue(axis, this.maps.tests[i * d + k] / 1000))]);
    showTip(event.clientX, event.clientY, this.describe(i), rows);
  }
}

// Where each of some values in thousandths begins and ends, half way to its neighbours; null for a single one.
function borders(values) {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  if (sorted.length < 2) return null;
  const end = sorted.length - 1;
  const middle = (i) => (sorted[i] + sorted[i + 1]) / 2000;
  return new Map(sorted.map((value, i) => [value, [
    i ? middle(i - 1) : Math.max(-0.045, value / 500 - middle(0)),
    i < end ? middle(i) : Math.min(1.045, value / 500 - middle(end - 1)),
  ]]));
}

// Outlines in unit coordinates; on a line, heights are shares of the panel.
function outlinesOf(belief, dims) {
  const [a, b] = dims;
  if (belief.means && belief.covariances) {
    return belief.means.map((mean, i) => {
      const c = belief.covariances[i];
      return b === undefined ? bell(mean[a], Math.sqrt(c[a][a])) : ellipse(mean[a], mean[b], c[a][a], c[a][b], c[b][b]);
    });
  }
  if (belief.low && belief.high) {
    return belief.low.map((low, i) => {
      const high = belief.high[i];
      const [bottom, top] = b === undefined ? [0, 1] : [low[b], high[b]];
      return [[low[a], bottom], [high[a], bottom], [high[a], top], [low[a], top]];
    });
  }
  return (belief.points || []).map((p) => ellipse(p[a], b === undefined ? 0.02 : p[b], 4e-5, 0, 4e-5));
}

// Two standard deviations of a Gaussian, by the Cholesky factor of its covariance.
function ellipse(x, y, xx, xy, yy) {
  const l11 = Math.sqrt(Math.max(xx, 0)), l21 = l11 ? xy / l11 : 0, l22 = Math.sqrt(Math.max(yy - l21 * l21, 0));
  return Array.from({ length: 49 }, (_, k) => {
    const turn = (2 * Math.PI * k) / 48, [c, s] = [Math.cos(turn), Math.sin(turn)];
    return [x + 2 * l11 * c, y + 2 * (l21 * c + l22 * s)];
  });
}

function bell(x, deviation) {
  return Array.from({ length: 41 }, (_, k) => {
    const z = -3 + (6 * k) / 40;
    return [x + z * deviation, 0.4 * Math.exp((-z * z) / 2)];
  });
}

// A unit coordinate in task units; each whole number owns a cell.
function taskValue({ low, high, kind }, unit) {
  if (kind === "log") return low * (high / low) ** unit;
  if (kind === "int") return Math.round(low - 0.5 + unit * (high - low + 1));
  return low + unit * (high - low);
}

function axisTicks(axis) {
  const { low, high, kind } = axis;
  if (kind === "log") {
    const found = [];
    for (let p = Math.ceil(Math.log10(low) - 1e-9); 10 ** p <= high * 1.0001; p++) {
      found.push([Math.log(10 ** p / low) / Math.log(high / low), p > 3 || p < -2 ? `1e${p}` : String(Number((10 ** p).toPrecision(2)))]);
    }
    return found;
  }
  if (high === low) return [[0.5, plain(low)]];
  const half = kind === "int" ? 0.5 : 0;
  const values = ticks(low, high, 4).filter((v) => kind !== "int" || Number.isInteger(v));
  return values.map((v) => [(v - low + half) / (high - low + 2 * half), plain(v)]);
}

function axisNames(maps) {
  return maps.axes.map((axis, i) => [i, axis.name]);
}

// Two selects for the coordinates on show; none where there is nothing to choose.
function axisChoice(maps, dims, onchange) {
  if (maps.axes.length < 3) return [];
  return [0, 1].map((k) => {
    const select = choice(k ? "vertical coordinate" : "horizontal coordinate", axisNames(maps), (value) => {
      dims[k] = Number(value);
      onchange();
    });
    select.value = dims[k];
    return select;
  });
}
