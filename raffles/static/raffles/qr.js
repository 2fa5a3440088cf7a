/**
 * A QR code of a short text, drawn by the device itself: what it holds goes to nobody.
 *
 *   modulesOf(text)    rows of booleans, true where it is dark; RangeError where the text is too long
 *   svgOf(text)        the same as a picture, dark on white in either theme, as scanners expect it
 *
 * ISO/IEC 18004: bytes, error correction M, versions 1 to 12 (287 bytes), always the same mask.
 */

const QUIET = 4; // modules of white around it
// By version, of level M: error correction codewords a block, and blocks.
const CORRECTION = [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22];
const BLOCKS = [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8];
const FORMAT = 0; // level M, mask 0: (row + column) % 2

// --- Bytes: the text, and what corrects errors in it ---------------------------------------

/** The powers of 2 in GF(256) modulo x^8 + x^4 + x^3 + x^2 + 1, and their exponents. */
const POWERS = new Uint8Array(255);
const EXPONENTS = new Uint8Array(256);
for (let exponent = 0, power = 1; exponent < 255; exponent++) {
  POWERS[exponent] = power;
  EXPONENTS[power] = exponent;
  power = (power << 1) ^ (power & 128 ? 0x11d : 0);
}
const times = (a, b) => (a && b ? POWERS[(EXPONENTS[a] + EXPONENTS[b]) % 255] : 0);

/** The remainder of the block by the generator of that degree. */
function correctionOf(block, degree) {
  let generator = [1];
  for (let root = 0; root < degree; root++) {
    const next = [...generator, 0];
    generator.forEach((factor, at) => (next[at + 1] ^= times(factor, POWERS[root])));
    generator = next;
  }
  const rest = new Uint8Array(degree);
  for (const byte of block) {
    const factor = byte ^ rest[0];
    rest.copyWithin(0, 1);
    rest[degree - 1] = 0;
    for (let at = 0; at < degree; at++) rest[at] ^= times(generator[at + 1], factor);
  }
  return rest;
}

/** All codewords that fit into a symbol: data, correction and the bits that are left over. */
function capacityOf(version) {
  if (version === 1) return 26;
  const patterns = Math.floor(version / 7) + 2;
  const aligning = 25 * patterns * patterns - 10 * patterns - 55;
  return ((16 * version + 128) * version + 64 - aligning - (version > 6 ? 36 : 0)) >> 3;
}

/** The codewords of a text in the order in which they are placed, and the version that holds them. */
function codewordsOf(text) {
  const bytes = new TextEncoder().encode(text);
  for (let version = 1; version <= BLOCKS.length; version++) {
    const [degree, blocks] = [CORRECTION[version - 1], BLOCKS[version - 1]];
    const all = capacityOf(version);
    const room = all - degree * blocks;
    const head = version < 10 ? [0x40 | (bytes.length >> 4)] : [0x40 | (bytes.length >> 12), (bytes.length >> 4) & 255];
    if (head.length + bytes.length + 1 > room) continue;
    const data = new Uint8Array(room);
    data.set(head);
    let nibble = bytes.length & 15; // the rest of the length: what follows is shifted by four bits
    let at = head.length;
    for (const byte of bytes) {
      data[at++] = (nibble << 4) | (byte >> 4);
      nibble = byte & 15;
    }
    data[at++] = nibble << 4;
    for (let pad = 0xec; at < room; pad ^= 0xec ^ 0x11) data[at++] = pad;
    return { version, codewords: interleaved(data, all, degree, blocks) };
  }
  throw new RangeError("too long for a QR code");
}

/** Data in blocks, the last ones longer by one byte; then all first bytes, all second ones, ... */
function interleaved(data, all, degree, blocks) {
  const short = Math.floor(all / blocks) - degree;
  const long = all % blocks;
  const parts = [];
  for (let block = 0, at = 0; block < blocks; block++) {
    const size = short + (block >= blocks - long ? 1 : 0);
    parts.push(data.subarray(at, (at += size)));
  }
  const corrections = parts.map((part) => correctionOf(part, degree));
  const placed = [];
  for (let at = 0; at <= short; at++) for (const part of parts) if (at < part.length) placed.push(part[at]);
  for (let at = 0; at < degree; at++) for (const rest of corrections) placed.push(rest[at]);
  return placed;
}

