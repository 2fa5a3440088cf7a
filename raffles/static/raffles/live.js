/**
 * Keep what is on a page true while it is open: the part that the server renders anew
 * (data-live), countdowns, and times in the visitor's own zone. Without this the page is a
 * little older, and nothing is missing.
 */

const POLL = 4000; // ms between two looks; a failed one waits twice as long, up to a minute
const LONGEST = 60000;
const language = document.documentElement.lang;

// --- The part that changes -----------------------------------------------------------------

function keepFresh(region) {
  let shown = region.innerHTML; // as the server sent it: painted times are added afterwards
  let pause = POLL;
  let timer = 0;

  async function look() {
    clearTimeout(timer);
    try {
      const response = await fetch(region.dataset.live, { cache: "no-cache" });
      if (!response.ok) throw new Error(response.statusText);
      show(await response.text());
      pause = POLL;
    } catch {
      pause = Math.min(2 * pause, LONGEST);
    }
    if (!document.hidden) timer = setTimeout(look, pause);
  }

  function show(text) {
    const fresh = document.createElement("template");
    fresh.innerHTML = text;
    if (fresh.innerHTML === shown) return;
    shown = fresh.innerHTML;
    const focused = region.contains(document.activeElement) ? document.activeElement : null;
    region.replaceChildren(fresh.content);
    paint();
    if (focused) (document.getElementById(focused.id) ?? region).focus();
  }

  document.addEventListener("visibilitychange", () => document.hidden || look());
  timer = setTimeout(look, pause);
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

function paint() {
  for (const element of document.querySelectorAll("[data-countdown]")) {
    write(element, left(element.dataset.countdown) || element.dataset.over);
  }
  for (const element of document.querySelectorAll("[data-moment]")) {
    const own = clock.format(new Date(element.dataset.moment));
    write(element, `${element.dataset.words.replace("{time}", own)}, ${distance(element.dataset.moment)}`);
  }
}

for (const region of document.querySelectorAll("[data-live]")) keepFresh(region);
document.querySelector("[data-act=print]")?.addEventListener("click", () => print());
paint();
setInterval(paint, 1000);
