"use strict";
// Works on the page itself: table rows hold their values, the element #data holds the rest.

const data = JSON.parse(document.getElementById("data").textContent);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function element(tag, text = "", attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// The theme is that of the system until the button changes it.
const themeButton = document.querySelector("button.theme");
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.style.colorScheme || (systemIsDark.matches ? "dark" : "light")) === "dark";
const nameTheme = () => { themeButton.textContent = isDark() ? "Light theme" : "Dark theme"; };
themeButton.addEventListener("click", () => {
  document.documentElement.style.colorScheme = isDark() ? "light" : "dark";
  nameTheme();
});
systemIsDark.addEventListener("change", nameTheme);
nameTheme();

// Print all details open.
let closed = [];
addEventListener("beforeprint", () => {
  closed = all("details:not([open])");
  for (const details of closed) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of closed) details.open = false;
});

// Sorting: a published row stays below the row it follows; empty cells come last.
function sortRows(body, column, descending) {
  const groups = [];
  for (const row of body.rows) {
    if (row.dataset.follows) groups.at(-1).push(row);
    else groups.push([row]);
  }
  const key = (group) => group[0].cells[column].dataset.v ?? group[0].cells[column].textContent.trim();
  const order = (a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === "" || y === "") return (x === "") - (y === "");
    const ascending = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
    return descending ? -ascending : ascending;
  };
  body.append(...groups.sort(order).flat());
}
for (const heading of all("table.sortable thead th")) {
  heading.querySelector("button")?.addEventListener("click", () => {
    const first = heading.dataset.first ?? "descending";
    const other = first === "descending" ? "ascending" : "descending";
    const chosen = heading.getAttribute("aria-sort") === first ? other : first;
    for (const each of heading.parentElement.cells) each.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", chosen);
    sortRows(heading.closest("table").tBodies[0], heading.cellIndex, chosen === "descending");
  });
}

// Filtering: by words in a row's name and factors, and by single factors; a row that follows another is shown or hidden with it.
const filters = document.querySelector("form.filters");
function filter() {
  const words = filters.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = all("select", filters).filter((select) => select.value);
  let [count, visible] = [0, true];
  for (const row of document.querySelector("table.comparison").tBodies[0].rows) {
    const text = row.dataset.text.toLowerCase();
    if (!row.dataset.follows) {
      visible =
        words.every((word) => text.includes(word)) &&
        chosen.every((select) => row.dataset[select.name] === select.value) &&
        (!filters.elements.tied.checked || row.dataset.tied === "1");
    }
    row.hidden = !visible;
    count += visible && row.dataset.kind === "variant";
  }
  filters.querySelector("output").textContent = `${count} of ${data.variants} variants`;
}
for (const happening of ["input", "change"]) filters.addEventListener(happening, filter);
filters.addEventListener("submit", (event) => event.preventDefault());
filters.querySelector("[type=reset]").addEventListener("click", (event) => {
  event.preventDefault(); // the browser would reset the fields only after this event
  filters.reset();
  filter();
});
filter();

// A choice of what to show: `data-show` names the group, the value its member.
for (const select of all("select[data-show]")) {
  const choose = () => {
    for (const member of all(`[data-group="${select.dataset.show}"]`)) member.hidden = member.dataset.member !== select.value;
  };
  select.addEventListener("change", choose);
  choose();
}

