/**
 * Lead whoever holds a ticket home to it, on the pages where tickets are taken: from the answer to
 * the button, from Back, from another tab and from a second press. Without this the answer to the
 * button is the ticket, as it stands on the page.
 */
import { showHome } from "./home.js";
import { addressOf, keep, keyFor, onChange, settle, tickets } from "./tickets.js";

const place = location.pathname;
const issued = [...document.querySelectorAll("[data-ticket]")];
// What an invitation's QR code leads to; browsers send it to nobody.
const invited = /^#invitation=([0-9A-Z-]{20,24})$/i.exec(location.hash)?.[1];
const region = document.querySelector(".state[data-live]");
const others = document.querySelector("[data-act=others]");
const refused = document.querySelector("[data-notice]")?.dataset.notice;

/**
 * The answer to the button: this entry of the history becomes the ticket's own address. Several tickets
 * stay where they are, kept.
 */
async function goHome(taken) {
  settle(place);
  const isKept = taken.map(keep).every(Boolean);
  if (taken.length === 1) {
    if (isKept) return location.replace(addressOf(taken[0]));
    // What is kept nowhere is on this page alone, with its receipt: then only the address changes.
    history.replaceState(null, "", addressOf(taken[0]));
  }
  const { offerToSave } = await import("./saving.js");
  const page = document.querySelector("link[rel=canonical]").href;
  taken.forEach((ticket, at) => offerToSave(issued[at], ticket, new URL(addressOf(ticket), page).href));
}

/** Shows the tickets of the draw that can be entered, in place of the form. */
function show() {
  const held = heldHere();
  showHome(held);
  const limit = region.querySelector("[data-most]");
  const most = Number(limit?.dataset.most ?? 1);
  region.classList.toggle("held", held.length >= most && !region.classList.contains("another"));
  if (limit && held.length) offerAnother(limit, held.length, most);
}

/**
 * Where a holder may have several tickets, the form stays until they have all of them. An event's are counted by
 * name, and those kept here may be of several: it says no number.
 */
function offerAnother(limit, held, most) {
  if (limit.dataset.holds) {
    limit.hidden = false;
    limit.textContent = limit.dataset.holds.replace("{held}", held).replace("{most}", most);
  }
  const button = region.querySelector("#take-part-button");
  button.textContent = button.dataset.another;
}

/** Fills in the code that the address brings, also in a form that comes later. */
function fillIn() {
  const field = region.querySelector("#take-part [name=invitation]");
  if (!field || !invited || field.value) return;
  field.value = invited;
  region.classList.add("another");
}

/** A key like the one that comes with the form. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");

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
  const { request_key: key, username, invitation } = target.elements;
  const name = (username ?? invitation)?.value ?? "";
  const held = heldHere().length;
  const before = history.state?.asked; // where nothing is kept, Back still brings this entry
  const isRepeat = before?.name === name && before.held === held;
  const own = key.value === before?.key ? newKey() : key.value; // what Back brings has been sent
  key.value = keyFor(place, name, isRepeat ? before.key : own);
  history.replaceState({ asked: { name, key: key.value, held } }, "");
});

if (issued.length) goHome(issued.map(({ dataset }) => JSON.parse(dataset.ticket)));
else {
  if (others && document.querySelector("[data-notice], .fault")) {
    others.hidden = true;
    region.classList.add("another");
  }
  fillIn();
  show();
  onChange(show);
  region.addEventListener("fresh", () => {
    fillIn();
    show();
  });
  const [held] = heldHere();
  if (refused) settle(place); // no ticket has that key
  if (refused === "already_entered" && !others && held) location.replace(addressOf(held));
}
