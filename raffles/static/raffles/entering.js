/**
 * Lead whoever holds a ticket home to it, on the pages where tickets are taken: from the answer to
 * the button, from Back, from another tab and from a second press. Without this the answer to the
 * button is the ticket, as it stands on the page.
 */
import { showHome } from "./home.js";
import { addressOf, keep, keyFor, onChange, settle, tickets } from "./tickets.js";

const place = location.pathname;
const issued = document.querySelector("[data-ticket]");
const region = document.querySelector(".state[data-live]");
const others = document.querySelector("[data-act=others]");
const refused = document.querySelector("[data-notice]")?.dataset.notice;

/** The answer to the button: this entry of the history becomes the ticket's own address. */
async function goHome(ticket) {
  settle(place);
  if (keep(ticket)) return location.replace(addressOf(ticket));
  // What is kept nowhere is on this page alone, with its receipt: then only the address changes.
  history.replaceState(null, "", addressOf(ticket));
  const { offerToSave } = await import("./saving.js");
  offerToSave(issued, ticket, new URL(addressOf(ticket), document.querySelector("link[rel=canonical]").href).href);
}

/** Shows the tickets of the draw that can be entered, in place of the form. */
function show() {
  const held = heldHere();
  showHome(held);
  region.classList.toggle("held", held.length > 0 && !region.classList.contains("another"));
}

/** An event's page has no raffle before the first ticket of its next date. */
function heldHere() {
  const raffle = region.querySelector("[data-raffle]")?.dataset.raffle;
  return raffle ? tickets(raffle) : [];
}

// An event takes entries for others, too: who asks for that, or was refused it, keeps the form.
others?.addEventListener("click", () => {
  region.classList.add("another");
  others.hidden = true;
  show();
  region.querySelector("#take-part input")?.focus();
});
document.addEventListener("submit", ({ target }) => {
  if (target.id !== "take-part") return;
  const { request_key: key, username } = target.elements;
  const name = username?.value ?? "";
  const before = history.state?.asked; // where nothing is kept, Back still brings this entry
  key.value = keyFor(place, name, before?.name === name ? before.key : key.value);
  history.replaceState({ asked: { name, key: key.value } }, "");
});

if (issued) goHome(JSON.parse(issued.dataset.ticket));
else {
  if (others && document.querySelector("[data-notice], .fault")) {
    others.hidden = true;
    region.classList.add("another");
  }
  show();
  onChange(show);
  region.addEventListener("fresh", show);
  const [held] = heldHere();
  if (refused === "already_entered" && !others && held) {
    settle(place);
    location.replace(addressOf(held));
  }
}
