/**
 * The stage: a countdown, then the winners from the last rank to the first, and all of them in the
 * end.
 *
 * How far the show has come is kept in the browser before it is seen, so a reload goes on where the
 * audience is. Of the winners only the revealed ones are ever in the document, and a rehearsal
 * fetches none. Without a network the show goes on with what has been fetched.
 */
import { follow, left } from "./live.js";
import { roundsOf, stepsOf } from "./show.js";
import { timeOfRound } from "./verify.js";

const POLL = 3000; // ms between two looks; the stream tells sooner where there is one
const ROLL = 1800; // ms until the last digit has settled
const STAYS = { ready: 3000, intro: 3500, one: ROLL + 6000, many: ROLL + 6000, all: 8000 }; // ms
const MOST = 800; // cells that are tried on a wall
const stage = document.body;
const isRehearsal = "rehearsal" in stage.dataset;
const remembered = `${isRehearsal ? "rehearsal" : "show"} ${stage.dataset.raffle}`;
const still = matchMedia("(prefers-reduced-motion: reduce)");
const find = (selector) => stage.querySelector(selector);
const wall = find("main");
const dialog = find("dialog");
const figure = new Intl.NumberFormat(document.documentElement.lang);

let raffle = null; // as the API gives it
let drawsAt = null; // of the beacon, in milliseconds
let steps = []; // of the show, once it can begin
let replacements = [];
let names = {}; // by ticket number, where the draw shows them
let forfeited = {}; // words by ticket number, where a prize was lost and nobody has it now
let [at, reached] = recall(localStorage.getItem(remembered)); // the step that is shown, and the latest that was
let pages = []; // of winners, where a step needs more than one wall
let page = 0;
let isHeld = false; // pages that were turned by hand do not turn by themselves
let isAlone = sessionStorage.getItem("alone") === remembered; // goes on by itself
let rolling = 0; // the animation frame
let pace = 0; // the timer of the next step or page
let due = 0; // the timer of the next look
let looking = false;
let sound = null;
const told = new Set(); // what a screen reader was told

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
    if (isRehearsal) await rehearse();
    else if (!steps.length) await wait();
    else await heed(await all(`${stage.dataset.url}replacements/`), await lost());
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
  begin(winners);
}

/** A show of the promised prizes and of nobody. */
async function rehearse() {
  if (steps.length) return;
  const { prizes } = await (await get(stage.dataset.url)).json();
  const ranks = prizes.flatMap(({ name, amount }) => Array(amount).fill(name));
  begin(ranks.map((prize, n) => ({ rank: n + 1, prize, ticket_number: null })));
}

function begin(winners) {
  steps = stepsOf(winners);
  [at, reached] = [at, reached].map((step) => Math.min(step, steps.length - 1));
  paint(false);
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
  return { number, line, name: names[number] ?? "", lost: forfeited[number] ?? "" };
}

const shown = () => JSON.stringify((steps[at].places ?? []).map(holderOf));

/** New lines of the public record; who is in the light and was replaced is revealed anew. */
async function heed(lines, losers = forfeited) {
  const isLost = JSON.stringify(losers) !== JSON.stringify(forfeited);
  if (lines.length <= replacements.length && !isLost) return;
  await learnNames();
  const before = shown();
  const number = steps[at].kind === "one" && holderOf(steps[at].places[0]).number;
  forfeited = losers;
  if (lines.length > replacements.length) replacements = lines;
  if (shown() === before) return;
  paint(steps[at].kind === "one" && holderOf(steps[at].places[0]).number !== number, page);
}

// --- What is seen --------------------------------------------------------------------------

/** Shows one scene and no other, as large as the wall lets it be. */
function scene(name) {
  show(name);
  fit(find(`[data-scene="${name}"]`));
}

function show(name) {
  stage.dataset.now = name;
  wall.style.setProperty("--high", `${wall.clientHeight}px`);
  for (const element of stage.querySelectorAll("[data-scene]")) {
    element.hidden = element.dataset.scene !== name;
  }
}

