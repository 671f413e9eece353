"use strict";
const data = JSON.parse(document.getElementById("data").textContent), tip = document.getElementById("tip");
const W = 320, H = 180, LEFT = 48, RIGHT = 10, TOP = 8, BOTTOM = 20;

function add(parent, name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return parent.appendChild(made);
}

function shown(value) {
  if (value && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(2);
  return String(+value.toPrecision(4));
}

function ticks(low, high, count) { // round numbers between two values
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) found.push(+(at * step).toPrecision(12));
  return found;
}

function say(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 12, document.documentElement.clientWidth - width - 4)) + "px";
  tip.style.top = (y - height - 12 < 4 ? y + 16 : y - height - 12) + "px";
}

function draw(svg) {
  const { lines } = data.charts[svg.dataset.chart], xs = lines.flatMap((line) => line.x), ys = lines.flatMap((line) => line.y);
  let [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  if (left === right) [left, right] = [left - 1, right + 1];
  const room = (high - low) * 0.05 || Math.abs(high) * 0.1 || 1;
  [low, high] = [low - room, high + room];
  const x = (value) => LEFT + ((value - left) / (right - left)) * (W - LEFT - RIGHT);
  const y = (value) => H - BOTTOM - ((value - low) / (high - low)) * (H - TOP - BOTTOM);
  for (const at of ticks(low, high, 4)) {
    add(svg, "line", { class: "axis", x1: LEFT, x2: W - RIGHT, y1: y(at), y2: y(at) });
    add(svg, "text", { x: LEFT - 4, y: y(at) + 4, "text-anchor": "end" }, shown(at));
  }
  for (const at of ticks(left, right, 4).filter((at) => Number.isInteger(at) && at >= xs[0]))
    add(svg, "text", { x: x(at), y: H - 5, "text-anchor": x(at) > W - 30 ? "end" : "middle" }, at);
  for (const line of lines) {
    const d = line.x.map((step, i) => (i ? "L" : "M") + x(step).toFixed(1) + " " + y(line.y[i]).toFixed(1)).join("");
    const stroke = `var(--c${line.run % 8})`;
    add(svg, "path", { d, class: line.valid ? "valid" : "", style: `stroke: ${stroke}`, "stroke-dasharray": line.run < 8 ? "none" : "4 2" });
    if (line.x.length === 1) add(svg, "circle", { cx: x(line.x[0]), cy: y(line.y[0]), r: 3, style: `fill: ${stroke}` });
  }
  const mark = add(svg, "g", {}), steps = [...new Set(xs)].sort((a, b) => a - b);
  let at = steps.length - 1;
  function show(step, left, top) { // the nearest point of each line
    const told = ["step " + step];
    mark.replaceChildren();
    for (const line of lines) {
      const i = line.x.reduce((best, other, j) => (Math.abs(other - step) < Math.abs(line.x[best] - step) ? j : best), 0);
      add(mark, "circle", { cx: x(line.x[i]), cy: y(line.y[i]), r: 3.5, style: `fill: var(--c${line.run % 8})` });
      const name = [data.runs.length > 1 ? data.runs[line.run] : "", line.valid ? "validation" : ""].join(" ").trim();
      const other = line.x[i] === step ? "" : " (step " + line.x[i] + ")";
      told.push((name ? name + ": " : "") + shown(line.y[i]) + other);
    }
    say(told.join("\n"), left, top);
  }
  function hide() { mark.replaceChildren(); tip.hidden = true; }
  function place() {
    const box = svg.getBoundingClientRect();
    show(steps[at], box.left + (x(steps[at]) / W) * box.width, box.top + 20);
  }
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect(), wanted = left + (((event.clientX - box.left) / box.width) * W - LEFT) / (W - LEFT - RIGHT) * (right - left);
    at = steps.reduce((best, step, i) => (Math.abs(step - wanted) < Math.abs(steps[best] - wanted) ? i : best), 0);
    show(steps[at], event.clientX, event.clientY);
  });
  svg.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    at = Math.max(0, Math.min(steps.length - 1, at + by));
    place();
    event.preventDefault();
  });
  svg.addEventListener("focus", () => { if (svg.matches(":focus-visible")) place(); });
  for (const gone of ["pointerleave", "blur"]) svg.addEventListener(gone, hide);
}
document.querySelectorAll("svg[data-chart]").forEach(draw);

function shade(view, kind) { // each token by one of its values, from transparent at `zero` to dark at `full`
  const { zero, full, hue } = data.views[view.dataset.view][kind], both = hue === "both";
  for (const token of view.querySelectorAll("span[data-v]")) {
    const value = +token.dataset.v.split(" ")[kind], share = (value - zero) / (full - zero || 1);
    token.style.setProperty("--a", Math.max(0, Math.min(1, both ? Math.abs(share) : share)).toFixed(3));
    token.style.setProperty("--hue", `var(--${both ? (value < 0 ? "neg" : "pos") : hue})`);
  }
  view.querySelector(".scale").className = "scale " + hue;
  view.querySelector(".low").textContent = shown(both ? -full : Math.min(zero, full));
  view.querySelector(".high").textContent = shown(Math.max(zero, full));
}
for (const view of document.querySelectorAll(".view")) {
  for (const choice of view.querySelectorAll("input")) {
    choice.addEventListener("change", () => shade(view, choice.value));
    if (choice.checked) shade(view, choice.value);
  }
  view.addEventListener("pointerover", (event) => {
    const token = event.target.closest("span[data-v]"), values = token?.dataset.v.split(" ");
    if (!token) tip.hidden = true;
    else say(data.views[view.dataset.view].map(({ name }, i) => name + " " + shown(+values[i])).join("\n"), event.clientX, event.clientY);
  });
  view.addEventListener("pointerleave", () => { tip.hidden = true; });
}
