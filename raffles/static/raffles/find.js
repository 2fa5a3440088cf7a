/** A number that stands on this page is gone to without asking the site again. */

const form = document.querySelector("#find");
const answer = form.querySelector("[role=status]");

/** As the site reads it: "#1,234" is 1234. */
function written(text) {
  const digits = text.normalize("NFKC").replace(/[#\s.,'\u2019]/g, "");
  return /^\d{1,8}$/.test(digits) ? String(Number(digits)) : null;
}

form.addEventListener("submit", (event) => {
  const number = written(new FormData(form).get("number"));
  const row = number && document.querySelector(`[data-rank][data-tickets~="${number}"]`);
  if (!row) return;
  event.preventDefault();
  answer.replaceChildren();
  form.elements.number.removeAttribute("aria-invalid");
  if (location.hash === `#${row.id}`) row.scrollIntoView({ block: "center" });
  else location.hash = row.id; // with a place in the history, and the style of its target
  row.focus({ preventScroll: true }); // which reads it out
});
