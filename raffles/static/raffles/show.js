/** The order of a show. */

const ALONE = 3; // ranks that are revealed one by one whatever their prizes
const BATCH = 10; // winners at once, or more if a prize would take more than so many batches
const ROUNDS = 30; // below the first ranks; of more kinds of prizes several come at once

/**
 * The steps of a show of winners {rank, prize, ...} in the order of their ranks, each a
 * {kind, places} with its places from the last rank to the first:
 *
 *   ready  before the first
 *   intro  what comes next: `size` of its places at once
 *   one    a winner
 *   many   winners at once
 *   all    everybody, in the end
 */
export function stepsOf(winners) {
  const places = [...winners].reverse();
  const lower = places.filter(({ rank }) => rank > ALONE);
  const steps = [{ kind: "ready" }];
  const rounds = roundsOf(lower);
  for (const round of rounds.length > ROUNDS ? [lower] : rounds) steps.push(...stepsOfRound(round));
  for (const place of places.slice(lower.length)) {
    steps.push({ kind: "intro", places: [place], size: 1 }, { kind: "one", places: [place] });
  }
  return [...steps, { kind: "all", places }];
}

/** Places in a row that have the same prize, together. */
export function roundsOf(places) {
  const rounds = [];
  for (const place of places) {
    if (place.prize === rounds.at(-1)?.[0].prize) rounds.at(-1).push(place);
    else rounds.push([place]);
  }
  return rounds;
}

function stepsOfRound(places) {
  if (places.length === 1) return [{ kind: "one", places }];
  const size = Math.max(BATCH, Math.ceil(places.length / BATCH));
  const steps = [{ kind: "intro", places, size: Math.min(size, places.length) }];
  for (let start = 0; start < places.length; start += size) {
    const batch = places.slice(start, start + size);
    steps.push({ kind: batch.length === 1 ? "one" : "many", places: batch });
  }
  return steps;
}
