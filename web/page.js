/* page.js: draw the run that lies in #data (docs/REPORT.md has its fields). Nothing is computed here
 * that a reader could want as a figure: those are in the JSON. */
"use strict";
(() => {
const run = JSON.parse(document.getElementById("data").textContent);
const $ = id => document.getElementById(id);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const el = (tag, attributes, ...children) => {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {}))
    key in node && key !== "list" ? node[key] = value : node.setAttribute(key, value);
  node.append(...children);
  return node;
};

/* ---- figures as text ---- */
const count = n => n == null ? "" : Math.round(n).toLocaleString("en-US");
const short = n => n >= 1e9 ? (n / 1e9).toPrecision(3) + " G" : n >= 1e6 ? (n / 1e6).toPrecision(3) + " M"
  : n >= 1e4 ? (n / 1e3).toPrecision(3) + " k" : count(n);
const bytes = n => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let u = 0;
  while (n >= 1024 && u < 4) { n /= 1024; u++; }
  return (n >= 100 || u === 0 ? n.toFixed(0) : n.toPrecision(3)) + " " + units[u];
};
const pages = n => bytes((n || 0) * run.machine.page_bytes);
const time = ns => ns >= 1e9 ? (ns / 1e9).toPrecision(3) + " s" : ns >= 1e6 ? (ns / 1e6).toPrecision(3) + " ms"
  : ns >= 1e3 ? (ns / 1e3).toPrecision(3) + " µs" : (ns || 0) + " ns";
const percent = (part, whole) => whole ? (100 * part / whole).toPrecision(part / whole < .1 ? 2 : 3) + " %" : "0 %";
const base = path => path.split("/").pop();

/* ---- top ---- */
const total = run.totals;
$("command").textContent = run.program.argv.join(" ");
$("command").title = $("command").textContent;
document.title = base(run.program.argv[0]) + " · Quire report";
const status = run.program.status;
$("status").textContent = run.oom ? "killed for want of memory" : status > 128 ? "ended by signal " + (status - 128)
  : "ended with status " + status;
$("status").className = run.oom || status ? "bad" : "";
run.answer.lines.forEach((line, i) => {
  const p = el("p", {className: i ? "" : "first"});
  const name = run.answer.function;
  if (i === 0 && name && line.startsWith(name)) p.append(el("code", {}, name), line.slice(name.length));
  else p.textContent = line;
  $("answer").append(p);
});
if (run.oom) { /* first of all: that is what the reader came for */
  const kill = run.answer.lines.findIndex(line => line.startsWith("Killed"));
  if (kill >= 0) $("answer").prepend($("answer").children[kill]);
  $("answer").firstChild.className = "kill";
}
const busy = total.time_ns - total.idle_ns;
for (const [value, label] of [
  [bytes(total.peak_demand_bytes), "wanted at once, of " + bytes(run.machine.usable_bytes) + " RAM"],
  [short(total.major_faults), "major faults (waited for a disk)"],
  [short(total.minor_faults), "minor faults"],
  [percent(total.wait_ns, busy), "of the time waiting for memory"],
  [percent(total.tlb_misses, total.accesses), "of accesses missed the TLB"],
  [pages(total.swapped_in_pages), "back from swap, " + pages(total.swapped_out_pages) + " out"],
  [time(total.time_ns), "on the machine's clock"],
]) $("tiles").append(el("div", {className: "tile"}, el("b", {}, value), el("span", {}, label)));

