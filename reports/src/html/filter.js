"use strict";
(() => {
  const form = document.getElementById("filter");
  const words = document.getElementById("words");
  const unexpected = document.getElementById("unexpected");
  const found = document.getElementById("found");
  const verdicts = [...form.querySelectorAll("[name=verdict]")];
  const areas = [...document.querySelectorAll(".area")].map((element) => ({
    element,
    open: element.open,
    checks: [...element.querySelectorAll(".check")].map((check) => ({
      check,
      text: [".sentence", ".meta"].map((part) => check.querySelector(part).textContent).join(" ").toLowerCase(),
    })),
  }));

  const apply = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const allowed = new Set(verdicts.filter((box) => box.checked).map((box) => box.value));
    const narrowed = wanted.length > 0 || unexpected.checked || allowed.size < verdicts.length;
    let shown = 0;
    for (const area of areas) {
      let inArea = 0;
      for (const { check, text } of area.checks) {
        const matches = allowed.has(check.dataset.verdict)
          && (!unexpected.checked || "unexpected" in check.dataset)
          && wanted.every((word) => text.includes(word));
        check.hidden = !matches;
        inArea += matches ? 1 : 0;
      }
      area.element.hidden = inArea === 0;
      area.element.open = narrowed ? inArea > 0 : area.open;
      shown += inArea;
    }
    found.textContent = narrowed ? `${shown} shown` : "";
  };

  // A link to a check has to open the area that holds it.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const area = target?.closest(".area");
    if (area) {
      area.open = true;
      target.scrollIntoView();
    }
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", apply);
  window.addEventListener("hashchange", reveal);
  reveal();
})();
