/**
 * Keep what is on a page true while it is open: the part that the server renders anew
 * (data-live), countdowns, and times in the visitor's own zone. Without this the page is a
 * little older, and nothing is missing.
 */

// --- The clock -----------------------------------------------------------------------------

let ahead = 0; // ms by which the server's clock is ahead of this machine's

/** What the time is by the server, which closes and draws by its own clock. */
export const now = () => Date.now() + ahead;

/** Takes the server's time of an answer (Server-Timing) that came at `came` by our clock. */
function setClock(time, came) {
  if (time > 0) ahead = time - came;
}

const [arrival] = performance.getEntriesByType("navigation");
// A page from the browser's own store tells the time of its first visit.
if (arrival?.transferSize) {
  const told = arrival.serverTiming?.find(({ name }) => name === "clock");
  setClock(told?.duration, performance.timeOrigin + arrival.responseStart);
}

const POLL = 4000; // ms between two looks; a failed one waits twice as long, up to a minute
const LONGEST = 60000;
const STREAMED = 15000; // ms while a stream tells at once of draws: then only the counter waits
const STAMPEDE = 1000; // ms over which those who are told the same spread their looks
const ENDED = "countdown-ended"; // event of a countdown that has come to its end
const language = document.documentElement.lang;

// --- The part that changes -----------------------------------------------------------------

/**
 * Fetch a region's address (data-live) again and again and put its parts (data-part) where they are
 * new; the region hears of it (fresh, or stale where the address did not answer).
 */
export function keepFresh(region, { isAtOnce = false, headers = {} } = {}) {
  const parts = [...region.querySelectorAll("[data-part]")];
  // As the server sent them: painted times are added afterwards.
  const shown = new Map(parts.map((part) => [part.dataset.part, part.innerHTML]));
  const least = 1000 * (region.dataset.pause ?? 0) || POLL;
  const stream = follow(region.dataset.stream, () => plan(Math.random() * STAMPEDE));
  let pause = least;
  let timer = 0;
  let due = Infinity;
  let asked = 0;

  /** Looks after so many ms, or when a look is due sooner. */
  function plan(wait) {
    if (Date.now() + wait >= due) return;
    clearTimeout(timer);
    due = Date.now() + wait;
    timer = setTimeout(look, wait);
  }

  async function look() {
    due = Infinity;
    const turn = ++asked;
    try {
      const response = await fetch(region.dataset.live, { cache: "no-cache", headers });
      if (!response.ok) throw new Error(response.statusText);
      setClock(Number(/\bclock;dur=(\d+)/.exec(response.headers.get("Server-Timing"))?.[1]), Date.now());
      const text = await response.text();
      if (turn === asked) show(text);
      setConnected(true);
      pause = stream.isOpen() && !isOver(region) ? Math.max(STREAMED, least) : least;
    } catch {
      setConnected(false);
      pause = Math.min(2 * pause, LONGEST);
      region.dispatchEvent(new Event("stale"));
    }
    if (!document.hidden) plan(pause);
  }

  function show(text) {
    const fresh = document.createElement("template");
    fresh.innerHTML = text;
    for (const part of parts) {
      const name = part.dataset.part;
      const next = fresh.content.querySelector(`[data-part="${name}"]`);
      if (!next || next.innerHTML === shown.get(name) || (isBegun(part) && isForm(next))) continue;
      shown.set(name, next.innerHTML);
      const focused = part.contains(document.activeElement) ? document.activeElement : null;
      part.replaceChildren(...next.childNodes);
      if (focused) (again(part, focused) ?? region).focus();
    }
    region.dispatchEvent(new Event("fresh"));
    paint();
  }

  document.addEventListener("visibilitychange", () => document.hidden || plan(0));
  addEventListener("online", () => plan(0));
  region.addEventListener(ENDED, () => plan(Math.random() * STAMPEDE));
  plan(isAtOnce ? 0 : pause);
}

/** Whether something is due there, which no stream tells of: entries that close, for one. */
const isOver = (region) => [...region.querySelectorAll("[data-countdown]")].some(({ dataset }) => !left(dataset.countdown));

const FIELDS = "input:not([type=hidden])";
const isForm = (part) => part.querySelector(FIELDS) !== null;
/** What the visitor has begun to write stays, and so does what was wrong with it. */
const isBegun = (part) => part.querySelector(".fault") !== null
  || [...part.querySelectorAll(FIELDS)].some(({ type, checked, value }) => (type === "checkbox" ? checked : value));

/** The element that now stands where the focused one stood. */
function again(part, { id, href }) {
  const isSame = (element) => (id ? element.id === id : href && element.href === href);
  return [...part.querySelectorAll("a, button, input, summary")].find(isSame);
}

// --- The connection, and what is under way --------------------------------------------------

const unconnected = document.querySelector("main > .unconnected");

/** Says so while nothing can be fetched; the page goes on by itself once it can. */
function setConnected(isConnected) {
  if (unconnected) unconnected.hidden = isConnected;
}

addEventListener("offline", () => setConnected(false));