/* ---- curves ---- */
const s = run.series, seconds = s.end_ns.map(t => t / 1e9);
const spans = s.end_ns.map((t, i) => (t - (i ? s.end_ns[i - 1] : 0)) / 1e9);
const rate = key => s[key].map((n, i) => spans[i] > 0 ? n / spans[i] : 0);
const plots = [];
globalThis.quirePlots = {}; /* by place, for who wants to ask them (tests/run/report_html.sh) */
/* A line where something was killed for want of memory. */
function drawKills(u) {
  for (const kill of run.oom ? run.oom.victims || [] : []) {
    const x = u.valToPos(kill.at_ns / 1e9, "x", true), paint = u.ctx;
    paint.save();
    paint.fillStyle = css("--warn");
    paint.fillRect(x - 1, u.bbox.top, 2, u.bbox.height);
    paint.restore();
  }
}
/* Arrows move the time that all plots show, Home and End go to its ends, Escape leaves. */
function keys(box, id) {
  box.tabIndex = 0;
  box.onkeydown = e => {
    const u = globalThis.quirePlots[id], last = seconds.length - 1;
    const at = u.cursor.idx == null ? -1 : u.cursor.idx, step = e.shiftKey ? 10 : 1;
    const to = {ArrowLeft: at - step, ArrowRight: at + step, Home: 0, End: last}[e.key];
    if (e.key === "Escape") Object.values(globalThis.quirePlots).forEach(p => p.setCursor({left: -10, top: -10}));
    if (to == null) return;
    e.preventDefault();
    for (const p of Object.values(globalThis.quirePlots))
      p.setCursor({left: p.valToPos(seconds[Math.max(0, Math.min(last, to))], "x"), top: 40}, true, false);
  };
}
const powers = Array.from({length: 50}, (_, i) => 2 ** i);
function plot(id, lines, format, options) {
  const box = $(id), over = options && options.over; /* what else than time */
  const xs = over ? over.values : seconds, show = over ? over.show : t => time(t * 1e9);
  const draw = () => {
    box.replaceChildren();
    if (xs.length < 2) { box.append(el("div", {className: "none"}, "Too short a run for a curve.")); return; }
    keys(box, id);
    const axis = {stroke: css("--soft"), grid: {stroke: css("--line"), width: 1}, ticks: {show: false},
                  font: "11px system-ui, sans-serif"};
    const most = (u, i) => "max " + format(u.data[i].reduce((a, b) => Math.max(a, b), 0));
    globalThis.quirePlots[id] = new uPlot({
      width: box.clientWidth, height: 190, cursor: {drag: {x: true, y: false}, ...(over ? {} : {sync: {key: "time"}})},
      hooks: {draw: over ? [] : [drawKills]},
      scales: {x: {time: false, ...(over && over.log ? {distr: 3, log: 10} : {})}, y: {range: (u, low, high) => [0, high > 0 ? high * 1.06 : 1]},
               ...(options && options.scales)},
      axes: [{...axis, size: 28, values: (u, at) => at.map(t => t == null ? "" : show(t)),
              ...(over && over.show === bytes ? {incrs: powers} : {})},
             {...axis, size: 62, values: (u, at) => at.map(format), ...(format === bytes ? {incrs: powers} : {})}, ...(options && options.axes ? options.axes(axis) : [])],
      series: [{label: over ? over.label : "at", value: (u, t) => t == null ? over ? "any" : "any time" : show(t)},
        ...lines.map(([label, , color, extra]) => ({label, stroke: css(color), width: 1.6,
          points: {show: false}, value: (u, v, i) => v == null ? most(u, i) : format(v),
          ...(extra && extra.fill ? {fill: css(color) + "2a"} : {}), ...(extra && extra.more)}))],
    }, [xs, ...lines.map(l => l[1])], box);
  };
  plots.push(draw);
  draw();
}
const inBytes = key => s[key].map(n => n * run.machine.page_bytes);
plot("memory", [["resident", inBytes("resident_pages"), "--a", {fill: true}],
  ["page cache", inBytes("cache_pages"), "--c"], ["swapped", inBytes("swapped_pages"), "--b"],
  ["free", inBytes("free_pages"), "--d", {more: {dash: [4, 4]}}]], bytes);
