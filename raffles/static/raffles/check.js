/**
 * The check of a draw on its result page. It begins by itself once the page is there, unless it is
 * large or the visitor saves data; a row ticks as soon as it has been computed here.
 */
import { inWords } from "./computed.js";
import { onFiles } from "./dropping.js";
import { load, Unreachable } from "./loading.js";
import { differenceTo, reasonOf, sayingOf, tell, wordsOf } from "./verdicts.js";

const TRIES = 5; // of a check that a busy site turns away
const LONGEST = 120; // seconds that it waits for the next
const section = document.querySelector("[data-proof]");
const [line, asking, running, steps, checks] = [
  ".verdict", "[data-asking]", "[data-running]", "details", ".checks",
].map((name) => section.querySelector(name));
const buttons = section.querySelectorAll("[data-act=check]");
// Of a step that holds, but shows less than it could.
const DOUBTS =
  /the operator's word$|shows no log$|, (?:not among|answered too|an answer that|no answer)/;
const kept = {}; // what the visitor dropped: files of verify()
let stopping = null; // what ends the check under way; the next one ends it, too
// Which row stands for a file that the visitor keeps; those of the proof itself are there anyway.
const ROWS = {
  commitment: "kept", receipt: "receipt", inclusion: "inclusion", leaves: "leaves", keys: "signer", log: "statements",
};
const { proof: address, size, leaves: leavesAddress } = section.dataset;
const isLarge = "large" in section.dataset;
// A small proof is kept, so that the next check needs no network any more; and so are the leaves of
// a small pool, by which a saved ticket is found in it.
const ours = onlyOnce(() => load(address));
const smallLeaves = onlyOnce(() => load(leavesAddress));

/** What is missing is the place of the visitor's ticket, not the proof. */
class NoPlace extends Error {}

for (const button of buttons) button.addEventListener("click", () => check());
running.querySelector("[data-act=stop]").addEventListener("click", () => stopping?.abort());
onFiles(document.querySelector("[data-act=drop]"), async (files) => {
  for (const { text } of files) keep(text);
  await check();
  line.scrollIntoView({ block: "center" });
  line.focus({ preventScroll: true });
});
if (isLarge || navigator.connection?.saveData || matchMedia("print").matches) asking.hidden = false;
else whenSeen(() => whenIdle(() => stopping || check())); // unless the visitor was faster

function whenSeen(act) {
  if (document.visibilityState === "visible") return act();
  document.addEventListener("visibilitychange", () => whenSeen(act), { once: true });
}

function whenIdle(act) {
  if (document.readyState !== "complete") addEventListener("load", () => whenIdle(act), { once: true });
  else if ("requestIdleCallback" in window) requestIdleCallback(act, { timeout: 2000 });
  else setTimeout(act, 200);
}

/** A function that remembers what it brought, and forgets that it failed. */
function onlyOnce(bring) {
  let brought = null;
  return () => (brought ??= bring().catch((error) => ((brought = null), Promise.reject(error))));
}

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

async function check() {
  stopping?.abort();
  const mine = (stopping = new AbortController());
  const { signal } = mine;
  begin();
  try {
    for (let tries = 1; ; tries++) {
      try {
        const { answer, expected, took } = await judged(signal);
        if (stopping !== mine) return;
        finish(answer, expected, took);
        break;
      } catch (error) {
        const isBusy = error instanceof Unreachable && error.wait !== null && error.wait <= LONGEST;
        if (!isBusy || tries === TRIES) throw error;
        await wait(error.wait, signal);
      }
    }
  } catch (error) {
    if (stopping !== mine) return;
    forget();
    const isStopped = signal.aborted;
    const isOffline = error instanceof Unreachable || error instanceof NoPlace;
    const missing = error instanceof NoPlace ? "placeless" : "unreachable";
    say(isStopped ? "stopped" : missing);
    asking.hidden = false;
    if (!isStopped && !isOffline) throw error;
  }
  end();
}

/** The answer of verify() on all that there is, the rows that it has to tick, and its time in ms. */
async function judged(signal) {
  // Only now: the page is there, and the verifier is as heavy as all of it.
  const { verifyApart } = await import("./verify-apart.js").catch((error) => {
    throw new Unreachable(error.message);
  });
  signal.throwIfAborted();
  const files = { keys: section.dataset.keys, commitment: seal(), ...kept };
  files.proof ??= "light" in section.dataset ? await ours() : { address: new URL(address, location).href, size };
  if (files.receipt && !files.inclusion) Object.assign(files, await placeOf(files.receipt));
  const begun = performance.now();
  signal.throwIfAborted();
  const answer = await verifyApart(files, { onStep: tick, onProgress: progress, signal });
  const took = performance.now() - begun;
  if ("small" in section.dataset) smallLeaves().catch(() => null);
  return { answer, expected: Object.keys(files).filter((name) => files[name]).map((name) => ROWS[name]), took };
}

