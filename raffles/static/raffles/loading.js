/** Files of the site, whole, with what is known of how much has come. */

/** The site did not answer with the file; `wait` is in seconds, where it said when to come again. */
export class Unreachable extends Error {
  constructor(reason, wait = null) {
    super(reason);
    this.wait = wait;
  }
}

/** The bytes at an address. onProgress(bytes so far); throws Unreachable, or the reason of `signal`. */
export async function load(address, { onProgress, signal } = {}) {
  try {
    const response = await fetch(address, { signal });
    if (!response.ok) throw new Unreachable(response.status, waitOf(response));
    if (!response.body) return new Uint8Array(await response.arrayBuffer());
    return joined(await piecesOf(response.body.getReader(), onProgress));
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof TypeError ? new Unreachable(error.message) : error;
  }
}

/** In seconds; null where the answer does not say. */
function waitOf(response) {
  const said = response.headers.get("Retry-After");
  return /^\d{1,6}$/.test(said ?? "") ? Number(said) : null;
}

async function piecesOf(reader, onProgress) {
  const pieces = [];
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    pieces.push(part.value);
    size += part.value.length;
    onProgress?.(size);
  }
  return pieces;
}

function joined(pieces) {
  const bytes = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
