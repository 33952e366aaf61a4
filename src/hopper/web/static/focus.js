// Where the keyboard is stays so while parts of a page are replaced, and buttons rest, below it.
"use strict";
(() => {
  const ABLE = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]";
  let held = null; // where it was last, as told by what stays the same when a part is made anew
  let swapping = false;

  const marks = (element) =>
    [
      element.localName,
      element.type,
      element.name,
      element.getAttribute("value"),
      element.getAttribute("href"),
      element.getAttribute("aria-label"),
      element.localName === "button" ? element.form?.getAttribute("action") : "",
      // What is counted in a line that unfolds changes.
      element.localName === "summary" ? element.parentElement.dataset.group : "",
    ].join("\n");
  const able = (place) =>
    [...place.querySelectorAll(ABLE)].filter((one) => !one.disabled && one.offsetParent !== null);

  document.addEventListener("focusin", ({ target }) => {
    if (target.closest("dialog")) return;
    const homes = [];
    for (let one = target; one && one !== document.body; one = one.parentElement) {
      if (one.id) homes.push({ id: one.id, place: one === target ? 0 : able(one).indexOf(target) });
    }
    held = { element: target, marks: marks(target), homes };
  });
  document.addEventListener("focusout", ({ target, relatedTarget }) => {
    // Left by the person, and neither taken away nor off while it works.
    if (!swapping && !relatedTarget && !target.disabled && document.hasFocus()) held = null;
  });

  // The same thing as it is now; or what is in its place, when a button gave way to another.
  const again = () => {
    if (held.element.isConnected) return held.element.disabled ? null : held.element;
    for (const { id, place } of held.homes) {
      const home = document.getElementById(id);
      if (!home) continue;
      if (place === 0 && home.matches(ABLE)) return home;
      const ones = able(home);
      const found = ones.find((one) => marks(one) === held.marks) ?? ones[Math.min(place, ones.length - 1)];
      if (found) return found;
    }
    return null;
  };
  const restore = () => {
    swapping = false;
    if (!held || document.querySelector("dialog[open]")) return;
    const now = document.activeElement;
    if (now && now !== document.body) return;
    again()?.focus({ preventScroll: true });
  };

  // A key that is held down does not go on to what has come in the place of a button.
  document.addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter" && event.target.matches?.("button")) event.preventDefault();
  });
  for (const event of ["htmx:beforeSwap", "htmx:oobBeforeSwap"]) {
    document.addEventListener(event, () => (swapping = true));
  }
  for (const event of ["htmx:afterSwap", "htmx:oobAfterSwap", "htmx:afterRequest"]) {
    document.addEventListener(event, restore);
  }
})();
