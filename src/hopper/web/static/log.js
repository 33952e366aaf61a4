// Follows a log while it grows, by the place that was seen last, and loads what is earlier.
"use strict";
(() => {
  const EVERY = 1_500; // ms between two looks
  const PATIENCE = 30_000; // ms between two looks, at most, when nothing comes or nobody answers
  const KEPT = 4_000_000; // characters that a page holds

  const sizeOf = (bytes) => {
    let value = bytes;
    for (const unit of ["B", "kB", "MB", "GB"]) {
      if (value < 1000) return unit === "B" ? `${value} B` : `${value.toFixed(1)} ${unit}`;
      value /= 1000;
    }
    return `${value.toFixed(1)} TB`;
  };

  const start = (viewer) => {
    const one = (name) => viewer.querySelector(`[${name}]`);
    const text = viewer.querySelector("pre");
    const earlier = one("data-log-earlier");
    const trouble = one("data-log-trouble");
    const stay = one("data-log-end");
    let next = Number(viewer.dataset.next);
    let first = Number(viewer.dataset.start);
    let live = viewer.dataset.live === "yes";
    let pause = EVERY;

    const ask = async (query) => {
      const address = new URL(viewer.dataset.log, location.href);
      for (const [key, value] of Object.entries(query)) address.searchParams.set(key, value);
      const answer = await fetch(address, { headers: { Accept: "application/json" } });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.detail || answer.statusText);
      return said;
    };
    const told = (words) => {
      trouble.textContent = words;
      trouble.hidden = !words;
    };
    const atEnd = () => {
      if (stay.checked) text.scrollTop = text.scrollHeight;
    };

    const look = async () => {
      if (document.hidden) return;
      try {
        const said = await ask(next < 0 ? {} : { start: next });
        told("");
        if (next < 0) {
          first = next = said.start;
          earlier.hidden = first <= said.first;
        }
        if (said.text) {
          // What lies further back can be loaded again.
          if (text.textContent.length + said.text.length > KEPT) {
            text.textContent = "";
            first = said.start;
            earlier.hidden = false;
          }
          text.append(said.text);
          atEnd();
        }
        one("data-log-size").textContent = sizeOf(said.size);
        const more = said.next > next && said.next < said.size;
        pause = more ? 50 : said.next > next ? EVERY : Math.min(pause * 1.2, 5_000);
        next = said.next;
        live = said.live || more;
      } catch (error) {
        told(error.message);
        pause = Math.min(pause * 2, PATIENCE);
      }
    };
    const follow = async () => {
      if (!viewer.isConnected) return;
      await look();
      one("data-log-state").textContent = live ? "following" : "ended";
      if (live) setTimeout(follow, Math.max(pause, 50));
    };

    earlier.addEventListener("click", async () => {
      earlier.disabled = true;
      try {
        const said = await ask({ before: first });
        const height = text.scrollHeight;
        text.prepend(said.text);
        text.scrollTop += text.scrollHeight - height;
        first = said.start;
        earlier.hidden = first <= said.first || said.start === said.next;
      } catch (error) {
        told(error.message);
      }
      earlier.disabled = false;
    });
    text.addEventListener("scroll", () => {
      // Who scrolls back wants to read; who comes to the end again wants to follow.
      stay.checked = text.scrollHeight - text.scrollTop - text.clientHeight < 30;
    });
    stay.addEventListener("change", atEnd);
    atEnd();
    if (live) setTimeout(follow, next < 0 ? 0 : EVERY);
  };

  document.addEventListener("DOMContentLoaded", () => {
    for (const viewer of document.querySelectorAll("[data-log]")) start(viewer);
  });
})();
