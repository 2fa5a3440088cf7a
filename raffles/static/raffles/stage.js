/**
 * The stage: a countdown, then the winners one by one from the last rank to the first.
 *
 * What was revealed is counted in the browser before it is shown, so a reload goes on where the
 * audience is. Of the winners only the revealed ones are ever in the document. Without a network
 * the show goes on with what has been fetched.
 */
import { follow, left } from "./live.js";
import { timeOfRound } from "./verify.js";

const POLL = 3000; // ms between two looks; the stream tells sooner where there is one
const ROLL = 1800; // ms until the last digit has settled
const stage = document.body;
const remembered = `stage ${stage.dataset.raffle}`;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const find = (selector) => stage.querySelector(selector);
const dialog = find("dialog");

let raffle = null; // as the API gives it
let drawsAt = null; // of the beacon, in milliseconds
let places = []; // {rank, prize, ticket_number}, in the order of revealing
let replacements = [];
let names = {}; // by ticket number, where an event shows them
let forfeited = {}; // words by ticket number, where a prize was lost and nobody has it now
let revealed = Number(localStorage.getItem(remembered) ?? 0); // how many of `places` were shown
let current = 0; // which of them is in the light, from 1
let rolling = 0; // the animation frame
let due = 0; // the timer of the next look
let looking = false;
let sound = null;

// --- What the server says ------------------------------------------------------------------

async function get(address) {
  const response = await fetch(address, { cache: "no-cache" });
  if (!response.ok) throw new TypeError(response.statusText);
  return response;
}

/** All pages of a list. */
async function all(address) {
  const rows = [];
  for (let next = address; next; ) {
    const response = await get(next);
    rows.push(...(await response.json()));
    next = /<([^>]*)>; rel="next"/.exec(response.headers.get("Link") ?? "")?.[1];
  }
  return rows;
}

async function look() {
  if (looking) return;
  looking = true;
  clearTimeout(due);
  try {
    if (!places.length) await wait();
    if (places.length) {
      const lines = await all(`${stage.dataset.url}replacements/`);
      await heed(lines, await lost());
    }
    find(".unconnected").hidden = true;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // anything but the network is a fault of ours
    find(".unconnected").hidden = false;
  } finally {
    looking = false;
    due = setTimeout(look, POLL);
  }
}

async function wait() {
  raffle = await (await get(stage.dataset.url)).json();
  if (raffle.state === "sealed" && !drawsAt) {
    const { commitment } = await (await get(`${stage.dataset.url}commitment/`)).json();
    if (commitment.round) drawsAt = 1000 * timeOfRound(commitment.round);
  }
  if (raffle.state !== "drawn") return;
  replacements = await all(`${stage.dataset.url}replacements/`);
  forfeited = await lost();
  const winners = await all(`${stage.dataset.url}winners/`);
  await learnNames();
  find("[data-seen-by]").innerHTML = await (await get(stage.dataset.seen)).text();
  places = winners.reverse();
  revealed = Math.min(revealed, places.length);
  list(revealed);
  light(revealed, false);
}

async function learnNames() {
  if (stage.dataset.names) names = await (await get(stage.dataset.names)).json();
}

async function lost() {
  return (await get(stage.dataset.forfeited)).json();
}

/** Who holds the prize of a place now, or lost it last, and the last line that passed it on. */
function holderOf(place) {
  let [number, line] = [place.ticket_number, null];
  for (const next of replacements) {
    if (next.ticket_number === number) [number, line] = [next.replaced_by, next];
  }
  return { number, line };
}

/** New lines of the public record; who is in the light and was replaced is revealed anew. */
async function heed(lines, losers = forfeited) {
  const isLost = JSON.stringify(losers) !== JSON.stringify(forfeited);
  if (lines.length <= replacements.length && !isLost) return;
  await learnNames();
  const before = current && holderOf(places[current - 1]).number;
  forfeited = losers;
  if (lines.length > replacements.length) replacements = lines;
  find(".revealed").replaceChildren();
  list(rolling ? revealed - 1 : revealed);
  if (current && holderOf(places[current - 1]).number !== before) return light(current, true);
  if (current && !rolling && !stage.classList.contains("whole")) light(current, false);
  else point();
}

