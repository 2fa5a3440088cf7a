/** A check that does not hold the page up, however long it is. */
import { Unreachable } from "./loading.js";

let resting = null; // a worker that is ready, so that the next check needs no network

/**
 * verifyLoaded() of verify-loaded.js, in a worker where the browser has them for modules. Takes what
 * it takes and answers what it answers; `signal` ends the worker and rejects with its reason.
 */
export async function verifyApart(files, { onStep, onProgress, signal } = {}) {
  signal?.throwIfAborted();
  const worker = resting ?? (await started());
  resting = null;
  if (!worker) {
    const { verifyLoaded } = await import("./verify-loaded.js");
    return verifyLoaded(files, { onStep, onProgress, signal });
  }
  let isDone = false;
  try {
    return await new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.onmessage = ({ data: { step, percent, answer, missing, wait } }) => {
        if (step) onStep?.(step);
        if (percent !== undefined) onProgress?.(percent);
        isDone ||= answer !== undefined || missing !== undefined;
        if (answer) resolve(answer);
        if (missing !== undefined) reject(new Unreachable(missing, wait));
      };
      signal?.addEventListener("abort", () => reject(signal.reason));
      signal?.throwIfAborted();
      worker.postMessage(files);
    });
  } finally {
    if (isDone && !resting) resting = worker;
    else worker.terminate();
  }
}

/** A worker that has loaded its modules, or null where none can. */
function started() {
  return new Promise((resolve) => {
    try {
      const address = new URL("verify-worker.js", import.meta.url);
      const worker = new Worker(address, { type: "module" });
      worker.onmessage = () => resolve(worker);
      worker.onerror = () => resolve(null);
    } catch {
      resolve(null);
    }
  });
}
