/** What verify() answers, as the names under which a page has words for it. */

/** Which verdict of a proof that holds; all but the first leave a doubt. */
export function sayingOf({ exit, verdict }) {
  if (exit === 3) return "promised";
  if (verdict.includes("witnessed before")) return "witnessed";
  if (verdict.includes("older than")) return "older";
  return verdict.endsWith("by the operator only") ? "vouched" : "unseen";
}

/** What stands in the places that the words of a verdict leave open; `took` is in milliseconds. */
export function wordsOf({ verdict, counted }, took) {
  const [, k, n] = /(\d+) of (\d+)/.exec(verdict) ?? [];
  // Of those that the verdict counts, which come first.
  const s = Math.min(...counted.slice(0, k).map((answer) => answer.seconds));
  const tenths = { maximumFractionDigits: 1, minimumFractionDigits: 1 };
  const t = new Intl.NumberFormat(document.documentElement.lang, tenths).format(Math.ceil(took / 100) / 10);
  return { k, n, s, t };
}

// The first that matches; what is left is a file that is not of the form it has to be.
const REASONS = {
  // Two signatures accuse the operator, and nothing else does.
  resealed: /^two signed commitments|^the log holds (another seal|this seal twice)/,
  forked: /^the operator signed two logs/,
  terms: /^the receipt was given for other terms/,
  left: /^the receipt's ticket is not in the committed tree/,
  exchanged: /^another ticket was drawn under the receipt's number/,
  off: /^this raffle was called off before/,
  // What the visitor added does not fit.
  strangers: /^these two files are of different signers/,
  raffle: /^the file is of another raffle/,
  forged: /^the signature of the (receipt|commitment)|^the commitment you kept|^the key of the (receipt|commitment)/,
  unfit: /^the receipt was issued after|^the receipt's number is beyond/,
  place: /^the inclusion file does not|^a receipt needs/,
  leaves: /^the leaves do not make|^a leaf occurs twice/,
  unsigned: /in a part that no checkpoint of this proof signs$/,
  statements: /^line \d+ of the log|^the log (is|does)|^the proof has no log/,
  witnesses: /^the witnesses are|^line \d+ of the witnesses/,
  // The proof itself does not hold.
  close: /^the pool was closed|^the round is not the one/,
  commitment: /^the commitment does not have/,
  seal: /^the signature of the seal/,
  signer: /^the key of the seal/,
  beacon: /^the round of the beacon|^the (beacon's )?signature is not|^the beacon's signature|^the randomness is not/,
  seed: /^the seed does not/,
  draw: /^index \d+ was drawn|^draw \d+ is index|^the proof lists entries/,
  tickets: /^a ticket number|^the (leaf|path) of index|^index \d+ is outside|^a path is too/,
  log: /^checkpoint \d+ /,
};

/** The kind of what is wrong in a verdict that begins with INVALID. */
export function reasonOf(verdict) {
  const why = verdict.replace("INVALID: ", "");
  return Object.keys(REASONS).find((kind) => REASONS[kind].test(why)) ?? "form";
}

/**
 * What a page shows, held against a proof that holds: null, or which verdict it is instead. The
 * page is of a `raffle`, and shows that many ranks (`shown`) behind `after`; `rows` are its own.
 */
export function differenceTo({ raffle, winners }, page, rows) {
  if (raffle !== page.raffle.replaceAll("-", "")) return "another";
  const alternates = new Set(winners.filter(({ prize }) => prize === null).map(ticketOf));
  const isBehind = ({ prize, rank }) => prize !== null && rank > Number(page.after);
  const drawn = winners.filter(isBehind).slice(0, Number(page.shown));
  const isAsDrawn = ({ rank, prize, tickets }, index) => {
    const [first, ...others] = tickets.split(" ");
    const winner = drawn[index];
    return winner && Number(rank) === winner.rank && prize === winner.prize
      && first === ticketOf(winner) && others.every((other) => alternates.has(other));
  };
  return rows.length === drawn.length && rows.every(isAsDrawn) ? null : "different";
}

const ticketOf = ({ ticket_number: number }) => String(number);

/** Shows that verdict of a line and no other; `words` go where it has a place for them. */
export function tell(line, verdict, words = {}, reason = "") {
  line.classList.toggle("told", verdict !== null);
  for (const said of line.querySelectorAll("[data-verdict]")) {
    said.hidden = said.dataset.verdict !== verdict;
    for (const part of said.querySelectorAll("[data-words]")) {
      part.textContent = part.dataset.words.replace(/\{(\w+)\}/g, (_, name) => words[name]);
    }
    for (const part of said.querySelectorAll("[data-reason]")) part.hidden = part.dataset.reason !== reason;
  }
}
