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
// A small proof comes with the page, so that the check needs no network any more, nor a worker.
const ahead = "ahead" in section.dataset ? fetched(section.dataset.proof).catch(() => null) : null;
const judge = ahead ? verify : verifyApart;

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

/** A saved ticket has its receipt in it. */
function receiptIn(text) {
  try {
    const { receipt } = JSON.parse(text);
    return receipt ? JSON.stringify(receipt) : text;
  } catch {
    return text;
  }
}

async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok) throw new TypeError(response.statusText);
  return response.text();
}

async function check() {
  button.disabled = true;
  begin();
  stopping = new AbortController();
  try {
    const files = { keys: section.dataset.keys, ...kept };
    files.proof ??= (await ahead) ?? (await fetched(section.dataset.proof));
    if (files.receipt) files.inclusion ??= await inclusionOf(files.receipt);
    const onProgress = (percent) => (running.querySelector("progress").value = percent);
    finish(await judge(files, { onStep: tick, onProgress, signal: stopping.signal }));
  } catch (error) {
    forget();
    const isStopped = stopping.signal.aborted;
    say(isStopped ? "stopped" : "unreachable");
    if (!isStopped && !(error instanceof TypeError)) throw error;
  }
  running.hidden = true;
  button.disabled = false;
}

/** The place of the receipt's ticket; what is wrong with the receipt, the verifier says. */
async function inclusionOf(receipt) {
  const leaf = /"leaf"\s*:\s*"[0-9a-f]{32}([0-9a-f]{16})/.exec(receipt);
  const number = BigInt(`0x${leaf?.[1] ?? 0}`);
  return fetched(section.dataset.inclusion.replace("/0/", `/${number}/`));
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

function finish({ exit, verdict, raffle, winners }) {
  if (exit === 1 || exit === 2) {
    const due = 'li:not(.done):not([hidden]):not([data-step="shown"])';
    checks.querySelector(due)?.classList.add("failed");
    section.querySelector("[data-why]").textContent = verdict.replace("INVALID: ", "");
    say(exit === 1 ? "invalid" : "unreadable");
    return forget();
  }
  const difference = differenceTo(raffle, winners);
  if (!difference) {
    tick({ name: "shown", computed: shownRows().map((shown) => shown.dataset.tickets).join(", ") });
    for (const said of section.querySelectorAll("[data-said]")) said.textContent = verdict;
    return say(sayingOf(exit, verdict));
  }
  row("shown").classList.add("failed");
  say(difference);
  forget();
}

function sayingOf(exit, verdict) {
  if (exit === 3) return "unwitnessed";
  return verdict.endsWith("by the operator only") ? "vouched" : "valid";
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

function say(verdict) {
  for (const line of section.querySelectorAll("[data-verdict]")) {
    line.hidden = line.dataset.verdict !== verdict;
  }
}
