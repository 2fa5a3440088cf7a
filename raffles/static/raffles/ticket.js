/** Fill in a ticket from its QR code (its address, the camera, a picture) or its saved file. */
import { onFiles } from "./dropping.js";
import { holdTicket } from "./keeping.js";
import { canRead, canScan, readPicture, scan, ticketIn } from "./scan.js";

const form = document.querySelector("form.lookup");
const { raffle: shown } = form.dataset;
const scanner = form.querySelector(".scanner");
const start = form.querySelector("[data-act=scan]");
let camera = new AbortController();

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
  for (const line of form.querySelectorAll("[data-fault]")) line.hidden = line.dataset.fault !== fault;
}

function fillFromAddress() {
  const ticket = ticketIn(location.href);
  if (!ticket) return;
  fill(ticket);
  history.replaceState(null, "", location.pathname); // the code stays in no history
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
addEventListener("hashchange", fillFromAddress);
fillFromAddress();
start.hidden = !(await canScan());
if (await canRead()) {
  form.querySelector("[type=file]").accept += ",image/*";
  form.querySelector("[data-with-pictures]").hidden = false;
}
