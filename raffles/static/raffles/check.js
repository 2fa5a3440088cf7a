/** The check of a draw on its result page: a row ticks as soon as it has been computed here. */
import { onFiles } from "./dropping.js";
import { verifyApart } from "./verify-apart.js";
import { verify } from "./verify.js";

const SHOWN = 1000; // winners a page
const section = document.querySelector("[data-proof]");
const button = section.querySelector("[data-act=check]");
const checks = section.querySelector(".checks");
const running = section.querySelector("[data-running]");
// Of a step that holds, but shows less than it could.
const DOUBTS =
  /the operator's word$|shows no log$|, (?:not among|answered too|an answer that|no answer)/;
const kept = {}; // what the visitor dropped: files of verify()
let stopping = new AbortController();
// Which row stands for a file that the visitor keeps; those of the proof itself are there anyway.
const ROWS = {
  commitment: "kept", receipt: "receipt", inclusion: "inclusion", leaves: "leaves", keys: "signer", log: "statements",
};
// A small proof comes with the page, so that the check needs no network any more, nor a worker;
// and so do the leaves of a small pool, by which a saved ticket is found in it.
const { proof: proofAddress, leaves: leavesAddress } = section.dataset;
const ahead = "ahead" in section.dataset ? fetched(proofAddress).catch(() => null) : null;
const leavesAhead = "small" in section.dataset ? fetchedBytes(leavesAddress).catch(() => null) : null;
const judge = ahead ? verify : verifyApart;

/** What is missing is the place of the visitor's ticket, not the proof. */
class NoPlace extends Error {}

button.addEventListener("click", () => check());
running.querySelector("[data-act=stop]").addEventListener("click", () => stopping.abort());
onFiles(section.querySelector("[data-act=drop]"), (files) => {
  for (const { text } of files) keep(text);
  check();
});

/** Tells files apart by what is in them, not by their names. */
function keep(text) {
  const has = (key) => text.includes(`"${key}"`);
  if (has("winners") || has("seed")) kept.proof = text;
  else if (has("leaf_hash")) kept.inclusion = text;
  else if (has("leaf")) kept.receipt = receiptIn(text);
  else if (has("kind") && has("origin")) kept.log = text;
  else if (has("commitment")) kept.commitment = text;
  else if (has("algorithm")) kept.keys = text;
  else if (/ [0-9a-f]{64}\s*$/.test(text)) kept.witnesses = text;
  else kept.proof = text; // whatever it is, the verifier says what is wrong with it
}

/** The seal that this browser kept as a witness; null where it kept none. */
function seal() {
  try {
    return localStorage.getItem(`seal ${section.dataset.raffle}`);
  } catch {
    return null;
  }
}

/** A saved ticket has its receipt in it. */
function receiptIn(text) {
  try {
    const { receipt } = JSON.parse(text);
    return receipt ? JSON.stringify(receipt) : text;
  } catch {
    return text;
  }
}

async function answered(address) {
  const response = await fetch(address);
  if (!response.ok) throw new TypeError(response.statusText);
  return response;
}

async function fetched(address) {
  return (await answered(address)).text();
}

async function fetchedBytes(address) {
  return new Uint8Array(await (await answered(address)).arrayBuffer());
}

async function check() {
  button.disabled = true;
  begin();
  stopping = new AbortController();
  try {
    const files = { keys: section.dataset.keys, commitment: seal(), ...kept };
    files.proof ??= (await ahead) ?? (await fetched(proofAddress));
    if (files.receipt && !files.inclusion) Object.assign(files, await placeOf(files.receipt));
    const onProgress = (percent) => (running.querySelector("progress").value = percent);
    const begun = performance.now();
    const answer = await judge(files, { onStep: tick, onProgress, signal: stopping.signal });
    const expected = Object.keys(files).filter((name) => files[name]).map((name) => ROWS[name]);
    finish(answer, expected, performance.now() - begun);
  } catch (error) {
    forget();
    const isStopped = stopping.signal.aborted;
    const isOffline = error instanceof TypeError || error instanceof NoPlace;
    const missing = error instanceof NoPlace ? "placeless" : "unreachable";
    say(isStopped ? "stopped" : missing);
    if (!isStopped && !isOffline) throw error;
  }
  running.hidden = true;
  button.disabled = false;
}

/**
 * What shows the receipt's ticket among the sealed ones, as files of verify(). Where the site knows
 * no place of it, all leaves decide: they alone can prove that it is missing.
 */
