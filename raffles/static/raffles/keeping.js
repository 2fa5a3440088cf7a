/**
 * Make the visitor's own device a witness: keep the seal of a raffle when it comes, and compute
 * from it, the ticket's place and the beacon alone what the ticket has won, whatever the site says.
 *
 * What is kept stays in this browser. A seal that is kept is never overwritten by another one.
 */
import { follow } from "./live.js";
import { ticketIn } from "./scan.js";
import { find, tickets } from "./tickets.js";

const POLL = 15000; // ms between two looks; the stream tells sooner where there is one
const STAMPEDE = 1000; // ms over which those who are told the same spread their looks
const MANY = 20000; // hashes of a proof, beyond which only the result page checks it
const PATIENCE = 600000; // ms that a site may take from the round to its result
// What stands above the form that looks a ticket up; all else is beneath.
const FOREMOST = new Set(["won", "alternate", "lost", "second", "wrong", "missing", "withheld", "called-off"]);
const section = document.querySelector("[data-keeping]");
const form = document.querySelector("form.lookup");
const { raffle, url, stream, beacon, keys: keysAddress } = section?.dataset ?? {};
const memory = new Map(); // where the browser keeps nothing
let isStored = true;
let timer = 0;
let looking = null;
let given = null; // the beacon's signature, as the visitor fetched it

// --- What is kept --------------------------------------------------------------------------

const place = (what) => `${what} ${raffle}`;

function read(what) {
  try {
    return localStorage.getItem(place(what)) ?? memory.get(what) ?? null;
  } catch {
    return memory.get(what) ?? null;
  }
}

function keep(what, text) {
  memory.set(what, text);
  try {
    localStorage.setItem(place(what), text);
  } catch {
    isStored = false;
  }
}

/** Remembers whose result is to be computed; the code is not kept. `receipt` is its text. */
export function holdTicket(number, receipt) {
  keep("ticket", JSON.stringify({ number: Number(number), receipt }));
}

/** The receipt of the ticket with that number, as an object, where this browser has it. */
export function receiptOf(number) {
  const held = JSON.parse(read("ticket") ?? "null");
  return held?.number === Number(number) && held.receipt ? JSON.parse(held.receipt) : undefined;
}

/** The number and, where there is one, the receipt of the visitor's ticket: the one that is shown first. */
function ticket() {
  const at = document.querySelector(".mine:not([hidden])") && ticketIn(location.href);
  const kept = at ? find({ raffle, number: Number(at.number) }) : tickets(raffle)[0];
  const number = Number(at?.number ?? kept?.number ?? 0);
  if (!number) return JSON.parse(read("ticket") ?? "null");
  const receipt = kept?.receipt ?? receiptOf(number);
  return { number, receipt: receipt && JSON.stringify(receipt) };
}

// --- What the site says --------------------------------------------------------------------

/** The text there; null where the site says that there is none, undefined where it says nothing. */
async function get(address, cache = "no-cache") {
  try {
    const response = await fetch(address, { cache });
    if (response.ok) return await response.text();
    return response.status === 404 ? null : undefined;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return undefined;
  }
}

export async function look() {
  clearTimeout(timer);
  looking ??= witness().finally(() => (looking = null));
  await looking;
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, POLL);
}

async function witness() {
  const shown = JSON.parse((await get(url)) ?? "{}");
  const { state } = shown;
  if (state === "open" || state === "closed") return show("waiting");
  // Not the browser's copy: a second seal has to be seen.
  const text = await get(`${url}commitment/`, "reload");
  const verifier = await import("./verify.js");
  const own = ticket();
  try {
    const seal = await sealOf(text, own, verifier);
    if (seal) await tell(seal, own, shown, verifier);
    else if (text === null) section.hidden = true; // called off before it was sealed
  } catch (error) {
    if (!(error instanceof verifier.Invalid || error instanceof verifier.Unreadable)) throw error;
    offer("seal", read("seal") ?? text);
    show("wrong", { reason: error.message });
  }
}

/** The commitment file that counts: the one that was kept first. Keeps what is shown to hold. */
async function sealOf(text, own, { readSeal }) {
  const first = read("seal");
  if (text && text !== first) {
    const keys = await get(keysAddress);
    if (!keys) return first && readSeal({ commitment: first });
    const shown = readSeal({ commitment: text, receipt: own?.receipt, keys });
    if (shown.commitment.terms.raffle_id !== raffle.replaceAll("-", "")) return null;
    const kept = read("seal"); // another tab may have been quicker
    if (!kept) {
      keep("seal", text);
      keep("since", new Date().toISOString());
    } else if (JSON.parse(kept).commitment_hash !== shown.commitment_hash) keep("second", text);
  }
  const kept = read("seal");
  return kept && readSeal({ commitment: kept });
}

/** The place of the ticket in the kept seal; null where the site shows none, else undefined. */
async function inclusionOf(own, { readSeal, Invalid }) {
  if (!own) return undefined;
  const files = { commitment: read("seal"), receipt: own.receipt, keys: null };
  const kept = read("inclusion");
  const inclusion = kept && JSON.parse(kept).number === own.number ? JSON.parse(kept).file : null;
  const file = inclusion ?? (await get(`${url}tickets/${own.number}/inclusion/`));
  if (!file) return file;
  if (!inclusion) {
    if (own.receipt) files.keys = await get(keysAddress);
    if (files.keys === undefined) return undefined;
    try {
      readSeal({ ...files, inclusion: file });
    } catch (error) {
      if (error instanceof Invalid) return null; // of another seal, or of another ticket
      throw error;
    }
    keep("inclusion", JSON.stringify({ number: own.number, file }));
  }
  return file;
}