/** A reason that the site itself wrote, in the page's language; people's stay as they are. */
function inWords(reason) {
  return JSON.parse(find("[data-reason]").dataset.ours)[reason] ?? reason;
}

/** What is read from the last row, which is a thirtieth of the wall. */
const smallest = () => Math.max(14, wall.clientHeight / 30);

/** Gives a scene the largest type in which all of it is seen; words break only where they must. */
function fit(box) {
  const fits = (size) => {
    box.style.fontSize = `${size}px`;
    return box.scrollHeight <= box.clientHeight && box.scrollWidth <= box.clientWidth;
  };
  const [least, most] = [smallest(), wall.clientHeight / box.dataset.lines];
  box.classList.remove("breaking");
  if (!fits(least)) box.classList.add("breaking");
  // From above, since what fits in one row at some size may fit better in two rows at a larger one.
  let size = most;
  while (!fits(size) && size > 6) size *= 0.9;
  let larger = Math.min(most, size / 0.9);
  for (let tries = 3; tries && larger > size; tries--) {
    const middle = (size + larger) / 2;
    if (fits(middle)) size = middle;
    else larger = middle;
  }
  fits(size);
}

function paintWaiting() {
  if (steps.length || !raffle) return;
  if (raffle.state === "void") {
    find("[data-reason]").textContent = inWords(raffle.void_reason);
    return stage.dataset.now === "void" || scene("void");
  }
  const due = raffle.state === "sealed" ? drawsAt : raffle.state === "open" && raffle.closes_at;
  const time = due ? left(new Date(due).toISOString()) : "";
  const line = time ? (drawsAt ? "beacon" : "open")
    : raffle.state === "drawn" ? "drawn"
    : raffle.state === "open" && !raffle.closes_at ? "unplanned" : "sealing";
  for (const element of stage.querySelectorAll("[data-line]")) {
    element.hidden = element.dataset.line !== line;
  }
  const before = find("[data-time]").textContent;
  find("[data-time]").textContent = time;
  const isSame = stage.dataset.line === line && before.length === time.length;
  stage.dataset.line = line;
  if (!isSame || stage.dataset.now !== "waiting") scene("waiting");
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

const words = (text, values) => text.replace(/{(\w+)}/g, (_, name) => values[name]);

/** Shows the step of the show; one that `rolls` is revealed before the eyes of the room. */
function paint(rolls, from = 0) {
  const step = steps[at];
  halt();
  isHeld = false;
  [pages, page] = [[], 0];
  for (const part of stage.querySelectorAll(".rounds, .slip b, .slip .name")) part.replaceChildren();
  find("[data-key=r]")?.toggleAttribute("disabled", !isReplaceable(step));
  if (step.kind === "ready") ready();
  else if (step.kind === "intro") intro(step);
  else if (step.kind === "one") one(step.places[0], rolls);
  else many(step, rolls, from);
  if (!rolling) plan();
}

/** Before the first: nobody is in the document, whoever was shown before the show started over. */
function ready() {
  told.clear();
  find(".said").textContent = "";
  scene("ready");
}

function halt() {
  cancelAnimationFrame(rolling);
  clearTimeout(pace);
  rolling = 0;
  stage.classList.remove("rolling");
}

const isReplaceable = ({ kind }) => !isRehearsal && (kind === "one" || kind === "many");

function intro({ places, size }) {
  const [said, last] = [find("[data-scene=intro]").dataset, places[0].rank];
  const [first, count] = [places.at(-1).rank, places.length];
  const isMixed = places[0].prize !== places.at(-1).prize;
  const how = count === 1 ? said.rank : size < count ? said.inParts : said.atOnce;
  const figures = { rank: figure.format(first), count: figure.format(count), size: figure.format(size) };
  const ranks = words(said.ranks, { first: figure.format(first), last: figure.format(last) });
  const lines = [words(how, figures), isMixed ? ranks : places[0].prize];
  find("[data-scene=intro] .how").textContent = lines[0];
  find("[data-scene=intro] .prize").textContent = lines[1];
  find(".said").textContent = lines.join(": ");
  const pictures = Array.from(stage.querySelectorAll("[data-scene=intro] [data-prize]"));
  const shown = isMixed ? undefined : pictures.find((picture) => picture.dataset.prize === places[0].prize);
  for (const picture of pictures) picture.hidden = picture !== shown;
  scene("intro");
}

/** One winner, on a ticket. */
function one(place, rolls) {
  const holder = holderOf(place);
  const digits = textOf(holder);
  const [number, name] = [find(".slip .number b"), find(".slip .name")];
  find(".slip .rank b").textContent = figure.format(place.rank);
  find(".slip .prize").textContent = place.prize;
  number.className = holder.lost ? "forfeited" : "";
  number.textContent = digits;
  name.textContent = holder.lost || holder.name;
  const passed = find(".scene .passed");
  passed.hidden = !holder.line;
  passed.textContent = passedOn(holder);
  scene("one"); // in the size that the settled ticket needs
  const settle = () => {
    number.className = holder.lost ? "forfeited" : "";
    number.textContent = digits;
    say([place]);
  };
  if (!rolls || still.matches) return settle();
  number.className = "rolling";
  roll((share) => {
    const settled = Math.max(0, Math.floor(share * (digits.length + 1)) - 1);
    const unknown = Array.from(digits.slice(settled), anyDigit);
    number.replaceChildren(element("i", "", digits.slice(0, settled)), unknown.join(""));
  }, settle);
}

/** Whose place the holder took, and why. */
function passedOn({ line }) {
  if (!line) return "";
  const values = { number: line.ticket_number, reason: inWords(line.reason) };
  return words(find(".passed").dataset.words, values);
}

const textOf = ({ number }) => (isRehearsal ? "•••" : String(number));
const anyDigit = () => (isRehearsal ? "•" : Math.floor(Math.random() * 10));

/** Many winners, by prize, on as many walls as they need; the first ones appear one by one. */
function many(step, rolls, from) {
  const box = find("[data-scene=many]");
  const isLast = step.kind === "all";
  const isMixed = step.places[0].prize !== step.places.at(-1).prize;
  const [first, last] = [step.places.at(-1).rank, step.places[0].rank];
  const places = [...step.places].reverse(); // as they are read
  const everybody = places.length === 1 ? box.dataset.only : box.dataset.all;
  box.dataset.head = isLast ? everybody : isMixed ? "" : places[0].prize;
  box.dataset.how = isLast ? ""
    : words(box.dataset.ranks, { first: figure.format(first), last: figure.format(last) });
  box.classList.toggle("mixed", isMixed || isLast);
  pages = divided(places);
  page = Math.min(from, pages.length - 1);
  turnTo(page);
  const cells = [...box.querySelectorAll(".cell")];
  const settle = () => {
    for (const cell of cells) cell.classList.remove("unseen");
    say(pages[page]);
  };
  if (!rolls || still.matches || isLast) return settle();
  for (const cell of cells) cell.classList.add("unseen");
  let seen = 0;
  roll((share) => {
    const now = Math.ceil(share * cells.length);
    for (; seen < now; seen++) cells[seen].classList.remove("unseen");
  }, settle);
}

/** The places in parts, each of which fills the wall in type that can be read. */
function divided(places) {
  const box = find("[data-scene=many]");
  fill(places.slice(0, MOST), 1, 2);
  show("many");
  box.style.fontSize = `${smallest()}px`;
  box.classList.remove("breaking");
  const cells = [...box.querySelectorAll(".cell")];
  const beyond = cells.findIndex((cell) => cell.offsetTop + cell.offsetHeight > box.clientHeight);
  const room = beyond < 0 ? Math.max(1, cells.length) : Math.max(1, beyond);
  const parts = Math.ceil(places.length / room);
  const size = Math.ceil(places.length / parts);
  return Array.from({ length: parts }, (_, n) => places.slice(n * size, (n + 1) * size));
}

function turnTo(next) {
  page = next;
  fill(pages[page], page + 1, pages.length);
  scene("many");
}

/** Writes these places on the wall, each prize above its winners. */
function fill(places, part, parts) {
  const box = find("[data-scene=many]");
  const which = words(box.dataset.part, { part: figure.format(part), parts: figure.format(parts) });
  box.querySelector("h2").textContent = box.dataset.head;
  const how = [box.dataset.how, parts > 1 ? which : ""].filter(Boolean).join(" · ");
  box.querySelector(".how").textContent = how;
  const rounds = document.createDocumentFragment();
  let longest = 1;
  for (const group of roundsOf(places)) {
    const cells = element("ul", "cells", "");
    const round = element("div", group.length > 1 ? "round" : "round single", "");
    if (box.classList.contains("mixed")) round.append(element("p", "prize", group[0].prize));
    round.append(cells);
    rounds.append(round);
    for (const holder of group.map(holderOf)) {
      const cell = cellOf(holder);
      const [number, ...others] = cell.textContent.split(" ");
      longest = Math.max(longest, number.length + 0.7 * [" ", ...others].join(" ").length);
      cells.append(cell);
    }
  }
  box.style.setProperty("--letters", Math.min(longest, 24));
  box.querySelector(".rounds").replaceChildren(rounds);
}

function cellOf(holder) {
  const cell = element("li", "cell", "");
  cell.append(element(holder.lost ? "s" : "b", "", textOf(holder)));
  const said = [["name", holder.lost ? "" : holder.name], ["lost", holder.lost]];
  for (const [kind, text] of said) if (text) cell.append(" ", element("span", kind, text));
  if (holder.line) cell.append(" ", element("s", "before", holder.line.ticket_number));
  return cell;
}

/** Paints from 0 to 1, then settles; what `hurry` does at once. */
function roll(paintShare, settle) {
  const started = performance.now();
  const end = () => {
    halt();
    settle();
    plan();
  };
  const frame = (now) => {
    const share = (now - started) / ROLL;
    if (share >= 1) return end();
    paintShare(Math.max(0, share));
    rolling = requestAnimationFrame(frame);
  };
  stage.classList.add("rolling");
  paintShare(0);
  rolling = requestAnimationFrame(frame);
  if (sound) drum();
  hurry = end;
}
let hurry = () => {};

/** Tells a screen reader of these places, of each once. */
function say(places) {
  const news = isRehearsal ? [] : places.filter((place) => {
    const key = JSON.stringify([place.rank, holderOf(place)]);
    return !told.has(key) && told.add(key);
  });
  if (news.length) find(".said").textContent = roundsOf(news).map(sayRound).join(" ");
}

function sayRound(places) {
  const { rank, ranks, ticket } = find(".said").dataset;
  const [first, last] = [places[0].rank, places.at(-1).rank].map(figure.format);
  const { prize } = places[0];
  const tickets = places.map(holderOf).map((holder) => {
    const said = [words(ticket, { number: holder.number }), holder.lost || holder.name];
    return [...said, passedOn(holder)].filter(Boolean).join(", ");
  });
  const who = places.length === 1 ? words(rank, { rank: first, prize }) : words(ranks, { first, last, prize });
  return `${who} ${tickets.join("; ")}.`;
}

// --- What goes on by itself ----------------------------------------------------------------

/** Plans the next page of winners, and the next step if the show goes on by itself. */
function plan() {
  clearTimeout(pace);
  if (!steps.length) return;
  const { kind } = steps[at];
  const isLast = at === steps.length - 1;
  const turns = pages.length > 1 && !isHeld && (isAlone || !still.matches);
  if (turns && (isLast || page < pages.length - 1)) pace = setTimeout(turnPage, STAYS.all);
  else if (isAlone && !isLast) pace = setTimeout(next, STAYS[kind]);
}

function turnPage() {
  turnTo((page + 1) % pages.length);
  say(pages[page]);
  plan();
}

function alone(isOn) {
  isAlone = isOn;
  if (isOn) sessionStorage.setItem("alone", remembered);
  else sessionStorage.removeItem("alone");
  find("[data-key=a]").setAttribute("aria-pressed", String(isOn));
  if (!rolling) plan();
}

// --- What is pressed -----------------------------------------------------------------------

function recall(text) {
  const [step, latest] = (text ?? "0 0").split(" ").map(Number);
  return [step || 0, latest || 0];
}

/** Goes to a step; it is kept before it is seen, so that nothing is revealed twice. */
function go(to, latest = Math.max(reached, to)) {
  const isNew = to > reached;
  [at, reached] = [to, latest];
  localStorage.setItem(remembered, `${at} ${reached}`);
  paint(isNew);
}

/** Whether there was a page in that direction to turn to. */
function turned(by) {
  if (!pages[page + by]) return false;
  isHeld = true;
  turnTo(page + by);
  say(pages[page]);
  plan();
  return true;
}

function next() {
  if (rolling) return hurry();
  if (!turned(1) && at < steps.length - 1) go(at + 1);
}

function back() {
  if (!rolling && !turned(-1) && at > 0) go(at - 1);
}

function leave() {
  if (dialog?.open) dialog.close();
  else if (rolling) hurry();
}

/** Another window of this browser went on: the operator's, while this one is on the wall. */
addEventListener("storage", ({ key, newValue }) => {
  if (key !== remembered) return;
  const [to, latest] = recall(newValue);
  const isNew = to > reached;
  [at, reached] = [to, latest];
  if (!steps.length) return;
  [at, reached] = [at, reached].map((step) => Math.min(step, steps.length - 1));
  paint(isNew);
});

const begun = (act) => () => steps.length && act();
const KEYS = {
  " ": begun(next),
  ArrowRight: begun(next),
  PageDown: begun(next), // of a clicker
  ArrowLeft: begun(back),
  PageUp: begun(back),
  End: begun(() => go(steps.length - 1)),
  Home: begun(() => go(0, 0)),
  Escape: leave,
  a: () => alone(!isAlone),
  f: () => (document.fullscreenElement ? document.exitFullscreen() : stage.requestFullscreen()),
  s: () => {
    sound = sound ? null : new AudioContext();
    find("[data-key=s]").setAttribute("aria-pressed", String(Boolean(sound)));
  },
  r: begun(askWhoIsAway),
};

function askWhoIsAway() {
  if (!dialog || rolling || !isReplaceable(steps[at])) return;
  const choice = dialog.querySelector("select");
  const held = steps[at].places.map(holderOf);
  choice.replaceChildren(
    ...held.reverse().map(({ number, name }) => new Option([number, name].join(" ").trim(), number)),
  );
  dialog.querySelector(".fault").hidden = true;
  dialog.showModal();
  if (held.length === 1) dialog.querySelector("input[name=reason]").focus();
}

document.addEventListener("keydown", (event) => {
  const isForElement = event.target.closest("button, input, select, a, dialog");
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

for (const picture of stage.querySelectorAll("img.picture")) {
  const drop = () => picture.remove();
  if (picture.complete && !picture.naturalWidth) drop();
  else picture.addEventListener("error", drop);
}

alone(isAlone);
look();
if (!isRehearsal) follow(stage.dataset.stream, look);
setInterval(paintWaiting, 250);

let [width, height] = [0, 0];
new ResizeObserver(([{ contentRect: size }]) => {
  const isOther = Math.abs(size.width - width) + Math.abs(size.height - height) > 1;
  [width, height] = [size.width, size.height];
  if (!isOther || rolling) return;
  if (steps.length) paint(false, page);
  else if (stage.dataset.now) scene(stage.dataset.now);
}).observe(wall);
