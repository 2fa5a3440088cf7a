/**
 * The page of a ticket: its card from the address, kept or forgotten in this browser; and a form that
 * is filled in from its QR code (the address, the camera, a picture) or from its saved file.
 *
 * An address shows a card only if this browser keeps that ticket, or if the site has compared number
 * and code, which `history.state` remembers for a reload; any other fills in the form.
 */
import { fillCard, plain } from "./card.js";
import { onFiles } from "./dropping.js";
import { holdTicket, look, receiptOf } from "./keeping.js";
import { keepFresh } from "./live.js";
import { offerToSave } from "./saving.js";
import { canRead, canScan, readPicture, scan, ticketIn } from "./scan.js";
import { addressOf, find, forget, keep, onChange, tickets } from "./tickets.js";
import { showHome } from "./home.js";

const form = document.querySelector("form.lookup");
const mine = document.querySelector(".mine");
const page = document.querySelector("link[rel=canonical]").href;
const compared = JSON.parse(mine.dataset.ticket); // by the site; without a number it compared none
const shown = compared.raffle;
const scanner = form.querySelector(".scanner");
const start = form.querySelector("[data-act=scan]");
const another = document.querySelector("[data-most]"); // while entries are open
const fate = document.querySelector(".fate");
const PATIENCE = 10000; // ms that a check may take before the site's word is shown without it
let computed = null; // by this device: {number, rank, prize, how}
let patience = 0;
let camera = new AbortController();
let isRefused = false; // by the browser, to keep it

// --- The card ------------------------------------------------------------------------------

/** The ticket that the address names, as far as it is known here; null for none. */
function ticketHere() {
  const at = ticketIn(location.href);
  if (!at) return null;
  const named = { ...compared, number: Number(at.number), code: at.code, receipt: receiptOf(at.number) };
  const kept = find(named);
  if (kept) return { ...kept, code: at.code, isKept: true, isWrong: plain(kept.code) !== plain(at.code) };
  return { ...named, isCompared: history.state?.compared === `${at.number}.${at.code}` };
}

function showTicket() {
  const ticket = ticketHere();
  const isShown = Boolean(ticket) && !ticket.isWrong && (ticket.isKept || ticket.isCompared);
  // Of a ticket that was refused it is said, and nothing else.
  const isRefusal = ticket?.isWrong || document.querySelector("[data-notice], .field .fault") !== null;
  const held = isShown || isRefusal ? [] : tickets(shown);
  if (!ticket && held.length === 1) {
    history.replaceState(null, "", addressOf(held[0]));
    return showTicket();
  }
  showHome(held);
  if (another) another.hidden = tickets(shown).length >= another.dataset.most;
  mine.hidden = !isShown;
  say(ticket?.isWrong ? "wrong" : null);
  document.body.classList.toggle("wrong", ticket?.isWrong ?? false);
  if (ticket && !isShown) fill(ticket);
  form.closest("details").open = !isShown;
  if (isShown) draw(ticket);
  if (isShown) follow(ticket);
}

function draw(ticket) {
  const { code, isKept = false } = ticket;
  const address = page + addressOf(ticket).slice(ticket.home.length);
  fillCard(mine, ticket, address);
  offerToSave(mine, { ...ticket, code: plain(code).replace(/(.{4})(?=.)/g, "$1-") }, address);
  mine.querySelector("[data-kept]").hidden = !isKept;
  mine.querySelector("[data-not-kept]").hidden = isKept || isRefused;
  mine.querySelector("[data-unkept]").hidden = !isRefused;
}

mine.querySelector("[data-act=keep]").addEventListener("click", () => {
  const { isCompared, ...ticket } = ticketHere();
  isRefused = !keep(ticket);
  showTicket();
});
mine.querySelector("[data-act=forget]").addEventListener("click", ({ target }) => {
  if (!confirm(target.dataset.sure)) return;
  forget(ticketHere());
  history.replaceState(null, "", location.pathname);
  location.reload();
});

// --- What becomes of it --------------------------------------------------------------------

