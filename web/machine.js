/* machine.js: which moment is looked at, and how one gets from one to another. A run goes by itself:
 * the page asks again and again and keeps what it saw, so that one can go back in it. A lab stands:
 * steps are asked for, forwards and backwards. */
"use strict";
(() => {
const KEPT = 240, EVERY_MS = 1000;
const seen = []; /* moments, oldest first */
let at = -1, holding = false, ended = "", pid = 1, picked = false, walkAt = null, timer = 0, asking = false, again = false, turn = 0;
const now = () => seen[at];
const steps = () => seen.length > 0 && now().steps;

/* ---- asking ---- */
async function ask(path, post) {
  const answer = await fetch(path, {method: post ? "POST" : "GET", cache: "no-store"});
  const text = await answer.text();
  if (answer.ok) return JSON.parse(text);
  const error = new Error(text.trim());
  error.status = answer.status;
  throw error;
}
function failed(error) {
  if (error.status && error.status !== 410) { say(error.message); return; }
  ended = error.message && error.status ? error.message : "Nobody answers at this address any more: quire was stopped.";
  clearTimeout(timer);
  say(ended.charAt(0).toUpperCase() + ended.slice(1) + (seen.length ? ". What was seen can still be looked at." : ""));
  controls();
}
function say(text) { $("banner").textContent = text; $("banner").hidden = !text; }

const most = list => list.reduce((a, b) => b.resident_kb + b.swapped_kb > a.resident_kb + a.swapped_kb ? b : a, list[0]);
/* Of the process that was chosen, while it is there; at first, and then again, of who has most. */
async function moment() {
  const seen = await ask("moment?pid=" + pid);
  if (picked && seen.processes.some(p => p.pid === pid) || !seen.processes.length) return seen;
  picked = true;
  const other = most(seen.processes).pid;
  if (other === pid) return seen;
  pid = other;
  return ask("moment?pid=" + pid);
}
/* What was on its way when the reader said hold is not shown any more; what he asks for then, is. */
async function look() {
  if (ended) return;
  if (asking) { again = holding; return; }
  asking = true;
  clearTimeout(timer);
  const held = holding;
  try { const answer = await moment(); if (held || !holding) take(answer); } catch (error) { failed(error); }
  asking = false;
  if (again) { again = false; return look(); }
  plan();
}
function plan() {
  clearTimeout(timer);
  if (!ended && !steps() && !holding && !document.hidden) timer = setTimeout(look, EVERY_MS);
}
function take(moment) {
  const follow = at === seen.length - 1;
  moment.turn = ++turn;
  seen.push(moment);
  if (seen.length > KEPT) { seen.shift(); at--; }
  if (follow || !holding) { at = seen.length - 1; show(); } else controls();
}

/* ---- showing ---- */
function show() {
  const m = now();
  if (!m) return;
  document.title = (m.machine.command || m.kind) + " · Quire machine";
  $("command").textContent = $("command").title = m.machine.command || m.kind;
  drawSession(m);
  drawTiles(m);
  drawFrames(m);
  drawBuddy(m);
  drawZones(m);
  drawSpace(m, va => walk(va));
  drawTables(m);
  drawLists(m);
  drawProcesses(m, m.space.pid, choose);
  drawPlots();
  controls();
  document.documentElement.dataset.moment = m.turn;
}
function controls() {
  const m = now(), is = ended ? "ended" : holding ? "held" : steps() ? "stands" : "live";
  $("state").dataset.is = is;
  $("state").textContent = {ended: "ended", held: "held", stands: "stands still", live: "live"}[is];
  $("back").disabled = steps() ? ended !== "" : at <= 0;
  $("on").disabled = ended ? at >= seen.length - 1 : false;
  $("hold").hidden = $("when").hidden = steps();
  $("hold").disabled = ended !== "";
  $("hold").textContent = holding ? "●" : "❚❚";
  $("when").max = Math.max(0, seen.length - 1);
  $("when").value = at;
  $("clock").textContent = m ? (m.machine.machine_ns == null ? "" : time(m.machine.machine_ns)) +
    (steps() ? m.machine.step == null ? "" : " · step " + count(m.machine.step) : " · " + (at + 1) + " of " + seen.length) : "";
}
/* A lab: something is done to the machine, or undone. What was seen of later steps is forgotten. */
async function change(path) {
  if (asking || ended) return null;
  asking = true;
  let answer = null;
  try {
    answer = await ask(path, true);
    say("");
    if (!picked || now().processes.length < 2) picked = false; /* the first program is what one wants to see */
    const next = await moment();
    while (seen.length && (seen[seen.length - 1].machine.step || 0) >= (next.machine.step || 0)) seen.pop();
    at = seen.length - 1;
    take(next);
  } catch (error) { failed(error); }
  asking = false;
  if (walkAt != null) await walk(walkAt);
  return answer;
}
function drawSession(m) {
  $("session").hidden = !m.history;
  if (!m.history) return;
  const place = m.history.place;
  $("history").replaceChildren(...["the beginning", ...m.history.lines].map((line, i) => el("li", {}, el("button", {type: "button",
    className: i === place ? "here" : i > place ? "later" : "", title: "step " + i, onclick: () => i !== place && go(i - place)}, line))));
  const here = $("history").querySelector(".here");
  if (here) $("history").scrollTop = here.offsetTop - $("history").offsetTop - 90;
}
const course = labsOnPage(change);
$("line-form").onsubmit = async event => {
  event.preventDefault();
  const line = $("line").value.trim();
  if (!line) return;
  const answer = await change("run?line=" + encodeURIComponent(line));
  if (!answer) return;
  $("said").className = answer.ok ? "" : "wrong";
  $("said").textContent = answer.text + (answer.ok ? "" : answer.error);
  if (answer.ok) { typed.push(line); recalled = typed.length; $("line").value = ""; }
  document.documentElement.dataset.said = line;
};
const typed = [];
let recalled = 0;
$("line").onkeydown = e => { /* as in a shell */
  const to = {ArrowUp: recalled - 1, ArrowDown: recalled + 1}[e.key];
  if (to == null || to < 0 || to > typed.length) return;
  e.preventDefault();
  recalled = to;
  $("line").value = typed[to] || "";
};
async function go(by) {
  if (!seen.length) return;
  if (steps()) return change("step?n=" + by);
  const to = at + by;
  if (to >= seen.length) { if (!ended) { hold(true); look(); } return; }
  if (to < 0) return;
  hold(true);
  at = to;
  show();
}
function hold(value) {
  holding = value;
  if (!holding) { at = seen.length - 1; show(); look(); }
  controls();
  plan();
}
function choose(number) {
  pid = number;
  walkAt = null;
  frameMap.marked = null;
  $("walk").replaceChildren();
  $("areas-note").textContent = "";
  if (!steps()) at = seen.length - 1; /* what is kept is of the other process */
  look();
}

/* ---- a walk ---- */
async function walk(va) {
  walkAt = va;
  $("address").value = va.toString(16);
  const access = document.querySelector("[name=access]:checked").value;
  try {
    const answer = await ask("walk?pid=" + pid + "&at=" + va.toString(16) + "&access=" + access);
    if (answer.steps.length) drawWalk(answer, va);
    else $("walk").replaceChildren(el("div", {className: "none"}, "This process has no memory (any more)."));
    document.documentElement.dataset.walk = va.toString(16);
  } catch (error) { failed(error); }
}
$("walk-form").onsubmit = event => {
  event.preventDefault();
  const text = $("address").value.trim().replace(/^0x/i, "");
  if (!/^[0-9a-f]{1,16}$/i.test(text)) {
    $("walk").replaceChildren(el("div", {className: "none"}, "An address is hexadecimal, as in 7ffff76ff000."));
    return;
  }
  walk(BigInt("0x" + text));
};
$("access").onchange = () => { if (walkAt != null) walk(walkAt); };

/* ---- over time ---- */
const plots = globalThis.quirePlots = {}; /* by place, for who wants to ask them (tests/run/web.sh) */
const rate = key => (m, before) => {
  const span = before ? (m.machine.machine_ns - before.machine.machine_ns) / 1e9 : 0;
  return span > 0 ? (m.vmstat[key] - before.vmstat[key]) / span : null;
};
const kb = key => m => m.meminfo[key] * 1024;
const powers = Array.from({length: 50}, (_, i) => 2 ** i);
const curves = {
  "plot-memory": [bytes, ["free", kb("MemFree"), "--d"], ["anonymous", kb("AnonPages"), "--a"], ["page cache", kb("Cached"), "--c"],
    ["on swap", m => (m.meminfo.SwapTotal - m.meminfo.SwapFree) * 1024, "--b"]],
  "plot-faults": [short, ["major/s", rate("pgmajfault"), "--b"], ["all/s", rate("pgfault"), "--a"]],
  "plot-swap": [short, ["in/s", rate("pswpin"), "--b"], ["out/s", rate("pswpout"), "--a"],
    ["looked at/s", (m, b) => { const k = rate("pgscan_kswapd")(m, b), d = rate("pgscan_direct")(m, b); return k == null ? null : k + d; }, "--d"]],
};
function drawPlots() {
  const part = seen.slice(0, at + 1);
  for (const [id, [format, ...lines]] of Object.entries(curves)) {
    const box = $(id), axisColour = css("--soft");
    const data = [part.map(m => (m.machine.machine_ns || 0) / 1e9), ...lines.map(([, of]) => part.map((m, i) => of(m, part[i - 1])))];
    if (part.length < 2) {
      box.replaceChildren(el("div", {className: "none"}, "A curve begins with the second moment."));
      delete plots[id];
      continue;
    }
    const latest = () => plots[id].setLegend({idx: part.length - 1});
    if (plots[id]) { plots[id].setData(data); latest(); continue; }
    box.replaceChildren();
    const axis = {stroke: axisColour, grid: {stroke: css("--line"), width: 1}, ticks: {show: false}, font: "11px system-ui, sans-serif"};
    plots[id] = new uPlot({width: box.clientWidth, height: 170, cursor: {drag: {x: false, y: false}},
      scales: {x: {time: false}, y: {range: (u, low, high) => [0, high > 0 ? high * 1.06 : 10]}},
      axes: [{...axis, values: (u, ticks) => ticks.map(t => time(t * 1e9))}, {...axis, size: 62, values: (u, ticks) => ticks.map(format), ...(format === bytes ? {incrs: powers} : {})}],
      series: [{label: "at", value: (u, t) => t == null ? "–" : time(t * 1e9)}, ...lines.map(([label, , paint]) => ({label, stroke: css(paint), width: 1.6,
        points: {show: false}, spanGaps: true, value: (u, v) => v == null ? "–" : format(v)}))]}, data, box);
    latest();
  }
}
const sized = () => { document.documentElement.dataset.size = innerWidth + "x" + innerHeight; };
const redraw = () => {
  learnColours();
  for (const id of Object.keys(plots)) { plots[id].destroy(); delete plots[id]; }
  show();
  sized();
  if (walkAt != null && !ended) walk(walkAt);
};

/* ---- controls ---- */
$("back").onclick = () => go(-1);
$("on").onclick = () => go(1);
$("hold").onclick = () => hold(!holding);
$("when").oninput = () => { holding = true; at = +$("when").value; show(); };
$("process").onchange = () => choose(+$("process").value);
const frames = $("frames");
const frameAt = e => { const box = frames.getBoundingClientRect();
  return Math.floor((e.clientY - box.top) / frameMap.size) * frameMap.columns + Math.floor((e.clientX - box.left) / frameMap.size); };
frames.onmousemove = e => pointFrame(frameAt(e));
frames.onmouseleave = () => { frameMap.cursor = null; $("frames-note").textContent = ""; paintFrames(); };
frames.onkeydown = e => {
  const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -frameMap.columns, ArrowDown: frameMap.columns}[e.key];
  if (!step) return;
  e.preventDefault();
  e.stopPropagation();
  pointFrame((frameMap.cursor == null ? -step : frameMap.cursor) + step);
};
const box = (title, text) => { $("box-title").textContent = title; $("box-text").textContent = text; $("box").showModal(); };
for (const button of document.querySelectorAll("button.text"))
  button.onclick = async () => {
    const path = button.dataset.path.replace("@", pid);
    try {
      const answer = await fetch("text?path=" + encodeURIComponent(path), {cache: "no-store"});
      box(path + ", now", await answer.text());
    } catch (error) { failed(error); }
  };
const keys = () => box("Keys", "←  →     a moment back, on" + (steps() ? " (a step)" : "") + "\nspace    hold, go on\n/        an address to walk\n" + (steps() ? ":        a line of the shell\nn, b     a lab's next step, its last one\n" : "") +
  "p        the next process\nt        dark, light\n?        this\nTab      from part to part; arrow keys move in the map of frames");
const dark = () => document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
const theme = () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; redraw(); };
$("help").onclick = keys;
$("theme").onclick = theme;
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
addEventListener("keydown", e => {
  if (e.ctrlKey || e.altKey || e.metaKey || $("box").open || /^(INPUT|SELECT|TEXTAREA)$/.test(e.target.tagName) && e.target.type !== "range") return;
  const other = () => { const all = now().processes.map(p => p.pid); choose(all[(all.indexOf(pid) + 1) % all.length]); };
  const does = {ArrowLeft: () => go(-1), ArrowRight: () => go(1), " ": () => e.target.tagName === "BUTTON" || steps() ? null : hold(!holding),
                "/": () => $("address").focus(), ":": () => $("line").focus(), n: course.next, b: course.back, p: () => now() && other(), t: theme, "?": keys}[e.key];
  if (!does || e.target.type === "range") return;
  if (e.key !== " " || e.target.tagName !== "BUTTON") e.preventDefault();
  does();
});
document.addEventListener("visibilitychange", () => { if (!document.hidden && !holding && !steps()) look(); });
let later;
addEventListener("resize", () => { clearTimeout(later); later = setTimeout(redraw, 120); });
learnColours();
sized();
look().then(() => steps() ? course.open() : null).then(() => document.documentElement.dataset.ready = "yes");
globalThis.quireMachine = {look, go, change, hold, walk, choose, now, seen}; /* for tests */
})();
