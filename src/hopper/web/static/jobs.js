// Which jobs are chosen stays so while rows are replaced below the pointer.
(() => {
  const chosen = new Set();
  const boxes = () => document.querySelectorAll("#jobs-part input[name=jobs]");

  const show = () => {
    const here = new Set();
    for (const box of boxes()) {
      here.add(box.value);
      box.checked = chosen.has(box.value);
    }
    for (const job of chosen) if (!here.has(job)) chosen.delete(job);
    const words = document.querySelector("[data-chosen]");
    if (words) words.textContent = chosen.size ? `${chosen.size} chosen:` : "Chosen:";
    const all = document.querySelector("[data-tick-all]");
    if (all) all.checked = here.size > 0 && chosen.size === here.size;
  };

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (box.matches?.("#jobs-part input[name=jobs]")) {
      if (box.checked) chosen.add(box.value);
      else chosen.delete(box.value);
    } else if (box.matches?.("[data-tick-all]")) {
      for (const one of boxes()) {
        if (box.checked) chosen.add(one.value);
        else chosen.delete(one.value);
      }
    } else return;
    show();
  });
  // Rows come one by one too, out of band.
  for (const event of ["htmx:afterSwap", "htmx:oobAfterSwap"]) document.addEventListener(event, show);
})();