const waiting = s.wait_ns.map((n, i) => spans[i] > 0 ? Math.min(100, n / 1e7 / spans[i]) : 0);
plot("faults", [["major/s", rate("major_faults"), "--b", {fill: true}], ["minor/s", rate("minor_faults"), "--a"],
  ["waiting", waiting, "--d", {more: {scale: "%", value: (u, v, i) => v == null ? "max " + Math.max(...u.data[i]).toFixed(0) + " %" : v.toFixed(0) + " %"}}]], short,
  {scales: {"%": {range: [0, 106]}}, axes: axis => [{...axis, scale: "%", side: 1, size: 44, grid: {show: false},
    values: (u, at) => at.map(v => v + " %")}]});
plot("misses", [["TLB misses/s", rate("tlb_misses"), "--a", {fill: true}],
  ["reclaimed pages/s", rate("reclaimed_pages"), "--b"]], short);
const flow = key => rate(key).map(n => n * run.machine.page_bytes);
plot("swap", [["in/s", flow("swapped_in_pages"), "--b", {fill: true}], ["out/s", flow("swapped_out_pages"), "--a"]], bytes);
const c = run.curves;
if (c) {
  plot("lru", [["brought in again", c.misses.map(n => n - c.new_pages), "--b", {fill: true}]], short,
    {over: {label: "RAM", values: c.ram_pages.map(n => n * run.machine.page_bytes), show: bytes}});
  plot("set", [["in use", c.working_set_bytes, "--a", {fill: true}]], bytes,
    {over: {label: "within", values: c.span_instructions, show: n => short(n) + " instr.", log: true}});
} else for (const id of ["lru", "set"])
  $(id).append(el("div", {className: "none"}, "The host had no memory for this curve."));

/* ---- tables ---- */
function table(box, rows, columns, first) {
  let by = first;
  const draw = () => {
    const sorted = [...rows].sort((x, y) => (columns[by].of(y) || 0) - (columns[by].of(x) || 0));
    const head = el("tr", {}, ...columns.map((column, i) => {
      const th = el("th", {scope: "col"});
      if (column.text) th.textContent = column.name;
      else {
        th.append(el("button", {type: "button", onclick: () => { by = i; draw(); box.querySelectorAll("th")[i].firstChild.focus(); }}, column.name));
        th.setAttribute("aria-sort", i === by ? "descending" : "none");
      }
      if (column.title) th.title = column.title;
      return th;
    }));
    const body = sorted.map(row => el("tr", {}, ...columns.map(column => {
      const value = column.of(row);
      return el("td", column.tip ? {title: column.tip(row)} : {}, ...(column.text ? [].concat(value) : [column.show(value || 0)]));
    })));
    box.replaceChildren(el("div", {className: "scroll", tabIndex: 0}, el("table", {}, el("thead", {}, head), el("tbody", {}, ...body))));
  };
  draw();
}
const dash = format => n => n ? format(n) : "·";
const number = (name, key, format, title) => ({name, of: row => row[key], show: dash(format || short), title});
const shown = run.functions.filter(f => f.cost_ns > 0);
const share = shown.reduce((sum, f) => sum + f.cost_ns, 0) || 1;
const views = {
  Functions: box => table(box, shown, [
    {name: "function", text: true, tip: f => f.image, of: f => [el("code", {}, f.function), " ",
      el("small", {}, f.source ? base(f.source) + ":" + f.line : f.function.startsWith("[") ? "" : base(f.image)),
      el("span", {className: "bar", style: "width:" + Math.max(1, 44 * f.cost_ns / share) + "px"})]},
    number("cost", "cost_ns", time, "waiting, 1 µs a fault, 100 ns a TLB miss"),
    number("waited", "wait_ns", time), number("major", "major_faults"), number("minor", "minor_faults"),
    number("copied", "copied_pages"), number("from swap", "swapped_in_pages"), number("file in", "file_in_pages"),
    number("TLB", "tlb_misses")], 1),
  "Flame: faults": box => flame(box, n => (n.major_faults || 0) + (n.minor_faults || 0), short, "faults"),
  "Flame: waiting": box => flame(box, n => n.wait_ns || 0, time, "waited"),
};

