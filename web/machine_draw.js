/* machine_draw.js: draw one moment of a machine (docs/WEB.md has its fields). Only draws: each figure
 * is one of the JSON, marked with where it is from (data-src), what it is (data-value) and its unit. */
"use strict";
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
const bytes = n => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let u = 0;
  while (n >= 1024 && u < 5) { n /= 1024; u++; }
  return (n >= 100 || u === 0 ? n.toFixed(0) : n.toPrecision(3)) + " " + units[u];
};
const short = n => n >= 1e9 ? (n / 1e9).toPrecision(3) + " G" : n >= 1e6 ? (n / 1e6).toPrecision(3) + " M"
  : n >= 1e4 ? (n / 1e3).toPrecision(3) + " k" : count(n);
const time = ns => ns >= 1e9 ? (ns / 1e9).toPrecision(4) + " s" : ns >= 1e6 ? (ns / 1e6).toPrecision(3) + " ms"
  : ns >= 1e3 ? (ns / 1e3).toPrecision(3) + " µs" : (ns || 0) + " ns";
const PAGE = 4096;
const shown = {kb: n => bytes(n * 1024), pages: n => bytes(n * PAGE), count, bytes, ns: time};
const fig = (src, value, unit, tag) => value == null ? el(tag || "b", {}, "–")
  : el(tag || "b", {"data-src": src, "data-value": value, "data-unit": unit,
                    title: count(value) + {kb: " KiB", pages: " pages", count: "", bytes: " bytes", ns: " ns"}[unit]}, shown[unit](value));
const base = path => path.split("/").pop();

/* ---- colours ---- */
const rgb = text => { const n = parseInt(text.slice(1), 16); return [n >> 16, n >> 8 & 255, n & 255]; };
const kinds = {reserved: "reserved at boot", kernel: "kernel", slab: "slabs", table: "page tables", anon: "anonymous",
               shmem: "shared memory", file: "files", cached: "free, on a processor's list", free: "free"};
let palette = {};
function learnColours() {
  palette = {};
  for (const kind of ["reserved", "kernel", "slab", "table", "anon", "shmem", "file", "cached", "swapped", "absent"])
    palette[kind] = rgb(css("--" + kind));
  const low = rgb(css("--free-0")), high = rgb(css("--free-10"));
  for (let order = 0; order <= 10; order++)
    palette["free" + order] = low.map((c, i) => c + (high[i] - c) * order / 10);
}
const colour = kind => "rgb(" + palette[kind].map(Math.round).join(" ") + ")";
const mix = parts => { /* [[kind, weight], ...] */
  let sum = 0;
  const c = [0, 0, 0];
  for (const [kind, weight] of parts) { sum += weight; palette[kind].forEach((v, i) => c[i] += v * weight); }
  return "rgb(" + c.map(v => Math.round(v / sum)).join(" ") + ")";
};

/* A canvas of so many CSS pixels, sharp. */
function paper(canvas, width, height) {
  const dpr = devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(width * dpr));
  canvas.height = Math.max(1, Math.round(height * dpr));
  canvas.style.width = width + "px";
  canvas.style.height = height + "px";
  const paint = canvas.getContext("2d");
  paint.scale(dpr, dpr);
  return paint;
}

