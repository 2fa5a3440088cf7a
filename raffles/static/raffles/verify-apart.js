/** A check that does not hold the page up, however long it is. */
import { verify } from "./verify.js";

/**
 * verify() of verify.js, in a worker where the browser has them for modules. Takes what it takes
 * and answers what it answers; `signal` ends the worker and rejects with its reason.
 */
export async function verifyApart(files, { onStep, onProgress, signal } = {}) {
  signal?.throwIfAborted();
  const worker = await started();
  if (!worker) return verify(files, { onStep, onProgress, signal });
  try {
    return await new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.onmessage = ({ data: { step, percent, answer } }) => {
        if (step) onStep?.(step);
        if (percent !== undefined) onProgress?.(percent);
        if (answer) resolve(answer);
      };
      signal?.addEventListener("abort", () => reject(signal.reason));
      signal?.throwIfAborted();
      worker.postMessage(files);
    });
  } finally {
    worker.terminate();
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
