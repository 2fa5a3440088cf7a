/**
 * The tickets that this browser keeps, so that whoever took one here finds it again: raffle, number,
 * code, receipt and what the raffle is called. They stay in this browser, and nothing of them is sent.
 *
 * A ticket is {raffle, number, code, receipt?, name, closes_at?, home}; `home` is the path of its
 * page. Each has an entry of its own in the storage, so that two tabs never overwrite each other.
 */

const KEPT = "mine ";
const HOME = /^\/(?:[a-z]{2}\/)?r\//; // in a language that was chosen, or the browser's
// What keeping.js keeps of a raffle.
const WITNESSED = ["ticket", "inclusion", "seal", "since", "second", "signature"];

/** What the browser says that it cannot do is no fault of the page's: then nothing is kept. */
function attempt(act, otherwise) {
  try {
    return act(localStorage);
  } catch {
    return otherwise;
  }
}

const keyOf = ({ raffle, number }) => `${KEPT}${raffle} ${number}`;

/** The address at which a ticket is at home; browsers send what is behind the # to nobody. */
export const addressOf = ({ home, number, code }) => `${home}#${number}.${code}`;

/** Keeps a ticket. A receipt that is here already stays. Returns whether the browser lets us. */
export function keep(ticket) {
  return attempt((storage) => {
    const receipt = ticket.receipt ?? find(ticket)?.receipt;
    storage.setItem(keyOf(ticket), JSON.stringify({ ...ticket, receipt }));
    standBy();
    return true;
  }, false);
}

/** The kept ticket of that raffle and number; undefined without one. */
export function find(ticket) {
  return attempt((storage) => read(storage.getItem(keyOf(ticket))), undefined);
}

/** All that are kept, or those of a raffle: by the next draw, then those without a time, then past ones. */
export function tickets(raffle = "") {
  const found = attempt((storage) => {
    const keys = Array.from({ length: storage.length }, (_, at) => storage.key(at));
    return keys.filter((key) => key.startsWith(KEPT + raffle)).map((key) => read(storage.getItem(key)));
  }, []);
  const now = Date.now();
  const turn = ({ closes_at: at }) => {
    const moment = at ? Date.parse(at) : 4e15;
    return moment < now ? 8e15 - moment : moment;
  };
  return found.filter(Boolean).sort((a, b) => turn(a) - turn(b) || a.number - b.number);
}

/** Whatever else is in the storage is no ticket. */
function read(text) {
  try {
    const ticket = JSON.parse(text);
    const isWhole = ["raffle", "code", "name", "home"].every((key) => typeof ticket[key] === "string")
      && (!ticket.closes_at || Date.parse(ticket.closes_at) > 0);
    return isWhole && Number.isSafeInteger(ticket.number) && HOME.test(ticket.home) ? ticket : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the browser lets us keep nothing. */
export const isOff = () => attempt((storage) => storage.length, -1) < 0;

/** Forgets a ticket, and with a raffle's last one all that this browser kept of the raffle. */
export function forget(ticket) {
  attempt((storage) => {
    storage.removeItem(keyOf(ticket));
    if (tickets(ticket.raffle).length) return;
    for (const what of WITNESSED) storage.removeItem(`${what} ${ticket.raffle}`);
    standBy();
  });
}

/** Forgets all of them, and what was pressed without an answer. */
export function forgetAll() {
  tickets().forEach(forget);
  attempt((storage) => {
    for (const key of Object.keys(storage)) if (key.startsWith("asked ")) storage.removeItem(key);
  });
}

/** Calls `tell` when another tab has kept or forgotten one, and when the browser brings this page back. */
export function onChange(tell) {
  addEventListener("storage", ({ key }) => (key === null || key.startsWith(KEPT)) && tell());
  addEventListener("pageshow", ({ persisted }) => persisted && tell());
}

// --- A press of the button whose answer is not here yet --------------------------------------

/**
 * The key to send with that form: that of the last press that had no answer, so that pressing again,
 * in whichever tab, brings the same ticket; else its own.
 */
export function keyFor(place, name, own) {
  const asked = attempt((storage) => JSON.parse(storage.getItem(`asked ${place}`)), null);
  const key = asked?.name === name && typeof asked.key === "string" ? asked.key : own;
  attempt((storage) => storage.setItem(`asked ${place}`, JSON.stringify({ key, name })));
  return key;
}

/** The answer is here. */
export const settle = (place) => attempt((storage) => storage.removeItem(`asked ${place}`));

// --- Without a network ------------------------------------------------------------------------

/**
 * A browser that keeps tickets shows them without a network, too: a worker waits for that, and goes
 * with the last of them, as does what it keeps. A site may have no worker; then it goes as well.
 */
async function standBy() {
  const workers = navigator.serviceWorker; // none without HTTPS
  try {
    const source = document.querySelector("meta[name=offline-worker]")?.content;
    if (source && tickets().length) return await workers.register(source);
    const worker = await workers.getRegistration();
    if (!worker) return;
    await worker.unregister();
    for (const name of await caches.keys()) await caches.delete(name);
  } catch {
    // Then there is the browser's own page.
  }
}

standBy();
