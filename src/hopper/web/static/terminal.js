// A terminal over a websocket: what is typed goes as bytes, the size of the window as JSON.
"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("terminal");
  const state = document.getElementById("terminal-state");
  if (!place || typeof Terminal === "undefined") return;
  const terminal = new Terminal({ cursorBlink: true, scrollback: 5_000, screenReaderMode: true });
  const fit = new FitAddon.FitAddon();
  terminal.loadAddon(fit);
  terminal.open(place);
  fit.fit();

  const address = new URL(place.dataset.socket, location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  socket.binaryType = "arraybuffer";
  const open = () => socket.readyState === WebSocket.OPEN;
  const size = () => open() && socket.send(JSON.stringify({ size: [terminal.cols, terminal.rows] }));
  const bytes = new TextEncoder();
  const type = (text) => open() && socket.send(bytes.encode(text));

  let begun = false;
  socket.onmessage = (event) => {
    if (!begun) {
      begun = true;
      state.textContent = "open";
      size();
      terminal.focus();
    }
    terminal.write(new Uint8Array(event.data));
  };
  socket.onopen = size;
  socket.onclose = (event) => {
    state.textContent = event.reason || "ended";
    terminal.options.cursorBlink = false;
    terminal.options.disableStdin = true;
  };
  terminal.onData(type);
  terminal.onBinary((text) => open() && socket.send(Uint8Array.from(text, (one) => one.charCodeAt(0))));
  terminal.onResize(size);
  // The keyboard must find its way out again, since Tab belongs to the shell.
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.key !== "Escape" || !event.ctrlKey || !event.shiftKey) return true;
    terminal.blur();
    document.getElementById("main").focus();
    return false;
  });
  new ResizeObserver(() => fit.fit()).observe(place);
});
