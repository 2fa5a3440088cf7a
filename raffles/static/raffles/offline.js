/** The page without a network: the kept ticket whose address was asked for, or all of them. */
import { fillCard } from "./card.js";
import { addressOf, tickets } from "./tickets.js";

const place = document.querySelector("[data-tickets]");
const row = place.querySelector("[data-row]");
const all = tickets();
const asked = all.filter((ticket) => (location.pathname + location.hash).endsWith(addressOf(ticket)));

function cardOf(ticket) {
  const card = row.cloneNode(true);
  card.querySelector(".ticket-of").textContent = ticket.name;
  fillCard(card, ticket, new URL(addressOf(ticket), location.origin).href);
  return card;
}

row.replaceWith(...(asked.length ? asked : all).map(cardOf));
place.hidden = !all.length;
const again = () => location.reload();
document.querySelector("[data-act=again]").addEventListener("click", again);
addEventListener("online", again);