/* ---- frames ---- */
const MAP_HEIGHT = 380;
const frameMap = {cells: [], columns: 1, size: 1, cursor: null, marked: null};
function frameCells(frames) {
  const cells = [];
  for (const run of frames.runs) {
    const parts = [];
    for (let i = 1; i < run.length; i += 2) parts.push([run[i], run[i + 1]]);
    for (let i = 0; i < run[0]; i++) cells.push(parts);
  }
  return cells;
}
function paintFrames() {
  const map = frameMap, canvas = $("frames"), width = canvas.parentNode.clientWidth - 32;
  map.size = 0; /* the largest squares for which there is room; rows of a power of two show blocks */
  for (const columns of [32, 64, 128, 256]) {
    const size = Math.max(2, Math.min(14, Math.floor(width / columns), Math.floor(MAP_HEIGHT / Math.ceil(map.cells.length / columns))));
    if (size > map.size) { map.size = size; map.columns = columns; }
  }
  const rows = Math.ceil(map.cells.length / map.columns), gap = map.size >= 5 ? 1 : 0;
  const paint = paper(canvas, map.columns * map.size, rows * map.size);
  const box = i => [i % map.columns * map.size, Math.floor(i / map.columns) * map.size];
  map.cells.forEach((parts, i) => {
    const [x, y] = box(i);
    paint.fillStyle = parts.length === 1 ? colour(parts[0][0]) : mix(parts);
    paint.fillRect(x, y, map.size - gap, map.size - gap);
  });
  for (const [at, style] of [[map.marked, css("--warn")], [map.cursor, css("--ink")]]) {
    if (at == null || at >= map.cells.length) continue;
    const [x, y] = box(at);
    paint.strokeStyle = style;
    paint.lineWidth = 2;
    paint.strokeRect(x - 1, y - 1, map.size + 1, map.size + 1);
  }
}
function drawFrames(m) {
  const f = m.frames, sums = {};
  frameMap.frames = f;
  frameMap.cells = frameCells(f);
  for (const parts of frameMap.cells)
    for (const [kind, n] of parts) sums[kind] = (sums[kind] || 0) + n;
  $("frames-scale").replaceChildren(fig("frames.frames", f.frames, "count", "span"), " frames, ",
    f.cell === 1 ? "each a square" : count(f.cell) + " to a square");
  const free = Object.keys(sums).filter(k => /^free\d/.test(k)).reduce((n, k) => n + sums[k], 0);
  $("frames-legend").replaceChildren(...Object.keys(kinds).map(kind => {
    const n = kind === "free" ? free : sums[kind] || 0;
    return el("span", {}, el("i", {className: "mark", style: "background:" + colour(kind === "free" ? "free3" : kind) +
      (kind === "free" || kind === "cached" ? ";outline:1px solid var(--line)" : "")}), kinds[kind] + " ", fig("frames." + kind, n, "pages"));
  }));
  paintFrames();
  if (frameMap.cursor != null) pointFrame(frameMap.cursor);
}
function pointFrame(i) {
  const f = frameMap.frames, at = Math.max(0, Math.min(frameMap.cells.length - 1, i)), first = f.first + at * f.cell;
  if (!frameMap.cells.length) return;
  frameMap.cursor = at;
  $("frames-note").textContent = "frame 0x" + first.toString(16) + (f.cell > 1 ? " to 0x" + (first + f.cell - 1).toString(16) : "") +
    ", physical 0x" + (first * PAGE).toString(16) + ": " + frameMap.cells[at].map(([kind, n]) =>
      (f.cell > 1 ? count(n) + " " : "") + (kind.startsWith("free") ? "free, of a block of " + bytes(PAGE * 2 ** kind.slice(4)) : kinds[kind])).join(", ");
  paintFrames();
}

/* ---- buddy lists, zones ---- */
const types = {Unmovable: "--kernel", Movable: "--anon", Reclaimable: "--slab"};
function drawBuddy(m) {
  const most = Math.max(1, ...m.buddyinfo.flatMap(z => z.blocks.map((n, order) => n * 2 ** order)));
  $("buddy").replaceChildren(...m.buddyinfo.map(zone => el("div", {className: "zone"},
    el("h3", {}, "Zone " + zone.zone),
    el("div", {className: "bars"}, ...zone.blocks.map((n, order) => el("div", {title: count(n) + " free blocks of " + bytes(PAGE * 2 ** order)},
      el("div", {className: "column"}, ...m.pagetypes.filter(t => t.zone === zone.zone).map(t => el("i", {
        style: "height:" + 100 * t.blocks[order] * 2 ** order / most + "%;background:var(" + types[t.type] + ")",
        title: t.type + ": " + count(t.blocks[order])}))),
      fig("buddyinfo." + zone.zone + "." + order, n, "count"), bytes(PAGE * 2 ** order).replace("iB", "").replace(/[ .]0*/g, "")))))),
    el("div", {className: "legend"}, ...Object.keys(types).map(t => el("span", {},
      el("i", {className: "mark", style: "background:var(" + types[t] + ")"}), t.toLowerCase())),
      el("span", {}, "height: memory; number: blocks")));
}
function drawZones(m) {
  $("zones").replaceChildren(...m.zones.filter(z => z.managed).map(z => {
    const end = Math.max(z.high * 4, 1), at = n => Math.min(100, 100 * n / end) + "%", id = "zones." + z.zone + ".";
    return el("div", {className: "zone"}, el("h3", {}, "Zone " + z.zone + " · ", fig(id + "managed", z.managed, "pages", "span")),
      el("div", {className: "gauge", title: "free, against four times the mark high"},
        el("i", {style: "left:0;width:" + at(z.free) + ";background:var(--" + (z.free < z.low ? "swapped" : "c") + ")"}),
        ...["min", "low", "high"].map(mark => el("u", {style: "left:" + at(z[mark]), title: mark}))),
      el("div", {className: "facts"}, ...["free", "min", "low", "high"].map(key => el("span", {}, key + " ", fig(id + key, z[key], "pages")))));
  }));
}