function follow({ number, code }) {
  if (fate.dataset.live) return;
  fate.dataset.live = fate.dataset.fate.replace("/0/", `/${number}/`);
  document.body.classList.add("pending"); // nothing beneath it moves when it comes
  const settle = () => {
    document.body.classList.remove("pending");
    judge();
    if (fate.querySelector("[data-outcome]")) look();
  };
  for (const kind of ["fresh", "stale"]) fate.addEventListener(kind, settle);
  document.addEventListener("computed", ({ detail }) => {
    if (detail.number === number) computed = detail;
    judge();
  });
  // Its code in a header, which no log holds: the site says more to whoever has it.
  keepFresh(fate, { isAtOnce: true, headers: { "Ticket-Code": code } });
  judge();
}

/** Shows an outcome together with what this device has computed, or after it was waited for. */
function judge() {
  const outcome = fate.querySelector("[data-outcome]");
  if (outcome) patience ||= setTimeout(() => { patience = -1; judge(); }, PATIENCE);
  const verdict = outcome && verdictOn(outcome.dataset);
  for (const line of fate.querySelectorAll("[data-verdict]")) line.hidden = line.dataset.verdict !== verdict;
  fate.classList.toggle("unsettled", verdict === "checking");
  const isBeneath = mine.compareDocumentPosition(fate) & Node.DOCUMENT_POSITION_FOLLOWING;
  if (outcome && verdict !== "checking" && isBeneath) {
    mine.before(fate);
    fate.scrollIntoView({ block: "center" });
  }
}

function verdictOn({ rank, prize }) {
  if (!computed) return patience < 0 ? "unchecked" : "checking";
  const isSame = rank === String(computed.rank ?? "") && prize === (computed.prize ?? "");
  return isSame ? computed.how : "differs";
}

// --- The form ------------------------------------------------------------------------------

/** Looks a ticket up, where its raffle is. */
function lookUp({ raffle, number, code }) {
  const target = form.action.replace(shown, raffle);
  if (raffle !== shown) return location.assign(`${target}#${number}.${code}`);
  fill({ number, code });
  form.requestSubmit();
}

function fill({ number, code }) {
  form.elements.ticket_number.value = number;
  form.elements.verification_code.value = code;
}

/** Shows that fault, and no other; none without a name. */
function say(fault) {
  for (const line of document.querySelectorAll("[data-fault]")) line.hidden = line.dataset.fault !== fault;
}

async function useCamera() {
  say(null);
  camera = new AbortController();
  scanner.hidden = false;
  start.disabled = true;
  let ticket = null;
  const found = (text) => {
    ticket = ticketIn(text);
    say(ticket ? null : "stranger");
    return ticket !== null;
  };
  try {
    await scan(scanner.querySelector("video"), found, camera.signal);
  } catch {
    say("camera");
  }
  scanner.hidden = true;
  start.disabled = false;
  if (ticket) lookUp(ticket);
}

/** The ticket in a saved file or in a picture of its QR code; null for anything else. */
async function ticketInFile({ file, text }) {
  if (file.type.startsWith("image/")) {
    return (await canRead()) ? ticketIn(await readPicture(file)) : null;
  }
  const { raffle_id, ticket_number, verification_code, receipt } = JSON.parse(text);
  if (receipt && raffle_id === shown) holdTicket(ticket_number, JSON.stringify(receipt));
  return ticketIn(`/r/${raffle_id}/ticket/#${ticket_number}.${verification_code}`);
}

onFiles(form.querySelector(".drop"), async ([file]) => {
  const ticket = await ticketInFile(file).catch(() => null);
  say(ticket ? null : "file");
  if (ticket) lookUp(ticket);
});

start.addEventListener("click", useCamera);
scanner.querySelector("[data-act=stop]").addEventListener("click", () => camera.abort());
addEventListener("hashchange", () => location.reload());
onChange(showTicket);
if (compared.number) {
  history.replaceState({ compared: `${compared.number}.${compared.code}` }, "", addressOf(compared));
}
showTicket();
canScan().then((can) => (start.hidden = !can));
canRead().then((can) => {
  if (!can) return;
  form.querySelector("[type=file]").accept += ",image/*";
  form.querySelector("[data-with-pictures]").hidden = false;
});
