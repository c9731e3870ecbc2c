// What is shown is what is committed: when the house says that something changed, the page's live parts are read anew.

export function live() {
  const parts = [...document.querySelectorAll("[data-live]")];
  const root = document.body.dataset.root;
  if (!parts.length || !("EventSource" in self)) return;
  let source, waiting, busy = false, again = false;

  const renew = async () => {
    if (busy) return void (again = true);
    busy = true;
    try {
      for (const url of new Set(parts.map((part) => part.dataset.url ?? location.href))) {
        const answer = await fetch(url, { headers: { Accept: "text/html" } });
        if (answer.redirected && new URL(answer.url).pathname.startsWith(`${root}/sign-in`)) return location.reload();
        if (!answer.ok) continue;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        for (const part of parts) {
          if ((part.dataset.url ?? location.href) !== url) continue;
          const fresh = page.getElementById(part.id);
          // each showing of a form has a key of its own: that alone is no change
          const bare = (node) => node.innerHTML.replace(/name="key" value="[^"]*"/g, "").trim();
          if (fresh && bare(fresh) !== bare(part)) part.replaceChildren(...document.importNode(fresh, true).childNodes);
        }
      }
    } catch {
      // no network: what is shown stays, and the stream comes back by itself
    } finally {
      busy = false;
      if (again) {
        again = false;
        renew();
      }
    }
  };
  const soon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(renew, 60);
  };
  const listen = () => {
    if (document.visibilityState !== "visible") return source?.close();
    if (source && source.readyState !== EventSource.CLOSED) return;
    source = new EventSource(`${root}/events`);
    let first = true;
    source.addEventListener("ready", () => {
      document.documentElement.dataset.live = "on";
      if (!first || parts.some((part) => part.dataset.url)) soon();
      first = false;
    });
    for (const name of ["balance", "approval", "reset"]) source.addEventListener(name, soon);
  };
  document.addEventListener("visibilitychange", () => {
    listen();
    if (document.visibilityState === "visible") soon();
  });
  addEventListener("pagehide", () => source?.close());
  listen();
}
