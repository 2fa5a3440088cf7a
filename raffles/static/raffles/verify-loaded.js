/** A check of files of which the proof may still have to be loaded. */
import { load } from "./loading.js";
import { verify } from "./verify.js";

const LOADING = 40; // percent of a check that loads its proof first

/**
 * verify() of verify.js; the proof may be {address, size}, of about so many bytes, which is loaded
 * here, so that a large one never passes through the page. Throws Unreachable, too.
 */
export async function verifyLoaded(files, { onStep, onProgress, signal } = {}) {
  const { proof } = files;
  if (!proof?.address) return verify(files, { onStep, onProgress, signal });
  let told = 0;
  const tell = (percent) => {
    if (percent > told) onProgress?.((told = percent));
  };
  const onBytes = (bytes) => tell(Math.min(LOADING, Math.floor((LOADING * bytes) / proof.size)));
  const bytes = await load(proof.address, { onProgress: onBytes, signal });
  const onChecked = (percent) => tell(LOADING + Math.floor(((100 - LOADING) * percent) / 100));
  return verify({ ...files, proof: bytes }, { onStep, onProgress: onChecked, signal });
}
