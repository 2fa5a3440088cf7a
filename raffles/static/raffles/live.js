/**
 * Keep what is on a page true while it is open: the part that the server renders anew
 * (data-live), countdowns, and times in the visitor's own zone. Without this the page is a
 * little older, and nothing is missing.
 */

const POLL = 4000; // ms between two looks; a failed one waits twice as long, up to a minute
const LONGEST = 60000;
const STREAMED = 15000; // ms while a stream tells at once of draws: then only the counter waits
const STAMPEDE = 1000; // ms over which those who are told the same spread their looks
const language = document.documentElement.lang;

// --- The part that changes -----------------------------------------------------------------

/**
 * Fetch a region's address (data-live) again and again and put its parts (data-part) where they are
 * new; the region hears of it (fresh, or stale where the address did not answer).
 */
export function keepFresh(region, { isAtOnce = false } = {}) {
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
      const response = await fetch(region.dataset.live, { cache: "no-cache" });
      if (!response.ok) throw new Error(response.statusText);
      const text = await response.text();
      if (turn === asked) show(text);
      pause = stream.isOpen() ? Math.max(STREAMED, least) : least;
    } catch {
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
  plan(isAtOnce ? 0 : pause);
}

const FIELDS = "input:not([type=hidden])";
const isForm = (part) => part.querySelector(FIELDS) !== null;
/** What the visitor has begun to write stays. */
const isBegun = (part) => [...part.querySelectorAll(FIELDS)].some((field) => field.value);

/** The element that now stands where the focused one stood. */
function again(part, { id, href }) {
  const isSame = (element) => (id ? element.id === id : href && element.href === href);
  return [...part.querySelectorAll("a, button, input, summary")].find(isSame);
}

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
const clock = new Intl.DateTimeFormat(language, {
  weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short",
});

const two = (number) => String(number).padStart(2, "0");

/** The time left as “2 days 03:04:05”; empty once it is over. */
export function left(moment, now = Date.now()) {
  const seconds = Math.ceil((Date.parse(moment) - now) / 1000);
  if (seconds <= 0) return "";
  const whole = Math.floor(seconds / 86400);
  const clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60];
  return (whole ? `${days.format(whole)} ` : "") + clock.map((n) => two(Math.floor(n))).join(":");
}

function distance(moment) {
  const seconds = Math.round((Date.parse(moment) - Date.now()) / 1000);
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

/** A moment in the visitor's zone, where that is another, and how far it is. */
function inOwnWords({ moment, words, plain }) {
  if (isOwn(moment)) return distance(moment);
  const own = words.replace("{time}", clock.format(new Date(moment)));
  return plain === undefined ? `${own}, ${distance(moment)}` : own; // a countdown says it already
}

function paint() {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    write(element, left(element.dataset.countdown) || element.dataset.over);
  }
  for (const element of document.querySelectorAll("[data-moment]")) {
    write(element, inOwnWords(element.dataset));
  }
}

for (const region of document.querySelectorAll("[data-live]")) keepFresh(region);
document.querySelector("[data-act=print]")?.addEventListener("click", () => print());
paint();
setInterval(paint, 1000);
