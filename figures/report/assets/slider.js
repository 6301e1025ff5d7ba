"use strict";
// The budget slider: it looks a budget up among the steps at which the plan changes.

const TICKS = 400;

/** Return an element with attributes, a text and children. No text is read as HTML. */
function makeElement(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Return the units of a source as they are chosen; multiples of SC's plateau are a way to write x. */
function listUnits(source) {
  const listed = source.units.map((plans) => ({ plans, words: plans.words, plateau: 1 }));
  const x = source.units.find((plans) => plans.name === "x");
  if (x && x.plateau !== null) listed.splice(1, 0, { plans: x, words: "x-plateau", plateau: x.plateau });
  return listed;
}

/** Return an amount in what steps start at: x, or seconds. A text says why it buys nothing. */
function convertAmount(unit, amount) {
  const { plans } = unit;
  if (plans.latency) {
    const fastest = plans.steps[0][0];
    return amount < fastest ? `No answer comes within ${formatDigits(amount, 4)} s; the fastest takes ${formatDigits(fastest, 4)} s.` : amount;
  }
  if (plans.solution === null) {
    const x = amount * unit.plateau;
    return x < 1 ? `A budget of ${formatCompute(x)}x does not pay for one solution; the least is 1x.` : x;
  }
  const spent = plans.factors.reduce((product, factor) => product * factor, amount);
  if (spent < plans.solution * (1 - 1e-12)) {
    return `This does not pay for one solution, which costs ${formatDigits(convertBack(unit, 1), 4)} ${plans.words}.`;
  }
  return Math.max(1, spent / plans.solution);
}

/** Return the amount of a unit that is so many x, or seconds. */
function convertBack(unit, budget) {
  const { plans } = unit;
  if (plans.latency) return budget;
  return plans.factors.reduce((rest, factor) => rest / factor, (budget * (plans.solution ?? 1)) / unit.plateau);
}

/** Return the last step that starts at a budget or below. */
function findStep(steps, budget) {
  let low = 0;
  let high = steps.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (steps[middle][0] <= budget) low = middle;
    else high = middle;
  }
  return steps[low];
}

/** Return an option with its certainty, under the names that `plan --json` has. */
function nameOption(plans, number, certainty) {
  if (number < 0) return null;
  const { costs, ...allocation } = plans.options[number];
  const [low, high, best, highest, gapLow, gapHigh] = certainty;
  return {
    ...allocation,
    interval: low === null ? null : [low, high],
    probability_best: best,
    probability_highest: highest,
    gap_interval: gapLow === null ? null : [gapLow, gapHigh],
    costs,
  };
}

/** Return the plan at a budget: what `plan --json` says, under the same names. */
function findPlan(source, unit, budget) {
  const { plans } = unit;
  const [, best, sure, next, nextSure, warnings] = findStep(plans.steps, budget);
  const recommendation = nameOption(plans, best, sure);
  delete recommendation.gap_interval;
  const runnerUp = nameOption(plans, next, nextSure);
  if (runnerUp !== null) {
    runnerUp.gap = recommendation.accuracy - runnerUp.accuracy;
    delete runnerUp.costs;
  }
  const written = plans.latency ? formatDigits(budget, 4) : formatCompute(budget);
  return {
    budget: plans.latency ? { seconds: budget } : { x: budget },
    recommendation,
    runner_up: runnerUp,
    warnings: warnings.map((at) => plans.sentences[at].replaceAll(source.mark, written)),
  };
}

/** Return an allocation as text. */
function describeNumbers(option) {
  const text = Object.entries(option.numbers).map(([name, number]) => `${name}=${number}`).join(" ");
  return option.interpolated ? `${text} (interpolated)` : text;
}

/** Return a budget as it is typed after --budget. */
function writeBudget(unit, text) {
  if (unit.words === "$") return `$${text}`;
  return unit.words.startsWith("x") ? `${text}${unit.words}` : `${text} ${unit.words}`;
}

