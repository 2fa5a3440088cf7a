/** The check of a draw in a frame: nothing of it is loaded before somebody presses for it. */

let stopping = null;

// The part with the button may come later, when the winners are drawn.
document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-act=check]");
  if (!button) return;
  if (stopping) stopping.abort();
  else check(button.closest("[data-proof]"), button);
});

async function check(draw, button) {
  const line = draw.querySelector(".verdict");
  const progress = draw.querySelector("progress");
  const label = button.textContent;
  const { signal } = (stopping = new AbortController());
  const { keys, proof, size } = draw.dataset;
  button.style.minWidth = `${button.offsetWidth}px`; // what stands beside it stays there
  [button.textContent, progress.value] = [button.dataset.stop, 0];
  progress.classList.remove("idle");
  let tell = null;
  try {
    const verdicts = await import("./verdicts.js");
    ({ tell } = verdicts);
    tell(line, null);
    const { verifyApart } = await import("./verify-apart.js");
    const begun = performance.now();
    const files = { keys, proof: { address: new URL(proof, location).href, size } };
    const onProgress = (percent) => (progress.value = percent);
    const answer = await verifyApart(files, { onProgress, signal });
    say(line, draw, verdicts, answer, performance.now() - begun);
  } catch {
    tell?.(line, signal.aborted ? "stopped" : "unreachable");
  }
  stopping = null;
  button.textContent = label;
  progress.classList.add("idle");
}

function say(line, draw, { differenceTo, reasonOf, sayingOf, tell, wordsOf }, answer, took) {
  if (answer.exit === 1 || answer.exit === 2) return tell(line, "invalid", {}, reasonOf(answer.verdict));
  const rows = Array.from(draw.querySelectorAll("[data-rank]"), ({ dataset }) => dataset);
  tell(line, differenceTo(answer, draw.dataset, rows) ?? sayingOf(answer), wordsOf(answer, took));
}
