/**
 * Check a raffle-draw-v1 proof in the visitor's own browser (or in Node 20): the same checks, in
 * the same order and with the same sentences, as the single file verify.py.
 *
 * Nothing is fetched and nothing is imported. The hashes are our own because the browser's are
 * missing on plain http and cost a promise each. Integers are big-endian on the wire.
 */

/** What is wrong with the evidence, as one sentence without its full stop. */
export class Invalid extends Error {}

/** Why a file cannot be read as JSON at all. */
export class Unreadable extends Error {}

// --- Bytes -------------------------------------------------------------------------------

const encoder = new TextEncoder();

const hex = (bytes) => Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");

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

const toBytes = (number, size) => unhex(number.toString(16).padStart(2 * size, "0"));
const toNumber = (bytes) => BigInt(`0x${hex(bytes)}`);
const toNumberLittle = (bytes) => toNumber(Uint8Array.from(bytes).reverse());
const be64 = (number) => toBytes(number, 8);
const tag = (name) => encoder.encode(`raffle-draw-v1/${name}\0`);

/** RFC 8785 JSON of objects, arrays, strings and integers below 2^53, with ASCII keys. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const member = (key) => `${JSON.stringify(key)}:${canonical(value[key])}`;
  return `{${Object.keys(value).sort().map(member).join(",")}}`;
}

// --- SHA-2 (FIPS 180-4) ------------------------------------------------------------------

const MASK64 = (1n << 64n) - 1n;

function integerRoot(value, degree) {
  let low = 0n;
  for (let bit = 1n << 80n; bit; bit >>= 1n) if ((low | bit) ** degree <= value) low |= bit;
  return low;
}

const PRIMES = [];
for (let n = 2n; PRIMES.length < 80; n++) if (PRIMES.every((p) => n % p)) PRIMES.push(n);
const K512 = PRIMES.map((p) => integerRoot(p << 192n, 3n) & MASK64);
const IV512 = PRIMES.slice(0, 8).map((p) => integerRoot(p << 128n, 2n) & MASK64);
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

const rotate = (x, n) => (x >> n) | ((x << (64n - n)) & MASK64);

function sha512(message) {
  const bytes = padded(message, 128);
  const state = [...IV512];
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

// --- The tree of tickets (RFC 9162) ------------------------------------------------------

const hashLeaf = (leaf) => sha256(join([0], leaf));
const pair = new Uint8Array(65).fill(1, 0, 1); // one for all nodes: there may be millions

function hashNode(left, right) {
  pair.set(left, 1);
  pair.set(right, 33);
  return sha256(pair);
}

/** The root over hashes in order; a lone last node is promoted, never duplicated. */
function rootOf(hashes) {
  if (!hashes.length) return sha256(new Uint8Array());
  let nodes = hashes;
  while (nodes.length > 1) {
    const parents = [];
    for (let i = 0; i + 1 < nodes.length; i += 2) parents.push(hashNode(nodes[i], nodes[i + 1]));
    nodes = nodes.length % 2 ? [...parents, nodes.at(-1)] : parents;
  }
  return nodes[0];
}

function rootFromPath(index, size, leafHash, path) {
  if (index >= size) throw new Invalid(`index ${index} is outside a tree of ${size} tickets`);
  let [at, last, node] = [BigInt(index), BigInt(size - 1), leafHash]; // above 2^31 too
  const siblings = path.values();
  for (; last; at >>= 1n, last >>= 1n) {
    if ((at ^ 1n) > last) continue;
    const { value: sibling, done } = siblings.next();
    if (done) throw new Invalid("an inclusion path is too short");
    node = at & 1n ? hashNode(sibling, node) : hashNode(node, sibling);
  }
  if (!siblings.next().done) throw new Invalid("an inclusion path is too long");
  return node;
}

// --- Commitment and seed -----------------------------------------------------------------

const hashTerms = (terms) => sha256(join(tag("terms"), encoder.encode(canonical(terms))));
const hashCommitment = (c) => sha256(join(tag("commitment"), encoder.encode(canonical(c))));
const deriveSeed = (commitmentHash, randomness) =>
  sha256(join(tag("seed"), commitmentHash, randomness));