/** Quote a word for a shell, if it needs it. */
function quoteWord(word) {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** Return a command in parts that are broken between words, and not at the hyphens of an option. */
function splitWords(command) {
  return command.split(" ").flatMap((word, i) => [...(i ? [" "] : []), makeElement("span", { class: "word" }, word)]);
}

/** Fill the place of an answer with a plan. */
function showPlan(place, source, unit, text, plan) {
  const best = plan.recommendation;
  const second = plan.runner_up;
  const entries = [
    ["Solutions S", best.solutions ?? "–"],
    ["Verifications V of each", best.verifications ?? "–"],
    [best.interval === null ? "Measured accuracy" : "Expected accuracy", formatShare(best.accuracy) + formatEnds(...(best.interval ?? []))],
    ["P(best)", best.probability_best === null ? "unknown" : best.probability_best.toFixed(2)],
    ["Runner-up", second === null ? "none"
      : `${second.strategy} ${describeNumbers(second)}, for ${formatAllocationCost(second.compute)}: ${formatShare(second.accuracy)}${formatEnds(...(second.interval ?? []))}, behind by ${formatPoints(second.gap)} points${formatEnds(...(second.gap_interval ?? []), true)}`],
    ["Costs per problem", Object.entries(source.costs).filter(([name]) => best.costs[name] !== null)
      .map(([name, [written, words]]) => formatCost(best.costs[name], written, words)).join(", ")],
  ];
  const list = makeElement("dl");
  for (const [name, value] of entries) list.append(makeElement("dt", {}, name), makeElement("dd", {}, String(value)));
  const json = makeElement("details", {}, makeElement("summary", {}, "As JSON"), makeElement("pre", { class: "json" }, JSON.stringify(plan, null, 2)));
  const profile = source.is_run ? "profile.json" : source.profile;
  const words = ["--budget", writeBudget(unit, text), "--profile", profile, ...source.options, "--json"];
  const command = `isocompute plan ${words.map(quoteWord).join(" ")}`;
  const fit = source.is_run ? `isocompute fit ${quoteWord(source.profile)} -o profile.json && ` : "";
  place.replaceChildren(
    makeElement("p", { class: "answer" }, `At ${writeBudget(unit, text)} per problem, run ${best.strategy} with ${describeNumbers(best)}.`),
    list,
    ...plan.warnings.map((warning) => makeElement("p", { class: "note" }, warning)),
    makeElement("p", { class: "note" }, "The same in the terminal: ", makeElement("code", {}, ...splitWords(fit + command))),
    json,
  );
}

/** Build a slider in its section. */
function buildSlider(section, source) {
  const name = section.dataset.slider;
  const units = listUnits(source);
  const range = makeElement("input", { type: "range", min: 0, max: TICKS, step: 1, id: `${name}-range` });
  const amount = makeElement("input", { type: "text", id: `${name}-amount`, inputmode: "decimal", autocomplete: "off", spellcheck: "false" });
  const chosen = makeElement("select", { id: `${name}-unit` });
  units.forEach((unit, at) => chosen.append(makeElement("option", { value: at }, unit.words)));
  const answer = makeElement("div", { "aria-live": "polite", class: "plan" });
  const getUnit = () => units[Number(chosen.value)];
  const getEnds = () => {
    const { steps } = getUnit().plans;
    return [convertBack(getUnit(), steps[0][0]), convertBack(getUnit(), 1.5 * steps.at(-1)[0])];
  };

  function answerBudget() {
    const unit = getUnit();
    const value = readAmount(amount.value, unit.plans.unit);
    const budget = value === null ? "Type an amount above zero, such as 128 or 3.2M for tokens." : convertAmount(unit, value);
    if (typeof budget === "string") {
      answer.replaceChildren(makeElement("p", { class: "refused" }, budget));
      return;
    }
    const [least, most] = getEnds();
    range.value = Math.round((TICKS * Math.log(value / least)) / Math.log(most / least));
    range.setAttribute("aria-valuetext", writeBudget(unit, amount.value));
    showPlan(answer, source, unit, amount.value.trim(), findPlan(source, unit, budget));
  }

  function setAmount(value) {
    amount.value = writeAmount(value);
    answerBudget();
  }

  range.addEventListener("input", () => {
    const [least, most] = getEnds();
    setAmount(least * (most / least) ** (Number(range.value) / TICKS));
  });
  amount.addEventListener("input", answerBudget);
  chosen.addEventListener("change", () => setAmount(Math.sqrt(getEnds()[0] * getEnds()[1])));
  const lacking = Object.entries(source.lacking).map(([words, why]) => makeElement("li", {}, `${words}: ${why}`));
  section.replaceChildren(
    makeElement("h3", { id: `${name}-slider` }, "What to run at another budget"),
    makeElement("div", { class: "controls" },
      makeElement("div", {}, makeElement("label", { for: range.id }, "Budget per problem"), range),
      makeElement("div", {}, makeElement("label", { for: amount.id }, "Amount"), amount),
      makeElement("div", {}, makeElement("label", { for: chosen.id }, "Unit"), chosen)),
    answer,
    ...(lacking.length ? [makeElement("details", {}, makeElement("summary", {}, "Units without plans, and why"), makeElement("ul", {}, ...lacking))] : []),
  );
  setAmount(source.start);
}