// Two variants side by side.
const sides = all("select[data-side]");
function showSides() {
  const [a, b] = sides.map((select) => Number(select.value));
  for (const select of sides) {
    const pane = document.getElementById(`pane-${select.dataset.side}`);
    const template = document.getElementById(`detail-${select.value}`);
    pane.querySelector("h3").textContent = template.content.childElementCount ? data.compared[select.value] : "";
    pane.querySelector("div").replaceChildren(template.content.cloneNode(true));
  }
  showDifferences(a, b);
  for (const [place, better, worse] of [["only-a", a, b], ["only-b", b, a]]) {
    if (data.images.length) showImages(place, better, worse);
    if (data.masks.length) showMasks(place, better, worse, a, b);
  }
}
const figures = (value) => value === null ? "–" : value.toFixed(Math.abs(value) < 10 ? 3 : 1).replace(/^(-?)0\./, "$1.").replace("-", "\u2212");
const sign = (p) => p < 0.001 ? "< .001" : p > 0.999 ? "> .999" : `= ${figures(p)}`;
function showDifferences(a, b) {
  const pair = data.pairs[`${Math.min(a, b)} ${Math.max(a, b)}`];
  const holder = document.getElementById("differences");
  holder.querySelector("p").textContent = pair ? "" : "Choose two different variants.";
  holder.querySelector("table").hidden = !pair;
  holder.querySelector("tbody").replaceChildren(...(pair ?? []).flatMap((line, number) => line ? [differenceRow(line, number, a, b)] : []));
}
function differenceRow([difference, low, high, p, different, otherTests], number, a, b) {
  const [gap, from, to] = a < b ? [difference, low, high] : [-difference, -high, -low];
  const row = element("tr");
  const heading = element("th", data.metrics[number], { scope: "row" });
  const others = otherTests.map(([name, value]) => `${name}: p ${sign(value)}`).join("; ");
  const cells = [
    figures(data.values[a][number]), figures(data.values[b][number]), `${figures(gap)} [${figures(from)}, ${figures(to)}]`,
    p === null ? "–" : sign(p).replace("= ", ""), different ? "significant" : "not significant", others,
  ];
  row.append(heading, ...cells.map((text, column) => element("td", text, column < 4 ? {} : { class: "text" })));
  return row;
}
function showImages(place, right, wrong) {
  const holder = document.getElementById(place);
  const total = data.onlyRight[right][wrong];
  const isRight = (image, variant) => image.predicted[variant] === image.label;
  const found = data.images.filter((image) => isRight(image, right) && !isRight(image, wrong)).slice(0, data.mostShown);
  const shown = found.length < total ? ` (${found.length} shown)` : "";
  holder.querySelector("p").textContent =
    `${total || "No"} ${total === 1 ? "image" : "images"} that ${data.compared[right]} gets right and ${data.compared[wrong]} does not${shown}`;
  holder.querySelector(".images").replaceChildren(...found.map((image) =>
    picture([thumbnail(image)], [element("b", data.classes[image.label]), `predicted as ${data.classes[image.predicted[wrong]]}`])));
}
function showMasks(place, better, worse, a, b) {
  const holder = document.getElementById(place);
  const gap = (image) => image.dice[better] - image.dice[worse];
  const isKnown = (image) => image.dice[better] !== null && image.dice[worse] !== null;
  const found = data.masks.filter((image) => isKnown(image) && gap(image) > 0).sort((x, y) => gap(y) - gap(x)).slice(0, data.mostMasks);
  const total = better === worse ? 0 : data.betterMask[better][worse];
  const shown = found.length < total ? ` (${found.length} shown)` : "";
  holder.querySelector("p").textContent =
    `${total || "No"} ${total === 1 ? "image" : "images"} that ${data.compared[better]} segments better than ${data.compared[worse]}${shown}`;
  holder.querySelector(".images").replaceChildren(...found.map((image) => {
    const layers = [[image.truth, "truth"], [image.outlines[a], "found-a"], [image.outlines[b], "found-b"]]
      .filter(([stencil]) => stencil)
      .map(([stencil, kind]) => element("i", "", { class: kind, style: `--m:url(${stencil})` }));
    const stack = element("span", "", { class: "layers" });
    stack.append(thumbnail(image), ...layers);
    return picture([stack], [`Dice: A ${figures(image.dice[a])}, B ${figures(image.dice[b])}`]);
  }));
}
const thumbnail = (image) => element("img", "", { src: image.thumbnail, alt: image.path, title: image.path });
function picture(shown, told) {
  const [figure, caption] = [element("figure"), element("figcaption")];
  caption.append(...told);
  figure.append(...shown, caption);
  return figure;
}
if (sides.length) {
  for (const select of sides) select.addEventListener("change", showSides);
  showSides();
}

// Highlight the current section in the contents.
const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
const reader = new IntersectionObserver((entries) => {
  for (const entry of entries.filter((each) => each.isIntersecting)) {
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "0px 0px -75% 0px" });
for (const section of all("main section[id]")) reader.observe(section);
