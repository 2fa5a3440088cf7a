// Shows the next dates beside the form as it stands, without saving it. Where this does not run,
// the button opens them in a window of their own.
const button = document.getElementById("preview");
let timer = 0;
let asked = 0;

async function show() {
  const mine = ++asked;
  const answer = await fetch(button.formAction, { method: "POST", body: new FormData(button.form) });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const calendar = page.getElementById("calendar");
  // An answer that was overtaken shows a form that is no longer there.
  if (mine === asked && answer.ok && calendar)
    document.getElementById("calendar").replaceWith(calendar);
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(() => show().catch(() => {}), 400);
}

if (button) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    show().catch(() => button.form.requestSubmit(button));
  });
  button.form.addEventListener("input", soon);
  button.form.addEventListener("change", soon);
}