// --- Modules -------------------------------------------------------------------------------

/** Where the alignment patterns are centred, along either side. */
function centresOf(version, size) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2;
  const step = 2 * Math.ceil((4 * version + 4) / (2 * count - 2));
  return Array.from({ length: count }, (_, at) => (at ? size - 7 - (count - 1 - at) * step : 6));
}

/** A number with the remainder that protects it, as format and version are written. */
function protectedBits(number, generator, degree) {
  let rest = number;
  for (let bit = 0; bit < degree; bit++) rest = (rest << 1) ^ ((rest >> (degree - 1)) * generator);
  return (number << degree) | rest;
}

export function modulesOf(text) {
  const { version, codewords } = codewordsOf(text);
  const size = 4 * version + 17;
  const dark = Array.from({ length: size }, () => new Array(size)); // undefined where data goes
  const set = (row, column, value) => (dark[row][column] = Boolean(value));

  for (let at = 0; at < size; at++) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]]) {
    for (let y = -4; y <= 4; y++) {
      for (let x = -4; x <= 4; x++) {
        if (dark[row + y] === undefined || column + x < 0 || column + x >= size) continue;
        const ring = Math.max(Math.abs(x), Math.abs(y));
        set(row + y, column + x, ring !== 2 && ring !== 4);
      }
    }
  }
  const centres = centresOf(version, size);
  const last = centres.length - 1;
  centres.forEach((row, i) => centres.forEach((column, j) => {
    if ((i === 0 && (j === 0 || j === last)) || (i === last && j === 0)) return; // a finder is there
    for (let y = -2; y <= 2; y++) {
      for (let x = -2; x <= 2; x++) set(row + y, column + x, Math.max(Math.abs(x), Math.abs(y)) !== 1);
    }
  }));

  const format = protectedBits(FORMAT, 0x537, 10) ^ 0x5412;
  for (let bit = 0; bit < 15; bit++) {
    const value = (format >> bit) & 1;
    if (bit < 6) set(bit, 8, value);
    else if (bit < 8) set(bit + 1, 8, value);
    else set(8, bit === 8 ? 7 : 14 - bit, value);
    if (bit < 8) set(8, size - 1 - bit, value);
    else set(size - 15 + bit, 8, value);
  }
  set(size - 8, 8, true);
  if (version > 6) {
    const bits = protectedBits(version, 0x1f25, 12);
    for (let bit = 0; bit < 18; bit++) {
      const [far, near] = [size - 11 + (bit % 3), Math.floor(bit / 3)];
      set(near, far, (bits >> bit) & 1);
      set(far, near, (bits >> bit) & 1);
    }
  }

  let bit = 0;
  for (let right = size - 1; right > 0; right -= right === 8 ? 3 : 2) { // over the timing column
    const isUpwards = (right < 6 ? right + 1 : right) % 4 === (size - 1) % 4;
    for (let step = 0; step < size; step++) {
      const row = isUpwards ? size - 1 - step : step;
      for (const column of [right, right - 1]) {
        if (dark[row][column] !== undefined) continue;
        const value = bit < 8 * codewords.length && (codewords[bit >> 3] >> (7 - (bit & 7))) & 1;
        dark[row][column] = Boolean(value) !== ((row + column) % 2 === 0);
        bit++;
      }
    }
  }
  return dark;
}

export function svgOf(text) {
  const rows = modulesOf(text);
  const size = rows.length + 2 * QUIET;
  let path = "";
  rows.forEach((row, y) => {
    for (let x = 0, from = -1; x <= row.length; x++) {
      if (row[x] && from < 0) from = x;
      if (row[x] || from < 0) continue;
      path += `M${from + QUIET} ${y + QUIET}h${x - from}v1h${from - x}z`;
      from = -1;
    }
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h${size}v${size}H0z"/><path fill="#1c1b1f" d="${path}"/></svg>`;
}
