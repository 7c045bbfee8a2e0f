"use strict";
(async () => {
  const element = (id) => document.getElementById(id);
  const [form, words, area, change] = ["filter", "words", "area", "change"].map(element);
  const [rows, found, more, table] = ["rows", "found", "more", "table"].map(element);
  const boxes = [...form.querySelectorAll("[name=verdict]")];
  const STEP = 200;

  const inflate = async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).json();
  };

  const make = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  const data = await inflate(element("data").textContent);
  for (const row of data.rows) {
    row.text = `${row.id} ${data.texts[row.requirement]} ${data.texts[row.citation]}`.toLowerCase();
  }
  const areas = [...new Set(data.rows.map((row) => row.area))];
  area.append(...areas.map((place) => make("option", { value: place, textContent: data.texts[place] })));

  const cell = (verdict) => {
    const [name, spoken, symbol] = data.verdicts[verdict];
    const shape = make("span", { textContent: symbol, title: spoken, ariaHidden: "true" });
    return make("td", { className: `cell ${name}` }, shape, make("span", { className: "aside", textContent: spoken }));
  };

  const account = (row) => {
    const citation = data.texts[row.citation];
    const link = make("a", { href: citation, rel: "noreferrer", textContent: citation });
    const told = make("td", { className: "account", colSpan: data.records.length + 1 },
      make("p", { textContent: data.texts[row.requirement] }),
      make("p", { className: "meta" }, `${data.texts[row.weight]} · `, link));
    (row.accounts ?? []).forEach((place, record) => {
      if (place !== null) {
        const verdict = data.verdicts[row.verdicts[record]][1];
        told.append(
          make("p", { className: "label", textContent: `${data.records[record]}: ${verdict}` }),
          make("pre", { tabIndex: 0, textContent: data.texts[place] }));
      }
    });
    return make("tr", {}, told);
  };

  const line = (row) => {
    const name = make("button", { type: "button", textContent: row.id, ariaExpanded: "false" });
    const made = make("tr", {}, make("th", { scope: "row" }, name), ...row.verdicts.map(cell));
    let told = null;
    name.addEventListener("click", () => {
      if (told) {
        told.remove();
        told = null;
      } else {
        told = account(row);
        made.after(told);
      }
      name.ariaExpanded = String(told !== null);
    });
    return made;
  };

  let matching = [];
  let shown = 0;
  const show = () => {
    rows.append(...matching.slice(shown, shown + STEP).map(line));
    shown = Math.min(shown + STEP, matching.length);
    more.hidden = shown === matching.length;
    more.textContent = `Show ${Math.min(STEP, matching.length - shown)} more`;
    found.textContent = `${matching.length} of ${data.rows.length}, ${shown} shown`;
  };

  const apply = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = boxes.every((box) => box.checked);
    const allowed = new Set(data.verdicts.flatMap(([name], place) =>
      boxes.some((box) => box.checked && box.value === name) ? [place] : []));
    matching = data.rows.filter((row) =>
      (area.value === "" || row.area === Number(area.value))
      && (change.value === "" || (change.value === "differs" ? row.change : row.change === change.value))
      && (all || row.verdicts.some((verdict) => allowed.has(verdict)))
      && wanted.every((word) => row.text.includes(word)));
    shown = 0;
    rows.replaceChildren();
    show();
  };

  // Links above lead to an area, or to one check and its account.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-area], [data-check]");
    if (!link) return;
    form.reset();
    area.value = areas.find((place) => data.texts[place] === link.dataset.area) ?? "";
    words.value = link.dataset.check ?? "";
    apply();
    const exact = matching.findIndex((row) => row.id === link.dataset.check);
    rows.querySelectorAll("button")[exact]?.click();
  });

  more.addEventListener("click", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", apply);
  form.hidden = table.hidden = false;
  apply();
})();
