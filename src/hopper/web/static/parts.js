// Parts of a page that fetch themselves anew when what they show has changed.
//
// <section data-live="workers jobs" hx-get="…" hx-trigger="reload" …> hears of changes of these
// tables (of all where it names none), at most every two seconds, and always of the last one:
// htmx's own throttle forgets what comes within its time.
(() => {
  const EVERY = 2000;
  // By id where there is one: a part that is fetched is another element afterwards.
  const told = new Map(); // part → when it was last fetched
  const waiting = new Set();
  const coming = new Map(); // parts under way → whether something has changed since

  const keyOf = (part) => part.id || part;
  const partOf = (key) => (typeof key === "string" ? document.getElementById(key) : key);

  const reload = (part) => {
    const key = keyOf(part);
    if (waiting.has(key)) return;
    waiting.add(key);
    const due = Math.max(0, (told.get(key) ?? -EVERY) + EVERY - performance.now());
    setTimeout(() => {
      waiting.delete(key);
      const now = partOf(key);
      if (!now?.isConnected) return;
      told.set(key, performance.now());
      htmx.trigger(now, "reload");
    }, due);
  };

  // What changes while a part is on its way may not be in it, and is overwritten by it.
  const changing = () => {
    for (const key of coming.keys()) coming.set(key, true);
  };
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.detail.target;
    if (part?.matches?.("[data-live]")) coming.set(keyOf(part), false);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const part = event.detail.target;
    const key = part && keyOf(part);
    const changed = coming.get(key);
    coming.delete(key);
    const now = changed && partOf(key);
    if (now) reload(now);
  });

  const concerns = (part, news) => {
    const tables = (part.dataset.live || "").split(" ").filter(Boolean);
    if (tables.length && !tables.some((table) => news.tables.includes(table))) return false;
    // A list's rows come by themselves; it need only know that there are others.
    return part.dataset.liveFor !== "members" || news.new.length > 0 || news.gone.length > 0;
  };

  const all = () => document.querySelectorAll("[data-live][hx-get]");
  document.addEventListener("sse:changed", (event) => {
    let news;
    try {
      news = JSON.parse(event.detail.data);
    } catch {
      return;
    }
    changing();
    for (const part of all()) if (concerns(part, news)) reload(part);
  });
  document.addEventListener("sse:stale", () => all().forEach(reload));
  // After a change of one's own, whether or not the stream is there.
  document.addEventListener("changed", () => all().forEach(reload));

  // Rows of all that has changed come; those that this page does not show are passed over.
  document.addEventListener("htmx:sseBeforeMessage", (event) => {
    if (event.target.id !== "live-rows") return;
    event.preventDefault();
    const sent = document.createElement("template");
    sent.innerHTML = event.detail.data;
    const shown = [...sent.content.children].filter((row) => document.getElementById(row.id));
    if (!shown.length) return;
    const html = shown.map((row) => row.outerHTML).join("");
    htmx.swap(event.target, html, { swapStyle: "none", swapDelay: 0, settleDelay: 0 });
  });

  // An address tells what is asked for, not what is not.
  document.addEventListener("htmx:configRequest", (event) => {
    if (!event.detail.elt.matches?.("form.filter")) return;
    const asked = event.detail.parameters;
    for (const name of Object.keys(asked)) if (asked[name] === "") delete asked[name];
  });

  // Filters are folded where there is little room, and open where there is enough.
  const narrow = matchMedia("(max-width: 48rem)");
  const fold = () => {
    for (const one of document.querySelectorAll("details.fold")) one.open = !narrow.matches;
  };
  narrow.addEventListener("change", fold);
  fold();

  // On a phone the page that one is on may be outside of the line of pages.
  const current = document.querySelector(".bar nav [aria-current]");
  current?.closest("nav").scrollTo({ left: current.offsetLeft - 40 });

  // Where an answer is waited for, what went wrong is told in its place.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const asked = detail.requestConfig?.elt;
    if (detail.xhr.status < 400 || !asked?.matches("[data-errors-here]")) return;
    detail.target = asked;
    detail.swapOverride = "innerHTML";
  });

  // Who asks for something while the server is away is told; what a page asks by itself is not.
  document.addEventListener("htmx:sendError", ({ detail }) => {
    if (!detail.requestConfig?.triggeringEvent?.isTrusted) return;
    const toast = document.createElement("div");
    toast.className = "toast bad";
    toast.textContent = "The server does not answer. Try again when the mark at the top says live.";
    document.getElementById("toasts")?.append(toast);
  });

  // What was typed into a form that makes something is gone once it is made: a password too.
  document.addEventListener("htmx:afterRequest", (event) => {
    const form = event.detail.elt;
    if (event.detail.successful && form.matches?.("form[data-clears]")) form.reset();
  });

  // What a button fetches into a dialog is shown at once.
  document.addEventListener("htmx:afterSwap", (event) => {
    const dialog = event.target.closest?.("dialog");
    if (dialog && !dialog.open) dialog.showModal();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-close]")) event.target.closest("dialog")?.close();
    if (event.target.matches?.("dialog[open]")) event.target.close();
  });

  // Answers to changes go away by themselves; errors stay until they are clicked.
  const toasts = document.getElementsByClassName("toasts");
  document.addEventListener("htmx:afterSwap", () => {
    for (const toast of toasts[0]?.querySelectorAll(".toast.ok:not([data-going])") ?? []) {
      toast.dataset.going = "";
      setTimeout(() => toast.remove(), 6000);
    }
  });
  document.addEventListener("click", (event) => event.target.closest?.(".toasts > *")?.remove());
})();
