// The wallet without a network: files of one version, the page that says so, and the member's card as it was last seen.

const ROOT = "{{root}}";
const FILES = "manex-{{version}}";
const CARD = "manex-card";
const ASSETS = `${ROOT}/static/{{version}}`;
const OFFLINE = `${ROOT}/offline`;
const KEEP = ["manex.css", "app.js", "codes.js", "keep.js", "live.js"].map((name) => `${ASSETS}/${name}`);
// at a till nobody waits for a network that is hardly there
const PATIENCE = 800;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(FILES).then((files) => files.addAll([OFFLINE, ...KEEP])));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("manex-") && name !== FILES && name !== CARD;
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("message", (event) => {
  if (event.data === "use") self.skipWaiting();
});

async function page(request, path) {
  const isCard = path === `${ROOT}/card`;
  const asked = fetch(request).then(async (answer) => {
    if (isCard && answer.ok && !answer.redirected && answer.type === "basic") {
      // the files that this page stands on are kept with it, whichever version it is of
      await (await caches.open(CARD)).put(`${ROOT}/card`, answer.clone());
    }
    return answer;
  });
  if (isCard) {
    const held = await (await caches.open(CARD)).match(`${ROOT}/card`);
    if (held) {
      const late = new Promise((resolve) => setTimeout(resolve, PATIENCE, held.clone()));
      return Promise.race([asked.catch(() => held), late]);
    }
  }
  return asked.catch(() => caches.match(OFFLINE, { ignoreVary: true }));
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (origin !== self.location.origin || request.method !== "GET") return;
  if (request.mode === "navigate") return event.respondWith(page(request, pathname));
  if (pathname.startsWith(`${ROOT}/static/`)) {
    const name = pathname.split("/").pop();
    event.respondWith(
      caches.match(request, { ignoreVary: true }).then((held) =>
        held ?? fetch(request).catch(() => caches.match(`${ASSETS}/${name}`, { ignoreVary: true }))),
    );
  }
});
