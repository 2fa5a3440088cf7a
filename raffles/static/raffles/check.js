/** The check of a draw on its result page: a row ticks as soon as it has been computed here. */
import { onFiles } from "./dropping.js";
import { Unreadable, verify } from "./verify.js";

const SHOWN = 1000; // winners a page
const section = document.querySelector("[data-proof]");
const button = section.querySelector("[data-act=check]");
const checks = section.querySelector(".checks");
const kept = {}; // what the visitor dropped: options of verify()
const OWN_STEPS = { seal: "commitmentText", receipt: "receiptText", inclusion: "inclusionText" };
// A small proof comes with the page, so that the check needs no network any more.
const ahead = "ahead" in section.dataset ? fetched(section.dataset.proof).catch(() => null) : null;

button.addEventListener("click", () => check());
onFiles(section.querySelector("[data-act=drop]"), (files) => {
  for (const { text } of files) keep(text);
  check();
});

/** Tells files apart by what is in them, not by their names. */
function keep(text) {
  const has = (key) => text.includes(`"${key}"`);
  if (has("winners") || has("seed")) kept.proofText = text;
  else if (has("leaf_hash")) kept.inclusionText = text;
  else if (has("leaf")) kept.receiptText = text;
  else if (has("commitment")) kept.commitmentText = text;
  else kept.proofText = text; // whatever it is, the verifier says what is wrong with it
}

async function fetched(address) {
  const response = await fetch(address);
  if (!response.ok) throw new TypeError(response.statusText);
  return response.text();
}

async function check() {
  button.disabled = true;
  begin();
  try {
    const proofText = kept.proofText ?? (await ahead) ?? (await fetched(section.dataset.proof));
    const inclusionText = kept.inclusionText ?? (await inclusionOf(kept.receiptText));
    const options = { ...kept, inclusionText, keysText: section.dataset.keys, onStep: tick };
    finish(await verify(proofText, options), proofText);
  } catch (error) {
    forget();
    say(error instanceof Unreadable ? "unreadable" : "unreachable");
    if (!(error instanceof Unreadable || error instanceof TypeError)) throw error;
  }
  button.disabled = false;
}

/** The place of the receipt's ticket; without a network the receipt is checked without it. */
async function inclusionOf(receiptText) {
  try {
    const kept = JSON.parse(receiptText ?? "null");
    const { leaf } = kept?.receipt ?? kept;
    const number = BigInt(`0x${leaf.slice(32, 48)}`);
    return await fetched(section.dataset.inclusion.replace("/0/", `/${number}/`));
  } catch {
    return null;
  }
}

function begin() {
  checks.hidden = false;
  for (const row of checks.children) {
    row.classList.remove("done", "failed", "vouched");
    row.querySelector(".hash")?.remove();
    row.hidden = row.dataset.step in OWN_STEPS && !kept[OWN_STEPS[row.dataset.step]];
  }
  say(null);
}

const row = (name) => checks.querySelector(`[data-step="${name}"]`);

function tick({ name, computed }) {
  const line = document.createElement("p");
  line.className = "hash";
  line.lang = "en";
  line.textContent = computed;
  row(name).append(line);
  row(name).hidden = false;
  row(name).classList.add("done");
  row(name).classList.toggle("vouched", computed.endsWith("the operator's word"));
}

function finish({ valid, verdict }, proofText) {
  if (!valid) {
    checks.querySelector("li:not(.done):not([hidden])")?.classList.add("failed");
    section.querySelector("[data-why]").textContent = verdict.replace("INVALID: ", "");
    say("invalid");
    return forget();
  }
  const difference = differenceTo(JSON.parse(proofText)); // which the verifier could read
  if (!difference) {
    tick({ name: "shown", computed: shownRows().map((shown) => shown.dataset.tickets).join(", ") });
    return say(verdict === "VALID" ? "valid" : "vouched");
  }
  row("shown").classList.add("failed");
  say(difference);
  forget();
}

const shownRows = () => Array.from(document.querySelectorAll("[data-rank]"));

/** What the page shows, held against a proof that holds: null, or which verdict it is instead. */
function differenceTo({ commitment, winners }) {
  if (commitment.terms.raffle_id !== section.dataset.raffle.replaceAll("-", "")) return "another";
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
