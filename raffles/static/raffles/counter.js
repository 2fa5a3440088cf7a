/** The counter: the camera fills in the form, a scanner's line is read apart, nothing goes twice. */

import { canScan, scan, ticketIn } from "./scan.js";

const form = document.querySelector("[data-counter]");
const { raffle, number, code } = form.elements;
const button = form.querySelector("[data-scan]");
const video = form.querySelector("[data-camera]");
const scanning = button.textContent;
const fault = form.querySelector("[data-fault]");
let camera = null;

function fill(ticket) {
  if (![...raffle.options].some(({ value }) => value === ticket.raffle)) {
    raffle.add(new Option(form.dataset.other, ticket.raffle));
  }
  raffle.value = ticket.raffle;
  number.value = ticket.number;
  code.value = ticket.code;
}

for (const field of [number, code]) {
  field.addEventListener("input", () => {
    const ticket = ticketIn(field.value.trim());
    if (ticket) fill(ticket);
  });
}

button.hidden = !(await canScan());
button.addEventListener("click", async () => {
  if (camera) return camera.abort();
  camera = new AbortController();
  button.textContent = button.dataset.stop;
  video.hidden = false;
  fault.hidden = true;
  let found = null;
  try {
    await scan(video, (text) => (found = ticketIn(text)) !== null, camera.signal);
  } catch (error) {
    fault.textContent = fault.dataset.words.replace("{name}", error.name);
    fault.hidden = false;
  }
  camera = null;
  video.hidden = true;
  button.textContent = scanning;
  if (found) {
    fill(found);
    form.requestSubmit();
  }
});

for (const sent of document.querySelectorAll("[data-once]")) {
  sent.addEventListener("submit", (event) => {
    if (sent.dataset.sent) event.preventDefault();
    sent.dataset.sent = "yes";
  });
}
addEventListener("pageshow", () => {
  for (const sent of document.querySelectorAll("[data-once]")) delete sent.dataset.sent;
});