// --- The draw ----------------------------------------------------------------------------

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
function* select(terms, seed, tickets, holderOf) {
  const prizes = prizesInOrder(terms.prizes);
  const places = terms.prizes.reduce((sum, prize) => sum + prize.amount, terms.alternates);
  const limit = terms.max_wins_per_holder;
  const wins = new Map();
  let [step, rank] = [0, 0];
  for (const index of draw(seed, places ? tickets : 0)) {
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

// --- The beacon: drand quicknet ----------------------------------------------------------

const CHAIN = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971";
const [GENESIS, PERIOD] = [1692803367, 3];

const timeOfRound = (number) => GENESIS + (number - 1) * PERIOD;

/** Throws Invalid unless this is the beacon's one signature of round `number`. */
export function checkBeacon(number, signature) {
  const [x, y] = decodeSignature(signature);
  const message = hashToG1(sha256(be64(number)));
  const negated = [x, fp2Sub([0n, 0n], y)];
  if (!pairingIsOne([[negated, G2], [message, PUBLIC_KEY]])) {
    throw new Invalid(`the signature is not the beacon's for round ${number}`);
  }
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

// --- Ed25519: the operator's signatures (RFC 8032) ---------------------------------------

const ED_P = 2n ** 255n - 19n;
const ED_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const ED_D = modulo(-121665n * inverse(121666n, ED_P), ED_P);
const ED_BASE = edDecode(new Uint8Array(32).fill(0x66).fill(0x58, 0, 1));

function edAdd([x1, y1], [x2, y2]) {
  const t = (ED_D * x1 * x2 * y1 * y2) % ED_P;
  const both = inverse((1n + t) * (1n - t), ED_P);
  const x = (x1 * y2 + x2 * y1) * both * (1n - t);
  return [modulo(x, ED_P), modulo((y1 * y2 + x1 * x2) * both * (1n + t), ED_P)];
}

function edTimes(k, p) {
  let total = [0n, 1n];
  for (const bit of bitsOf(k)) {
    total = edAdd(total, total);
    if (bit === "1") total = edAdd(total, p);
  }
  return total;
}

/** The point, or null when the bytes are not the one encoding of a point. */
function edDecode(encoded) {
  const number = toNumberLittle(encoded);
  const [y, odd] = [number & ((1n << 255n) - 1n), number >> 255n];
  const square = modulo((y * y - 1n) * inverse(ED_D * y * y + 1n, ED_P), ED_P);
  let x = power(square, (ED_P + 3n) / 8n, ED_P);
  if ((x * x - square) % ED_P) x = (x * power(2n, (ED_P - 1n) / 4n, ED_P)) % ED_P;
  if (y >= ED_P || (x * x - square) % ED_P || (x === 0n && odd)) return null;
  return [x % 2n === odd ? x : ED_P - x, y];
}

function signatureIsGood(publicKey, message, signature) {
  const [key, nonce] = [edDecode(publicKey), edDecode(signature.subarray(0, 32))];
  const s = toNumberLittle(signature.subarray(32));
  if (signature.length !== 64 || s >= ED_ORDER || key === null || nonce === null) return false;
  const challenge = toNumberLittle(sha512(join(signature.subarray(0, 32), publicKey, message)));
  const right = edAdd(nonce, edTimes(challenge % ED_ORDER, key));
  return edTimes(s, ED_BASE).every((coordinate, i) => coordinate === right[i]);
}

// --- Strict JSON -------------------------------------------------------------------------
// JSON.parse keeps the last of two equal keys and reads 1.0 as 1, so the reader is our own.

const MAX_DEPTH = 900;
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

class Reader {
  constructor(text, label) {
    [this.text, this.label, this.at] = [text, label, 0];
  }

  invalid(reason) {
    return new Invalid(`${this.label} ${reason}`);
  }

  unreadable() {
    return new Unreadable(`${this.label} is not JSON`);
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
    throw this.unreadable();
  }

  read() {
    this.take(/[ \t\r\n]*/y);
    const value = this.value(0);
    this.take(/[ \t\r\n]*/y);
    if (this.at < this.text.length) throw this.invalid("goes on after its end");
    return value;
  }

  value(depth) {
    if (depth > MAX_DEPTH) throw this.invalid("is nested too deeply");
    switch (this.text[this.at]) {
      case "{": return this.object(depth);
      case "[": return this.list(depth);
      case '"': return this.string();
    }
    const word = this.take(/true|false|null/y);
    return word ? { true: true, false: false, null: null }[word[0]] : this.integer();
  }

  integer() {
    const number = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
    const [digits, fraction, exponent] = this.expect(number);
    if (fraction || exponent) throw this.invalid("has a number with a fraction or an exponent");
    if (digits[0] === "-" || digits.length > 16 || Number(digits) > Number.MAX_SAFE_INTEGER) {
      throw this.invalid("has a number that is not an integer from 0 to 2^53 - 1");
    }
    return Number(digits);
  }

  string() {
    const start = this.at++;
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
      items.push(this.value(depth + 1));
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
      found[key] = this.value(depth + 1);
      members++;
    } while (this.take(/[ \t\r\n]*,[ \t\r\n]*/y));
    this.expect(/[ \t\r\n]*\}/y);
    if (Object.keys(found).length !== members) throw this.invalid("has a key twice in one object");
    return found;
  }
}

/** The one value of a text or of UTF-8 bytes; Unreadable if not JSON, Invalid if not strict. */
export function readJson(source, label) {
  if (typeof source === "string") return new Reader(source, label).read();
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(source);
  } catch {
    throw new Unreadable(`${label} is not UTF-8`);
  }
  return new Reader(text, label).read();
}

