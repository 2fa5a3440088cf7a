/** The list of the tickets that this browser keeps, with a way to forget one or all of them. */
import { addressOf, forget, isOff, onChange, tickets } from "./tickets.js";

const list = document.querySelector("[data-rows]");
const [row] = list.children;
const all = document.querySelector("[data-act=forget-all]");
const moment = new Intl.DateTimeFormat(document.documentElement.lang, {
  weekday: "long", day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit",
  hourCycle: "h23", timeZoneName: "short",
});

function show() {
  const kept = tickets();
  list.replaceChildren(...kept.map(lineOf));
  list.hidden = !kept.length;
  all.hidden = kept.length < 2;
  document.querySelector("[data-off]").hidden = !isOff();
  document.querySelector("[data-none]").hidden = kept.length > 0 || isOff();
}

function lineOf(ticket) {
  const line = row.cloneNode(true);
  const link = line.querySelector("a");
  link.href = addressOf(ticket);
  link.textContent = ticket.name;
  line.querySelector("b").textContent = ticket.number;
  const due = line.querySelector("[data-due]");
  due.hidden = !ticket.closes_at;
  if (ticket.closes_at) {
    const time = due.querySelector("time");
    time.dateTime = ticket.closes_at;
    time.textContent = moment.format(new Date(ticket.closes_at));
    due.querySelector("[data-over]").dataset.countdown = ticket.closes_at;
  }
  const button = line.querySelector("[data-act=forget]");
  button.setAttribute("aria-label", `${button.textContent}: ${ticket.name}, ${ticket.number}`);
  button.addEventListener("click", () => {
    if (!confirm(button.dataset.sure.replace("{number}", ticket.number))) return;
    forget(ticket);
    show();
    document.querySelector("main").focus();
  });
  return line;
}

all.addEventListener("click", () => {
  if (!confirm(all.dataset.sure)) return;
  tickets().forEach(forget);
  show();
  document.querySelector("main").focus();
});
onChange(show);
show();
