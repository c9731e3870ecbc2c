// What the pages gain where scripts run. Every page does its work without this.

import { cardPage, giftPage, ownDevice } from "./codes.js";
import { live } from "./live.js";

const { root, member } = document.body.dataset;
const tag = document.documentElement.lang === "fa" ? "fa-IR" : "en";
const number = (n) => new Intl.NumberFormat(tag).format(n);

if (member) {
  live();
  // one after the other: the first of them forgets what another member kept here
  ownDevice(member).then(() => {
    cardPage(root, member, number);
    giftPage(member);
  }, () => {});
}

// a form that is under way is not sent twice
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "yes";
  setTimeout(() => delete form.dataset.sent, 4000);
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((f) => delete f.dataset.sent));

// the app: kept for when there is no network, renewed when the member says so
if (root && "serviceWorker" in navigator) {
  const note = document.getElementById("update");
  const offer = (worker) => {
    if (!note || !worker) return;
    note.hidden = false;
    document.getElementById("update-now").addEventListener("click", () => worker.postMessage("use"));
  };
  let mine = Boolean(navigator.serviceWorker.controller);
  navigator.serviceWorker.addEventListener("controllerchange", () => {
    if (mine) location.reload();
    mine = true;
  });
  navigator.serviceWorker.register(`${root}/sw.js`).then((registration) => {
    if (!registration) return;
    if (registration.waiting && navigator.serviceWorker.controller) offer(registration.waiting);
    registration.addEventListener("updatefound", () => {
      const coming = registration.installing;
      coming?.addEventListener("statechange", () => {
        if (coming.state === "installed" && navigator.serviceWorker.controller) offer(coming);
      });
    });
  }, () => {});
}