/** Until the site has time; those who were turned away together come back apart. */
async function wait(seconds, signal) {
  const spread = Math.ceil(seconds * (1 + Math.random()));
  say("busy", { seconds: spread });
  await new Promise((resolve, reject) => {
    setTimeout(resolve, 1000 * spread);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  say(null);
}

function progress(percent) {
  running.querySelector("progress").value = percent;
  for (const place of section.querySelectorAll("[data-percent]")) place.textContent = percent < 100 ? `${percent} %` : "";
}

/**
 * What shows the receipt's ticket among the sealed ones, as files of verify(). Where the site knows
 * no place of it, all leaves decide: they alone can prove that it is missing.
 */
async function placeOf(receipt) {
  if ("small" in section.dataset) {
    const leaves = await smallLeaves().catch(() => null);
    if (leaves) return { leaves };
  }
  const leaf = /"leaf"\s*:\s*"[0-9a-f]{32}([0-9a-f]{16})/.exec(receipt);
  const number = BigInt(`0x${leaf?.[1] ?? 0}`);
  try {
    const place = await fetch(section.dataset.inclusion.replace("/0/", `/${number}/`));
    if (place.ok) return { inclusion: await place.text() };
    if (place.status === 404) return { leaves: await load(leavesAddress) };
  } catch (error) {
    if (!(error instanceof TypeError || error instanceof Unreachable)) throw error;
  }
  throw new NoPlace();
}

function begin() {
  for (const button of buttons) button.disabled = true;
  // Where the visitor was asked there is room for it; else nothing moves for a check of its own.
  running.hidden = asking.hidden;
  asking.hidden = true;
  progress(0);
  for (const row of checks.children) {
    row.style.minHeight = `${row.offsetHeight}px`; // nothing moves while they tick again
    row.classList.remove("done", "failed", "vouched");
    for (const said of row.querySelectorAll(".hash")) said.remove();
  }
  section.querySelector("[data-line]").textContent = "";
  say(null);
}

function end() {
  asking.hidden &&= running.hidden;
  running.hidden = true;
  progress(100);
  for (const row of checks.children) {
    row.style.minHeight = "";
    // These are there when there is something to tell.
    row.hidden = "told" in row.dataset && !row.querySelector(".hash") && !row.classList.contains("failed");
  }
  for (const button of buttons) button.disabled = false;
}

const row = (name) => checks.querySelector(`[data-step="${name}"]`);

function write(row, text) {
  const said = document.createElement("p");
  said.className = "hash";
  const ours = inWords(section, text);
  if (ours === null) said.lang = "en";
  said.textContent = ours ?? text;
  row.append(said);
  row.hidden = false;
}

/** Several steps of one name share a row. */
function tick({ name, computed }) {
  write(row(name), computed);
  row(name).classList.add("done");
  if (name === "" || name === "stranger" || DOUBTS.test(computed)) row(name).classList.add("vouched");
}

/** `expected` are rows of files that were given, `took` the time of the check in milliseconds. */
function finish(answer, expected, took) {
  const { exit, verdict } = answer;
  section.querySelector("[data-line]").textContent = verdict;
  if (exit === 1 || exit === 2) {
    const due = Array.from(checks.children).find(
      ({ classList, dataset: { step, told } }) =>
        !classList.contains("done") && step !== "shown" && (told === undefined || expected.includes(step)),
    );
    if (due) write(due, verdict.replace("INVALID: ", ""));
    due?.classList.add("failed");
    steps.open = true;
    say(exit === 1 ? "invalid" : "unreadable", {}, reasonOf(verdict));
    return forget();
  }
  const rows = Array.from(document.querySelectorAll("[data-rank]"), ({ dataset }) => dataset);
  const difference = differenceTo(answer, section.dataset, rows);
  if (!difference) {
    tick({ name: "shown", computed: rows.map(({ tickets }) => tickets).join(", ") });
    return say(sayingOf(answer), wordsOf(answer, took));
  }
  row("shown").classList.add("failed");
  steps.open = true;
  say(difference);
  forget();
}

/** What does not hold is not kept, so that the next check starts from the page's own proof. */
function forget() {
  for (const key of Object.keys(kept)) delete kept[key];
}

function say(verdict, words, reason) {
  tell(line, verdict, words, reason);
}
