/**
 * Check a raffle-draw-v2 proof in the visitor's own browser (or in Node 20): the same checks, in
 * the same order and with the same sentences, as the single file verify.py. The numbers of
 * sections are those of the protocol.
 *
 * Nothing is fetched and nothing is imported. Hashes and signatures are our own because the
 * browser's are missing on plain http. Integers are big-endian on the wire.
 */

/** What is wrong with the evidence, as one sentence without its full stop. */
export class Invalid extends Error {}

/** Why a file cannot be read at all. */
export class Unreadable extends Error {}

// --- Bytes -------------------------------------------------------------------------------

const encoder = new TextEncoder();

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function hex(bytes) {
  let text = "";
  for (const byte of bytes) text += HEX[byte];
  return text;
}

function unhex(text) {
  const bytes = new Uint8Array(text.length / 2);
  const digit = (code) => (code < 58 ? code - 48 : code - 87); // 0-9, a-f
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = 16 * digit(text.charCodeAt(2 * i)) + digit(text.charCodeAt(2 * i + 1));
  }
  return bytes;
}

function join(...parts) {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
const toBytes = (number, size) => unhex(number.toString(16).padStart(2 * size, "0"));
const toNumber = (bytes) => BigInt(`0x${hex(bytes) || 0}`);
const toNumberLittle = (bytes) => toNumber(Uint8Array.from(bytes).reverse());
const be64 = (number) => toBytes(number, 8);
const utf8 = (text) => encoder.encode(text);
const tag = (name) => utf8(`raffle-draw-v2/${name}\0`);

/** RFC 8785 JSON of objects, arrays, strings and integers below 2^53, with ASCII keys. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const member = (key) => `${JSON.stringify(key)}:${canonical(value[key])}`;
  return `{${Object.keys(value).sort().map(member).join(",")}}`;
}

/** The bytes of a base64 text in its one form, else null. */
function unbase64(text) {
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) return null;
  const decoded = atob(text);
  return btoa(decoded) === text ? Uint8Array.from(decoded, (c) => c.charCodeAt(0)) : null;
}

// --- SHA-2 (FIPS 180-4) and SHA-1, which old timestamps name -------------------------------

const MASK64 = (1n << 64n) - 1n;

function integerRoot(value, degree) {
  let low = 0n;
  for (let bit = 1n << 80n; bit; bit >>= 1n) if ((low | bit) ** degree <= value) low |= bit;
  return low;
}

const PRIMES = [];
for (let n = 2n; PRIMES.length < 80; n++) if (PRIMES.every((p) => n % p)) PRIMES.push(n);
const K512 = PRIMES.map((p) => integerRoot(p << 192n, 3n) & MASK64);
const ROOTS = PRIMES.slice(0, 16).map((p) => integerRoot(p << 128n, 2n) & MASK64);
const [IV512, IV384] = [ROOTS.slice(0, 8), ROOTS.slice(8)];
const K256 = Int32Array.from(K512.slice(0, 64), (k) => Number(k >> 32n));
const IV256 = Int32Array.from(IV512, (h) => Number(h >> 32n));
const schedule = new Int32Array(64);
function padded(message, block) {
  const size = Math.ceil((message.length + 1 + block / 8) / block) * block;
  const bytes = new Uint8Array(size);
  bytes.set(message);
  bytes[message.length] = 0x80;
  let at = size;
  for (let bits = message.length * 8; bits; bits = Math.floor(bits / 256)) bytes[--at] = bits;
  return bytes;
}

export function sha256(message) {
  const bytes = padded(message, 64);
  const state = IV256.slice();
  for (let at = 0; at < bytes.length; at += 64) compress256(state, bytes, at);
  const digest = new Uint8Array(32);
  for (let i = 0; i < 32; i++) digest[i] = state[i >> 2] >>> (24 - 8 * (i & 3));
  return digest;
}

/** The inner loop of everything: destructuring would take 2.5 times as long (1.6 us a hash). */
function compress256(state, bytes, at) {
  const w = schedule;
  for (let t = 0, i = at; t < 16; t++, i += 4) {
    w[t] = (bytes[i] << 24) | (bytes[i + 1] << 16) | (bytes[i + 2] << 8) | bytes[i + 3];
  }
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15];
    const y = w[t - 2];
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[t] = w[t - 16] + s0 + w[t - 7] + s1;
  }
  let a = state[0];
  let b = state[1];
  let c = state[2];
  let d = state[3];
  let e = state[4];
  let f = state[5];
  let g = state[6];
  let h = state[7];
  for (let t = 0; t < 64; t++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K256[t] + w[t]) | 0;
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  const words = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) state[i] += words[i];
}

function sha1(message) {
  const bytes = padded(message, 64);
  const left = (x, n) => (x << n) | (x >>> (32 - n));
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  const mixes = [
    [0x5a827999, (b, c, d) => (b & c) | (~b & d)],
    [0x6ed9eba1, (b, c, d) => b ^ c ^ d],
    [0x8f1bbcdc, (b, c, d) => (b & c) | (b & d) | (c & d)],
    [0xca62c1d6, (b, c, d) => b ^ c ^ d],
  ];
  for (let at = 0; at < bytes.length; at += 64) {
    const w = [];
    for (let i = at; i < at + 64; i += 4) w.push(Number(toNumber(bytes.subarray(i, i + 4))));
    for (let t = 16; t < 80; t++) w.push(left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1));
    let [a, b, c, d, e] = state;
    for (let t = 0; t < 80; t++) {
      const [constant, mix] = mixes[Math.floor(t / 20)];
      const next = (left(a, 5) + mix(b, c, d) + e + constant + w[t]) | 0;
      [e, d, c, b, a] = [d, c, left(b, 30), a, next];
    }
    [a, b, c, d, e].forEach((word, i) => (state[i] += word));
  }
  return join(...Array.from(state, (word) => toBytes(word >>> 0, 4)));
}

const rotate = (x, n) => (x >> n) | ((x << (64n - n)) & MASK64);

function longHash(message, start) {
  const bytes = padded(message, 128);
  const state = [...start];
  for (let at = 0; at < bytes.length; at += 128) {
    const w = [];
    for (let i = at; i < at + 128; i += 8) w.push(toNumber(bytes.subarray(i, i + 8)));
    for (let t = 16; t < 80; t++) {
      const s0 = rotate(w[t - 15], 1n) ^ rotate(w[t - 15], 8n) ^ (w[t - 15] >> 7n);
      const s1 = rotate(w[t - 2], 19n) ^ rotate(w[t - 2], 61n) ^ (w[t - 2] >> 6n);
      w.push((w[t - 16] + s0 + w[t - 7] + s1) & MASK64);
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let t = 0; t < 80; t++) {
      const s1 = rotate(e, 14n) ^ rotate(e, 18n) ^ rotate(e, 41n);
      const t1 = h + s1 + ((e & f) ^ (~e & g)) + K512[t] + w[t];
      const t2 = (rotate(a, 28n) ^ rotate(a, 34n) ^ rotate(a, 39n)) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) & MASK64, c, b, a, (t1 + t2) & MASK64];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (state[i] = (state[i] + word) & MASK64));
  }
  return join(...state.map(be64));
}

const sha512 = (message) => longHash(message, IV512);
const sha384 = (message) => longHash(message, IV384).subarray(0, 48);

// --- Trees of tickets and of statements (RFC 9162) -----------------------------------------

const pair = new Uint8Array(65).fill(1, 0, 1); // one for all nodes: there may be millions

/** Of a ticket's leaf or of a statement. */
const hashLeaf = (leaf) => sha256(join([0], leaf));

function hashNode(left, right) {
  pair.set(left, 1);
  pair.set(right, 33);
  return sha256(pair);
}

/** Grows by a hash at a time and remembers only the whole subtrees at its right edge. */
class Tree {
  constructor() {
    [this.size, this.edge] = [0, []];
  }

  add(hash) {
    let node = hash;
    for (let rest = this.size++; rest % 2; rest = Math.floor(rest / 2)) {
      node = hashNode(this.edge.pop(), node);
    }
    this.edge.push(node);
  }

  root() {
    return this.edge.reduceRight((right, left) => hashNode(left, right));
  }
}

/** The root that a path of hashes in hex leads to; `thing` is what the tree is of. */
function rootFromPath(index, size, leafHash, path) {
  if (index >= size) throw new Invalid(`index ${index} is outside a tree of ${size}`);
  let [at, last, node] = [BigInt(index), BigInt(size - 1), leafHash]; // above 2^31 too
  let used = 0;
  for (; last; at >>= 1n, last >>= 1n) {
    if ((at ^ 1n) > last) continue;
    if (used === path.length) throw new Invalid("a path is too short");
    const sibling = unhex(path[used++]);
    node = at & 1n ? hashNode(sibling, node) : hashNode(node, sibling);
  }
  if (used < path.length) throw new Invalid("a path is too long");
  return node;
}

// --- Commitment and seed (sections 3 and 4) --------------------------------------------------

const hashTerms = (terms) => sha256(join(tag("terms"), utf8(canonical(terms))));
const hashCommitment = (c) => sha256(join(tag("commitment"), utf8(canonical(c))));
const deriveSeed = (commitmentHash, randomness) =>
  sha256(join(tag("seed"), commitmentHash, randomness));

// --- The draw (section 5) ------------------------------------------------------------------

/** Number i of the seed's sequence, exactly uniform in 0..n-1; n and the answer are BigInt. */
export function uniform(seed, i, n) {
  const limit = ((1n << 64n) / n) * n;
  for (let attempt = 0; ; attempt++) {
    const block = sha256(join(seed, be64(i), toBytes(attempt, 4)));
    const word = toNumber(block.subarray(0, 8));
    if (word < limit) return word % n;
  }
}

/** All indices 0..n-1 in drawn order: a Fisher-Yates shuffle that stores only what moved. */
export function* draw(seed, n) {
  const moved = new Map();
  for (let i = 0; i < n; i++) {
    const j = i + Number(uniform(seed, i, BigInt(n - i)));
    yield moved.get(j) ?? j;
    moved.set(j, moved.get(i) ?? i);
  }
}

function* prizesInOrder(prizes) {
  for (const { name, amount } of prizes) for (let i = 0; i < amount; i++) yield name;
}

/** Winners, alternates and skipped entries (without rank and prize) in drawn order. */
export function* select(terms, seed, tickets, holderOf) {
  const prizes = prizesInOrder(terms.prizes);
  const places = terms.prizes.reduce((sum, prize) => sum + prize.amount, terms.alternates);
  const limit = terms.max_wins_per_holder;
  const wins = new Map();
  let [step, rank] = [0, 0];
  for (const index of draw(seed, tickets)) {
    const holder = limit ? holderOf(index) : "";
    const won = wins.get(holder) ?? 0;
    if (limit && won >= limit) {
      yield { draw: step++, index };
      continue;
    }
    wins.set(holder, won + 1);
    yield { draw: step++, index, rank: ++rank, prize: prizes.next().value ?? null };
    if (rank === places) return;
  }
}

// --- The beacon: drand quicknet (section 4) --------------------------------------------------

export const CHAIN = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971";
const [GENESIS, PERIOD] = [1692803367, 3];

/** Seconds of UNIX time, as all times here. */
export const timeOfRound = (number) => GENESIS + (number - 1) * PERIOD;
const firstRoundFrom = (time) => Math.ceil((time - GENESIS) / PERIOD) + 1;

let goodBeacon; // checked last: a ticket's page asks for its outcome and then for the proof

/** Throws Invalid unless this is the beacon's one signature of round `number`. */
export function checkBeacon(number, signature) {
  const beacon = `${number} ${hex(signature)}`;
  if (beacon === goodBeacon) return;
  const [x, y] = decodeSignature(signature);
  const message = hashToG1(sha256(be64(number)));
  const negated = [x, fp2Sub([0n, 0n], y)];
  if (!pairingIsOne([[negated, G2], [message, PUBLIC_KEY]])) {
    throw new Invalid(`the signature is not the beacon's for round ${number}`);
  }
  goodBeacon = beacon;
}

// --- Arithmetic modulo a prime -----------------------------------------------------------

function modulo(a, prime) {
  const rest = a % prime;
  return rest < 0n ? rest + prime : rest;
}

function power(base, exponent, prime) {
  let [result, square] = [1n, modulo(base, prime)];
  for (let rest = exponent; rest; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % prime;
    square = (square * square) % prime;
  }
  return result;
}