/* ---- flame graph: outermost below, as wide as it cost ---- */
function flame(box, weigh, format, unit) {
  const root = {name: "all", sum: 0, children: new Map()};
  for (const stack of run.stacks) {
    const weight = weigh(stack);
    if (!weight) continue;
    let node = root;
    node.sum += weight;
    for (const name of stack.frames) {
      if (!node.children.has(name)) node.children.set(name, {name, sum: 0, children: new Map()});
      node = node.children.get(name);
      node.sum += weight;
    }
  }
  if (!root.sum) { box.replaceChildren(el("div", {className: "none"}, "Nothing of that kind happened.")); return; }
  const note = el("div", {id: "flame-note"}, "Enter opens a function, Escape goes back.");
  const area = el("div", {className: "flame"});
  box.replaceChildren(area, note);
  const hue = name => { let h = 0; for (const c of name) h = (h * 31 + c.charCodeAt(0)) % 997; return 14 + h % 38; };
  const draw = (top, trail) => {
    area.replaceChildren();
    let depth = 0;
    const width = area.clientWidth || 600, boxes = [];
    const put = (node, x, w, level) => {
      if (w < 2 || level > 14) return;
      depth = Math.max(depth, level);
      boxes.push([node, x, w, level]);
      let at = x;
      for (const child of [...node.children.values()].sort((a, b) => b.sum - a.sum)) {
        put(child, at, w * child.sum / node.sum, level + 1);
        at += w * child.sum / node.sum;
      }
    };
    put(top, 0, width, 0);
    area.style.height = Math.max(120, (depth + 1) * 20) + "px";
    for (const [node, x, w, level] of boxes) {
      const words = node.name + ": " + format(node.sum) + " " + unit + ", " + percent(node.sum, root.sum);
      const show = () => { note.textContent = words; };
      area.append(el("button", {type: "button", title: words, textContent: w > 24 ? node.name : "",
        style: "left:" + x + "px;width:" + w + "px;bottom:" + level * 20 + "px;background:hsl(" + hue(node.name) + " 82% 68%)",
        onmouseenter: show, onfocus: show,
        onclick: () => draw(node, [...trail, top]),
        onkeydown: e => { if (e.key === "Escape" && trail.length) draw(trail[trail.length - 1], trail.slice(0, -1)); }}));
    }
    if (trail.length) area.querySelector("button").focus();
  };
  draw(root, []);
}
let chosen = "Functions";
function choose(name) {
  chosen = name;
  for (const tab of $("tabs").children) {
    tab.setAttribute("aria-selected", tab.textContent === name);
    tab.tabIndex = tab.textContent === name ? 0 : -1;
  }
  views[name]($("who"));
}
for (const name of Object.keys(views)) $("tabs").append(el("button", {type: "button", role: "tab", textContent: name,
  onclick: () => choose(name), onkeydown: e => {
    const next = {ArrowRight: e.target.nextSibling, ArrowLeft: e.target.previousSibling}[e.key];
    if (next) { next.focus(); choose(next.textContent); }
  }}));
choose(chosen);

