// Shows the next dates beside the form as it stands, without saving it. Where this does not run,
// the button opens them in a window of their own.
const button = document.getElementById("preview");
let timer = 0;
let asked = 0;
let month = ""; // such as 2026-02; without one, the next dates

async function show() {
  const mine = ++asked;
  const address = new URL(button.formAction);
  if (month) address.searchParams.set("month", month);
  const answer = await fetch(address, { method: "POST", body: new FormData(button.form) });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const calendar = page.getElementById("calendar");
  // An answer that was overtaken shows a form that is no longer there.
  if (mine === asked && answer.ok && calendar)
    replace(calendar);
}

function replace(calendar) {
  const old = document.getElementById("calendar");
  const focused = old.contains(document.activeElement) && document.activeElement;
  const day = focused && focused.closest("[data-day]")?.dataset.day;
  const act = focused && focused.dataset.act;
  const turn = focused && focused.dataset.turn;
  old.replaceWith(calendar);
  offer();
  tellNext();
  if (day) calendar.querySelector(`[data-day="${day}"] [data-act="${act}"]`)?.focus();
  // The last month has no later one: then to the way back.
  if (turn) (calendar.querySelector(`[data-turn="${turn}"]`) ?? calendar.querySelector("[data-turn]"))?.focus();
}

// --- The month: a date writes its reward, and the reward can be repeated on others. Only the form
// changes; its rows are saved, refused and compared with others' like any that were typed.

const REWARD = ["reward_name", "reward_amount", "reward_description", "reward_picture"];
const help = document.getElementById("month-help");
let source = null;

const field = (row, name) => row.querySelector(`[name^="rewards-"][name$="-${name}"]`);
const rows = () => [...document.querySelectorAll("#rewards-group tr.form-row:not(.empty-form)")];
const rowOf = (day) => rows().find((row) => field(row, "date").value === day);

function rowFor(day) {
  const found = rowOf(day);
  if (found) return found;
  const isFree = (row) => !field(row, "date").value && !field(row, "reward_name").value;
  if (!rows().some(isFree)) document.querySelector("#rewards-group .add-row a").click();
  const row = rows().find(isFree);
  field(row, "date").value = day;
  return row;
}

function write(day) {
  const name = field(rowFor(day), "reward_name");
  name.scrollIntoView({ block: "center" });
  name.focus();
}

function copyTo(day) {
  const from = rowOf(source);
  const row = rowFor(day);
  for (const name of REWARD) field(row, name).value = field(from, name).value;
  field(row, "DELETE")?.type === "checkbox" && (field(row, "DELETE").checked = false);
  soon();
}

function press(day, act) {
  if (act === "copy") source = day;
  else if (act === "done") source = null;
  else if (source && source !== day) copyTo(day);
  else if (!source) write(day);
  if (act === "copy" || act === "done") {
    offer();
    document.querySelector(`[data-day="${day}"] button`)?.focus();
  }
}

function offer() {
  if (!help || !document.getElementById("rewards-group")) return;
  help.hidden = false;
  for (const cell of document.querySelectorAll("#calendar [data-day]")) {
    const { day } = cell.dataset;
    const acts = document.createElement("span");
    acts.className = "acts";
    const add = (act) => {
      const made = document.createElement("button");
      made.type = "button";
      made.dataset.act = act;
      made.textContent = help.dataset[act];
      made.setAttribute("aria-label", `${help.dataset[act]}: ${cell.querySelector("time b").textContent}`);
      acts.append(made);
    };
    if (source === day) add("done");
    else if (source) add("onto");
    else {
      add("write");
      if (rowOf(day)) add("copy");
    }
    cell.querySelector(".acts")?.remove();
    cell.append(acts);
    cell.classList.toggle("copied", source === day);
    cell.onclick = (event) => press(day, event.target.dataset.act ?? "date");
  }
}

// --- How often: what the choice does not use is out of the way, and the next dates are beside it.

const often = document.querySelector("select[name=how_often]");
const rule = document.querySelector("[name=frequency]");
const USED = { weekdays: "weekdays", last: "last_weekday", own: "frequency" };

function choose() {
  if (!often) return;
  for (const [kind, name] of Object.entries(USED)) {
    const row = document.querySelector(`.form-row.field-${name}`);
    row.hidden = often.value !== kind && !row.querySelector(".errorlist");
  }
  // What is out of sight is as it was: nobody could see why it is refused.
  if (document.querySelector(".form-row.field-frequency").hidden)
    rule.value = document.querySelector("[name=initial-frequency]")?.value ?? rule.defaultValue;
}

function tellNext() {
  if (!often || month) return;
  const next = document.getElementById("next-five") ?? document.createElement("p");
  next.id = "next-five";
  next.className = "help";
  const days = [...document.querySelectorAll("#calendar td.on:not(.over) time b")].slice(0, 5);
  const said = days.length ? days : [...document.querySelectorAll("#calendar .calendar-note")];
  next.textContent = said.map((one) => one.textContent.trim()).join(" · ");
  document.querySelector(".form-row.field-how_often").append(next);
}

function soon(event) {
  // Whoever changes the schedule sees its next dates again.
  if (event && !event.target.closest("#rewards-group")) month = "";
  clearTimeout(timer);
  timer = setTimeout(() => show().catch(() => {}), 400);
}

if (button) {
  addEventListener("load", offer);
  choose();
  tellNext();
  often?.addEventListener("change", choose);
  button.addEventListener("click", (event) => {
    event.preventDefault();
    show().catch(() => button.form.requestSubmit(button));
  });
  button.form.addEventListener("click", (event) => {
    const to = event.target.closest("#calendar [data-turn]");
    if (!to) return;
    event.preventDefault();
    const before = month;
    month = new URL(to.formAction).searchParams.get("month") ?? "";
    show().catch(() => {
      month = before;
      to.formTarget = "_blank"; // one that came with an answer would take the form's place
      button.form.requestSubmit(to);
    });
  });
  button.form.addEventListener("input", soon);
  button.form.addEventListener("change", soon);
}
