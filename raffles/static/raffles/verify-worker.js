/** verifyLoaded() in a thread of its own: files in; each {step} and {percent} out, at last the {answer}. */
import { Unreachable } from "./loading.js";
import { verifyLoaded } from "./verify-loaded.js";

addEventListener("message", async ({ data: files }) => {
  const onStep = (step) => postMessage({ step });
  const onProgress = (percent) => postMessage({ percent });
  try {
    postMessage({ answer: await verifyLoaded(files, { onStep, onProgress }) });
  } catch (error) {
    if (error instanceof Unreachable) postMessage({ missing: error.message, wait: error.wait });
    else reportError(error); // a rejection would stay in here
  }
});
postMessage({ isReady: true });