// --- Shapes ------------------------------------------------------------------------------
// A shape is an object (exactly these keys), a list of one shape (any number of it), or a Field.

class Field {
  constructor(words, fits) {
    [this.words, this.fits] = [words, fits];
  }
}

function checkShape(value, shape, where) {
  if (shape instanceof Field) {
    if (!shape.fits(value)) throw new Invalid(`${where} is not ${shape.words}`);
  } else if (Array.isArray(shape)) {
    if (!Array.isArray(value)) throw new Invalid(`${where} is not a list`);
    value.forEach((item, i) => checkShape(item, shape[0], `${where}[${i}]`));
  } else {
    const keys = Object.keys(shape);
    const fits = isObject(value) && keys.every((key) => key in value);
    if (!fits || Object.keys(value).length !== keys.length) {
      throw new Invalid(`${where} is not an object with exactly the keys ${keys.join(", ")}`);
    }
    for (const key of keys) checkShape(value[key], shape[key], `${where}.${key}`);
  }
}

function hexOf(size) {
  const pattern = new RegExp(`^[0-9a-f]{${2 * size}}$`);
  const fits = (value) => typeof value === "string" && pattern.test(value);
  return new Field(`${2 * size} lowercase hex digits`, fits);
}

function integer(low = 0, high = Number.MAX_SAFE_INTEGER) {
  const fits = (value) => typeof value === "number" && low <= value && value <= high;
  return new Field(`an integer from ${low} to ${high}`, fits);
}

const constant = (word) => new Field(`"${word}"`, (value) => value === word);
const isText = (value) => typeof value === "string" && !/\p{Surrogate}/u.test(value);

const [ID, HASH, SIGNATURE, LEAF] = [hexOf(16), hexOf(32), hexOf(64), hexOf(56)];
const TEXT = new Field("text", isText);
const PRIZE = new Field("text or null", (value) => value === null || isText(value));
const MOMENT = integer(0, 253402300799); // the end of the year 9999
const SKIPPED = {
  draw: integer(),
  index: integer(),
  ticket_number: integer(1),
  leaf: LEAF,
  path: [HASH],
};
const WINNER = { rank: integer(1), prize: PRIZE, ...SKIPPED };
const SIGNED = { key_id: hexOf(8), signature: SIGNATURE };
const RECEIPT = { leaf: LEAF, terms_hash: HASH, issued_at: MOMENT, ...SIGNED };
const INCLUSION = {
  commitment_hash: HASH,
  index: integer(),
  tickets: integer(),
  root: HASH,
  leaf_hash: HASH,
  path: [HASH],
};
const KEYS = { keys: [{ key_id: hexOf(8), algorithm: constant("Ed25519"), public_key: HASH }] };

/** The keys depend on where the terms take their randomness from. */
function commitmentShape(commitment) {
  let source = commitment;
  for (const key of ["terms", "entropy", "source"]) source = isObject(source) ? source[key] : null;
  if (source !== "drand" && source !== "system") {
    throw new Invalid("the terms name no known source of randomness");
  }
  const drand = source === "drand";
  return {
    v: constant("raffle-draw-v1"),
    terms: {
      raffle_id: ID,
      name: TEXT,
      capacity: integer(1),
      closes_at: MOMENT,
      prizes: [{ name: TEXT, amount: integer(1) }],
      alternates: integer(),
      max_wins_per_holder: integer(),
      entropy: { source: constant(source), ...(drand ? { chain: constant(CHAIN) } : {}) },
    },
    draw_no: integer(1),
    prev: HASH,
    tickets: integer(),
    root: HASH,
    closed_at: MOMENT,
    ...(drand ? { round: integer(1) } : {}),
  };
}

