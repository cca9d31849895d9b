/* page.js: put at the end of a report's page by page.sh: asks the page what it shows, and leaves the
 * answer as its only text. */
const opened = performance.now(); // since the navigation began: all is drawn
/* WCAG 2.1, 1.4.3: contrast of colours, by relative luminance. */
function contrasts() {
  const style = getComputedStyle(document.documentElement), ground = ["--bg", "--card"];
  const light = name => {
    const hex = style.getPropertyValue(name).trim().slice(1).match(/../g);
    const [r, g, b] = hex.map(h => parseInt(h, 16) / 255)
      .map(c => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  return Object.fromEntries(["--ink", "--soft", "--warn", "--a", "--b", "--c", "--d"].map(name =>
    [name, Math.min(...ground.map(on => {
      const [low, high] = [light(name), light(on)].sort((x, y) => x - y);
      return (high + .05) / (low + .05);
    }))]));
}
const pixels = document.getElementById("map").getContext("2d");
const image = pixels.getImageData(0, 0, pixels.canvas.width, pixels.canvas.height).data;
let lit = 0;
for (let i = 0; i < image.length; i += 4) lit += image[i] > 20;
const tabs = [...document.querySelectorAll("#tabs button")];
const table = [...document.querySelectorAll("#who tbody tr")].map(r => r.cells[0].innerText);
const plot = document.getElementById("memory"), curves = quirePlots.memory;
const press = key => plot.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const legend = () => plot.querySelector(".u-series:nth-child(2) .u-value").textContent;
const unseen = legend();
plot.focus();
press("End");
press("ArrowLeft");
const keyboard = {focus: document.activeElement === plot, at: curves.cursor.idx, legend: legend(),
                  unseen, synced: quirePlots.swap.cursor.idx};
press("Escape");
const unreached = [...document.querySelectorAll("button, .scroll, .plot, #map")]
  .filter(e => e.tabIndex < 0 && e.getAttribute("role") !== "tab")
  .map(e => e.outerHTML.slice(0, 80));
tabs[0].focus();
tabs[0].dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
const seen = {
  plots: Object.fromEntries(Object.entries(quirePlots).map(([id, p]) => [id, p.data])),
  rows: pixels.canvas.height, columns: pixels.canvas.width, lit, table,
  flame: [...document.querySelectorAll(".flame button")].map(b => b.title),
  chosen: document.activeElement.textContent,
  answer: document.querySelector("#answer p").textContent,
  command: document.getElementById("command").textContent,
  requests: performance.getEntriesByType("resource").length,
  keyboard, unreached, wide: document.documentElement.scrollWidth - innerWidth,
  contrasts: contrasts(), dark: matchMedia("(prefers-color-scheme: dark)").matches, opened,
};
document.body.innerHTML = "";
document.body.append(Object.assign(document.createElement("pre"),
  {textContent: "SEEN" + btoa(unescape(encodeURIComponent(JSON.stringify(seen)))) + "END"}));
