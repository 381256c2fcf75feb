
"use strict";
(() => {
  const table = document.getElementById("table"), body = table.tBodies[0], rows = Array.from(body.rows);
  const filter = document.getElementById("filter"), shown = document.getElementById("shown"), none = document.getElementById("none");
  const chips = Array.from(document.querySelectorAll(".chip[data-state]")), stale = document.querySelector(".chip[data-stale]");
  const pressed = (chip) => chip.getAttribute("aria-pressed") === "true";
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  function show() {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const states = new Set(chips.filter(pressed).map((chip) => chip.dataset.state));
    const onlyStale = stale !== null && pressed(stale);
    let count = 0;
    for (const row of rows) {
      const fits = states.has(row.dataset.state) && (!onlyStale || "stale" in row.dataset) &&
        words.every((word) => texts.get(row).includes(word));
      row.hidden = !fits;
      if (fits) count++;
    }
    shown.textContent = count === rows.length ? `${count} rows` : `${count} of ${rows.length} rows`;
    none.hidden = count > 0;
  }

  function sort(header) {
    const down = header.getAttribute("aria-sort") === "ascending";
    for (const other of header.parentElement.cells) other.setAttribute("aria-sort", "none");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => row.cells[header.cellIndex].textContent.trim();
    const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
    const sorted = rows.map((row) => [key(row), row]);
    // Empty cells come last, whichever way.
    sorted.sort(([a], [b]) => (a === "") - (b === "") || (down ? order.compare(b, a) : order.compare(a, b)));
    body.append(...sorted.map(([, row]) => row));
  }

  for (const header of table.tHead.rows[0].cells) header.firstElementChild.addEventListener("click", () => sort(header));
  for (const chip of stale === null ? chips : [...chips, stale]) {
    chip.addEventListener("click", () => { chip.setAttribute("aria-pressed", String(!pressed(chip))); show(); });
  }
  filter.addEventListener("input", show);
  show();
})();
