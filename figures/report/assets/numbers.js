"use strict";
// Numbers as the planner writes and reads them, so that an answer here is the same text as in the terminal.

/** Round to significant digits; a tie goes to the even digit, as in Python. */
function roundDigits(value, digits) {
  const [mantissa, exponent] = value.toExponential(30).split("e");
  const all = mantissa.replace(".", "").replace("-", "");
  const isTie = /^50*$/.test(all.slice(digits));
  const isEven = Number(all[digits - 1]) % 2 === 0;
  if (!isTie || !isEven) return Number(value.toPrecision(digits));
  return Number(`${value < 0 ? "-" : ""}${all[0]}.${all.slice(1, digits)}e${exponent}`);
}

/** Put separators between thousands. */
function groupThousands(text) {
  const [whole, rest] = text.split(".");
  return whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",") + (rest === undefined ? "" : `.${rest}`);
}

/** Round to a whole number; a tie goes to the even one. */
function roundWhole(value) {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

/** Write compute in x without the unit, as planner.budget.format_compute does. */
function formatCompute(x) {
  if (x < 99.95) return String(roundDigits(x, 3));
  if (x < 999.95) return String(roundDigits(x, 4));
  return groupThousands(String(roundWhole(x)));
}

/** Write a number with significant digits and separators, as planner.budget.format_amount does. */
function formatDigits(value, digits) {
  if (value === 0) return "0";
  const rounded = roundDigits(value, digits);
  const power = Math.floor(Math.log10(Math.abs(rounded)) + 1e-12);
  if (power < -4 || power >= 15) {
    const [mantissa, exponent] = rounded.toExponential().split("e");
    return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }
  return groupThousands(rounded.toFixed(Math.max(0, digits - 1 - power)).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, ""));
}

/** Round up to significant digits, so that a cost that is typed back as a budget pays for the same. */
function roundUp(amount, digits = 4) {
  if (amount <= 0) return amount;
  const rounded = roundDigits(amount, digits);
  if (rounded >= amount * (1 - 1e-12)) return rounded;
  return roundDigits(rounded + 10 ** (Math.floor(Math.log10(amount)) - digits + 1), digits);
}

/** Write the compute of an allocation in x, as planner.budget.format_cost does. */
function formatAllocationCost(x) {
  return `${formatCompute(roundUp(x, x < 99.95 ? 3 : x < 999.95 ? 4 : Math.max(4, Math.floor(Math.log10(x)) + 1)))}x`;
}

/** Write a cost in one of the units of costs. */
function formatCost(exact, unit, words) {
  const amount = roundUp(exact);
  const after = words ? ` ${words}` : "";
  if (unit === "tokens") {
    for (const [scale, prefix] of [[1e9, "B"], [1e6, "M"]]) {
      if (amount >= scale) return `${formatDigits(amount / scale, 4)}${prefix} tokens${after}`;
    }
  }
  if (unit === "FLOPs") return `${roundDigits(amount, 4).toExponential()} FLOPs${after}`;
  const number = formatDigits(amount, 4);
  return `${unit === "$" ? `$${number}` : unit === "x" ? `${number}x` : `${number} ${unit}`}${after}`;
}

const SCALES = { "": 1, k: 1e3, m: 1e6, b: 1e9, g: 1e9, t: 1e12, p: 1e15, e: 1e18, z: 1e21 };
const SCALED = { tokens: "kmbgt", FLOPs: "kmbgtpez" };

/** Read an amount such as 3.2M in a unit; null if it is none. */
function readAmount(text, unit) {
  const parts = /^\s*((?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,30})?(?:e[+-]?\d{1,3})?)\s*([a-z]?)\s*$/i.exec(text);
  if (parts === null) return null;
  const scale = parts[2].toLowerCase();
  if (scale && !(SCALED[unit] || "").includes(scale)) return null;
  const amount = Number(parts[1].replaceAll(",", "")) * SCALES[scale];
  return amount > 0 && Number.isFinite(amount) ? amount : null;
}

/** Write an amount that a slider chose, so that it can be typed: four digits, rounded up. */
function writeAmount(amount) {
  const number = roundUp(amount);
  return number >= 1e6 || number < 1e-3 ? number.toExponential() : String(number);
}

/** Write points with a digit, and no minus before a zero. */
function formatPoints(share) {
  return (100 * share).toFixed(1).replace(/^-(0\.0)$/, "$1");
}

/** Write an accuracy in percent, and the ends of an interval. */
function formatShare(value) {
  return value === null ? "unknown" : `${formatPoints(value)} %`;
}
function formatEnds(low, high, sign) {
  if (low === null || low === undefined) return "";
  const write = (end) => `${sign && end >= 0 ? "+" : ""}${formatPoints(end)}`;
  return ` [${write(low)}, ${write(high)}]`;
}