/* ---- an address space ---- */
const STRIP = 6, STRIP_COLUMNS = 64;
let strips = [];
function paintStrip(canvas, area) {
  const cells = area.cells.reduce((n, c) => n + c[0], 0), columns = Math.min(cells, STRIP_COLUMNS);
  const paint = paper(canvas, columns * STRIP, Math.max(1, Math.ceil(cells / STRIP_COLUMNS)) * STRIP);
  let i = 0;
  for (const [n, anon, file, swapped] of area.cells) {
    const parts = [["anon", anon], ["file", file], ["swapped", swapped]].filter(p => p[1] > 0);
    paint.fillStyle = parts.length ? mix(parts) : colour("absent");
    for (const end = i + n; i < end; i++)
      paint.fillRect(i % STRIP_COLUMNS * STRIP, Math.floor(i / STRIP_COLUMNS) * STRIP, STRIP - 1, STRIP - 1);
  }
}
function cellOf(event, area, cellPages) {
  const box = event.target.getBoundingClientRect();
  const at = Math.floor((event.clientY - box.top) / STRIP) * STRIP_COLUMNS + Math.floor((event.clientX - box.left) / STRIP);
  let before = 0;
  for (const [n, anon, file, swapped] of area.cells) {
    if (at < before + n) {
      const va = BigInt("0x" + area.start) + BigInt(at) * BigInt(cellPages * PAGE);
      return {va, anon, file, swapped};
    }
    before += n;
  }
  return null;
}
function drawSpace(m, onPick) {
  const s = m.space;
  $("space-scale").textContent = s.areas.length ? (s.cell_pages === 1 ? "each square a page" : count(s.cell_pages) + " pages to a square") : "";
  if (!s.areas.length) {
    $("areas").replaceChildren(el("div", {className: "none"}, "This process has no memory (any more)."));
    return;
  }
  strips = [];
  const head = el("tr", {}, ...["from", "", "", "", "size", "in RAM", "on swap"].map((name, i) => el("th", {scope: "col", className: i < 4 ? "left" : ""}, name)));
  const rows = s.areas.map(area => {
    const id = "areas." + area.start + ".", canvas = el("canvas", {});
    canvas.onclick = e => { const cell = cellOf(e, area, s.cell_pages); if (cell) onPick(cell.va); };
    canvas.onmousemove = e => {
      const cell = cellOf(e, area, s.cell_pages);
      if (cell) $("areas-note").textContent = "0x" + cell.va.toString(16) + ": " + ([[cell.anon, "anonymous"], [cell.file, "of a file"],
        [cell.swapped, "on swap"]].filter(p => p[0]).map(p => count(p[0]) + (p[0] === 1 ? " page " : " pages ") + p[1]).join(", ") || "nothing in memory") + " · a click walks there";
    };
    strips.push([canvas, area]);
    return el("tr", {},
      el("td", {className: "mono"}, area.start.replace(/^0+(?=.{8})/, "")),
      el("td", {className: "mono left"}, area.perm),
      el("td", {className: "left name", title: area.name || "anonymous"}, area.name ? base(area.name) : el("small", {}, "anonymous")),
      el("td", {className: "left"}, canvas),
      el("td", {}, fig(id + "size_kb", area.size_kb, "kb", "span")),
      el("td", {}, fig(id + "resident_kb", area.resident_kb, "kb", "span")),
      el("td", {}, fig(id + "swapped_kb", area.swapped_kb, "kb", "span")));
  });
  $("areas").replaceChildren(el("table", {}, el("thead", {}, head), el("tbody", {}, ...rows)));
  strips.forEach(([canvas, area]) => paintStrip(canvas, area));
  if (!$("areas-note").textContent.startsWith("0x"))
    $("areas-note").replaceChildren(...[["anon", "anonymous, in RAM"], ["file", "of a file, in RAM"], ["swapped", "on swap"], ["absent", "not there: a touch would fault"]]
      .map(([kind, text]) => el("span", {style: "margin-right:14px"}, el("i", {className: "mark", style: "background:" + colour(kind)}), text)),
      ...(s.areas_count > s.areas.length ? ["; " + count(s.areas_count - s.areas.length) + " more areas"] : []));
}
function drawProcesses(m, chosen, onChoose) {
  const select = $("process"), names = m.processes.map(p => p.pid + " " + p.name);
  if ([...select.options].map(o => o.textContent).join() !== names.join())
    select.replaceChildren(...m.processes.map(p => el("option", {value: p.pid}, p.pid + " " + p.name)));
  select.value = chosen;
  $("processes-note").textContent = m.processes_count > m.processes.length
    ? "the first " + count(m.processes.length) + " of " + count(m.processes_count) : "";
  const columns = [["virtual", "virtual_kb"], ["anonymous", "anon_kb"], ["of files", "file_kb"], ["shared", "shmem_kb"],
                   ["in RAM", "resident_kb"], ["on swap", "swapped_kb"], ["tables", "tables_kb"]];
  $("processes").replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ...["process", "", ...columns.map(c => c[0])].map(name => el("th", {scope: "col"}, name)))),
    el("tbody", {}, ...m.processes.map(p => el("tr", {className: p.pid === chosen ? "chosen" : "", onclick: () => onChoose(p.pid)},
      el("td", {}, el("code", {}, p.name), " ", el("small", {}, "pid " + p.pid + ", of " + p.ppid)), el("td", {}, p.state),
      ...columns.map(([, key]) => el("td", {}, fig("processes." + p.pid + "." + key, p[key], "kb", "span"))))))));
}

