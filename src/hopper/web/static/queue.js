// Zips are sent one by one, each with its own bar, so that one that is refused stops no other.
(() => {
  const form = document.getElementById("upload");
  if (!form) return;
  const drop = document.getElementById("drop");
  const list = document.getElementById("uploads");
  const chooser = form.querySelector("input[type=file]");
  const waiting = [];
  let busy = false;

  const make = (tag, text = "") => Object.assign(document.createElement(tag), { textContent: text });

  const add = (files) => {
    for (const file of files) {
      const line = make("li");
      const remove = make("button", "✕");
      remove.type = "button";
      remove.className = "plain";
      remove.setAttribute("aria-label", `Leave ${file.name} out`);
      const entry = { file, line, said: make("span", "ready") };
      remove.addEventListener("click", () => {
        const place = waiting.indexOf(entry);
        if (place >= 0) waiting.splice(place, 1);
        entry.request?.abort();
        line.remove();
      });
      line.append(make("strong", file.name), " ", entry.said, " ", remove);
      list.append(line);
      waiting.push(entry);
    }
  };

  const fields = (file) => {
    const body = new FormData();
    for (const [name, value] of new FormData(form)) {
      if (typeof value === "string" && value !== "" && name !== "csrf_token") body.append(name, value);
    }
    // Last: what is wrong with the fields is known without it.
    body.append("file", file, file.name);
    return body;
  };

  const token = () => JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRF-Token"];

  const send = (entry) =>
    new Promise((done) => {
      const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
      bar.setAttribute("aria-label", `Sending ${entry.file.name}`);
      entry.said.replaceChildren(bar);
      entry.line.className = "";
      const request = (entry.request = new XMLHttpRequest());
      request.open("POST", form.action);
      request.setRequestHeader("Accept", "application/json, application/problem+json");
      request.setRequestHeader("X-CSRF-Token", token());
      request.upload.addEventListener("progress", (event) => {
        if (!event.lengthComputable) return;
        bar.value = event.loaded / event.total;
        if (event.loaded === event.total) bar.removeAttribute("value");
      });
      request.addEventListener("loadend", () => {
        let body = {};
        try {
          body = JSON.parse(request.responseText);
        } catch {
          // said below
        }
        if (request.status === 201) {
          entry.line.className = "look-ok";
          entry.said.replaceChildren(
            ...body.queued.map((one) => {
              const link = make("a", one.job);
              link.href = form.dataset.jobs + encodeURIComponent(one.job);
              return link;
            }),
          );
        } else {
          entry.line.className = "look-bad";
          const why = [body.detail || request.statusText || "the server did not answer", body.way_out];
          const said = why.filter(Boolean).join("; ");
          // Its name stands before it already; a file's that is no zip may have been given an end.
          const names = [`${entry.file.name}: `, `${entry.file.name}.zip: `];
          const named = names.find((name) => said.startsWith(name)) ?? "";
          entry.said.textContent = said.slice(named.length);
        }
        done();
      });
      request.send(fields(entry.file));
    });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    const name = form.elements.namedItem("name");
    const several = waiting.length > 1 && name.value;
    name.setCustomValidity(several ? "Several jobs cannot all have one name." : "");
    if (several) name.closest("details").open = true;
    if (!form.reportValidity()) return;
    busy = true;
    try {
      while (waiting.length) await send(waiting.shift());
    } finally {
      busy = false;
    }
    document.dispatchEvent(new Event("changed"));
  });
  chooser.addEventListener("change", () => {
    add(chooser.files);
    chooser.value = "";
  });
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.dataset.over = "";
    });
  }
  for (const name of ["dragleave", "drop"]) {
    drop.addEventListener(name, () => delete drop.dataset.over);
  }
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    add(event.dataTransfer.files);
  });
})();