/** Extended Euclid; 0 has no inverse and gives 0. */
function inverse(a, prime) {
  let [r, next, s, t] = [prime, modulo(a, prime), 0n, 1n];
  while (next) {
    const quotient = r / next;
    [r, next] = [next, r - quotient * next];
    [s, t] = [t, s - quotient * t];
  }
  return r === 1n ? modulo(s, prime) : 0n;
}

const bitsOf = (k) => k.toString(2);

// --- BLS12-381: fields and points --------------------------------------------------------
// Fp2 elements are pairs [a, b] for a + b*u with u^2 = -1. A point is a pair of coordinates in
// Fp2, null is infinity; points of G1 have b = 0. Fp12 elements are the 12 coefficients of a
// polynomial in w, where w^6 = 1 + u, so w^12 = 2*w^6 - 2.

const X = 0xd201000000010000n; // the family's parameter is -X
const R = X ** 4n - X ** 2n + 1n; // order of G1 and G2
const P = ((X + 1n) ** 2n * R) / 3n - X; // of the base field

const fp = (a) => modulo(a, P);
const fp2Sub = (a, b) => [fp(a[0] - b[0]), fp(a[1] - b[1])];
const fp2Mul = (a, b) => [fp(a[0] * b[0] - a[1] * b[1]), fp(a[0] * b[1] + a[1] * b[0])];

function fp2Div(a, b) {
  const inverted = inverse(b[0] * b[0] + b[1] * b[1], P);
  return fp2Mul(a, [b[0] * inverted, -b[1] * inverted]);
}

const fp2Same = (a, b) => a[0] === b[0] && a[1] === b[1];

/** Of the line through two points, of the tangent where they are one. */
function slopeOf(p, q) {
  if (!fp2Same(p[0], q[0])) return fp2Div(fp2Sub(q[1], p[1]), fp2Sub(q[0], p[0]));
  const [a, b] = fp2Mul(p[0], p[0]);
  return fp2Div([3n * a, 3n * b], [2n * p[1][0], 2n * p[1][1]]);
}

function sumOnLine(slope, p, q) {
  const x = fp2Sub(fp2Sub(fp2Mul(slope, slope), p[0]), q[0]);
  return [x, fp2Sub(fp2Mul(slope, fp2Sub(p[0], x)), p[1])];
}

function add(p, q) {
  if (p === null || q === null) return p ?? q;
  const opposite = fp2Same(p[0], q[0]) && !fp2Same(p[1], q[1]);
  return opposite ? null : sumOnLine(slopeOf(p, q), p, q); // y = 0 does not occur: odd orders
}

function times(k, p) {
  let total = null;
  for (const bit of bitsOf(k)) {
    total = add(total, total);
    if (bit === "1") total = add(total, p);
  }
  return total;
}

/** A square root in Fp of any a that has one (P = 3 mod 4). */
const fpRoot = (a) => power(a, (P + 1n) / 4n, P);

function fp12Fold(wide) {
  for (let k = wide.length - 1; k > 11; k--) {
    wide[k - 6] += 2n * wide[k];
    wide[k - 12] -= 2n * wide[k];
  }
  return wide.slice(0, 12).map(fp);
}

function fp12Mul(f, g) {
  const wide = Array(23).fill(0n);
  for (let i = 0; i < 12; i++) {
    if (f[i]) for (let k = 0; k < 12; k++) wide[i + k] += f[i] * g[k]; // lines have 5 of 12
  }
  return fp12Fold(wide);
}

function fp12Pow(f, exponent) {
  let result = f;
  for (const bit of bitsOf(exponent).slice(1)) {
    result = fp12Mul(result, result);
    if (bit === "1") result = fp12Mul(result, f);
  }
  return result;
}

const fp12Conjugate = (f) => f.map((c, i) => (i % 2 ? -c : c)); // f^(P^6)

/** f^P: each w becomes w * (1 + u)^((P - 1) / 6). */
function fp12Frobenius(f) {
  const wide = Array(18).fill(0n);
  let factor = [1n, 0n];
  f.forEach((c, i) => {
    wide[i] += c * (factor[0] - factor[1]);
    wide[i + 6] += c * factor[1];
    factor = fp2Mul(factor, FROBENIUS);
  });
  return fp12Fold(wide);
}

// --- BLS12-381: the pairing --------------------------------------------------------------

/** The line through head, a point of the twist, at p of G1, up to a factor in Fp4. */
function lineAt(slope, head, p) {
  const [x, y] = [p[0][0], p[1][0]];
  const [a, b] = fp2Sub(fp2Mul(slope, head[0]), head[1]);
  const line = Array(12).fill(0n);
  [line[0], line[6]] = [a - b, b];
  [line[2], line[8]] = [-x * (slope[0] - slope[1]), -x * slope[1]];
  line[3] = y;
  return line;
}

/** Whether the product of e(p, q) over pairs of p in G1 and q in G2 is 1 (ate pairing). */
function pairingIsOne(pairs) {
  let f = [1n, ...Array(11).fill(0n)];
  const heads = pairs.map(([, q]) => q);
  const steps = bitsOf(X).slice(1).replaceAll("0", "d").replaceAll("1", "da"); // double, add
  for (const step of steps) {
    if (step === "d") f = fp12Mul(f, f);
    pairs.forEach(([p, q], k) => {
      const other = step === "d" ? heads[k] : q;
      const slope = slopeOf(heads[k], other);
      f = fp12Mul(lineAt(slope, heads[k], p), f);
      heads[k] = sumOnLine(slope, heads[k], other);
    });
  }
  return isOneAfterFinalPower(f);
}

/**
 * Whether f^((P^12 - 1) / R) is 1, where -X stands for the family's parameter.
 *
 * The factor P^6 - 1 is left out: f^(P^6 - 1) is 1 exactly when f is in Fp6, which has the even
 * coefficients. Up to factors in Fp6 the inverse is the conjugate. The rest is (P^2 + 1) * h with
 * 3h = (X + 1)^2 * (P - X) * (X^2 + P^2 - 1) + 3; R is no multiple of 3.
 */
function isOneAfterFinalPower(f) {
  const g = fp12Mul(fp12Frobenius(fp12Frobenius(f)), f);
  const a = fp12Pow(fp12Pow(g, X + 1n), X + 1n);
  const b = fp12Mul(fp12Frobenius(a), fp12Conjugate(fp12Pow(a, X)));
  const c = fp12Mul(fp12Pow(fp12Pow(b, X), X), fp12Frobenius(fp12Frobenius(b)));
  const result = fp12Mul(fp12Mul(c, fp12Conjugate(b)), fp12Mul(fp12Mul(g, g), g));
  return result.every((coefficient, i) => i % 2 === 0 || coefficient === 0n);
}

// --- BLS12-381: signatures and messages --------------------------------------------------

/** The point of G1 in its one encoding; without the subgroup check others verify too. */
function decodeSignature(signature) {
  if (signature.length !== 48 || signature[0] >> 6 !== 0b10) {
    throw new Invalid("the beacon's signature is not a compressed point of 48 bytes");
  }
  const x = toNumber(signature) & ((1n << 381n) - 1n);
  let y = fpRoot(x ** 3n + 4n);
  if (x >= P || fp(y * y - x ** 3n - 4n)) {
    throw new Invalid("the beacon's signature is not a point of the curve");
  }
  if (y > P / 2n !== Boolean(signature[0] & 0x20)) y = P - y;
  const point = [[x, 0n], [y, 0n]];
  if (times(R, point) !== null) {
    throw new Invalid("the beacon's signature is not in the subgroup of prime order");
  }
  return point;
}

/** RFC 9380, suite BLS12381G1_XMD:SHA-256_SSWU_RO_ with the beacon's own tag. */
function hashToG1(message) {
  const suffix = join(DST, [DST.length]);
  const first = sha256(join(new Uint8Array(64), message, [0, 128, 0], suffix));
  const blocks = [new Uint8Array(32)];
  for (let i = 1; i < 5; i++) {
    const mixed = first.map((byte, k) => byte ^ blocks.at(-1)[k]);
    blocks.push(sha256(join(mixed, [i], suffix)));
  }
  const halves = [join(blocks[1], blocks[2]), join(blocks[3], blocks[4])];
  return times(X + 1n, add(...halves.map((half) => mapToCurve(toNumber(half) % P))));
}

/** Simplified SWU onto the isogenous curve y^2 = x^3 + A*x + B, then the isogeny to G1's. */
function mapToCurve(u) {
  const z = fp(11n * u * u);
  const d = fp(z * z + z);
  const [over, under] = d ? [1n + inverse(d, P), -ISO_A] : [1n, 11n * ISO_A];
  const right = (at) => at ** 3n + ISO_A * at + ISO_B;
  let x = fp(ISO_B * over * inverse(under, P));
  let y = fpRoot(right(x));
  if (fp(y * y - right(x))) {
    x = fp(z * x); // then the second candidate has a root
    y = fpRoot(right(x));
  }
  if (y % 2n !== u % 2n) y = P - y;
  const [xOver, xUnder, yOver, yUnder] = ISOGENY.map((terms) => polynomialAt(x, terms));
  return [[fp(xOver * inverse(xUnder, P)), 0n], [fp(y * yOver * inverse(yUnder, P)), 0n]];
}

const polynomialAt = (x, coefficients) =>
  coefficients.reduceRight((value, coefficient) => (value * x + coefficient) % P, 0n);