/* ---- page tables ---- */
function drawTables(m) {
  const s = m.space, sum = s.tables.reduce((n, t) => n + t.tables, 0);
  $("tables-note").textContent = s.tables.length ? "of the same process: " + count(sum) + " tables" : "";
  $("levels").replaceChildren(...(s.tables.length ? [el("div", {className: "facts"}, ...s.tables.map(t => el("span", {}, "level " + t.level + ": ",
    fig("tables." + t.level + ".tables", t.tables, "count"), t.tables === 1 ? " table" : " tables",
    ...(t.mapped ? [", ", fig("tables." + t.level + ".mapped", t.mapped, "count"), " entries map memory"] : []))))] : []));
}
const bitNames = {v: "valid", r: "read", w: "write", x: "execute", u: "user", g: "global", a: "accessed", d: "dirty"};
function paintTable(canvas, table, index) {
  const size = 4, columns = 32, parts = [];
  for (const [, n, mark] of table.marks.matchAll(/(\d+)([.tpd])/g))
    for (let i = 0; i < +n; i++) parts.push(mark);
  const paint = paper(canvas, columns * size, Math.max(1, Math.ceil(parts.length / columns)) * size);
  const paints = {".": colour("absent"), t: colour("table"), p: colour("file"), d: colour("anon")};
  parts.forEach((mark, i) => {
    paint.fillStyle = paints[mark];
    paint.fillRect(i % columns * size, Math.floor(i / columns) * size, size - 1, size - 1);
  });
  const at = Math.floor(index * parts.length / table.entries);
  paint.strokeStyle = css("--warn");
  paint.lineWidth = 2;
  paint.strokeRect(at % columns * size - 1, Math.floor(at / columns) * size - 1, size + 1, size + 1);
}
function drawWalk(walk, va) {
  const levels = walk.steps.filter(step => step.level != null), last = walk.steps[walk.steps.length - 1];
  const fault = walk.steps.find(step => step.text.startsWith("fault")), datum = walk.steps.find(step => step.text.startsWith("datum"));
  const tlb = walk.tlb.find(step => step.text.startsWith("TLB"));
  const rows = levels.map((step, i) => {
    const canvas = el("canvas", {role: "img", "aria-label": "entries of this table"}), table = walk.tables[i];
    if (table) paintTable(canvas, table, step.index);
    return el("div", {className: "level"}, canvas, el("div", {},
      el("p", {}, el("b", {}, "Level " + step.level), " entry ", el("b", {}, "" + step.index), " at ", el("code", {}, step.at)),
      el("div", {className: "bits"}, ...[..."vrwxugad"].map((letter, bit) => el("i", {className: step.bits[bit] === letter ? "set" : "",
        title: bitNames[letter] + (step.bits[bit] === letter ? "" : ": no")}, letter.toUpperCase()))),
      el("p", {}, el("code", {}, step.value), ...(step.frame ? [" maps frame ", el("b", {}, step.frame)] : step.table ? [" → table ", el("b", {}, step.table)] : [" points to nothing"]),
        ...(table ? [" · " + count(table.used) + " of " + count(table.entries) + " in use"] : []))));
  });
  $("walk").replaceChildren(
    el("div", {className: "split"}, ...levels.map(step => el("div", {}, el("small", {}, "level " + step.level), el("code", {}, "" + step.index))),
      el("div", {}, el("small", {}, "offset"), el("code", {}, "0x" + (va & 0xfffn).toString(16).padStart(3, "0")))),
    ...rows,
    el("div", {className: "outcome" + (fault ? " fault" : ""), id: "outcome"},
      fault ? fault.text.replace(/^fault\s+/, "") : datum ? datum.text.replace(/^datum\s+at /, "The datum is at physical ") : "",
      " · " + last.text, ...(tlb ? [" · with the TLB: " + tlb.text.replace(/^TLB\s+/, "") + ", " + walk.tlb[walk.tlb.length - 1].text] : [])));
  const leaf = levels.find(step => step.frame);
  frameMap.marked = leaf && frameMap.frames ? Math.floor((parseInt(leaf.frame, 16) - frameMap.frames.first) / frameMap.frames.cell) : null;
  paintFrames();
}

