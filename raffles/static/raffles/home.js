/** Show the way home to kept tickets, where a page has a place for it (data-home). */
import { addressOf } from "./tickets.js";

const home = document.querySelector("[data-home]");
const row = home.querySelector("[data-row]");

export function showHome(held) {
  home.hidden = !held.length;
  const rows = held.map((ticket) => {
    const line = row.cloneNode(true);
    const link = line.querySelector("a");
    link.href = addressOf(ticket);
    link.textContent = link.dataset.words.replace("{number}", ticket.number);
    return line;
  });
  if (rows.length) home.querySelector("[data-rows]").replaceChildren(...rows);
}
