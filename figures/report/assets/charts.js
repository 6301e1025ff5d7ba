"use strict";
// Charts: lines with bands, drawn anew when the window or the choice of lines changes.

/** Return the points of a line as rows; a band needs both ends. */
function listRows(line) {
  return line.points.map(([x, y, low, high]) => ({ name: line.name, x, y, low, high }));
}

const darkness = matchMedia("(prefers-color-scheme: dark)");

/** Return a line's colour; all are lighter on a dark ground, and the darkest the most. */
function getColour(line) {
  const colour = d3.hcl(line.colour);
  if (darkness.matches) colour.l = 48 + colour.l / 2;
  return colour.formatHex();
}

/** Draw a chart into a place, without the lines that are switched off. */
function drawChart(place, chart, isShown) {
  const rows = chart.series.filter((line) => isShown(line.name)).flatMap(listRows);
  const colours = new Map(chart.series.map((line) => [line.name, getColour(line)]));
  const colour = (row) => colours.get(row.name);
  const narrow = place.clientWidth < 520;
  const format = (value) => value.toFixed(1);
  const svg = Plot.plot({
    width: Math.max(300, place.clientWidth), height: narrow ? 300 : 400, marginLeft: 48, marginRight: 16, marginBottom: 40,
    ariaLabel: `${chart.title}; the table below holds its numbers`,
    x: { type: "log", base: 2, label: chart.x, tickFormat: (value) => formatCompute(value), ticks: narrow ? 5 : 9 },
    y: { label: chart.y, grid: true, nice: true },
    marks: [
      Plot.areaY(rows.filter((row) => row.low !== null), { x: "x", y1: "low", y2: "high", z: "name", fill: colour, fillOpacity: 0.1 }),
      Plot.lineY(rows, { x: "x", y: "y", z: "name", stroke: colour, strokeWidth: 1.8 }),
      Plot.dot(rows, { x: "x", y: "y", fill: colour, r: 2.5 }),
      Plot.tip(rows, Plot.pointer({
        x: "x", y: "y", fill: "var(--ground)",
        title: (row) => `${row.name} at ${formatCompute(row.x)}x\n${format(row.y)}${row.low === null ? "" : ` [${format(row.low)}, ${format(row.high)}]`}`,
      })),
    ],
  });
  svg.setAttribute("role", "img"); // one picture with one name: its groups have none
  svg.querySelectorAll("g[aria-label]").forEach((group) => group.removeAttribute("aria-label"));
  svg.querySelectorAll("style").forEach((style) => style.remove()); // the page's own style holds these rules
  place.replaceChildren(svg);
}

/** Build a chart with its title and the switches of its lines. */
function buildChart(figure, chart) {
  const place = makeElement("div", { class: "place" });
  const keys = makeElement("fieldset", { class: "keys", "aria-label": `Lines of: ${chart.title}` });
  const boxes = new Map();
  const swatches = new Map();
  for (const line of chart.series) {
    const box = makeElement("input", { type: "checkbox" });
    box.checked = true;
    boxes.set(line.name, box);
    const swatch = makeElement("i");
    swatches.set(swatch, line);
    keys.append(makeElement("label", {}, box, swatch, line.name));
  }
  const draw = () => {
    for (const [swatch, line] of swatches) swatch.style.backgroundColor = getColour(line);
    drawChart(place, chart, (name) => boxes.get(name).checked);
  };
  keys.addEventListener("change", draw);
  darkness.addEventListener("change", draw);
  figure.replaceChildren(makeElement("figcaption", {}, chart.title), keys, place);
  let width = 0;
  new ResizeObserver(() => {
    if (place.clientWidth !== width) {
      width = place.clientWidth;
      requestAnimationFrame(draw);
    }
  }).observe(place);
}