/* ---- lists, swap, slabs ---- */
function bar(label, parts, whole, figure) {
  let left = 0;
  return el("div", {className: "row"}, el("span", {title: label}, label), el("div", {className: "gauge"}, ...parts.map(([value, paint]) => {
    const width = whole ? 100 * value / whole : 0, i = el("i", {style: "left:" + left + "%;width:" + width + "%;background:" + paint});
    left += width;
    return i;
  })), figure);
}
function drawLists(m) {
  const i = m.meminfo, whole = i.MemTotal, kb = name => fig("meminfo." + name, i[name], "kb");
  $("lru").replaceChildren(
    ...[["active anon", "Active(anon)", "--anon"], ["inactive anon", "Inactive(anon)", "--shmem"],
        ["active file", "Active(file)", "--file"], ["inactive file", "Inactive(file)", "--c"]]
      .map(([label, name, paint]) => bar(label, [[i[name], "var(" + paint + ")"]], whole, kb(name))),
    el("div", {className: "facts"}, ...[["dirty", "Dirty"], ["unevictable", "Unevictable"], ["locked", "Mlocked"], ["mapped", "Mapped"]]
      .filter(([, name]) => i[name] != null).map(([label, name]) => el("span", {}, label + " ", kb(name)))),
    el("div", {className: "facts"}, ...[["looked at by kswapd", "pgscan_kswapd"], ["taken", "pgsteal_kswapd"], ["looked at by who waited", "pgscan_direct"], ["taken", "pgsteal_direct"]]
      .map(([label, name]) => el("span", {}, label + " ", fig("vmstat." + name, m.vmstat[name], "count")))));
  $("swap").replaceChildren(
    ...m.swaps.map((area, n) => el("div", {}, bar(area.name, [[area.used_kb, "var(--swapped)"]], area.size_kb, fig("swaps." + n + ".used_kb", area.used_kb, "kb")),
      el("div", {className: "facts"}, el("span", {}, "of ", fig("swaps." + n + ".size_kb", area.size_kb, "kb")), el("span", {}, "priority " + area.priority), el("span", {}, area.type)))),
    ...(m.swaps.length ? [] : [el("div", {className: "none"}, "No swap area is in use.")]),
    ...(i.Zswapped ? [bar("compressed in RAM", [[i.Zswap, "var(--d)"]], i.Zswapped, kb("Zswap")), el("div", {className: "facts"}, el("span", {}, "from ", kb("Zswapped")))] : []),
    el("div", {className: "facts"}, ...[["pages in", "pswpin"], ["pages out", "pswpout"]].map(([label, name]) => el("span", {}, label + " ", fig("vmstat." + name, m.vmstat[name], "count"))),
      el("span", {}, "cached ", kb("SwapCached"))),
    ...(m.pressure.some ? [el("div", {className: "facts"}, el("span", {}, "pressure, % of 10 s: some "), el("b", {}, m.pressure.some.avg10.toFixed(2)),
      ...(m.pressure.full ? [el("span", {}, "full "), el("b", {}, m.pressure.full.avg10.toFixed(2))] : []))] : []));
  const size = s => s.slabs * s.pages_per_slab * PAGE, all = [...m.slabs].sort((a, b) => size(b) - size(a)), most = all.length ? size(all[0]) : 1;
  $("slabs").replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ...["cache", "objects", "of", "each", ""].map(n => el("th", {scope: "col"}, n)))),
    el("tbody", {}, ...all.filter(s => s.slabs).map(s => el("tr", {title: count(s.active_slabs) + " of " + count(s.slabs) + " slabs in use, " + s.per_slab + " objects each"},
      el("td", {}, s.name), el("td", {}, fig("slabs." + s.name + ".active", s.active, "count", "span")), el("td", {}, fig("slabs." + s.name + ".objects", s.objects, "count", "span")),
      el("td", {}, fig("slabs." + s.name + ".object_bytes", s.object_bytes, "bytes", "span")),
      el("td", {style: "width:22%"}, el("div", {className: "gauge", style: "height:9px;margin:4px 0", title: bytes(size(s))},
        el("i", {style: "left:0;width:" + 100 * size(s) / most + "%;background:var(--absent);filter:contrast(.8)"}),
        el("i", {style: "left:0;width:" + (s.objects ? 100 * size(s) / most * s.active / s.objects : 0) + "%;background:var(--slab)"}))))))));
}
function drawTiles(m) {
  const i = m.meminfo, v = m.vmstat, r = m.machine;
  $("tiles").replaceChildren(...[["MemTotal", "usable RAM"], ["MemFree", "free"], ["MemAvailable", "available"], ["AnonPages", "anonymous"], ["Cached", "page cache"],
    ["Slab", "slabs"], ["PageTables", "page tables"], ["SwapFree", "swap free"]].map(([name, label]) => el("div", {className: "tile"}, fig("meminfo." + name, i[name], "kb"), el("span", {}, label))),
    ...[["pgfault", "faults, all"], ["pgmajfault", "major faults"]].map(([name, label]) => el("div", {className: "tile"}, fig("vmstat." + name, v[name], "count"), el("span", {}, label))));
  $("foot").replaceChildren("Policy " + (r.policy || "?") + ". ", fig("quire.instructions", r.instructions, "count", "span"), " instructions, ",
    fig("quire.accesses", r.accesses, "count", "span"), " accesses, ", fig("quire.tlb_misses", r.tlb_misses, "count", "span"), " TLB misses. At most ",
    fig("quire.peak_bytes", r.peak_bytes, "bytes", "span"), " were wanted at once. Every figure is one of the texts behind “text”.");
}
