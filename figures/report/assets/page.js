"use strict";
// What makes the page work: sliders, charts and the buttons that copy tables.

const report = JSON.parse(document.getElementById("data").textContent);

/** Return a table as lines with tabs between cells. */
function writeTable(table) {
  return [...table.rows].map((row) => [...row.cells].map((cell) => cell.textContent.replace(/\s+/g, " ")).join("\t")).join("\n");
}

/** Copy a text; where the clipboard is closed to pages, through a selection. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = makeElement("textarea", { "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.addEventListener("click", async () => {
    await copyText(writeTable(document.getElementById(button.dataset.copy)));
    document.getElementById("said").textContent = "The table was copied.";
    button.textContent = "Copy table ✓";
    setTimeout(() => { button.textContent = "Copy table"; }, 1500);
  });
}
for (const section of document.querySelectorAll("[data-slider]")) buildSlider(section, report[section.dataset.slider]);
for (const figure of document.querySelectorAll("[data-chart]")) {
  const [name, ...chart] = figure.dataset.chart.split("-");
  buildChart(figure, report[name].charts[chart.join("-")]);
}
