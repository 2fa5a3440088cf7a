/** verify() in a thread of its own: files in; each {step} and {percent} out, at last the {answer}. */
import { verify } from "./verify.js";

addEventListener("message", async ({ data: files }) => {
  const onStep = (step) => postMessage({ step });
  const onProgress = (percent) => postMessage({ percent });
  try {
    postMessage({ answer: await verify(files, { onStep, onProgress }) });
  } catch (error) {
    reportError(error); // a rejection would stay in here
  }
});
postMessage({ isReady: true });