/** The beacon's signature for the round, checked when it is used; null while there is none. */
async function signatureOf() {
  const kept = given ?? read("signature");
  if (kept) return kept;
  try {
    return JSON.parse((await get(beacon)) ?? "{}").signature ?? null;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null;
  }
}

// --- What is told --------------------------------------------------------------------------

async function tell({ commitment }, own, shown, verifier) {
  const { state, voided_at: voidedAt } = shown;
  const { round } = commitment;
  const due = round ? 1000 * verifier.timeOfRound(round) : Infinity;
  const kept = new Date(read("since") ?? Date.now());
  const since = kept.toLocaleString(document.documentElement.lang);
  const said = [[kept < due ? "kept" : "kept-late", { since }]];
  if (!isStored) said.push(["unkept"]);
  offer("seal", read("seal"));
  if (read("second")) {
    said.unshift(["second"]);
    offer("second", read("second"));
  }
  const inclusion = await inclusionOf(own, verifier);
  if (own?.receipt && inclusion === null) said.unshift(["missing", own]);
  const late = Date.now() - due;
  if (!round && state === "drawn") await checkProof(own, shown, verifier);
  if (late < 0) return showAll(said);
  const relay = `https://api.drand.sh/${verifier.CHAIN}/public/${round}`;
  section.querySelector("[data-relay]").href = relay;
  const signature = await signatureOf();
  if (!signature) said.push(["beacon"]);
  else if (inclusion) said.push(...(await outcome(own, inclusion, signature, kept < due, verifier)));
  if (state === "void" && Date.parse(voidedAt) >= due) said.push(["called-off"]);
  if (state !== "drawn" && state !== "void") {
    said.push(late < PATIENCE ? ["soon"] : ["withheld", { minutes: Math.floor(late / 60000) }]);
  }
  showAll(said);
}

async function outcome({ number }, inclusion, signature, isOlder, { outcomeOf, Invalid }) {
  try {
    const files = { commitment: read("seal"), inclusion };
    const { rank, prize, isCertain } = await outcomeOf(files, signature);
    keep("signature", signature);
    if (isCertain) found({ number, rank, prize, how: isOlder ? "own" : "late" });
    const drawn = prize === null ? "alternate" : "won";
    const lines = [[rank === null ? "lost" : drawn, { number, rank, prize }], ["computed"]];
    return isCertain ? lines : [...lines, ["uncertain"]];
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    const isVisitors = given !== null;
    given = null;
    return isVisitors ? [["beacon"], ["not-the-beacon"]] : [["beacon"]];
  }
}

/** Without a beacon only the proof tells the randomness, so the draw is checked as a whole. */
async function checkProof(own, { prizes, alternates, total_tickets: total }, { verify }) {
  const winners = prizes.reduce((sum, { amount }) => sum + amount, alternates);
  if (!own || winners * (Math.log2(total) + 3) > MANY) return;
  const [proof, keys] = [await get(`${url}proof/`), await get(keysAddress)];
  if (!proof || !keys) return;
  const answer = await verify({ proof, keys, commitment: read("seal") });
  const winner = answer.winners.find(({ ticket_number: number }) => Number(number) === own.number);
  const { rank = null, prize = null } = winner ?? {};
  found({ number: own.number, rank, prize, how: answer.exit === 0 ? "operator" : "differs" });
}

/** Tells the page what this device has computed for the ticket: rank and prize are null without one. */
const found = (detail) => document.dispatchEvent(new CustomEvent("computed", { detail }));

const show = (name, words) => showAll([[name, words]]);

function showAll(said) {
  const lines = new Map(said);
  section.hidden = false;
  if (form && [...lines.keys()].some((name) => FOREMOST.has(name))) form.closest("details").before(section);
  for (const line of section.querySelectorAll("[data-line]")) {
    const words = lines.get(line.dataset.line) ?? {};
    const parts = "words" in line.dataset ? [line] : line.querySelectorAll("[data-words]");
    for (const part of lines.has(line.dataset.line) ? parts : []) {
      const text = part.dataset.words.replace(/\{(\w+)\}/g, (_, name) => words[name] ?? "");
      if (part.textContent !== text) part.textContent = text;
    }
    line.hidden = !lines.has(line.dataset.line);
  }
}

/** A link that saves a file which is here already, so that it asks nobody. */
function offer(name, text) {
  const link = section.querySelector(`[data-save="${name}"]`);
  link.hidden = !text;
  link.href = `data:application/json,${encodeURIComponent(text)}`;
  link.download = name === "seal" ? "commitment.json" : "other-commitment.json";
}

/** On a raffle's page only those who hold a ticket are witnesses; on a ticket's whoever looks. */
function begin() {
  if (!form && !ticket()) return;
  section.querySelector("#beacon-word").addEventListener("input", ({ target }) => {
    given = /(?:^|[^0-9a-f])([0-9a-f]{96})(?![0-9a-f])/.exec(target.value)?.[1] ?? null;
    if (given) look();
  });
  addEventListener("storage", ({ key }) => key?.endsWith(raffle) && look());
  document.addEventListener("visibilitychange", () => document.hidden || look());
  follow(stream, () => setTimeout(look, Math.random() * STAMPEDE));
  look();
}

if (section) begin();