/* ---- map ---- */
const process = new Map(run.processes.map(p => [p.space, p]));
const place = row => { const p = process.get(row.space); return p ? p.name + " (" + p.pid + ")" : "?"; };
const region = (space, at) => {
  const r = run.regions.find(r => r.space === space && r.start <= at && at < r.end);
  return r ? r.name ? base(r.name) : "anonymous" : "";
};
const rows = run.map.rows;
let cursor = null;
function drawMap() {
  const canvas = $("map"), columns = rows.length ? rows[0].counts.length : 0;
  canvas.width = Math.max(1, columns);
  canvas.height = Math.max(1, rows.length);
  const paint = canvas.getContext("2d");
  if (!columns) return;
  const image = paint.createImageData(columns, rows.length);
  const most = Math.log1p(rows.reduce((m, r) => r.counts.reduce((a, b) => Math.max(a, b), m), 1));
  rows.forEach((row, r) => row.counts.forEach((n, c) => {
    const v = n ? .18 + .82 * Math.log1p(n) / most : 0, at = 4 * ((rows.length - 1 - r) * columns + c);
    image.data[at] = 255 * Math.min(1, v * 1.75 * v + .05 * (v > 0));
    image.data[at + 1] = 255 * v * v * .86;
    image.data[at + 2] = v ? 90 + 110 * Math.sin(v * 2.6) : 14;
    image.data[at + 3] = 255;
  }));
  paint.putImageData(image, 0, 0);
  if (cursor) {
    paint.fillStyle = "#ffffff";
    paint.fillRect(cursor.c, rows.length - 1 - cursor.r, 1, 1);
  }
}
function pointMap(c, r) {
  if (!rows.length) return;
  r = Math.max(0, Math.min(rows.length - 1, r));
  c = Math.max(0, Math.min(rows[0].counts.length - 1, c));
  cursor = {c, r};
  const row = rows[r];
  $("map-note").textContent = time(c * run.map.column_ns) + " · 0x" + row.start.toString(16) + " (" +
    bytes(run.map.row_bytes) + ") " + region(row.space, row.start) + " of " + place(row) + ": " + count(row.counts[c]);
  drawMap();
}
$("map").onmousemove = e => {
  const box = $("map").getBoundingClientRect();
  pointMap(Math.floor((e.clientX - box.left) / box.width * rows[0].counts.length),
    rows.length - 1 - Math.floor((e.clientY - box.top) / box.height * rows.length));
};
$("map").onkeydown = e => {
  const step = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]}[e.key];
  if (!step) return;
  e.preventDefault();
  pointMap((cursor ? cursor.c : 0) + step[0], (cursor ? cursor.r : 0) + step[1]);
};
drawMap();
$("map-note").textContent = rows.length ? "Low addresses below; " + rows.length + " stretches of " +
  bytes(run.map.row_bytes) + ", " + time(run.map.column_ns) + " a column. Gaps are left out." : "Nothing was touched.";

/* ---- mappings and processes ---- */
const happened = [number("major", "major_faults"), number("minor", "minor_faults"), number("fresh", "fresh_pages", pages),
  number("copied", "copied_pages", pages), number("from swap", "swapped_in_pages", pages), number("file in", "file_in_pages", pages),
  number("waited", "wait_ns", time), number("TLB", "tlb_misses")];
table($("regions"), run.regions.filter(r => r.end), [
  {name: "mapping", text: true, tip: r => r.name + " 0x" + r.start.toString(16) + "–0x" + r.end.toString(16), of: r => [el("code", {}, r.name ? base(r.name) : "anonymous"), " ",
    el("small", {}, r.prot + " of " + place(r))]},
  {name: "size", of: r => r.end - r.start, show: bytes}, ...happened], 9);
table($("processes"), run.processes.filter(p => p.pid), [
  {name: "process", text: true, of: p => [el("code", {}, p.name), " ", el("small", {}, "pid " + p.pid)]}, ...happened], 2);
$("foot").textContent = "Policy " + run.machine.policy + ", " + bytes(run.machine.ram_bytes) + " RAM, " +
  bytes(run.machine.swap_bytes) + " swap. Trace " + total.trace + ": the same run gives the same. " +
  "[file]: code of that file without symbols. Costs order functions: waiting, 1 µs a fault, 100 ns a TLB miss.";

/* ---- theme, size ---- */
const redraw = () => { plots.forEach(draw => draw()); if (chosen !== "Functions") choose(chosen); };
const dark = () => document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark"
  : matchMedia("(prefers-color-scheme: dark)").matches;
$("theme").onclick = () => { document.documentElement.dataset.theme = dark() ? "light" : "dark"; redraw(); };
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
let later;
addEventListener("resize", () => { clearTimeout(later); later = setTimeout(redraw, 120); });
document.documentElement.dataset.ready = "yes";
})();
