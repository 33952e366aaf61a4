// What keeps an open page up to date: its one stream of changes, ages and countdowns, copying.
"use strict";
(() => {
  const GONE_AFTER = 10_000; // ms without a connection until it is called gone
  const LONGEST_PAUSE = 30_000; // ms between two tries

  // --- how the connection is, in the mark at the top

  const WORDS = { live: "live", waiting: "reconnecting", gone: "no connection to the server" };
  const mark = (state) => {
    const place = document.getElementById("live");
    if (!place || place.dataset.state === state) return;
    place.dataset.state = state;
    place.textContent = WORDS[state];
  };

  // --- the stream

  // The rows that this page shows; htmx would complain of each of the others.
  const shown = (event) => {
    const rows = document.createElement("template");
    rows.innerHTML = event.data;
    for (const row of rows.content.querySelectorAll("tr[id]")) {
      if (!document.getElementById(row.id)) row.remove();
    }
    return new MessageEvent(event.type, { data: rows.innerHTML, lastEventId: event.lastEventId });
  };

  // An event source for htmx that closes while nobody sees the tab, since a browser allows six
  // connections to a host, and then goes on where it was.
  class TabSource {
    constructor(address) {
      this.readyState = EventSource.CONNECTING; // never CLOSED by itself: htmx would open another
      this.address = new URL(address, location.href);
      // The page's own place, so that nothing is lost between its making and this.
      this.last = document.getElementById("live")?.dataset.position ?? "";
      this.listeners = new Map();
      this.source = null;
      this.pause = 1_000;
      this.seen = () => (document.hidden ? this.#leave() : this.#open());
      document.addEventListener("visibilitychange", this.seen);
      window.addEventListener("pageshow", this.seen);
      window.addEventListener("pagehide", this.left);
      if (!document.hidden) this.#open();
    }

    left = () => this.#leave();

    addEventListener(name, listener) {
      const known = this.listeners.get(name) ?? new Set();
      this.listeners.set(name, known.add(listener));
      if (known.size === 1) this.source?.addEventListener(name, this.pass);
    }

    removeEventListener(name, listener) {
      this.listeners.get(name)?.delete(listener);
    }

    close() {
      this.readyState = EventSource.CLOSED;
      document.removeEventListener("visibilitychange", this.seen);
      window.removeEventListener("pageshow", this.seen);
      window.removeEventListener("pagehide", this.left);
      this.#leave();
    }

    pass = (event) => {
      this.last = event.lastEventId || this.last;
      const told = event.type === "rows" ? shown(event) : event;
      for (const listener of [...(this.listeners.get(event.type) ?? [])]) listener(told);
    };

    #open() {
      if (this.source || this.readyState === EventSource.CLOSED) return;
      clearTimeout(this.again);
      const address = new URL(this.address);
      if (this.last) address.searchParams.set("last_event_id", this.last);
      const source = new EventSource(address);
      this.source = source;
      source.addEventListener("hello", (event) => (this.last = event.lastEventId || this.last));
      for (const name of this.listeners.keys()) source.addEventListener(name, this.pass);
      source.onopen = () => {
        clearTimeout(this.gone);
        this.gone = undefined;
        this.pause = 1_000;
        this.readyState = EventSource.OPEN;
        mark("live");
        this.onopen?.(new Event("open"));
      };
      source.onerror = () => this.#lost(source);
    }

    #lost(source) {
      if (this.source !== source) return;
      this.readyState = EventSource.CONNECTING;
      if (this.gone === undefined) {
        mark("waiting");
        this.gone = setTimeout(() => mark("gone"), GONE_AFTER);
      }
      // A browser tries again by itself after a break, but not after an answer that is no stream.
      if (source.readyState !== EventSource.CLOSED) return;
      this.source = null;
      this.again = setTimeout(() => document.hidden || this.#open(), this.pause);
      this.pause = Math.min(this.pause * 2, LONGEST_PAUSE);
    }

    #leave() {
      clearTimeout(this.again);
      clearTimeout(this.gone);
      this.gone = undefined;
      this.source?.close();
      this.source = null;
    }
  }

  if (window.htmx) window.htmx.createEventSource = (address) => new TabSource(address);

  // --- times: ages and countdowns go on, and the local time shows when one is pointed at

  // In the words of the server: a duration in its two largest units.
  const UNITS = [
    [86_400, "d", 3_600, "h"],
    [3_600, "h", 60, "m"],
    [60, "m", 1, "s"],
  ];
  const span = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    const unit = UNITS.find(([size]) => whole >= size);
    if (!unit) return `${whole}s`;
    const [size, name, small, smallName] = unit;
    const rest = Math.floor((whole % size) / small);
    return `${Math.floor(whole / size)}${name}${rest ? ` ${rest}${smallName}` : ""}`;
  };
  const write = (place, words) => {
    if (place.textContent !== words) place.textContent = words;
  };
  const tick = () => {
    if (document.hidden) return;
    const now = Date.now();
    for (const place of document.querySelectorAll("time[datetime]")) {
      const moment = Date.parse(place.dateTime);
      if (Number.isNaN(moment)) continue;
      if (place.dataset.shown !== place.dateTime) {
        place.dataset.shown = place.dateTime;
        const local = new Date(moment).toLocaleString();
        place.title = local;
        if ("local" in place.dataset) write(place, local);
      }
      if ("ago" in place.dataset) write(place, span((now - moment) / 1000));
      if ("countdown" in place.dataset) write(place, span((moment - now) / 1000));
    }
  };
  setInterval(tick, 1_000);
  document.addEventListener("DOMContentLoaded", tick);
  document.addEventListener("visibilitychange", tick);
  document.addEventListener("htmx:afterSettle", tick);

  // --- copying: <button data-copy="#selector"> or <button data-copy-text="…">

  const copied = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    // Without https, on another machine's address, browsers have only the old way.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("not copied");
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy], [data-copy-text]");
    if (!button || button.dataset.words) return;
    const from = button.dataset.copy && document.querySelector(button.dataset.copy);
    const text = button.dataset.copyText ?? from?.value ?? from?.textContent ?? "";
    button.dataset.words = button.textContent;
    button.textContent = await copied(text).then(
      () => "Copied",
      () => "Not copied",
    );
    setTimeout(() => {
      button.textContent = button.dataset.words;
      delete button.dataset.words;
    }, 1_500);
  });
})();