const DST = encoder.encode("BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_");
// One element of Fp a line: the public key of quicknet and the generator of G2 (x and y, each
// with the coefficient of 1 first), (1 + u)^((P - 1) / 6), A and B of the isogenous curve, and
// the isogeny of RFC 9380, E.2: numerator and denominator of x, then of y, lowest degree first.
const CONSTANTS = `
0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a
03cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451
0e5db2b6bfbb01c867749cadffca88b36c24f3012ba09fc4d3022c5c37dce0f977d3adb5d183c7477c442b1f04515273
01a714f2edb74119a2f2b0d5a7c75ba902d163700a61bc224ededd8e63aef7be1aaf8e93d7a9718b047ccddb3eb5d68b
024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8
13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e
0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801
0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be
1904d3bf02bb0667c231beb4202c0d1f0fd603fd3cbd5f4f7b2443d784bab9c4f67ea53d63e7813d8d0775ed92235fb8
00fc3e2b36c4e03288e9e902231f9fb854a14787b6c7b36fec0c8ec971f63c5f282d5ac14d6c7ec22cf78a126ddc4af3
00144698a3b8e9433d693a02c96d4982b0ea985383ee66a8d8e8981aefd881ac98936f8da0e0f97f5cf428082d584c1d
12e2908d11688030018b12e8753eee3b2016c1f0f24f4070a0b9c14fcef35ef55a23215a316ceaa5d1cc48e98e172be0
11a05f2b1e833340b809101dd99815856b303e88a2d7005ff2627b56cdb4e2c85610c2d5f2e62d6eaeac1662734649b7
17294ed3e943ab2f0588bab22147a81c7c17e75b2f6a8417f565e33c70d1e86b4838f2a6f318c356e834eef1b3cb83bb
0d54005db97678ec1d1048c5d10a9a1bce032473295983e56878e501ec68e25c958c3e3d2a09729fe0179f9dac9edcb0
1778e7166fcc6db74e0609d307e55412d7f5e4656a8dbf25f1b33289f1b330835336e25ce3107193c5b388641d9b6861
0e99726a3199f4436642b4b3e4118e5499db995a1257fb3f086eeb65982fac18985a286f301e77c451154ce9ac8895d9
1630c3250d7313ff01d1201bf7a74ab5db3cb17dd952799b9ed3ab9097e68f90a0870d2dcae73d19cd13c1c66f652983
0d6ed6553fe44d296a3726c38ae652bfb11586264f0f8ce19008e218f9c86b2a8da25128c1052ecaddd7f225a139ed84
17b81e7701abdbe2e8743884d1117e53356de5ab275b4db1a682c62ef0f2753339b7c8f8c8f475af9ccb5618e3f0c88e
080d3cf1f9a78fc47b90b33563be990dc43b756ce79f5574a2c596c928c5d1de4fa295f296b74e956d71986a8497e317
169b1f8e1bcfa7c42e0c37515d138f22dd2ecb803a0c5c99676314baf4bb1b7fa3190b2edc0327797f241067be390c9e
10321da079ce07e272d8ec09d2565b0dfa7dccdde6787f96d50af36003b14866f69b771f8c285decca67df3f1605fb7b
06e08c248e260e70bd1e962381edee3d31d79d7e22c837bc23c0bf1bc24c6b68c24b1b80b64d391fa9c8ba2e8ba2d229
08ca8d548cff19ae18b2e62f4bd3fa6f01d5ef4ba35b48ba9c9588617fc8ac62b558d681be343df8993cf9fa40d21b1c
12561a5deb559c4348b4711298e536367041e8ca0cf0800c0126c2588c48bf5713daa8846cb026e9e5c8276ec82b3bff
0b2962fe57a3225e8137e629bff2991f6f89416f5a718cd1fca64e00b11aceacd6a3d0967c94fedcfcc239ba5cb83e19
03425581a58ae2fec83aafef7c40eb545b08243f16b1655154cca8abc28d6fd04976d5243eecf5c4130de8938dc62cd8
13a8e162022914a80a6f1d5f43e7a07dffdfc759a12062bb8d6b44e833b306da9bd29ba81f35781d539d395b3532a21e
0e7355f8e4e667b955390f7f0506c6e9395735e9ce9cad4d0a43bcef24b8982f7400d24bc4228f11c02df9a29f6304a5
0772caacf16936190f3e0c63e0596721570f5799af53a1894e2e073062aede9cea73b3538f0de06cec2574496ee84a3a
14a7ac2a9d64a8b230b3f5b074cf01996e7f63c21bca68a81996e1cdf9822c580fa5b9489d11e2d311f7d99bbdcc5a5e
0a10ecf6ada54f825e920b3dafc7a3cce07f8d1d7161366b74100da67f39883503826692abba43704776ec3a79a1d641
095fc13ab9e92ad4476d6e3eb3a56680f682b4ee96f7d03776df533978f31c1593174e4b4b7865002d6384d168ecdd0a
090d97c81ba24ee0259d1f094980dcfa11ad138e48a869522b52af6c956543d3cd0c7aee9b3ba3c2be9845719707bb33
134996a104ee5811d51036d776fb46831223e96c254f383d0f906343eb67ad34d6c56711962fa8bfe097e75a2e41c696
00cc786baa966e66f4a384c86a3b49942552e2d658a31ce2c344be4b91400da7d26d521628b00523b8dfe240c72de1f6
01f86376e8981c217898751ad8746757d42aa7b90eeb791c09e4a3ec03251cf9de405aba9ec61deca6355c77b0e5f4cb
08cc03fdefe0ff135caf4fe2a21529c4195536fbe3ce50b879833fd221351adc2ee7f8dc099040a841b6daecf2e8fedb
16603fca40634b6a2211e11db8f0a6a074a7d0d4afadb7bd76505c3d3ad5544e203f6326c95a807299b23ab13633a5f0
04ab0b9bcfac1bbcb2c977d027796b3ce75bb8ca2be184cb5231413c4d634f3747a87ac2460f415ec961f8855fe9d6f2
0987c8d5333ab86fde9926bd2ca6c674170a05bfe3bdd81ffd038da6c26c842642f64550fedfe935a15e4ca31870fb29
09fc4018bd96684be88c9e221e4da1bb8f3abd16679dc26c1e8b6e6a1f20cabe69d65201c78607a360370e577bdba587
0e1bba7a1186bdb5223abde7ada14a23c42a0ca7915af6fe06985e7ed1e4d43b9b3f7055dd4eba6f2bafaaebca731c30
19713e47937cd1be0dfd0b8f1d43fb93cd2fcbcb6caf493fd1183e416389e61031bf3a5cce3fbafce813711ad011c132
18b46a908f36f6deb918c143fed2edcc523559b8aaf0c2462e6bfe7f911f643249d9cdf41b44d606ce07c8a4d0074d8e
0b182cac101b9399d155096004f53f447aa7b12a3426b08ec02710e807b4633f06c851c1919211f20d4c04f00b971ef8
0245a394ad1eca9b72fc00ae7be315dc757b3b080d4c158013e6632d3c40659cc6cf90ad1c232a6442d9d3f5db980133
05c129645e44cf1102a159f748c4a3fc5e673d81d7e86568d9ab0f5d396a7ce46ba1049b6579afb7866b1e715475224b
15e6be4e990f03ce4ea50b3b42df2eb5cb181d8f84965a3957add4fa95af01b2b665027efec01c7704b456be69c8b604
16112c4c3a9c98b252181140fad0eae9601a6de578980be6eec3232b5be72e7a07f3688ef60c206d01479253b03663c1
1962d75c2381201e1a0cbd6c43c348b885c84ff731c4d59ca4a10356f453e01f78a4260763529e3532f6102c2e49a03d
058df3306640da276faaae7d6e8eb15778c4855551ae7f310c35a5dd279cd2eca6757cd636f96f891e2538b53dbf67f2
16b7d288798e5395f20d23bf89edb4d1d115c5dbddbcd30e123da489e726af41727364f2c28297ada8d26d98445f5416
0be0e079545f43e4b00cc912f8228ddcc6d19c9f0f69bbb0542eda0fc9dec916a20b15dc0fd2ededda39142311a5001d
08d9e5297186db2d9fb266eaac783182b70152c65550d881c5ecd87b6f0f5a6449f38db9dfa9cce202c6477faaf9b7ac
166007c08a99db2fc3ba8734ace9824b5eecfdfa8d0cf8ef5dd365bc400a0051d5fa9c01a58b1fb93d1a1399126a775c
16a3ef08be3ea7ea03bcddfabba6ff6ee5a4375efa1f4fd7feb34fd206357132b920f5b00801dee460ee415a15812ed9
1866c8ed336c61231a1be54fd1d74cc4f9fb0ce4c6af5920abc5750c4bf39b4852cfe2f7bb9248836b233d9d55535d4a
167a55cda70a6e1cea820597d94a84903216f763e13d87bb5308592e7ea7d4fbc7385ea3d529b35e346ef48bb8913f55
04d2f259eea405bd48f010a01ad2911d9c6dd039bb61a6290e591b36e636a5c871a5c29f4f83060400f8b49cba8f6aa8
0accbb67481d033ff5852c1e48c50c477f94ff8aefce42d28c0f9a88cea7913516f968986f7ebbea9684b529e2561092
0ad6b9514c767fe3c3613144b45f1496543346d98adf02267d5ceef9a00d9b8693000763e3b90ac11e99b138573345cc
02660400eb2e4f3b628bdd0d53cd76f2bf565b94e72927c1cb748df27942480e420517bd8714cc80d1fadc1326ed06f7
0e0fa1d816ddc03e6b24255e0d7819c171c40f65e273b853324efcd6356caa205ca2f570f13497804415473a1d634b8f
`.trim().split("\n").map((line) => BigInt(`0x${line}`));
const pointOfG2 = ([a, b, c, d]) => [[a, b], [c, d]];
const [PUBLIC_KEY, G2] = [pointOfG2(CONSTANTS), pointOfG2(CONSTANTS.slice(4))];
const FROBENIUS = CONSTANTS.slice(8, 10);
const [ISO_A, ISO_B] = CONSTANTS.slice(10, 12);
const ISOGENY = [
  CONSTANTS.slice(12, 24),
  [...CONSTANTS.slice(24, 34), 1n],
  CONSTANTS.slice(34, 50),
  [...CONSTANTS.slice(50, 65), 1n],
];

// --- Groups of signatures ------------------------------------------------------------------

/** k * p + l * q, walked at once; `add` must hold for any two points, equal ones too. */
function sumOfMultiples(add, zero, [k, p], [l, q]) {
  const choices = [null, p, q, add(p, q)];
  const width = Math.max(bitsOf(k).length, bitsOf(l).length);
  const [first, second] = [k, l].map((factor) => bitsOf(factor).padStart(width, "0"));
  let total = zero;
  for (let i = 0; i < width; i++) {
    total = add(total, total);
    const choice = choices[Number(first[i]) + 2 * Number(second[i])];
    if (choice) total = add(total, choice);
  }
  return total;
}

// --- Ed25519 (RFC 8032) --------------------------------------------------------------------
// Points are [X, Y, Z, T] with x = X/Z, y = Y/Z, x*y = T/Z; the addition is complete.

const ED_P = 2n ** 255n - 19n;
const ED_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const ED_D = modulo(-121665n * inverse(121666n, ED_P), ED_P);
const ED_ZERO = [0n, 1n, 1n, 0n];
const ED_BASE = edDecode(new Uint8Array(32).fill(0x66).fill(0x58, 0, 1));

function edAdd([x1, y1, z1, t1], [x2, y2, z2, t2]) {
  const a = (y1 - x1) * (y2 - x2);
  const b = (y1 + x1) * (y2 + x2);
  const c = ((2n * ED_D * t1) % ED_P) * t2;
  const d = 2n * z1 * z2;
  const [e, f, g, h] = [(b - a) % ED_P, (d - c) % ED_P, (d + c) % ED_P, (b + a) % ED_P];
  return [(e * f) % ED_P, (g * h) % ED_P, (f * g) % ED_P, (e * h) % ED_P];
}

/** The point, or null when the bytes are not the one encoding of a point. */
function edDecode(encoded) {
  const number = toNumberLittle(encoded);
  const [y, odd] = [number & ((1n << 255n) - 1n), number >> 255n];
  const square = modulo((y * y - 1n) * inverse(ED_D * y * y + 1n, ED_P), ED_P);
  let x = power(square, (ED_P + 3n) / 8n, ED_P);
  if ((x * x - square) % ED_P) x = (x * power(2n, (ED_P - 1n) / 4n, ED_P)) % ED_P;
  if (y >= ED_P || (x * x - square) % ED_P || (x === 0n && odd)) return null;
  if (x % 2n !== odd) x = ED_P - x;
  return [x, y, 1n, (x * y) % ED_P];
}

function edEncode([x, y, z]) {
  const inverted = inverse(z, ED_P);
  const odd = modulo(x * inverted, ED_P) & 1n;
  return toBytes(modulo(y * inverted, ED_P) | (odd << 255n), 32).reverse();
}

/** Whether eight times the point is nothing: y is 0, 1, -1 or a root of d*y^4 + 2*y^2 = 1. */
function isOfSmallOrder(publicKey) {
  const y = toNumberLittle(publicKey) & ((1n << 255n) - 1n);
  const square = (y * y) % ED_P;
  return (y * (square - 1n) * (ED_D * square * square + 2n * square - 1n)) % ED_P === 0n;
}

/** Comparing encodings makes R be in its one form; the equation is without the cofactor. */
function signatureIsGood(publicKey, message, signature) {
  const s = toNumberLittle(signature.subarray(32));
  const key = edDecode(publicKey);
  if (signature.length !== 64 || s >= ED_ORDER || !key || isOfSmallOrder(publicKey)) return false;
  const nonce = signature.subarray(0, 32);
  const challenge = toNumberLittle(sha512(join(nonce, publicKey, message))) % ED_ORDER;
  const [x, y, z, t] = key;
  const found = sumOfMultiples(edAdd, ED_ZERO, [s, ED_BASE], [challenge, [-x, y, z, -t]]);
  return same(edEncode(found), nonce);
}

// --- ECDSA over P-256 and P-384 (FIPS 186-4) -----------------------------------------------
// Points are [X, Y, Z] with x = X/Z, y = Y/Z, infinity is [0, 1, 0].

const curve = (prime, order, b, x, y) => ({
  prime,
  order,
  b,
  base: [x, y, 1n],
  size: prime.toString(16).length / 2, // bytes of a coordinate
});

const P256 = curve(
  0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
  0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
  0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
);
const P384 = curve(
  2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
  2n ** 384n - 0x389cb27e0bc8d220a7e5f24db74f58851313e695333ad68dn,
  BigInt(
    "0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef",
  ),
  BigInt(
    "0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
  ),
  BigInt(
    "0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
  ),
);

/** Renes, Costello and Batina 2016, equation 1 with a = -3: complete, as the orders are odd. */
function curveAdd({ prime, b }, [x1, y1, z1], [x2, y2, z2]) {
  const [xx, yy, zz] = [x1 * x2, y1 * y2, z1 * z2];
  const [xy, xz, yz] = [x1 * y2 + x2 * y1, x1 * z2 + x2 * z1, y1 * z2 + y2 * z1];
  const shift = (3n * b * zz - 3n * xz) % prime;
  const twist = (3n * b * xz - 3n * xx - 9n * zz) % prime;
  const slope = (3n * xx - 3n * zz) % prime;
  return [
    (xy * (yy - shift) - yz * twist) % prime,
    (slope * twist + (yy + shift) * (yy - shift)) % prime,
    (yz * (yy + shift) + xy * slope) % prime,
  ];
}

