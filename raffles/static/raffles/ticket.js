/** Fill in a ticket from what a QR code put behind the #, or from the file that was saved. */
import { onFiles } from "./dropping.js";

const form = document.querySelector("form.lookup");
const fault = form.querySelector("[data-fault]");

function fill(number, code) {
  form.elements.ticket_number.value = number;
  form.elements.verification_code.value = code;
}

const scanned = /^#(\d{1,8})\.([0-9A-Z-]{20,24})$/.exec(location.hash);
if (scanned) {
  fill(scanned[1], scanned[2]);
  history.replaceState(null, "", location.pathname); // the code stays in no history
}

onFiles(form.querySelector(".drop"), ([file]) => {
  try {
    const ticket = JSON.parse(file.text);
    const isOurs = ticket.raffle_id === form.dataset.raffle;
    if (!isOurs || !ticket.verification_code) throw new SyntaxError("another raffle's");
    fill(ticket.ticket_number, ticket.verification_code);
    form.requestSubmit();
  } catch {
    fault.hidden = false;
  }
});