// --- What is seen --------------------------------------------------------------------------

function scene(name) {
  for (const element of stage.querySelectorAll("[data-scene]")) {
    element.hidden = element.dataset.scene !== name;
  }
}

/** A reason that the site itself wrote, in the page's language; people's stay as they are. */
function inWords(reason) {
  return JSON.parse(find("[data-reason]").dataset.ours)[reason] ?? reason;
}

function paintWaiting() {
  if (places.length || !raffle) return;
  if (raffle.state === "void") {
    find("[data-reason]").textContent = inWords(raffle.void_reason);
    return scene("void");
  }
  const due = raffle.state === "sealed" ? drawsAt : raffle.state === "open" && raffle.closes_at;
  const time = due ? left(new Date(due).toISOString()) : "";
  const line = time ? (drawsAt ? "beacon" : "open")
    : raffle.state === "open" && !raffle.closes_at ? "unplanned" : "sealing";
  for (const element of stage.querySelectorAll("[data-line]")) {
    element.hidden = element.dataset.line !== line;
  }
  find("[data-time]").textContent = time;
  scene("waiting");
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** The first so many of the revealed ones, the latest on top; rows that are there stay. */
function list(count) {
  const rows = find(".revealed");
  while (rows.children.length < count) {
    const place = places[rows.children.length];
    const { number } = holderOf(place);
    const row = document.createElement("li");
    row.append(element("span", "rank", place.rank), element("span", "prize", place.prize));
    const who = [names[number], number].filter(Boolean).join(" ");
    row.append(element(forfeited[number] ? "s" : "b", "number", who));
    if (forfeited[number]) row.append(element("span", "lost", forfeited[number]));
    rows.prepend(row);
  }
}

/** Marks the row of who is in the light. */
function point() {
  const rows = find(".revealed").children;
  find(".revealed [aria-current]")?.removeAttribute("aria-current");
  if (current) rows[rows.length - current]?.setAttribute("aria-current", "true");
}

/** Puts the place of that count in the light; 0 is before the first. */
function light(count, rolls) {
  current = count;
  cancelAnimationFrame(rolling);
  rolling = 0;
  stage.classList.remove("whole");
  find("[data-key=r]")?.toggleAttribute("disabled", !count);
  if (!count) {
    find("[data-count]").textContent = places.length;
    return scene("ready");
  }
  const place = places[count - 1];
  const { number, line } = holderOf(place);
  find(".slip .rank b").textContent = place.rank;
  find(".slip .prize").textContent = place.prize;
  find(".slip .number b").style.setProperty("--digits", String(number).length);
  find(".scene .passed").hidden = find(".slip .name").hidden = true;
  scene("reveal");
  const settle = () => {
    rolling = 0;
    show(number, line);
    list(revealed);
    point();
  };
  if (!rolls || still.matches) return settle();
  point();
  if (sound) drum();
  roll(String(number), settle);
}

/** The ticket in the light, and whose place it took. */
function show(number, line) {
  const digits = find(".slip .number b");
  digits.className = forfeited[number] ? "forfeited" : "";
  digits.removeAttribute("aria-hidden");
  digits.textContent = number;
  const name = find(".slip .name");
  name.textContent = forfeited[number] ?? names[number] ?? "";
  name.hidden = !name.textContent;
  const passed = find(".scene .passed");
  passed.hidden = !line;
  if (!line) return;
  const words = passed.dataset.words.replace("{number}", line.ticket_number);
  passed.textContent = words.replace("{reason}", () => inWords(line.reason));
}

/** Digits that settle from left to right; the random ones are for the eye only. */
function roll(number, settle) {
  const digits = find(".slip .number b");
  digits.className = "rolling";
  digits.setAttribute("aria-hidden", "true");
  const started = performance.now();
  const frame = (now) => {
    const settled = Math.floor(((now - started) / ROLL) * (number.length + 1)) - 1;
    if (settled >= number.length) return settle();
    const known = number.slice(0, Math.max(0, settled));
    const unknown = Array.from(number.slice(known.length), () => Math.floor(Math.random() * 10));
    digits.replaceChildren(element("i", "", known), unknown.join(""));
    rolling = requestAnimationFrame(frame);
  };
  rolling = requestAnimationFrame(frame);
  hurry = () => {
    cancelAnimationFrame(rolling);
    settle();
  };
}
let hurry = () => {};

// --- What is pressed -----------------------------------------------------------------------

function reveal(count) {
  revealed = count;
  localStorage.setItem(remembered, count); // before it is seen: never twice
}

function next() {
  if (rolling) return hurry();
  if (current < revealed) return light(current + 1, false);
  if (revealed === places.length) return;
  reveal(revealed + 1);
  light(revealed, true);
}

function whole() {
  if (!places.length) return;
  reveal(places.length);
  light(revealed, false);
  scene("none");
  stage.classList.add("whole");
}

function leave() {
  if (dialog?.open) dialog.close();
  else if (rolling) hurry();
  else if (stage.classList.contains("whole")) light(current, false);
}

/** Another window of this browser went on: the operator's, while this one is on the wall. */
addEventListener("storage", ({ key, newValue }) => {
  if (key !== remembered || !places.length || Number(newValue) <= revealed) return;
  const isNext = Number(newValue) === revealed + 1;
  revealed = Number(newValue);
  light(revealed, isNext);
});

const KEYS = {
  " ": () => places.length && next(),
  ArrowRight: () => places.length && next(),
  ArrowLeft: () => current > 1 && !rolling && light(current - 1, false),
  End: whole,
  Escape: leave,
  f: () => (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen()),
  s: () => {
    sound = sound ? null : new AudioContext();
    find("[data-key=s]").setAttribute("aria-pressed", String(Boolean(sound)));
  },
  r: () => {
    if (!dialog || !current || rolling) return;
    dialog.querySelector("form").elements.ticket_number.value = holderOf(places[current - 1]).number;
    dialog.querySelector(".fault").hidden = true;
    dialog.showModal();
  },
};

document.addEventListener("keydown", (event) => {
  const isForElement = event.target.closest("button, input, a, dialog");
  const act = KEYS[event.key];
  if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
  if (isForElement && (event.key === " " || dialog?.open)) return;
  event.preventDefault();
  act();
});

for (const button of stage.querySelectorAll("button[data-key]")) {
  button.addEventListener("click", (event) => {
    KEYS[button.dataset.key]();
    if (event.detail) button.blur(); // the next space is for the show, not for the button again
  });
}

dialog?.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector(".act");
  button.disabled = true;
  try {
    const response = await fetch(location.pathname, { method: "POST", body: new FormData(form) });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.detail ?? Object.values(answer.errors).join(" "));
    form.reset();
    dialog.close();
    await heed([...replacements, answer]);
  } catch (error) {
    const fault = form.querySelector(".fault");
    const isNetwork = error instanceof TypeError || error instanceof SyntaxError;
    fault.textContent = isNetwork ? fault.dataset.failed : error.message;
    fault.hidden = false;
  }
  button.disabled = false;
});

/** A drum roll without a file: short bursts of noise, growing louder until the last digit. */
function drum() {
  const noise = sound.createBuffer(1, sound.sampleRate * 0.05, sound.sampleRate);
  const samples = noise.getChannelData(0);
  for (let i = 0; i < samples.length; i++) {
    samples[i] = (Math.random() * 2 - 1) * (1 - i / samples.length) ** 3;
  }
  for (let at = 0; at < ROLL / 1000; at += 0.045) {
    const [source, gain] = [sound.createBufferSource(), sound.createGain()];
    source.buffer = noise;
    gain.gain.value = 0.1 + (0.3 * at * 1000) / ROLL;
    source.connect(gain).connect(sound.destination);
    source.start(sound.currentTime + at);
  }
}

look();
follow(stage.dataset.stream, look);
setInterval(paintWaiting, 250);