/** The key is an uncompressed point; the signature is [r, s]. */
function ecdsaIsGood(curve, publicKey, digest, [r, s]) {
  const { prime, order, b, base, size } = curve;
  if (publicKey.length !== 1 + 2 * size || publicKey[0] !== 4) return false;
  const [x, y] = [publicKey.subarray(1, 1 + size), publicKey.subarray(1 + size)].map(toNumber);
  if (x >= prime || y >= prime || (y * y - x ** 3n + 3n * x - b) % prime) return false;
  if (r < 1n || r >= order || s < 1n || s >= order) return false;
  const inverted = inverse(s, order);
  const number = toNumber(digest.subarray(0, size)); // both orders fill their bytes
  const add = (p, q) => curveAdd(curve, p, q);
  const [k, l] = [(number * inverted) % order, (r * inverted) % order];
  const [X, , Z] = sumOfMultiples(add, [0n, 1n, 0n], [k, base], [l, [x, y, 1n]]);
  return Z % prime !== 0n && modulo(X * inverse(Z, prime), prime) % order === r;
}

// --- RSA, PKCS #1 v1.5 (RFC 8017) ------------------------------------------------------------

/** The padding is built and compared as a whole; `oid` is that of the hash, in hex. */
function rsaIsGood(modulus, exponent, oid, digest, signature) {
  const size = Math.ceil(bitsOf(modulus).length / 8);
  const number = toNumber(signature);
  if (signature.length !== size || number >= modulus) return false;
  const length = digest.length;
  const named = join([0x30, 17 + length, 0x30, 13, 6, 9], unhex(oid), [5, 0]);
  const info = join(named, [4, length], digest);
  const filling = new Uint8Array(size - info.length - 3).fill(0xff);
  return same(toBytes(power(number, exponent, modulus), size), join([0, 1], filling, [0], info));
}

// --- Strict JSON (section 8) -------------------------------------------------------------
// JSON.parse keeps the last of two equal keys and reads 1.0 as 1, so the reader is our own.

const MAX_DEPTH = 12;
const READABLE_DEPTH = 900;
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Reads the whole text before it says what is wrong: not JSON at all is another exit status. */
class Reader {
  constructor(text, label, onRead) {
    [this.text, this.label, this.at, this.onRead] = [text, label, 0, onRead];
    this.faults = { number: false, key: false, depth: false };
  }

  /** The match of a sticky pattern at the present place, after which reading goes on. */
  take(pattern) {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.text);
    if (match) this.at = pattern.lastIndex;
    return match;
  }

  expect(pattern) {
    return this.take(pattern) ?? this.fail();
  }

  fail() {
    throw new Unreadable(`${this.label} is not JSON`);
  }

  read() {
    this.take(/[ \t\r\n]*/y);
    const value = this.value(0);
    this.take(/[ \t\r\n]*/y);
    if (this.at < this.text.length) this.fail();
    const { number, key, depth } = this.faults;
    if (number) this.refuse("has a number that is not an integer from 0 to 2^53 - 1");
    if (key) this.refuse("has a key twice in one object");
    if (depth) this.refuse("is nested too deeply");
    return value;
  }

  refuse(reason) {
    throw new Invalid(`${this.label} ${reason}`);
  }

  value(depth) {
    switch (this.text[this.at]) {
      case "{": return this.object(this.deeper(depth));
      case "[": return this.list(this.deeper(depth));
      case '"': return this.string();
    }
    const word = this.take(/true|false|null/y);
    return word ? { true: true, false: false, null: null }[word[0]] : this.integer();
  }

  deeper(depth) {
    if (depth >= MAX_DEPTH) this.faults.depth = true;
    if (depth >= READABLE_DEPTH) this.refuse("is nested too deeply");
    return depth + 1;
  }

  integer() {
    const number = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
    const [digits] = this.expect(number);
    if (!/^[0-9]{1,16}$/.test(digits) || Number(digits) > Number.MAX_SAFE_INTEGER) {
      this.faults.number = true;
    }
    return Number(digits);
  }

  string() {
    const start = this.at++;
    this.take(/[^"\\\u0000-\u001f]*/y);
    if (this.text[this.at] === '"') return this.text.slice(start + 1, this.at++);
    do {
      this.take(/[^"\\\u0000-\u001f]*/y);
    } while (this.take(/\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y));
    this.expect(/"/y);
    return JSON.parse(this.text.slice(start, this.at));
  }

  list(depth) {
    const items = [];
    this.take(/\[[ \t\r\n]*/y);
    if (this.take(/\]/y)) return items;
    do {
      items.push(this.value(depth));
      this.onRead?.(this.at / this.text.length);
    } while (this.take(/[ \t\r\n]*,[ \t\r\n]*/y));
    this.expect(/[ \t\r\n]*\]/y);
    return items;
  }

  object(depth) {
    const found = Object.create(null); // a key named __proto__ is a key like any other
    let members = 0;
    this.take(/\{[ \t\r\n]*/y);
    if (this.take(/\}/y)) return found;
    do {
      if (this.text[this.at] !== '"') this.fail();
      const key = this.string();
      this.expect(/[ \t\r\n]*:[ \t\r\n]*/y);
      found[key] = this.value(depth);
      members++;
    } while (this.take(/[ \t\r\n]*,[ \t\r\n]*/y));
    this.expect(/[ \t\r\n]*\}/y);
    if (Object.keys(found).length !== members) this.faults.key = true;
    return found;
  }
}

/** A text, or the text of UTF-8 bytes; a byte order mark stays in it. */
function readText(source, label) {
  if (typeof source === "string") return source;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(source);
  } catch {
    throw new Unreadable(`${label} is not UTF-8`);
  }
}

/**
 * The one value of a text or of UTF-8 bytes; Unreadable if not JSON, Invalid if not strict.
 * onRead is told the share that has been read.
 */
export function readJson(source, label, onRead) {
  return new Reader(readText(source, label), label, onRead).read();
}

// --- Shapes and bounds (sections 2, 3, 7 and 8) ----------------------------------------------
// A shape is an object (exactly these keys), a list of one shape (any number of it), a List (a
// bounded number of it) or a Field.

class Field {
  constructor(words, fits) {
    [this.words, this.fits] = [words, fits];
  }
}

class List {
  constructor(low, high, item) {
    [this.low, this.high, this.item] = [low, high, item];
  }
}

/** What does not fit, as the end of a sentence that the value's place begins; else null. */
function misfit(value, shape) {
  if (shape instanceof Field) return shape.fits(value) ? null : ` is not ${shape.words}`;
  if (shape instanceof List) {
    const { low, high, item } = shape;
    const fits = !Array.isArray(value) || (low <= value.length && value.length <= high);
    return fits ? misfit(value, [item]) : ` is not a list of ${low} to ${high}`;
  }
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return " is not a list";
    for (let i = 0; i < value.length; i++) {
      const found = misfit(value[i], shape[0]);
      if (found) return `[${i}]${found}`;
    }
    return null;
  }
  const keys = Object.keys(shape);
  const fits = isObject(value) && keys.every((key) => key in value);
  if (!fits || Object.keys(value).length !== keys.length) {
    return ` is not an object with exactly the keys ${keys.join(", ")}`;
  }
  for (const key of keys) {
    const found = misfit(value[key], shape[key]);
    if (found) return `.${key}${found}`;
  }
  return null;
}

function checkShape(value, shape, where) {
  const found = misfit(value, shape);
  if (found) throw new Invalid(where + found);
}

function matching(pattern, words) {
  return new Field(words, (value) => typeof value === "string" && pattern.test(value));
}

const hexOf = (size) =>
  matching(new RegExp(`^[0-9a-f]{${2 * size}}$`), `${2 * size} lowercase hex digits`);

function integer(low = 0, high = Number.MAX_SAFE_INTEGER) {
  const fits = (value) => typeof value === "number" && low <= value && value <= high;
  return new Field(`an integer from ${low} to ${high}`, fits);
}

const constant = (word) => new Field(`"${word}"`, (value) => value === word);
const NOT_IN_TEXT =
  /[\0-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\p{Surrogate}\p{Noncharacter_Code_Point}]/u;

function isText(value) {
  if (typeof value !== "string" || NOT_IN_TEXT.test(value)) return false;
  const size = Array.from(value).length; // of code points
  return 1 <= size && size <= 200;
}

const [ID, HASH, SIGNATURE, LEAF] = [hexOf(16), hexOf(32), hexOf(64), hexOf(56)];
const TEXT = new Field("text of 1 to 200 characters without control characters", isText);
const PRIZE = new Field("a prize of the terms or null", (value) => value === null || isText(value));
const WITNESS = matching(/^[!-*,-~]{1,200}$/, "a name of 1 to 200 visible ASCII characters without +");
const ORIGIN = matching(/^[a-z0-9./:_-]{1,200}$/, "1 to 200 of a-z 0-9 . - / : _");
const ENTRY = matching(
  /^(?:address|username|email|invitation|list|partner)$/,
  "address, username, email, invitation, list or partner",
);
const RULES = matching(/^(?:[0-9a-f]{64})?$/, "64 lowercase hex digits or empty");
const KEY = new Field(
  "a public key of 64 lowercase hex digits, not of small order",
  (value) => HASH.fits(value) && !isOfSmallOrder(unhex(value)),
);
const TOKEN = new Field("base64 of at most 16384 bytes", (value) => {
  const bytes = typeof value === "string" ? unbase64(value) : null;
  return bytes !== null && bytes.length <= 16384;
});
const NOTE = new Field("text", (value) => typeof value === "string");
const MOMENT = integer(0, 253402300799); // the end of the year 9999
const SKIPPED = {
  draw: integer(),
  index: integer(),
  ticket_number: integer(1),
  leaf: LEAF,
  path: [HASH],
};
const WINNER = { rank: integer(1), prize: PRIZE, ...SKIPPED };
const SIGNED = { public_key: KEY, signature: SIGNATURE };
const RECEIPT = { leaf: LEAF, terms_hash: HASH, issued_at: MOMENT, ...SIGNED };
const INCLUSION = {
  commitment_hash: HASH,
  index: integer(),
  tickets: integer(),
  root: HASH,
  leaf_hash: HASH,
  path: [HASH],
};
const KEYS = {
  keys: [{ algorithm: constant("Ed25519"), public_key: KEY, since: MOMENT, until: MOMENT }],
};
const VERSION = constant("raffle-draw-v2");

/** Some keys depend on where the terms take their randomness from. */
function commitmentShape(commitment) {
  let source = commitment;
  for (const key of ["terms", "entropy", "source"]) source = isObject(source) ? source[key] : null;
  if (source !== "drand" && source !== "system") {
    throw new Invalid("the terms name no known source of randomness");
  }
  const drand = source === "drand";
  return {
    v: VERSION,
    terms: {
      raffle_id: ID,
      operator: ORIGIN,
      name: TEXT,
      capacity: integer(1, 10 ** 7),
      opens_at: MOMENT,
      closes_at: MOMENT,
      entry: ENTRY,
      tickets_per_holder: integer(0, 10 ** 6),
      max_wins_per_holder: integer(0, 10 ** 6),
      prizes: new List(1, 1000, { name: TEXT, amount: integer(1, 10 ** 5) }),
      alternates: integer(0, 1000),
      claim: { days: integer(0, 366), promotes_alternates: integer(0, 1) },
      rules_hash: RULES,
      entropy: { source: constant(source), ...(drand ? { chain: constant(CHAIN) } : {}) },
      cosigners: new List(0, 16, { name: WITNESS, key: KEY }),
      authorities: new List(0, 16, { name: TEXT, keys: new List(1, 8, HASH) }),
    },
    tickets: integer(1, 10 ** 7),
    root: HASH,
    closed_at: MOMENT,
    ...(drand ? { round: integer(1) } : {}),
  };
}

function proofShape(proof) {
  const commitment = commitmentShape(isObject(proof) ? proof.commitment : null);
  const drand = "round" in commitment;
  const entropy = drand
    ? { source: constant("drand"), round: integer(1), signature: hexOf(48), randomness: HASH }
    : { source: constant("system"), randomness: HASH };
  const checkpoint = { path: [HASH], checkpoint: NOTE, tokens: new List(0, 16, TOKEN) };
  const log = { n: integer(1), checkpoints: new List(1, 16, checkpoint) };
  return {
    commitment,
    commitment_hash: HASH,
    seal: SIGNED,
    entropy,
    seed: HASH,
    winners: [WINNER],
    skipped: [SKIPPED],
    ...(drand && "log" in proof ? { log } : {}),
  };
}