function proofShape(proof) {
  const commitment = commitmentShape(isObject(proof) ? proof.commitment : null);
  const entropy =
    "round" in commitment
      ? { source: constant("drand"), round: integer(1), signature: hexOf(48) }
      : { source: constant("system") };
  return {
    commitment,
    commitment_hash: HASH,
    entropy: { ...entropy, randomness: HASH },
    seed: HASH,
    winners: [WINNER],
    skipped: [SKIPPED],
  };
}

// --- The proof, step by step -------------------------------------------------------------

export const VERDICTS = {
  drand: "VALID",
  system: "VALID, randomness vouched for by the operator only",
};
const PATIENCE = 30; // seconds from the close to the earliest acceptable round

const step = (name, computed) => ({ name, computed });
const shown = (text) => `“${text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, "?")}”`;
const moment = (t) => `${new Date(t * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
let paintedAt = 0;

/** Lets the page paint, at most once a frame. */
async function pause() {
  if (performance.now() - paintedAt < 16) return;
  await new Promise((resolve) => setTimeout(resolve));
  paintedAt = performance.now();
}

function checkForm(proof) {
  checkShape(proof, proofShape(proof), "proof");
  const { terms, draw_no, prev, tickets } = proof.commitment;
  if ((draw_no === 1) !== (prev === "0".repeat(64))) {
    throw new Invalid("draw_no and prev contradict each other");
  }
  if (tickets > terms.capacity) {
    throw new Invalid("more tickets are committed than the raffle has");
  }
  return step("raffle", `${shown(terms.name)}, ${terms.raffle_id}, ${tickets} tickets`);
}

function checkDrawNo({ commitment: { draw_no } }) {
  const earlier = draw_no === 1 ? "no earlier one" : "an earlier draw of this raffle was voided";
  return step("draw number", `${draw_no}: ${earlier}`);
}

function checkCommitment({ commitment, commitment_hash }) {
  if (hex(hashCommitment(commitment)) !== commitment_hash) {
    throw new Invalid("the commitment does not have the commitment_hash");
  }
  return step("commitment", `${commitment_hash}, closed ${moment(commitment.closed_at)}`);
}

function checkRandomness({ commitment, entropy }) {
  if (entropy.source === "system") {
    return step("randomness", `${entropy.randomness}, the operator's word`);
  }
  if (entropy.round !== commitment.round) {
    throw new Invalid("the round of the beacon is not the committed one");
  }
  if (timeOfRound(entropy.round) < commitment.closed_at + PATIENCE) {
    throw new Invalid(`the round of the beacon is earlier than ${PATIENCE} s after the close`);
  }
  const signature = unhex(entropy.signature);
  checkBeacon(entropy.round, signature);
  if (hex(sha256(signature)) !== entropy.randomness) {
    throw new Invalid("the randomness is not the hash of the beacon's signature");
  }
  const published = moment(timeOfRound(entropy.round));
  return step("randomness", `beacon round ${entropy.round} of ${published}, signature good`);
}

function checkSeed({ commitment_hash, entropy, seed }) {
  if (hex(deriveSeed(unhex(commitment_hash), unhex(entropy.randomness))) !== seed) {
    throw new Invalid("the seed does not follow from the commitment and the randomness");
  }
  return step("seed", seed);
}

/** Draws again and compares step by step, so it never goes further than the proof does. */
function checkDraw({ commitment, seed, winners, skipped }) {
  const leftOut = (index) => new Invalid(`index ${index} was drawn, the proof leaves it out`);
  const holders = new Map();
  for (const entry of [...winners, ...skipped]) holders.set(entry.index, entry.leaf.slice(48, 80));
  const holderOf = (index) => {
    if (!holders.has(index)) throw leftOut(index);
    return holders.get(index);
  };
  const given = { winners: winners.values(), skipped: skipped.values() };
  for (const pick of select(commitment.terms, unhex(seed), commitment.tickets, holderOf)) {
    const entry = given["rank" in pick ? "winners" : "skipped"].next().value;
    if (!entry) throw leftOut(pick.index);
    if (Object.keys(pick).some((key) => entry[key] !== pick[key])) {
      throw new Invalid(`draw ${pick.draw} is index ${pick.index}, the proof says otherwise`);
    }
  }
  if (!given.winners.next().done || !given.skipped.next().done) {
    throw new Invalid("the proof lists entries that were not drawn");
  }
  return step("draw", `${winners.length} winners and alternates, ${skipped.length} skipped`);
}