async function placeOf(receipt) {
  const leaves = await leavesAhead;
  if (leaves) return { leaves };
  const leaf = /"leaf"\s*:\s*"[0-9a-f]{32}([0-9a-f]{16})/.exec(receipt);
  const number = BigInt(`0x${leaf?.[1] ?? 0}`);
  try {
    const place = await fetch(section.dataset.inclusion.replace("/0/", `/${number}/`));
    if (place.ok) return { inclusion: await place.text() };
    if (place.status === 404) return { leaves: await fetchedBytes(leavesAddress) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  throw new NoPlace();
}

function begin() {
  checks.hidden = false;
  running.hidden = false;
  running.querySelector("progress").value = 0;
  for (const row of checks.children) {
    row.classList.remove("done", "failed", "vouched");
    for (const line of row.querySelectorAll(".hash")) line.remove();
    row.hidden = "told" in row.dataset; // these come when there is something to tell
  }
  say(null);
}

const row = (name) => checks.querySelector(`[data-step="${name}"]`);

/** Several steps of one name share a row. */
function tick({ name, computed }) {
  const line = document.createElement("p");
  line.className = "hash";
  line.lang = "en";
  line.textContent = computed;
  row(name).append(line);
  row(name).hidden = false;
  row(name).classList.add("done");
  if (name === "" || name === "stranger" || DOUBTS.test(computed)) row(name).classList.add("vouched");
}

/** `expected` are rows of files that were given, `took` the time of the check in milliseconds. */
function finish({ exit, verdict, raffle, winners, counted }, expected, took) {
  if (exit === 1 || exit === 2) {
    const due = Array.from(checks.children).find(
      ({ classList, dataset: { step, told } }) =>
        !classList.contains("done") && step !== "shown" && (told === undefined || expected.includes(step)),
    );
    if (due) due.hidden = false;
    due?.classList.add("failed");
    section.querySelector("[data-why]").textContent = verdict.replace("INVALID: ", "");
    say(exit === 1 ? "invalid" : "unreadable");
    return forget();
  }
  const difference = differenceTo(raffle, winners);
  if (!difference) {
    tick({ name: "shown", computed: shownRows().map((shown) => shown.dataset.tickets).join(", ") });
    return say(sayingOf(exit, verdict), wordsOf(verdict, counted, took));
  }
  row("shown").classList.add("failed");
  say(difference);
  forget();
}

/** Which of the verdicts on the page a verdict of verify() is: all but the first leave a doubt. */
function sayingOf(exit, verdict) {
  if (exit === 3) return "promised";
  if (verdict.includes("witnessed before")) return "witnessed";
  if (verdict.includes("older than")) return "older";
  return verdict.endsWith("by the operator only") ? "vouched" : "unseen";
}

/** What stands in the places that a verdict leaves open. */
function wordsOf(verdict, counted, took) {
  const [, seen, of] = /(\d+) of (\d+)/.exec(verdict) ?? [];
  // Of those that the verdict counts, which come first.
  const seconds = Math.min(...counted.slice(0, seen).map((answer) => answer.seconds));
  const tenths = { maximumFractionDigits: 1, minimumFractionDigits: 1 };
  const time = new Intl.NumberFormat(document.documentElement.lang, tenths).format(took / 1000);
  return { verdict, seen, of, seconds, took: time };
}

const shownRows = () => Array.from(document.querySelectorAll("[data-rank]"));

/** What the page shows, held against a proof that holds: null, or which verdict it is instead. */
function differenceTo(raffle, winners) {
  if (raffle !== section.dataset.raffle.replaceAll("-", "")) return "another";
  const alternates = new Set(winners.filter(({ prize }) => prize === null).map(ticketOf));
  const isBehind = ({ prize, rank }) => prize !== null && rank > Number(section.dataset.after);
  const drawn = winners.filter(isBehind).slice(0, SHOWN);
  const rows = shownRows().map(({ dataset }) => dataset);
  const isAsDrawn = ({ rank, prize, tickets }, index) => {
    const [first, ...others] = tickets.split(" ");
    const winner = drawn[index];
    return winner && Number(rank) === winner.rank && prize === winner.prize
      && first === ticketOf(winner) && others.every((other) => alternates.has(other));
  };
  return rows.length === drawn.length && rows.every(isAsDrawn) ? null : "different";
}

function ticketOf({ ticket_number: number }) {
  return String(number);
}

/** What does not hold is not kept, so that the next check starts from the page's own proof. */
function forget() {
  for (const key of Object.keys(kept)) delete kept[key];
}

/** Shows that verdict and no other; `words` go where it has a place for them. */
function say(verdict, words = {}) {
  for (const line of section.querySelectorAll("[data-verdict]")) {
    line.hidden = line.dataset.verdict !== verdict;
    for (const part of line.querySelectorAll("[data-words]")) {
      part.textContent = part.dataset.words.replace(/\{(\w+)\}/g, (_, name) => words[name]);
    }
  }
}