const sumOf = (numbers) => numbers.reduce((sum, number) => sum + number, 0);
const areDistinct = (values) => new Set(values).size === values.length;

/** The bounds of section 3 that need more than one field. */
function checkBounds({ terms, tickets }, sealKey) {
  const { capacity, opens_at, closes_at, prizes, entropy, cosigners, authorities } = terms;
  const places = sumOf(prizes.map(({ amount }) => amount));
  const keys = [...cosigners.map(({ key }) => key), ...authorities.flatMap(({ keys }) => keys)];
  const faults = {
    "more tickets are committed than the raffle has": tickets > capacity,
    "the prizes are more than 100000": places > 10 ** 5,
    "the prizes are more than the raffle has tickets": places > capacity,
    "opens_at is not before closes_at": opens_at > 0 && closes_at > 0 && opens_at >= closes_at,
    "witnesses are named, but the randomness is the operator's":
      entropy.source === "system" && cosigners.length + authorities.length > 0,
    "two cosigners have one name": !areDistinct(cosigners.map(({ name }) => name)),
    "two authorities have one name": !areDistinct(authorities.map(({ name }) => name)),
    "a key is named twice": !areDistinct(keys),
    "a cosigner has the key of the seal": cosigners.some(({ key }) => key === sealKey),
  };
  for (const [reason, isSo] of Object.entries(faults)) if (isSo) throw new Invalid(reason);
}

// --- Signed notes and cosignatures (section 7) -----------------------------------------------

const LINE = "\u2014 ([!-*,-~]{1,200}) ([A-Za-z0-9+/=]+)\n";
const NOTE_FORM = new RegExp(
  `^(([!-*,-~]{1,200})\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\n)\n((?:${LINE}){1,64})$`,
);

/** {text, origin, size, root, lines: [{name, keyHash, signature}]} of a checkpoint, else null. */
function readNote(checkpoint) {
  const match = NOTE_FORM.exec(checkpoint);
  if (!match || utf8(checkpoint).length > 65536) return null;
  const [, text, origin, digits, root] = match;
  const lines = Array.from(match[5].matchAll(new RegExp(LINE, "g")), ([, name, coded]) => {
    const bytes = unbase64(coded);
    return bytes && { name, keyHash: hex(bytes.subarray(0, 4)), signature: bytes.subarray(4) };
  });
  const note = { text: utf8(text), origin, size: Number(digits), root: unbase64(root), lines };
  const isWhole = note.root && lines.every((line) => line && line.signature.length);
  return isWhole && note.size <= Number.MAX_SAFE_INTEGER ? note : null;
}

const OPERATOR = 1;
const COSIGNER = 4;

/** What a signature line calls its key: 8 hex digits. */
const keyHashOf = (name, type, key) =>
  hex(sha256(join(utf8(`${name}\n`), [type], unhex(key)))).slice(0, 8);

/** The time that a cosignature/v1 puts on a note, as BigInt; null when it does not verify. */
function timeOfCosignature(key, { text }, signature) {
  if (signature.length !== 72) return null;
  const time = toNumber(signature.subarray(0, 8));
  const message = join(utf8(`cosignature/v1\ntime ${time}\n`), text);
  return signatureIsGood(unhex(key), message, signature.subarray(8)) ? time : null;
}

// --- Timestamps of authorities (RFC 3161, section 7) -------------------------------------------

/** Why a token cannot be read or does not verify: then it does not count. */
class NotShown extends Error {}

function need(holds, what) {
  if (!holds) throw new NotShown(what);
}

const [BOOLEAN, INTEGER, BITS, OCTETS, OID] = [0x01, 0x02, 0x03, 0x04, 0x06];
const [SEQUENCE, SET, UTC_TIME, GENERAL_TIME] = [0x30, 0x31, 0x17, 0x18];
const inBrackets = (number) => 0xa0 + number; // [number], with values in it

/** The values in DER that these bytes are, one after another: {tag, content, whole}. */
function derValues(bytes) {
  const values = [];
  for (let at = 0; at < bytes.length; ) {
    need(at + 2 <= bytes.length && (bytes[at] & 31) !== 31, "a value with a short tag");
    let [size, start] = [bytes[at + 1], at + 2];
    if (size > 127) {
      const digits = bytes.subarray(start, start + size - 128);
      start += size - 128;
      size = Number(toNumber(digits));
      need(digits[0] && size > 127, "a length in its one form");
    }
    need(start + size <= bytes.length, "a whole value");
    const [whole, content] = [at, start].map((from) => bytes.subarray(from, start + size));
    values.push({ tag: bytes[at], content, whole });
    at = start + size;
  }
  return values;
}

function contentOf(value, tag) {
  need(value?.tag === tag, `a value with the tag ${tag}`);
  return value.content;
}

/** The values in a value, so many of them. */
function inside(value, tag, least, most = least) {
  const values = derValues(contentOf(value, tag));
  need(least <= values.length && values.length <= most, "as many values as belong there");
  return values;
}

/** The values in a SET OF, which DER sorts. */
function insideSet(value, tag) {
  const values = inside(value, tag, 1, Infinity);
  const texts = values.map(({ whole }) => hex(whole));
  need(texts.every((text, i) => i === 0 || texts[i - 1] <= text), "a sorted set");
  return values;
}

const oidOf = (value) => hex(contentOf(value, OID));

/** A whole number from 0 on, as BigInt. */
function naturalOf(value, tag = INTEGER) {
  const content = contentOf(value, tag);
  const isPadded = content[0] === 0 && content.length > 1 && content[1] < 128;
  need(content.length && content[0] < 128 && !isPadded, "a whole number in its one form");
  return toNumber(content);
}

/** The identifier of an algorithm and its parameters in hex, "" for none or NULL. */
function algorithmOf(value) {
  const [name, parameters] = inside(value, SEQUENCE, 1, 2);
  const inHex = parameters ? hex(parameters.whole) : "";
  return [oidOf(name), inHex === "0500" ? "" : inHex];
}

const HASHES = [
  { oid: "608648016503040201", of: sha256, rsa: "2a864886f70d01010b", ecdsa: "2a8648ce3d040302" },
  { oid: "608648016503040202", of: sha384, rsa: "2a864886f70d01010c", ecdsa: "2a8648ce3d040303" },
  { oid: "608648016503040203", of: sha512, rsa: "2a864886f70d01010d", ecdsa: "2a8648ce3d040304" },
];
const CURVES = { "06082a8648ce3d030107": P256, "06052b81040022": P384 };
const RSA_KEY = "2a864886f70d010101";
const EC_KEY = "2a8648ce3d0201";
const SIGNED_DATA = "2a864886f70d010702";
const TIMESTAMP = "2a864886f70d0109100104";
const CONTENT_TYPE = "2a864886f70d010903";
const MESSAGE_DIGEST = "2a864886f70d010904";
const CERTIFICATE_V1 = "2a864886f70d010910020c";
const CERTIFICATE_V2 = "2a864886f70d010910022f";

/** The row of HASHES that an algorithm names. */
function hashOf(value) {
  const [name, parameters] = algorithmOf(value);
  const hash = HASHES.find(({ oid }) => oid === name);
  need(hash && !parameters, "SHA-256, SHA-384 or SHA-512");
  return hash;
}

