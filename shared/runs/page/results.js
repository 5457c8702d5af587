"use strict";
// Sorting and filtering of tables, and what plotly is asked to draw. The data stand in the page: see results_page.py.
const { series, scatter, names } = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const MANY = 8; // experiments whose curves are shown from the start
const TITLES = { test_accuracy: "test accuracy", train_accuracy: "training accuracy", train_loss: "training loss" };
const FRAMEWORKS = { gluon: "Gluon", torch: "PyTorch" };

// --- tables ---
function keyOf(cell) {
  const text = cell.dataset.sort ?? cell.textContent.trim();
  const number = text === "" ? NaN : Number(text.replace(/^−/, "-").match(/^[-+]?[0-9.]+(e[-+]?\d+)?/i)?.[0] ?? NaN);
  return { text, number };
}

function compare(a, b) {
  if (!Number.isNaN(a.number) && !Number.isNaN(b.number) && a.number !== b.number) return a.number - b.number;
  if (Number.isNaN(a.number) !== Number.isNaN(b.number)) return Number.isNaN(a.number) ? 1 : -1; // what has no number comes last
  return a.text.localeCompare(b.text, undefined, { numeric: true });
}

for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("button")?.closest("th");
    if (!head) return;
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of table.tHead.querySelectorAll("th")) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].map((row) => [keyOf(row.cells[head.cellIndex]), row]);
    rows.sort(([a], [b]) => (Number.isNaN(a.number) === Number.isNaN(b.number) ? sign : 1) * compare(a, b));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  });
}

