// What this browser keeps: the key that makes spend codes. A key goes in and can be used; it cannot be read again.

function open() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open("manex", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("keep");
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

async function on(mode, what) {
  const db = await open();
  try {
    return await new Promise((resolve, reject) => {
      const asked = what(db.transaction("keep", mode).objectStore("keep"));
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error);
    });
  } finally {
    db.close();
  }
}

export const kept = (name) => on("readonly", (store) => store.get(name)).catch(() => undefined);
export const keep = (name, value) => on("readwrite", (store) => store.put(value, name));
export const forget = () => on("readwrite", (store) => store.clear()).catch(() => undefined);
