// Spend codes: six digits of RFC 6238 (SHA-1, 30-second steps by the network's clock), made here and without a network.

import { forget, keep, kept } from "./keep.js";

const STEP = 30;
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function bytes(base32) {
  const out = [];
  let held = 0, bits = 0;
  for (const letter of base32.replace(/=+$/, "")) {
    held = (held << 5) | LETTERS.indexOf(letter);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      out.push((held >> bits) & 255);
      held &= (1 << bits) - 1;
    }
  }
  return new Uint8Array(out);
}

export async function codeOf(key, step) {
  const counter = new DataView(new ArrayBuffer(8));
  counter.setUint32(0, Math.floor(step / 2 ** 32));
  counter.setUint32(4, step >>> 0);
  const mac = new DataView(await crypto.subtle.sign("HMAC", key, counter.buffer));
  const at = mac.getUint8(19) & 15;
  return String((mac.getUint32(at) & 0x7fffffff) % 1000000).padStart(6, "0");
}

// The device of this browser. Whatever was kept for another member is forgotten, the card too.
export async function ownDevice(member) {
  if ((await kept("member")) !== member) {
    await forget();
    if ("caches" in self) await caches.delete("manex-card");
    await keep("member", member);
  }
  return kept("device");
}

export const now = (device) => (device.stands ? device.at : Date.now() + device.ahead);

export async function current(device) {
  const seconds = now(device) / 1000;
  const step = Math.floor(seconds / STEP);
  return { step, code: await codeOf(device.key, step), left: device.stands ? STEP : STEP - Math.floor(seconds % STEP) };
}

async function set(device, at, stands) {
  device.at = at;
  device.ahead = at - Date.now();
  device.stands = stands;
  await keep("device", device);
}

async function enrol(root) {
  const answer = await fetch(`${root}/devices`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" },
    body: "",
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.words ?? "");
  const algorithm = { name: "HMAC", hash: "SHA-1" };
  const key = await crypto.subtle.importKey("raw", bytes(told.secret), algorithm, false, ["sign"]);
  const device = { id: told.device, key };
  await set(device, told.now, told.stands);
  return device;
}

// Ask the house whether this phone is still a key, and what its clock says. Without network nothing changes.
async function checked(device, url) {
  let page;
  try {
    const answer = await fetch(url, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return device;
    page = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("codes");
  } catch {
    return device;
  }
  if (!page) return device;
  if (page.dataset.device !== device.id) {
    await keep("device", undefined);
    return undefined;
  }
  await set(device, Number(page.dataset.now), page.dataset.stands === "yes");
  return device;
}

export async function cardPage(root, member, number) {
  const panel = document.getElementById("codes");
  if (!panel || !("subtle" in (self.crypto ?? {}))) return;
  const [none, shown] = [document.getElementById("codes-none"), document.getElementById("codes-shown")];
  const [digits, bar, words] = ["spend-code", "spend-left", "spend-words"].map((id) => document.getElementById(id));
  const [button, refused] = [document.getElementById("codes-enrol"), document.getElementById("codes-refused")];
  let device = await ownDevice(member);
  let last;
  const show = async () => {
    none.hidden = Boolean(device);
    shown.hidden = !device;
    if (!device) return;
    const { step, code, left } = await current(device);
    if (step !== last) digits.textContent = `${code.slice(0, 3)} ${code.slice(3)}`;
    last = step;
    bar.value = left;
    words.textContent = device.stands ? words.dataset.stands : words.dataset.one.replace("%s", number(left));
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    refused.hidden = true;
    try {
      device = await enrol(root);
      navigator.storage?.persist?.();
    } catch (error) {
      refused.textContent = error.message;
      refused.hidden = !error.message;
    }
    button.disabled = false;
    await show();
    if (device) shown.querySelector(".code").focus?.();
  });
  await show();
  if (device) device = await checked(device, location.href);
  await show();
  setInterval(show, 1000);
  const awake = () => document.visibilityState === "visible" && navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", awake);
  awake();
}

export async function giftPage(member) {
  const field = document.getElementById("gift-code");
  const device = field && (await ownDevice(member));
  if (!device) return;
  await set(device, Number(field.dataset.now), field.dataset.stands === "yes");
  const input = document.getElementById("spend_code");
  const fill = async () => (input.value = (await current(device)).code);
  await fill();
  field.hidden = true;
  document.getElementById("gift-own").hidden = false;
  setInterval(fill, 1000);
}