const filter = document.getElementById("filter");
filter.addEventListener("input", () => {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...document.getElementById("all-runs").tBodies[0].rows];
  for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
  document.getElementById("shown").textContent = words.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} runs` : "";
});

// --- figures ---
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function layout(x, y, more) {
  const axis = { gridcolor: css("--line"), zerolinecolor: css("--line"), linecolor: css("--line"), automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: { l: 10, r: 10, t: 10, b: 10 },
    font: { color: css("--text"), family: "system-ui, 'DejaVu Sans', sans-serif", size: 13 }, hovermode: "closest",
    hoverlabel: { bgcolor: css("--back"), bordercolor: css("--line"), font: { color: css("--text") }, align: "left", namelength: -1 },
    modebar: { color: css("--dim"), activecolor: css("--accent"), bgcolor: "rgba(0,0,0,0)" },
    xaxis: { ...axis, title: { text: x } }, yaxis: { ...axis, title: { text: y } }, ...more,
  };
}

const CONFIG = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d"] };

// A line, and before it the band of its seeds where there are several.
function traces(one, what, colour, more = {}) {
  if (!one.curves[what]) return [];
  const [mean, spread] = one.curves[what];
  const there = mean.map((value, i) => i).filter((i) => mean[i] !== null);
  const banded = there.filter((i) => spread[i] !== null);
  const group = { legendgroup: more.legendgroup ?? String(one.group), visible: more.visible ?? true };
  const line = {
    ...group, type: "scatter", mode: "lines+markers", name: one.label, x: there, y: there.map((i) => mean[i]), showlegend: false,
    line: { color: colour, width: 2, dash: one.framework === "torch" ? "dash" : "solid" },
    marker: { size: 6, symbol: one.framework === "torch" ? "circle-open" : "circle", color: colour },
    meta: [one.label, FRAMEWORKS[one.framework], one.seeds === 1 ? "1 seed" : `mean of ${one.seeds} seeds`, TITLES[what]],
    customdata: there.map((i) => (spread[i] === null ? "" : ` ± ${spread[i].toPrecision(2)}`)),
    hovertemplate: "%{meta[0]}, %{meta[1]}<br>epoch %{x}: %{meta[3]} %{y:.4f}%{customdata}<br>%{meta[2]}<extra></extra>", ...more,
  };
  if (!banded.length) return [line];
  const ends = (sign) => banded.map((i) => mean[i] + sign * spread[i]);
  const band = {
    ...group, type: "scatter", mode: "lines", x: [...banded, ...banded.toReversed()], y: [...ends(1), ...ends(-1).toReversed()],
    fill: "toself", fillcolor: colour, opacity: 0.16, line: { width: 0, color: colour }, hoverinfo: "skip", showlegend: false,
  };
  return [band, line];
}

// A layout over epochs: ticks at whole ones, about ten.
function overEpochs(y, drawn, legend) {
  const last = Math.max(1, ...drawn.flatMap((trace) => trace.x));
  const found = layout("epoch", y, { legend });
  Object.assign(found.xaxis, { tick0: 0, dtick: Math.ceil(last / 10) });
  return found;
}

const ABOVE = { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" };

function overview() {
  const what = document.querySelector("input[name=what]:checked").value;
  const shown = new Set();
  const drawn = series.flatMap((one) => {
    const first = !shown.has(one.group) && one.curves[what];
    if (first) shown.add(one.group);
    const visible = one.group < MANY ? true : "legendonly";
    return traces(one, what, one.colour[dark.matches ? 1 : 0], { visible, showlegend: Boolean(first) });
  });
  const narrow = innerWidth < 720;
  const legend = narrow ? { orientation: "h", y: -0.2, yanchor: "top" } : { x: 1.01, y: 1 };
  const note = document.getElementById("hidden-curves");
  note.hidden = shown.size <= MANY;
  note.textContent = `The curves of the first ${MANY} of ${shown.size} experiments are shown; click the others in the legend.`;
  const figure = document.getElementById("overview");
  Plotly.react(figure, drawn, overEpochs(TITLES[what], drawn, { ...legend, groupclick: "togglegroup" }), CONFIG);
}

function curves(figure) {
  const drawn = series.filter((one) => one.group === Number(figure.dataset.curves)).flatMap((one) => {
    const colour = css(`--${one.framework}`);
    const named = (what) => {
      const name = `${FRAMEWORKS[one.framework]}, ${what}`;
      return { name, showlegend: true, legendgroup: name };
    };
    return [
      ...traces(one, "train_accuracy", colour, { ...named("training"), opacity: 0.45 }),
      ...traces(one, "test_accuracy", colour, named("test")),
    ];
  });
  Plotly.react(figure, drawn, overEpochs("accuracy", drawn, ABOVE), CONFIG);
}

function images(figure) {
  const { points, names: number } = scatter[figure.dataset.scatter];
  const [same, other] = [0, 1].map((differs) => points.filter((point) => point[4] === differs));
  const trace = (some, name, colour, symbol, size, opacity) => ({
    type: "scatter", mode: "markers", name: `${name} (${some.length})`, x: some.map((p) => p[0]), y: some.map((p) => p[1]), opacity,
    marker: { color: colour, symbol, size }, text: some.map((p) => names[number][p[3]]), customdata: some.map((p) => p[2]),
    hovertemplate: "%{text}<br>seed %{customdata}<br>Gluon %{x:.4f}, PyTorch %{y:.4f}<extra></extra>",
  });
  const diagonal = { type: "line", x0: 0, x1: 1, y0: 0, y1: 1, layer: "below", line: { color: css("--dim"), width: 1, dash: "dot" } };
  const range = { range: [-0.03, 1.03] };
  const about = layout("probability of the right class in Gluon", "in PyTorch", { shapes: [diagonal], legend: ABOVE });
  Object.assign(about.xaxis, range);
  Object.assign(about.yaxis, range);
  const drawn = [trace(same, "called the same", css("--accent"), "circle", 6, 0.5), trace(other, "called differently", css("--bad"), "x", 9, 1)];
  Plotly.react(figure, drawn, about, CONFIG);
}

// A figure is drawn when it is first seen: a page of a hundred runs has a hundred of them.
const drawers = new Map([[document.getElementById("overview"), overview]]);
for (const figure of document.querySelectorAll("[data-curves]")) drawers.set(figure, () => curves(figure));
for (const figure of document.querySelectorAll("[data-scatter]")) drawers.set(figure, () => images(figure));
const seen = new Set();
const observer = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting && !seen.has(target)) {
      seen.add(target);
      drawers.get(target)();
    }
  }
}, { rootMargin: "400px" });
for (const figure of drawers.keys()) observer.observe(figure);
const redraw = () => seen.forEach((figure) => drawers.get(figure)());
dark.addEventListener("change", redraw);
for (const input of document.querySelectorAll("input[name=what]")) input.addEventListener("change", overview);
// A link to a section from elsewhere on the page opens what it lies in.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => { one.open = true; }));
