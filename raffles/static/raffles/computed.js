/**
 * What a step of the check has computed, in the words of the page. The verifier says it in English, to the
 * letter as `verify.py` does; pages in another language have the words for each sentence (data-computed).
 */
const SENTENCES = {
  terms: /^(?<name>".*"), (?<id>[0-9a-f]{32}), (?<n>\d+) of (?<all>\d+) tickets$/,
  late: /^(?<at>.* UTC), late: (?<n>\d+) s after closes_at$/,
  signed: /^signature good, by the key (?<key>\w+)$/,
  own: /^(?<number>\w+), the operator's word$/,
  beacon: /^beacon round (?<n>\d+) of (?<at>.* UTC), signature good$/,
  drawn: /^(?<n>\d+) winners and alternates, (?<all>\d+) skipped$/,
  paths: /^(?<n>\d+) inclusion paths lead to (?<root>\w+)$/,
  log: /^statement (?<n>\d+) of (?<name>".*"), checkpoints signed by the key of the seal: (?<all>\d+)$/,
  unlogged: /^the proof shows no log$/,
  seen: /^(?<who>".*" [0-9a-f]{16}), (?<n>-?\d+) s before the randomness(?<named> \(.*\))?$/,
  unheld: /^(?<who>".*" [0-9a-f]{16}), not among the witnesses you hold$/,
  spoilt: /^(?<who>".*" [0-9a-f]{16}), an answer that does not verify(?<named> \(.*\))?$/,
  silent: /^(?<who>".*" [0-9a-f]{16}), no answer(?<named> \(.*\))?$/,
  early: /^(?<who>".*" [0-9a-f]{16}), answered too early(?<named> \(.*\))?$/,
  tardy: /^(?<who>".*" [0-9a-f]{16}), answered too late(?<named> \(.*\))?$/,
  token: /^a token by the key (?<key>\w+) is not in the terms and does not count$/,
  stranger: /^(?<name>".*") is not in the terms and does not count$/,
  tokens: /^tokens that do not verify: (?<n>\d+)$/,
  signer: /^the key of the seal is among the keys you hold$/,
  unsigned: /^the signer was not checked against keys you hold$/,
  kept: /^the commitment you kept is the drawn one$/,
  place: /^the receipt's ticket has index (?<n>\d+) in the committed tree$/,
  someplace: /^a ticket has index (?<n>\d+) in the committed tree$/,
  leaves: /^(?<n>\d+) leaves make the root (?<root>\w+)$/,
  lost: /^ticket (?<n>\d+), not drawn$/,
  skipped: /^ticket (?<n>\d+), skipped, its holder has as many ranks as the terms allow$/,
  alternate: /^ticket (?<n>\d+), rank (?<rank>\d+), an alternate$/,
  won: /^ticket (?<n>\d+), rank (?<rank>\d+), wins (?<name>".*")$/,
  statements: /^(?<n>\d+) statements of (?<name>".*"), the first (?<all>\d+) make the root of the largest checkpoint$/,
  replaced: /^rank (?<rank>\d+) by rank (?<n>\d+), (?<at>.* UTC)$/,
  beyond: /^rank (?<rank>\d+) by rank (?<n>\d+), (?<at>.* UTC), in a part that no checkpoint of this proof signs$/,
  unread: /^whether the log holds another seal of this raffle was not checked$/,
};

/** The sentence in the page's words; null where it has none for it. */
export function inWords(place, computed) {
  if (/^([0-9a-f]{64}|[\d, ]+|[\d :-]+UTC)$/.test(computed)) return computed; // a hash, numbers, a time
  for (const [name, sentence] of Object.entries(SENTENCES)) {
    const { groups } = sentence.exec(computed) ?? {};
    const words = groups !== undefined || sentence.test(computed) ? place?.querySelector(`[data-computed=${name}]`) : null;
    if (!words) continue;
    const said = words.dataset.words.replace(/\{(\w+)\}/g, (_, key) => groups[key]);
    return groups?.named ? `${said} (${place.querySelector("[data-computed=named]").dataset.words})` : said;
  }
  return null;
}
