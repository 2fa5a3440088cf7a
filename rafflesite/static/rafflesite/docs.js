/** What Swagger UI leaves out: the reader's theme, and what readers of the screen and keyboards need. */

const dark = matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", setTheme);
setTheme();

const ABOUT = ".information-container";

/** Its headings jump, its examples scroll without a focus, and its regions have no names of their own. */
function complete() {
  level("h3", 2);
  level("h4, h5", 3);
  for (const example of all(".microlight, .model-box", "tabindex")) example.tabIndex = 0;
  for (const region of all(`${ABOUT}, table[role=region]`, "aria-label")) {
    region.role = "region";
    region.ariaLabel = region.matches(ABOUT) ? "About" : region.id.replaceAll("_", " ");
  }
}

const all = (selector, without) => document.querySelectorAll(`:is(${selector}):not([${without}])`);

function level(headings, rank) {
  for (const heading of all(headings, "aria-level")) heading.ariaLevel = String(rank);
}

new MutationObserver(complete).observe(document.getElementById("swagger-ui"), { childList: true, subtree: true });