async function checkTickets({ commitment, winners, skipped }) {
  const { raffle_id, capacity } = commitment.terms;
  const entries = [...winners, ...skipped];
  if (new Set(entries.map((entry) => entry.ticket_number)).size !== entries.length) {
    throw new Invalid("a ticket number occurs twice");
  }
  for (const [done, { index, ticket_number, leaf, path }] of entries.entries()) {
    if (!leaf.startsWith(raffle_id + hex(be64(ticket_number))) || ticket_number > capacity) {
      throw new Invalid(`the leaf of index ${index} is not of this raffle and number`);
    }
    checkPath(index, path, hashLeaf(unhex(leaf)), commitment);
    if (done % 200 === 199) await pause();
  }
  return step("tickets", `${entries.length} inclusion paths lead to ${commitment.root}`);
}

function checkPath(index, path, leafHash, { tickets, root }) {
  if (hex(rootFromPath(index, tickets, leafHash, path.map(unhex))) !== root) {
    throw new Invalid(`the path of index ${index} does not lead to the root`);
  }
}

// --- What a participant kept -------------------------------------------------------------

function readKeys(keys) {
  checkShape(keys, KEYS, "keys");
  const found = new Map();
  for (const { key_id, public_key } of keys.keys) {
    if (hex(sha256(unhex(public_key))).slice(0, 16) !== key_id) {
      throw new Invalid("a key_id is not the beginning of its key's hash");
    }
    found.set(key_id, unhex(public_key));
  }
  return found;
}

function checkSignature(keys, signed, message, what) {
  if (keys === null) return "signature not checked";
  const publicKey = readKeys(keys).get(signed.key_id);
  if (!publicKey) throw new Invalid(`the key that signed the ${what} is not among the keys`);
  if (!signatureIsGood(publicKey, message, unhex(signed.signature))) {
    throw new Invalid(`the signature of the ${what} is wrong`);
  }
  return "signature good";
}

function checkSavedCommitment(saved, proof, keys) {
  const commitment = commitmentShape(isObject(saved) ? saved.commitment : null);
  const shape = { commitment, commitment_hash: HASH, signed_at: MOMENT, ...SIGNED };
  checkShape(saved, shape, "commitment");
  const digest = hashCommitment(saved.commitment);
  if (hex(digest) !== saved.commitment_hash) {
    throw new Invalid("the saved commitment does not have its commitment_hash");
  }
  const message = join(tag("seal"), digest, be64(saved.signed_at));
  const signature = checkSignature(keys, saved, message, "saved commitment");
  if (saved.commitment_hash !== proof.commitment_hash) {
    throw new Invalid(whyCommitmentsDiffer(saved.commitment, proof.commitment));
  }
  return step("seal", `the saved commitment, signed ${moment(saved.signed_at)}, ${signature}`);
}

function whyCommitmentsDiffer(saved, drawn) {
  const sameRaffle = saved.terms.raffle_id === drawn.terms.raffle_id;
  return sameRaffle && saved.draw_no === drawn.draw_no
    ? "two signed hashes for one draw"
    : "the saved commitment is of another draw";
}

function checkReceipt(receipt, proof, keys) {
  checkShape(receipt, RECEIPT, "receipt");
  const [leaf, termsHash] = [unhex(receipt.leaf), unhex(receipt.terms_hash)];
  const message = join(tag("ticket"), hashLeaf(leaf), termsHash, be64(receipt.issued_at));
  const signature = checkSignature(keys, receipt, message, "receipt");
  const { terms } = proof.commitment;
  if (!receipt.leaf.startsWith(terms.raffle_id)) {
    throw new Invalid("the receipt is of another raffle");
  }
  if (receipt.terms_hash !== hex(hashTerms(terms))) {
    throw new Invalid("the receipt was given for other terms than the committed ones");
  }
  const number = toNumber(leaf.subarray(16, 24));
  const outcome = outcomeOf(receipt.leaf, number, proof);
  return step("receipt", `ticket ${number}, ${outcome}, ${signature}`);
}