const ANSWERED = 10000; // ms after which a form can be sent again, whatever became of the first

/** A form that was sent says so, and is sent once; the Back button brings it back as it was. */
function setPending(form, isPending) {
  form.ariaBusy = isPending ? "true" : null;
}

addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !unconnected) return; // a script sends it, or it is of the admin
  if (form.ariaBusy) return event.preventDefault();
  setPending(form, true);
  setTimeout(setPending, ANSWERED, form, false);
});
addEventListener("pageshow", () => {
  for (const form of document.forms) setPending(form, false);
});

// --- The stream ----------------------------------------------------------------------------

const KINDS = ["raffle.sold_out", "draw.sealed", "draw.drawn", "draw.voided", "winner.replaced", "reset"];
const STAYS = 10000; // ms; a stream that ends sooner, twice, is none: looking costs less

/** Calls `tell` when something was announced, or may have been; holds no line for a hidden page. */
export function follow(address, tell) {
  let stream = null;
  let opened = 0;
  let brief = 0;

  function open() {
    if (stream || !address || document.hidden) return;
    stream = new EventSource(address);
    stream.onopen = () => {
      opened = Date.now();
      tell();
    };
    stream.onerror = () => {
      brief = Date.now() - opened < STAYS ? brief + 1 : 0;
      if (brief < 2 && stream.readyState !== EventSource.CLOSED) return; // it comes back by itself
      close();
      setTimeout(open, LONGEST);
    };
    for (const kind of KINDS) stream.addEventListener(kind, tell);
  }

  function close() {
    stream?.close();
    stream = null;
    brief = 0;
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  open();
  return { isOpen: () => stream?.readyState === EventSource.OPEN };
}

// --- Times ---------------------------------------------------------------------------------

const STEPS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const days = new Intl.NumberFormat(language, { style: "unit", unit: "day", unitDisplay: "long" });
const PARTS = {
  weekday: "short", day: "numeric", month: "short",
  hour: "2-digit", minute: "2-digit", hourCycle: "h23",
};
const thisYear = new Intl.DateTimeFormat(language, PARTS);
const anyYear = new Intl.DateTimeFormat(language, { ...PARTS, year: "numeric" });

/** A moment on the visitor's clocks; the year is told if it is another. */
function onOwnClocks(moment) {
  const at = new Date(moment);
  return (at.getFullYear() === new Date(now()).getFullYear() ? thisYear : anyYear).format(at);
}

const two = (number) => String(number).padStart(2, "0");

/** The time left as “2 days 03:04:05”; empty once it is over. */
export function left(moment, at = now()) {
  const seconds = Math.ceil((Date.parse(moment) - at) / 1000);
  if (seconds <= 0) return "";
  const whole = Math.floor(seconds / 86400);
  const clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
  return (whole ? `${days.format(whole)} ` : "") + clock.map((n) => two(Math.floor(n))).join(":");
}

function distance(moment) {
  const seconds = Math.round((Date.parse(moment) - now()) / 1000);
  const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? STEPS.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Whether the visitor's clocks show the same as those that the moment was written in. */
function isOwn(moment) {
  const [, sign, hours, minutes] = /([+-])(\d\d):(\d\d)$/.exec(moment) ?? ["", "+", 0, 0];
  const theirs = (sign === "-" ? -1 : 1) * (60 * hours + Number(minutes));
  return theirs === -new Date(moment).getTimezoneOffset();
}

/** The visitor's own time first, with that of the draw beside it, and how far it is. */
function paintMoment(element) {
  const { moment, words, plain } = element.dataset;
  const [time, beside] = element.children;
  element.dataset.theirs ??= time.textContent;
  const far = plain === undefined ? distance(moment) : ""; // a countdown says it already
  if (isOwn(moment)) return write(beside, far);
  write(time, words.replace("{time}", onOwnClocks(moment)));
  write(beside, [element.dataset.beside, far].filter(Boolean).join(" · "));
}

/** On paper nobody knows whose time it was. */
function writeForPaper() {
  for (const { children: [time], dataset } of document.querySelectorAll("[data-moment]")) {
    if (dataset.theirs) write(time, dataset.theirs);
  }
}

function paint() {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    const rest = left(element.dataset.countdown);
    const was = element.dataset.rest; // undefined in a page that comes with it ended
    element.dataset.rest = rest;
    write(element, rest || element.dataset.over);
    if (was && !rest) element.dispatchEvent(new Event(ENDED, { bubbles: true }));
  }
  for (const element of document.querySelectorAll("[data-from], [data-until]")) {
    const { from, until } = element.dataset;
    element.hidden = Boolean((from && left(from)) || (until && !left(until)));
  }
  for (const element of document.querySelectorAll("[data-moment]")) paintMoment(element);
}

addEventListener("beforeprint", writeForPaper);
addEventListener("afterprint", paint);
for (const region of document.querySelectorAll("[data-live]")) keepFresh(region);
document.querySelector("[data-act=print]")?.addEventListener("click", () => print());
paint();
setInterval(paint, 1000);