/** [seconds, fraction]: UNIX time without the fraction of a second, and 1 if there is one. */
function timeOf({ tag, content }) {
  need(tag === UTC_TIME || tag === GENERAL_TIME, "a time");
  const text = String.fromCharCode(...content);
  const century = tag === GENERAL_TIME ? "" : text < "50" ? "20" : "19";
  const form = /^([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(\.[0-9]*[1-9])?Z$/;
  const match = form.exec(century + text);
  need(match, "a time as DER writes it");
  const date = `${match.slice(1, 4).join("-")}T${match.slice(4, 7).join(":")}`;
  const time = new Date(`${date}Z`);
  const isOne = !Number.isNaN(time.getTime()) && time.toISOString().startsWith(date);
  need(isOne, "a time of the calendar"); // the 30th of February is none
  return [time.getTime() / 1000, match[7] ? 1 : 0];
}

/** The parts of a certificate that bind a token to it. */
function readCertificate(value) {
  const [signed] = inside(value, SEQUENCE, 1, Infinity);
  const fields = inside(signed, SEQUENCE, 6, Infinity);
  if (fields[0].tag === inBrackets(0)) fields.shift(); // its version
  const [serial, , issuer, validity, , key] = fields;
  need(key, "a certificate's key");
  const [since, until] = inside(validity, SEQUENCE, 2).map((time) => timeOf(time)[0]);
  return { whole: value.whole, serial, issuer, since, until, key: key.whole };
}

/** [seconds, fraction, accuracy] of the timestamp that these bytes are, if it is of the text. */
function readTimestamp(bytes, text) {
  const [stamp, ...others] = derValues(bytes);
  need(!others.length, "one timestamp");
  const fields = inside(stamp, SEQUENCE, 5, Infinity);
  const [version, , imprint, , time, ...rest] = fields;
  const [algorithm, digest] = inside(imprint, SEQUENCE, 2);
  const isOfText = hashOf(algorithm).of === sha256 && same(contentOf(digest, OCTETS), sha256(text));
  need(naturalOf(version) === 1n && isOfText, "a timestamp of this note");
  need(time.tag === GENERAL_TIME, "a GeneralizedTime");
  const tags = rest.map(({ tag }) => tag);
  const known = [SEQUENCE, BOOLEAN, INTEGER, inBrackets(0), inBrackets(1)];
  need(String(tags) === String(known.filter((tag) => tags.includes(tag))), "no other members");
  return [...timeOf(time), tags[0] === SEQUENCE ? accuracyOf(rest[0]) : 0];
}

/** In seconds, rounded up. */
function accuracyOf(value) {
  const parts = inside(value, SEQUENCE, 0, 3);
  const seconds = parts[0]?.tag === INTEGER ? naturalOf(parts.shift()) : 0n;
  const thousandths = [0x80, 0x81].map((tag) => {
    if (parts[0]?.tag !== tag) return false;
    const number = naturalOf(parts.shift(), tag);
    need(1n <= number && number <= 999n, "thousandths from 1 to 999");
    return true;
  });
  need(!parts.length, "no other parts");
  return Number(seconds) + Number(thousandths.includes(true)); // both together are below a second
}

/** The one value of each signed attribute, by its type. */
function readAttributes(value) {
  const found = new Map();
  for (const attribute of insideSet(value, inBrackets(0))) {
    const [type, values] = inside(attribute, SEQUENCE, 2);
    need(!found.has(oidOf(type)), "an attribute once");
    found.set(oidOf(type), inside(values, SET, 1)[0]);
  }
  return found;
}

/** Whether the first ESSCertID or ESSCertIDv2 of an attribute is this certificate's. */
function namesCertificate(attribute, type, certificate) {
  const [identifiers] = inside(attribute, SEQUENCE, 1, Infinity);
  const [first] = inside(identifiers, SEQUENCE, 1, Infinity);
  const members = inside(first, SEQUENCE, 1, Infinity);
  let hash = type === CERTIFICATE_V1 ? sha1 : sha256;
  if (type === CERTIFICATE_V2 && members[0].tag === SEQUENCE) hash = hashOf(members.shift()).of;
  return same(contentOf(members[0], OCTETS), hash(certificate));
}

/** Whether a signature is by the key of a certificate (its SubjectPublicKeyInfo). */
function isSignedBy(key, hash, algorithm, message, signature) {
  const [info] = derValues(key);
  const [kind, bits] = inside(info, SEQUENCE, 2);
  const [type, parameters] = algorithmOf(kind);
  const [name, others] = algorithmOf(algorithm);
  const content = contentOf(bits, BITS);
  need(content[0] === 0 && !others, "a key of whole bytes");
  const [publicKey, digest] = [content.subarray(1), hash.of(message)];
  if (type === RSA_KEY && !parameters && (name === RSA_KEY || name === hash.rsa)) {
    const [numbers, ...more] = derValues(publicKey);
    const [modulus, exponent] = inside(numbers, SEQUENCE, 2).map((number) => naturalOf(number));
    const width = bitsOf(modulus).length;
    need(!more.length && 2048 <= width && width <= 4096, "an RSA key of 2048 to 4096 bits");
    need(3n <= exponent && exponent < 2n ** 64n, "an exponent as in use");
    return rsaIsGood(modulus, exponent, hash.oid, digest, signature);
  }
  const curve = CURVES[parameters];
  need(type === EC_KEY && name === hash.ecdsa && curve, "RSA, P-256 or P-384");
  const [pair, ...more] = derValues(signature);
  need(!more.length, "one pair of numbers");
  const numbers = inside(pair, SEQUENCE, 2).map((number) => naturalOf(number));
  return ecdsaIsGood(curve, publicKey, digest, numbers);
}

/** The certificate, of those given, by which a SignerInfo signs the content. */
function signerOf(value, content, certificates) {
  const fields = inside(value, SEQUENCE, 6, Infinity);
  const [version, name, algorithm, signed, signing, signature] = fields;
  const [issuer, serial] = inside(name, SEQUENCE, 2);
  need(naturalOf(version) === 1n, "a signer by issuer and serial");
  const [certificate, ...others] = certificates.filter(
    (one) => same(one.issuer.whole, issuer.whole) && same(one.serial.whole, serial.whole),
  );
  need(certificate && !others.length, "the one certificate of the signer");
  const attributes = readAttributes(signed);
  const hash = hashOf(algorithm);
  need(oidOf(attributes.get(CONTENT_TYPE)) === TIMESTAMP, "the type of the content");
  const digest = contentOf(attributes.get(MESSAGE_DIGEST), OCTETS);
  need(same(digest, hash.of(content)), "the digest of the content");
  const types = [CERTIFICATE_V1, CERTIFICATE_V2].filter((type) => attributes.has(type));
  const isNamed = (type) => namesCertificate(attributes.get(type), type, certificate.whole);
  need(types.length && types.every(isNamed), "the certificate among what is signed");
  const message = join([SET], signed.whole.subarray(1)); // under the tag that it has by itself
  const isGood = isSignedBy(certificate.key, hash, signing, message, contentOf(signature, OCTETS));
  need(isGood, "a signature that verifies");
  return certificate;
}

/** {key, time} of a token over a note's text: the hash of its signer's key, and UNIX seconds. */
function readToken(bytes, text) {
  const [token, ...others] = derValues(bytes);
  need(!others.length, "one token");
  const [kind, wrapped] = inside(token, SEQUENCE, 2);
  const [signedData] = inside(wrapped, inBrackets(0), 1);
  const fields = inside(signedData, SEQUENCE, 5, Infinity);
  const [type, octets] = inside(fields[2], SEQUENCE, 2);
  need(oidOf(kind) === SIGNED_DATA && oidOf(type) === TIMESTAMP, "a timestamp");
  const content = contentOf(inside(octets, inBrackets(0), 1)[0], OCTETS);
  const [seconds, fraction, accuracy] = readTimestamp(content, text);
  const certificates = insideSet(fields[3], inBrackets(0)).map(readCertificate);
  const signers = insideSet(fields.at(-1), SET);
  need(signers.length === 1, "one signer");
  const { since, until, key } = signerOf(signers[0], content, certificates);
  const latest = seconds + fraction;
  need(since <= seconds && latest <= until, "a certificate that is valid at that time");
  return { key: hex(sha256(key)), time: latest + accuracy };
}

/** Like readToken; null for what cannot be read, is over something else or does not verify. */
function heardToken(bytes, text) {
  try {
    return readToken(bytes, text);
  } catch (error) {
    if (!(error instanceof NotShown)) throw error;
    return null;
  }
}

// --- The proof, step by step (section 8, steps 1 to 7) -----------------------------------------
// A check returns what it found in words; `work` counts the hashes that long ones compute.

const LATE = 180; // seconds

const shown = (text) => {
  const escaped = text.replace(/[\\"]/g, "\\$&");
  return `"${escaped.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, "?")}"`;
};
const moment = (t) => `${new Date(t * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;

function checkForm(proof) {
  checkShape(proof, proofShape(proof), "proof");
  const { commitment, seal } = proof;
  checkBounds(commitment, seal.public_key);
  const { terms, tickets } = commitment;
  return `${shown(terms.name)}, ${terms.raffle_id}, ${tickets} of ${terms.capacity} tickets`;
}

/** The round that the times lead to: never chosen. */
function roundOf(closesAt, closedAt) {
  const planned = firstRoundFrom(closesAt + 60);
  const isInTime = closesAt > 0 && closedAt + 30 <= timeOfRound(planned);
  return isInTime ? planned : firstRoundFrom(closedAt + 60);
}

function checkTimes({ terms, tickets, closed_at, round }) {
  const { closes_at, capacity } = terms;
  if (closed_at < closes_at) throw new Invalid("the pool was closed before its time");
  if (closes_at === 0 && tickets < capacity) {
    throw new Invalid("the pool was closed with tickets left and no closing time");
  }
  if (terms.entropy.source === "drand" && round !== roundOf(closes_at, closed_at)) {
    throw new Invalid("the round is not the one that follows from the times");
  }
  const late = closes_at > 0 && closed_at - closes_at > LATE;
  return moment(closed_at) + (late ? `, late: ${closed_at - closes_at} s after closes_at` : "");
}

function checkCommitment({ commitment, commitment_hash }) {
  if (hex(hashCommitment(commitment)) !== commitment_hash) {
    throw new Invalid("the commitment does not have the commitment_hash");
  }
  return commitment_hash;
}

const sealIsGood = (commitmentHash, { public_key, signature }) =>
  signatureIsGood(unhex(public_key), join(tag("seal"), unhex(commitmentHash)), unhex(signature));

function checkSeal({ commitment_hash, seal }) {
  if (!sealIsGood(commitment_hash, seal)) throw new Invalid("the signature of the seal is wrong");
  return `signature good, by the key ${seal.public_key}`;
}

function checkRandomness({ commitment, entropy }) {
  if (entropy.source === "system") return `${entropy.randomness}, the operator's word`;
  if (entropy.round !== commitment.round) {
    throw new Invalid("the round of the beacon is not the committed one");
  }
  const signature = unhex(entropy.signature);
  checkBeacon(entropy.round, signature);
  if (hex(sha256(signature)) !== entropy.randomness) {
    throw new Invalid("the randomness is not the hash of the beacon's signature");
  }
  return `beacon round ${entropy.round} of ${moment(timeOfRound(entropy.round))}, signature good`;
}

function checkSeed({ commitment_hash, entropy, seed }) {
  if (hex(deriveSeed(unhex(commitment_hash), unhex(entropy.randomness))) !== seed) {
    throw new Invalid("the seed does not follow from the commitment and the randomness");
  }
  return seed;
}

/** Draws again beside the lists, so it never goes further than the proof does. */
async function checkDraw({ commitment, seed, winners, skipped }, work) {
  const leftOut = (index) => new Invalid(`index ${index} was drawn, the proof leaves it out`);
  const next = { winners: 0, skipped: 0 };
  const holderOf = (index) => {
    const heads = [winners[next.winners], skipped[next.skipped]];
    const entry = heads.find((head) => head?.index === index);
    if (!entry) throw leftOut(index);
    return entry.leaf.slice(48, 80);
  };
  for (const pick of select(commitment.terms, unhex(seed), commitment.tickets, holderOf)) {
    const entry = "rank" in pick ? winners[next.winners++] : skipped[next.skipped++];
    if (!entry) throw leftOut(pick.index);
    if (Object.keys(pick).some((key) => entry[key] !== pick[key])) {
      throw new Invalid(`draw ${pick.draw} is index ${pick.index}, the proof says otherwise`);
    }
    await work.did(COST.draw);
  }
  if (next.winners < winners.length || next.skipped < skipped.length) {
    throw new Invalid("the proof lists entries that were not drawn");
  }
  return `${winners.length} winners and alternates, ${skipped.length} skipped`;
}

async function checkTickets({ commitment, winners, skipped }, work) {
  const { raffle_id, capacity } = commitment.terms;
  const numbers = new Set();
  for (const { index, ticket_number, leaf, path } of [...winners, ...skipped]) {
    if (ticket_number > capacity) throw new Invalid("a ticket number is beyond the capacity");
    if (numbers.has(ticket_number)) throw new Invalid("a ticket number occurs twice");
    numbers.add(ticket_number);
    if (!leaf.startsWith(raffle_id + hex(be64(ticket_number)))) {
      throw new Invalid(`the leaf of index ${index} is not of this raffle and number`);
    }
    const root = rootFromPath(index, commitment.tickets, hashLeaf(unhex(leaf)), path);
    if (hex(root) !== commitment.root) {
      throw new Invalid(`the path of index ${index} does not lead to the root`);
    }
    await work.did(path.length + 1);
  }
  return `${numbers.size} inclusion paths lead to ${commitment.root}`;
}

// --- The log and its witnesses (section 8, step 8) ---------------------------------------------

/** The seal's own statement, which nobody has to show: it follows from the proof. */
function sealedStatement({ commitment, commitment_hash, log }) {
  const { raffle_id, operator } = commitment.terms;
  return canonical({
    v: "raffle-draw-v2",
    origin: operator,
    n: log.n,
    at: commitment.closed_at,
    kind: "sealed",
    raffle_id,
    commitment_hash,
  });
}

/** The notes of the proof, each signed by the key of the seal and holding the seal. */
async function checkLog(proof, work) {
  const { commitment, log, seal } = proof;
  const { operator } = commitment.terms;
  const leafHash = hashLeaf(utf8(sealedStatement(proof)));
  const keyHash = keyHashOf(operator, OPERATOR, seal.public_key);
  const roots = new Map();
  let isForked = false;
  const notes = [];
  for (const [i, { checkpoint, path }] of log.checkpoints.entries()) {
    const wrong = (reason) => new Invalid(`checkpoint ${i + 1} ${reason}`);
    const note = readNote(checkpoint);
    if (!note) throw wrong("is not a signed note");
    if (note.origin !== operator) throw wrong("is of another log");
    const own = note.lines.filter((line) => line.name === operator && line.keyHash === keyHash);
    if (!own.length) throw wrong("is not signed by the key of the seal");
    for (const { signature } of own) {
      if (!signatureIsGood(unhex(seal.public_key), note.text, signature)) {
        throw wrong("has a wrong signature by the key of the seal");
      }
      await work.did(COST.signature);
    }
    if (!holds(note, log.n, leafHash, path)) throw wrong("does not hold the seal");
    isForked ||= !same(roots.get(note.size) ?? note.root, note.root);
    roots.set(note.size, note.root);
    notes.push(note);
  }
  if (isForked) throw new Invalid("the operator signed two logs");
  return notes;
}

function holds({ size, root }, n, leafHash, path) {
  try {
    return same(rootFromPath(n, size, leafHash, path), root);
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    return false;
  }
}

/**
 * All that others said on the checkpoints: `times` by public key (null for an answer that does
 * not verify), and in words what does not count.
 */
async function hear({ commitment, log }, notes, work) {
  const { operator, cosigners, authorities } = commitment.terms;
  const named = new Map(cosigners.map(({ name, key }) => [name, keyHashOf(name, COSIGNER, key)]));
  const keys = new Map(cosigners.map(({ name, key }) => [name, key]));
  const pinned = new Set(authorities.flatMap((authority) => authority.keys));
  const times = new Map();
  const heard = (key, time) => times.set(key, [...(times.get(key) ?? []), time]);
  const [strangers, strangeKeys] = [new Set(), new Set()];
  let spoilt = 0;
  for (const [i, note] of notes.entries()) {
    for (const { name, keyHash, signature } of note.lines) {
      if (named.get(name) === keyHash) {
        heard(keys.get(name), timeOfCosignature(keys.get(name), note, signature));
        await work.did(COST.signature);
      } else if (name !== operator) strangers.add(name);
    }
    for (const token of log.checkpoints[i].tokens) {
      const answer = heardToken(unbase64(token), note.text);
      await work.did(COST.signature);
      if (!answer) spoilt++;
      else if (pinned.has(answer.key)) heard(answer.key, answer.time);
      else strangeKeys.add(answer.key);
    }
  }
  const uncounted = [...strangers].map((name) => shown(name));
  for (const key of strangeKeys) uncounted.push(`a token by the key ${key.slice(0, 16)}`);
  const words = uncounted.map((who) => `${who} is not in the terms and does not count`);
  if (spoilt) words.push(`tokens that do not verify: ${spoilt}`);
  return { times, words };
}

/**
 * What one witness of the terms said, {key, seconds, words}: seconds before the randomness, null
 * when no answer counts. `trusted` holds "NAME KEY" of the witnesses file, null without one.
 */
function answerOf({ name, keys }, times, { closed_at, round }, trusted) {
  const asNamed = trusted ? "" : " (as the operator named it)";
  const held = trusted ? keys.filter((key) => trusted.has(`${name} ${key}`)) : keys;
  if (!held.length) {
    return { key: keys[0], seconds: null, words: "not among the witnesses you hold" };
  }
  const answers = held.flatMap((key) => (times.get(key) ?? []).map((time) => ({ key, time })));
  const isLate = ({ time }) => time !== null && Number(time) + 5 > timeOfRound(round);
  const isEarly = ({ time }) => time !== null && Number(time) < closed_at - 60;
  const counted = answers
    .filter((answer) => answer.time !== null && !isLate(answer) && !isEarly(answer))
    .sort((a, b) => Number(a.time) - Number(b.time) || (a.key < b.key ? -1 : 1));
  if (counted.length) {
    const seconds = timeOfRound(round) - Number(counted[0].time);
    return { key: counted[0].key, seconds, words: `${seconds} s before the randomness${asNamed}` };
  }
  let words = answers.length ? "an answer that does not verify" : "no answer";
  if (answers.some(isEarly)) words = "answered too early";
  if (answers.some(isLate)) words = "answered too late";
  return { key: keys[0], seconds: null, words: words + asNamed };
}

// --- What somebody kept (section 8, step 9) ------------------------------------------------------

/** The keys held, each with the spans of time in which it was valid. */
function readKeys(keys) {
  checkShape(keys, KEYS, "keys");
  const spans = new Map();
  for (const span of keys.keys) {
    spans.set(span.public_key, [...(spans.get(span.public_key) ?? []), span]);
  }
  return spans;
}

const isValidAt = (spans, time) =>
  spans.some(({ since, until }) => since <= time && (until === 0 || time < until));

function checkSigner({ commitment, seal }, keys) {
  const spans = keys.get(seal.public_key);
  if (!spans) throw new Invalid("the key of the seal is not among the keys you hold");
  if (!isValidAt(spans, commitment.closed_at)) {
    throw new Invalid("the key of the seal was not valid at the time of the seal");
  }
  return "the key of the seal is among the keys you hold";
}

/**
 * Nobody is accused but by two signatures: of keys that are held, without keys of one key.
 * `read` is what a file says of itself: {isGood, time, raffleId}, of its signature the first.
 */
function checkKept(what, file, { isGood, time, raffleId }, proof, keys) {
  if (!isGood) throw new Invalid(`the signature of the ${what} is wrong`);
  const key = file.public_key;
  if (keys ? !keys.has(key) : key !== proof.seal.public_key) {
    const signers = "these two files are of different signers";
    throw new Invalid(`${signers}; nothing is shown about the operator`);
  }
  if (keys && !isValidAt(keys.get(key), time)) {
    throw new Invalid(`the key of the ${what} was not valid at the time of what it signed`);
  }
  if (raffleId !== proof.commitment.terms.raffle_id) {
    throw new Invalid("the file is of another raffle");
  }
}

/** A commitment file that is whole, signed and within its bounds; returns whether it is signed. */
function readCommitmentFile(file) {
  const commitment = commitmentShape(isObject(file) ? file.commitment : null);
  checkShape(file, { commitment, commitment_hash: HASH, ...SIGNED }, "commitment");
  checkBounds(file.commitment, file.public_key);
  if (hex(hashCommitment(file.commitment)) !== file.commitment_hash) {
    throw new Invalid("the commitment you kept does not have its commitment_hash");
  }
  return sealIsGood(file.commitment_hash, file);
}

function checkCommitmentFile(file, proof, keys) {
  const isGood = readCommitmentFile(file);
  const { terms, closed_at } = file.commitment;
  const read = { isGood, time: closed_at, raffleId: terms.raffle_id };
  checkKept("commitment", file, read, proof, keys);
  if (file.commitment_hash !== proof.commitment_hash) {
    throw new Invalid("two signed commitments for one draw");
  }
  return "the commitment you kept is the drawn one";
}

function checkReceipt(receipt, proof, keys, hasPlace) {
  checkShape(receipt, RECEIPT, "receipt");
  const [leaf, termsHash] = [unhex(receipt.leaf), unhex(receipt.terms_hash)];
  const message = join(tag("ticket"), hashLeaf(leaf), termsHash, be64(receipt.issued_at));
  const [key, signature] = [unhex(receipt.public_key), unhex(receipt.signature)];
  const isGood = signatureIsGood(key, message, signature);
  const read = { isGood, time: receipt.issued_at, raffleId: receipt.leaf.slice(0, 32) };
  checkKept("receipt", receipt, read, proof, keys);
  const { terms, closed_at } = proof.commitment;
  if (receipt.terms_hash !== hex(hashTerms(terms))) {
    throw new Invalid("the receipt was given for other terms");
  }
  if (receipt.issued_at > closed_at) throw new Invalid("the receipt was issued after the close");
  const number = numberOf(receipt);
  if (number < 1n || number > BigInt(terms.capacity)) {
    throw new Invalid("the receipt's number is beyond the capacity");
  }
  if (!hasPlace) throw new Invalid("a receipt needs the inclusion or the leaves");
}

const numberOf = ({ leaf }) => BigInt(`0x${leaf.slice(32, 48)}`);

/** What the draw gave the ticket of a receipt. */
function outcomeIn({ winners, skipped }, receipt) {
  const number = numberOf(receipt);
  const entry = [...winners, ...skipped].find((one) => BigInt(one.ticket_number) === number);
  if (!entry) return `ticket ${number}, not drawn`;
  if (entry.leaf !== receipt.leaf) {
    throw new Invalid("another ticket was drawn under the receipt's number");
  }
  if (!("rank" in entry)) {
    return `ticket ${number}, skipped, its holder has as many ranks as the terms allow`;
  }
  const prize = entry.prize === null ? "an alternate" : `wins ${shown(entry.prize)}`;
  return `ticket ${number}, rank ${entry.rank}, ${prize}`;
}

/** An inclusion that fails accuses nobody: anybody can write one. */
export function checkInclusion(inclusion, { commitment, commitment_hash }, leafHash = null) {
  checkShape(inclusion, INCLUSION, "inclusion");
  const { tickets, root } = commitment;
  const expected = { commitment_hash, tickets, root, leaf_hash: leafHash ?? inclusion.leaf_hash };
  const isOfThese = Object.keys(expected).every((key) => inclusion[key] === expected[key]);
  const { index, leaf_hash, path } = inclusion;
  const tree = { size: tickets, root: unhex(root) };
  if (!isOfThese || !holds(tree, index, unhex(leaf_hash), path)) {
    throw new Invalid("the inclusion file does not show this ticket");
  }
  const whose = leafHash === null ? "a ticket" : "the receipt's ticket";
  return `${whose} has index ${index} in the committed tree`;
}

async function checkLeaves(leaves, { commitment }, leafHash, work) {
  const { tickets, root } = commitment;
  const wanted = leafHash && unhex(leafHash);
  const tree = new Tree();
  let found = !wanted;
  for (let at = 0; leaves.length === 32 * tickets && at < leaves.length; at += 32) {
    const hash = leaves.subarray(at, at + 32);
    found ||= same(hash, wanted);
    tree.add(hash);
    await work.did(1);
  }
  if (tree.size !== tickets || hex(tree.root()) !== root) {
    throw new Invalid("the leaves do not make the committed tree");
  }
  if (hasTwice(leaves)) throw new Invalid("a leaf occurs twice");
  if (!found) throw new Invalid("the receipt's ticket is not in the committed tree");
  return `${tickets} leaves make the root ${root}`;
}

/** Sorts the beginnings, so that only leaves that share one with another are held as texts. */
function hasTwice(leaves) {
  const view = new DataView(leaves.buffer, leaves.byteOffset, leaves.byteLength);
  const beginningAt = (at) => view.getUint32(at) * 65536 + view.getUint16(at + 4);
  const beginnings = new Float64Array(leaves.length / 32).map((_, i) => beginningAt(32 * i));
  const sorted = beginnings.slice().sort();
  const shared = new Set(sorted.filter((beginning, i) => beginning === sorted[i - 1]));
  const rivals = [];
  beginnings.forEach((beginning, i) => {
    if (shared.has(beginning)) rivals.push(hex(leaves.subarray(32 * i, 32 * i + 32)));
  });
  return !areDistinct(rivals);
}

const SEAL_OF = { raffle_id: ID, commitment_hash: HASH };
const RANK = integer(1);
const STATEMENTS = {
  key: { public_key: KEY },
  key_retired: { public_key: KEY },
  sold_out: { raffle_id: ID },
  sealed: SEAL_OF,
  drawn: { ...SEAL_OF, randomness: HASH },
  voided: { ...SEAL_OF, reason_hash: HASH },
  replaced: { ...SEAL_OF, rank: RANK, by_rank: RANK, reason_hash: HASH },
};

/** The statement that these bytes are, without their newline; null for anything else. */
function readStatement(bytes) {
  if (bytes.length > 65535) return null;
  const text = readText(bytes, "log");
  let statement;
  try {
    statement = readJson(text, "log");
  } catch (error) {
    if (!(error instanceof Invalid || error instanceof Unreadable)) throw error;
    return null;
  }
  if (!isObject(statement) || !Object.hasOwn(STATEMENTS, statement.kind)) return null;
  const kind = constant(statement.kind);
  const common = { v: VERSION, origin: ORIGIN, n: integer(), at: MOMENT, kind };
  const isOne = misfit(statement, { ...common, ...STATEMENTS[statement.kind] }) === null;
  return isOne && canonical(statement) === text ? statement : null;
}

/** Each line of a log as {statement, bytes}; each is what the form, n, origin and time allow. */
function* statementsIn(log, origin) {
  let before = 0;
  for (let [n, at] = [0, 0]; at < log.length; n++) {
    const end = log.indexOf(10, at);
    const bytes = log.subarray(at, end < 0 ? log.length : end);
    const statement = readStatement(bytes);
    if (end < 0 || !statement) throw new Invalid(`line ${n + 1} of the log is not a statement`);
    if (statement.n !== n || statement.origin !== origin || statement.at < before) {
      throw new Invalid(`line ${n + 1} of the log is out of order`);
    }
    if (n === 0 && statement.kind !== "key") {
      throw new Invalid("the log does not begin with a key");
    }
    yield { statement, bytes };
    [before, at] = [statement.at, end + 1];
  }
}

/** What follows the largest checkpoint is held to the same rules, but accuses nobody. */
async function checkStatements(log, proof, notes, work) {
  const { commitment, commitment_hash, seal } = proof;
  const { raffle_id, operator } = commitment.terms;
  const { n } = proof.log;
  const roots = new Map(notes.map(({ size, root }) => [size, root]));
  const signed = Math.max(...roots.keys());
  const tree = new Tree();
  let isAsSigned = true;
  let [isAnnounced, isRetired] = [false, false];
  const seals = { other: [], again: [] }; // numbers of statements
  let [isDrawn, voidedAt] = [false, null];
  const replaced = [];
  for (const { statement, bytes } of statementsIn(log, operator)) {
    tree.add(hashLeaf(bytes));
    if (roots.has(tree.size)) isAsSigned &&= same(tree.root(), roots.get(tree.size));
    await work.did(COST.statement);
    const { kind } = statement;
    if (statement.n < n && statement.public_key === seal.public_key) {
      isAnnounced ||= kind === "key";
      isRetired ||= kind === "key_retired"; // for good
    }
    if (statement.raffle_id !== raffle_id) continue;
    const isOfThis = statement.commitment_hash === commitment_hash;
    if (kind === "sealed" && !isOfThis) seals.other.push(statement.n);
    if (kind === "sealed" && isOfThis && statement.n !== n) seals.again.push(statement.n);
    isDrawn ||= kind === "drawn" && isOfThis;
    if (kind === "voided" && !isDrawn) voidedAt ??= statement.n;
    if (kind === "replaced") replaced.push(statement);
  }
  const isSigned = (number) => number !== null && number < signed;
  const faults = {
    "the log is shorter than its checkpoint": tree.size < signed,
    "the log is not the one that was signed": !isAsSigned,
    "the key of the seal was not announced before the seal": !isAnnounced,
    "the key of the seal was retired before the seal": isRetired,
    "the log holds another seal of this raffle": seals.other.some(isSigned),
    "the log holds this seal twice": seals.again.some(isSigned),
    "this raffle was called off before it was drawn": isSigned(voidedAt),
    "a second seal follows in the file, in a part that no checkpoint of this proof signs":
      seals.other.length + seals.again.length > 0,
    "this raffle is called off in the file, in a part that no checkpoint of this proof signs":
      voidedAt !== null,
  };
  for (const [reason, isSo] of Object.entries(faults)) if (isSo) throw new Invalid(reason);
  const unsigned = ", in a part that no checkpoint of this proof signs";
  const found = `${tree.size} statements of ${shown(operator)}`;
  return {
    found: `${found}, the first ${signed} make the root of the largest checkpoint`,
    replaced: replaced.map(
      ({ n: number, at, rank, by_rank }) =>
        `rank ${rank} by rank ${by_rank}, ${moment(at)}${isSigned(number) ? "" : unsigned}`,
    ),
  };
}

/** The "NAME KEY" of each line. */
function readWitnesses(bytes) {
  const text = readText(bytes, "witnesses").replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
  if (!text) throw new Invalid("the witnesses are empty");
  const lines = text.split("\n");
  lines.forEach((line, i) => {
    const [, name] = /^(.+) [0-9a-f]{64}$/.exec(line) ?? [];
    if (!isText(name)) throw new Invalid(`line ${i + 1} of the witnesses is not a name and a key`);
  });
  return new Set(lines);
}

// --- The verdict (section 8) -----------------------------------------------------------------

/** {exit, verdict} of a proof that holds. */
function verdictOn({ entropy, cosigners, authorities }, counted, hasLog) {
  if (entropy.source === "system") {
    return { exit: 0, verdict: "VALID, randomness vouched for by the operator only" };
  }
  const named = cosigners.length ? cosigners : authorities;
  const ofNamed = cosigners.length ? counted.cosigners : counted.authorities;
  const [k, n] = [ofNamed.length, named.length];
  if (n === 0) return { exit: 0, verdict: "VALID, not witnessed" };
  if (2 * k <= n) {
    const words = `the winners follow, but only ${k} of ${n} witnesses saw the seal in time`;
    return { exit: 3, verdict: `NOT AS PROMISED: ${words}` };
  }
  if (!cosigners.length) {
    const verdict = `VALID, older than the randomness by the word of ${k} of ${n} authorities`;
    return { exit: 0, verdict };
  }
  const only = hasLog ? "the only seal, " : "";
  return { exit: 0, verdict: `VALID, ${only}witnessed before the randomness by ${k} of ${n}` };
}

// What things cost, in hashes of a node of a tree; for the progress that is told.
const COST = { draw: 3, statement: 20, signature: 2000, beacon: 40000 };

const READING = 20; // percent of a check in which its proof is read

/** Tells how far a long check is, lets the page breathe and stops when it is told to. */
class Work {
  constructor(onProgress, signal, from = 0) {
    [this.onProgress, this.signal, this.from, this.whole, this.done] = [onProgress, signal, from, 1, 0];
    [this.told, this.paused] = [0, performance.now()];
  }

  tell(share) {
    const percent = Math.min(99, Math.floor(share));
    if (percent > this.told) this.onProgress?.((this.told = percent));
  }

  async did(units) {
    this.done += units;
    if (performance.now() - this.paused < 16) return; // a frame
    this.tell(this.from + ((100 - this.from) * this.done) / this.whole);
    await new Promise((resolve) => setTimeout(resolve));
    this.signal?.throwIfAborted();
    this.paused = performance.now();
  }
}

function sizeOfWork({ proof, leaves, log }) {
  const { entropy, winners, skipped, commitment } = proof;
  const entries = winners.length + skipped.length;
  const height = Math.ceil(Math.log2(commitment.tickets)) + 1;
  const statements = (log?.length ?? 0) / 300;
  const answers = proof.log ? 16 : 1;
  const beacon = entropy.source === "drand" ? COST.beacon : 0;
  const tree = entries * (COST.draw + height) + (leaves?.length ?? 0) / 32;
  return beacon + tree + answers * COST.signature + statements * COST.statement;
}

const JSON_FILES = ["proof", "receipt", "commitment", "inclusion", "keys"];

/** The files as values; leaves and log stay bytes. What was not given is not in it. */
function readFiles(files, onRead) {
  const given = {};
  for (const name of JSON_FILES) {
    if (files[name] != null) given[name] = readJson(files[name], name, name === "proof" ? onRead : null);
  }
  for (const name of ["leaves", "log"]) {
    if (files[name] != null) given[name] = toBinary(files[name]);
  }
  if (files.witnesses != null) given.witnesses = readWitnesses(files.witnesses);
  return given;
}

const toBinary = (source) => (typeof source === "string" ? utf8(source) : source);

/** Walks section 8 in its order and tells each step; returns {verdict, exit, counted}. */
async function judge(given, tell, work) {
  const { proof, witnesses } = given;
  const { commitment } = proof ?? {};
  tell("raffle", checkForm(proof));
  work.whole = sizeOfWork(given);
  const { terms } = commitment;
  tell("close", checkTimes(commitment));
  tell("commitment", checkCommitment(proof));
  tell("seal", checkSeal(proof));
  tell("randomness", checkRandomness(proof));
  await work.did(COST.beacon);
  tell("seed", checkSeed(proof));
  tell("draw", await checkDraw(proof, work));
  tell("tickets", await checkTickets(proof, work));

  const counted = { cosigners: [], authorities: [] };
  let notes = [];
  if (terms.entropy.source === "drand") {
    if (proof.log) notes = await checkLog(proof, work);
    const statement = `statement ${proof.log?.n} of ${shown(terms.operator)}`;
    const signed = `checkpoints signed by the key of the seal: ${notes.length}`;
    tell("log", proof.log ? `${statement}, ${signed}` : "the proof shows no log");
    const { times, words } = await hear(proof, notes, work);
    const listen = (kind, list, name, keys) => {
      const { key, seconds, words: said } = answerOf({ name, keys }, times, commitment, witnesses);
      if (seconds !== null) list.push({ name, key, seconds });
      tell(kind, `${shown(name)} ${key.slice(0, 16)}, ${said}`);
    };
    for (const { name, key } of terms.cosigners) listen("witness", counted.cosigners, name, [key]);
    for (const { name, keys } of terms.authorities) {
      listen("authority", counted.authorities, name, keys);
    }
    for (const stranger of words) tell("stranger", stranger);
  }
  await checkFiles(given, notes, tell, work);
  return {
    ...verdictOn(terms, counted, "log" in given),
    counted: [...counted.cosigners, ...counted.authorities],
  };
}

async function checkFiles(given, notes, tell, work) {
  const { proof, receipt, commitment, inclusion, leaves, log } = given;
  const keys = "keys" in given ? readKeys(given.keys) : null;
  if (keys) tell("signer", checkSigner(proof, keys));
  else tell("", "the signer was not checked against keys you hold");
  if ("commitment" in given) tell("kept", checkCommitmentFile(commitment, proof, keys));
  let leafHash = null;
  if ("receipt" in given) {
    checkReceipt(receipt, proof, keys, "inclusion" in given || "leaves" in given);
    leafHash = hex(hashLeaf(unhex(receipt.leaf)));
  }
  if ("inclusion" in given) tell("inclusion", checkInclusion(inclusion, proof, leafHash));
  if (leaves) tell("leaves", await checkLeaves(leaves, proof, leafHash, work));
  if ("receipt" in given) tell("receipt", outcomeIn(proof, receipt));
  if (log) {
    if (!proof.log) throw new Invalid("the proof has no log to hold the file against");
    const { found, replaced } = await checkStatements(log, proof, notes, work);
    tell("statements", found);
    for (const words of replaced) tell("replaced", words);
  } else tell("", "whether the log holds another seal of this raffle was not checked");
}

const lineOf = ({ name, computed }) => (name ? `${name.padEnd(12)} ${computed}` : computed);

/**
 * Judge a proof and what somebody kept.
 *
 * `files` has the proof and any of receipt, commitment, inclusion, leaves, keys, log and
 * witnesses, each as bytes (Uint8Array) or text; null is no file. onStep({name, computed}) is
 * called as soon as a step holds, onProgress(percent) while long ones run; `signal` cancels.
 *
 * The answer is {verdict, exit, lines, steps, counted, raffle, winners}: the last line, the status
 * and the lines of verify.py; {name, key, seconds} of each answer that counts; and, if the winners
 * follow, the raffle's id and their {rank, prize, index, ticket_number}, else null and none.
 */
export async function verify(files, { onStep, onProgress, signal } = {}) {
  const steps = [];
  const tell = (name, computed) => {
    steps.push({ name, computed });
    onStep?.({ name, computed });
  };
  let [judged, raffle, winners] = [null, null, []];
  try {
    const work = new Work(onProgress, signal, READING);
    const given = readFiles(files, (share) => work.tell(READING * share));
    judged = await judge(given, tell, work);
    raffle = given.proof.commitment.terms.raffle_id;
    winners = given.proof.winners.map(({ rank, prize, index, ticket_number }) => ({
      rank,
      prize,
      index,
      ticket_number,
    }));
  } catch (error) {
    if (error instanceof Invalid) {
      judged = { verdict: `INVALID: ${error.message}`, exit: 1, counted: [] };
    } else if (error instanceof Unreadable) {
      judged = { verdict: error.message, exit: 2, counted: [] };
    } else throw error;
  }
  onProgress?.(100);
  const { verdict, exit, counted } = judged;
  return { verdict, exit, lines: [...steps.map(lineOf), verdict], steps, counted, raffle, winners };
}

// --- Have I won? ---------------------------------------------------------------------------------

/**
 * The commitment file, read, if it is whole, signed and of times that allow it.
 *
 * `files` has it, and what may be held against it: the keys, the receipt (its signature, raffle,
 * terms and time, by one of these or the seal's own) and the inclusion. Throws Invalid, Unreadable.
 */
export function readSeal(files) {
  const file = readJson(files.commitment, "commitment");
  if (!readCommitmentFile(file)) throw new Invalid("the signature of the commitment is wrong");
  checkTimes(file.commitment);
  const { commitment, commitment_hash, public_key } = file;
  const keys = files.keys == null ? null : readKeys(readJson(files.keys, "keys"));
  if (keys) checkSigner({ commitment, seal: { public_key } }, keys);
  let leafHash = null;
  if (files.receipt != null) {
    const receipt = readJson(files.receipt, "receipt");
    checkReceipt(receipt, { commitment, seal: { public_key } }, keys, true);
    leafHash = hex(hashLeaf(unhex(receipt.leaf)));
  }
  if (files.inclusion != null) {
    checkInclusion(readJson(files.inclusion, "inclusion"), { commitment, commitment_hash }, leafHash);
  }
  return file;
}

/**
 * What a ticket gets, from what its holder kept and the beacon alone, before anybody says so.
 *
 * `files` has the commitment file and the inclusion; `signature` is the round's, in hex. The
 * answer is {draw, rank, prize, isCertain}: draw counts the indices before it, null is none.
 * Where a holder may have more tickets than wins, others' tickets may be skipped, which these
 * files cannot tell: then rank and prize are those it has if none is. Throws Invalid and
 * Unreadable as the files deserve; `signal` and onProgress are those of verify().
 */
export async function outcomeOf(files, signature, { onProgress, signal } = {}) {
  const { commitment, commitment_hash } = readSeal(files);
  const inclusion = readJson(files.inclusion, "inclusion");
  checkInclusion(inclusion, { commitment, commitment_hash });
  const { terms, tickets, round } = commitment;
  if (!round) throw new Invalid("the randomness of this draw is the operator's");
  checkShape(signature, hexOf(48), "signature");
  checkBeacon(round, unhex(signature));
  const { max_wins_per_holder: limit, tickets_per_holder: most } = terms;
  const isCertain = limit === 0 || (0 < most && most <= limit);
  const seed = deriveSeed(unhex(commitment_hash), sha256(unhex(signature)));
  const work = new Work(onProgress, signal);
  const places = sumOf(terms.prizes.map(({ amount }) => amount)) + terms.alternates;
  work.whole = COST.draw * Math.min(places, tickets);
  for (const pick of select({ ...terms, max_wins_per_holder: 0 }, seed, tickets)) {
    const { index, ...outcome } = pick;
    if (index === inclusion.index) return { ...outcome, isCertain };
    await work.did(COST.draw);
  }
  return { draw: null, rank: null, prize: null, isCertain };
}