function outcomeOf(leaf, number, { winners, skipped }) {
  const entry = [...winners, ...skipped].find((e) => BigInt(e.ticket_number) === number);
  if (!entry) return "not drawn";
  if (entry.leaf !== leaf) {
    throw new Invalid("the drawn ticket of the receipt's number is not the receipt's");
  }
  if (!("rank" in entry)) return "skipped, its holder had won before";
  const prize = entry.prize === null ? "an alternate" : `wins ${shown(entry.prize)}`;
  return `rank ${entry.rank}, ${prize}`;
}

function checkInclusion(inclusion, proof, leafHash) {
  checkShape(inclusion, INCLUSION, "inclusion");
  const { commitment, commitment_hash } = proof;
  const expected = { commitment_hash, tickets: commitment.tickets, root: commitment.root };
  if (Object.keys(expected).some((key) => inclusion[key] !== expected[key])) {
    throw new Invalid("the inclusion is of another commitment");
  }
  if (leafHash !== null && inclusion.leaf_hash !== leafHash) {
    throw new Invalid("the inclusion is of another ticket than the receipt's");
  }
  checkPath(inclusion.index, inclusion.path, unhex(inclusion.leaf_hash), commitment);
  const whose = leafHash === null ? "a ticket" : "the receipt's ticket";
  return step("inclusion", `${whose} has index ${inclusion.index} in the committed tree`);
}

/** Folds a few thousand leaves at a time, so that millions neither fill memory nor block. */
async function checkLeaves(leaves, { commitment: { tickets, root } }, leafHash) {
  const width = 4096;
  const subtrees = [];
  const wanted = leafHash === null ? null : unhex(leafHash);
  let found = wanted === null;
  const complete = leaves.length === 32 * tickets;
  for (let at = 0; complete && at < leaves.length; at += 32 * width) {
    const hashes = [];
    for (let i = at; i < Math.min(at + 32 * width, leaves.length); i += 32) {
      hashes.push(leaves.subarray(i, i + 32));
    }
    found ||= hashes.some((hash) => hash.every((byte, i) => byte === wanted[i]));
    subtrees.push(rootOf(hashes));
    await pause();
  }
  if (!complete || hex(rootOf(subtrees)) !== root) {
    throw new Invalid("the leaves do not make the committed tree");
  }
  if (!found) throw new Invalid("the receipt's ticket is not in the committed tree");
  return step("leaves", `${tickets} leaves make the root ${root}`);
}

const CHECKS = [
  checkForm,
  checkDrawNo,
  checkCommitment,
  checkRandomness,
  checkSeed,
  checkDraw,
  checkTickets,
];

async function* steps(proof, { receipt, commitment, inclusion, keys, leavesBytes }) {
  for (const check of CHECKS) yield await check(proof);
  if (commitment !== null) yield checkSavedCommitment(commitment, proof, keys);
  let leafHash = null;
  if (receipt !== null) {
    const own = isObject(receipt) && "receipt" in receipt ? receipt.receipt : receipt;
    yield checkReceipt(own, proof, keys);
    leafHash = hex(hashLeaf(unhex(own.leaf)));
  }
  if (inclusion !== null) yield checkInclusion(inclusion, proof, leafHash);
  if (leavesBytes) yield await checkLeaves(leavesBytes, proof, leafHash);
}

/**
 * Judge a proof and what a participant kept, each a text or the UTF-8 bytes of a file.
 *
 * onStep({name, computed}) is called as soon as a step holds. The answer is {verdict, valid,
 * steps}; throws Unreadable when a file is not JSON.
 */
export async function verify(proofText, options = {}) {
  const { receiptText, commitmentText, inclusionText, keysText, leavesBytes, onStep } = options;
  const read = (text, label) => (text == null ? null : readJson(text, label));
  const done = [];
  try {
    const proof = readJson(proofText, "proof");
    const kept = {
      receipt: read(receiptText, "receipt"),
      commitment: read(commitmentText, "commitment"),
      inclusion: read(inclusionText, "inclusion"),
      keys: read(keysText, "keys"),
      leavesBytes,
    };
    for await (const found of steps(proof, kept)) {
      done.push(found);
      if (!onStep) continue;
      onStep(found);
      await pause();
    }
    return { verdict: VERDICTS[proof.entropy.source], valid: true, steps: done };
  } catch (error) {
    if (!(error instanceof Invalid)) throw error;
    return { verdict: `INVALID: ${error.message}`, valid: false, steps: done };
  }
}
