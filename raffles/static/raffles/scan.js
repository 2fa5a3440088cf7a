/**
 * Read the QR code of a ticket with the camera, or from a picture of it.
 *
 *   import { canRead, canScan, readPicture, scan, ticketIn } from "./scan.js";
 *
 *   button.hidden = !(await canScan());           // hidden where the browser cannot: typing remains
 *   const camera = new AbortController();         // camera.abort() on “stop”
 *   await scan(video, (text) => {                 // <video muted playsinline>, shown by the caller
 *     ticket = ticketIn(text);                    // {raffle, number, code}, or null for another QR
 *     return ticket !== null;                     // true: that was it, the camera goes off
 *   }, camera.signal);                            // settles when the camera is off
 *
 * `scan` rejects with what the browser says of its camera: NotAllowedError, NotFoundError, … The
 * page's view needs `raffles.web.middleware.uses_camera`; other pages may not ask for a camera.
 */

const LOOK = 150; // ms between two looks: at once for a person, little work for a telephone

/** Whether this browser reads QR codes by itself. */
export async function canRead() {
  try {
    return (await BarcodeDetector.getSupportedFormats()).includes("qr_code");
  } catch {
    return false;
  }
}

/** Whether it also has a camera; browsers offer one on https and on localhost alone. */
export async function canScan() {
  if (!navigator.mediaDevices || !(await canRead())) return false;
  const devices = await navigator.mediaDevices.enumerateDevices();
  return devices.some(({ kind }) => kind === "videoinput");
}

/** Show the camera in `video` until `found(text)` is true, `signal` aborts or the page is left. */
export async function scan(video, found, signal) {
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  const camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  let last = "";
  try {
    video.srcObject = camera;
    await video.play();
    while (!signal?.aborted && !document.hidden) {
      const text = await read(detector, video);
      if (text && text !== last && found((last = text))) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK));
    }
  } catch (error) {
    if (!signal?.aborted) throw error;
  } finally {
    for (const track of camera.getTracks()) track.stop();
    video.srcObject = null;
  }
}

/** The text of the QR code in a picture file; empty without one. */
export async function readPicture(file) {
  const picture = await createImageBitmap(file);
  return read(new BarcodeDetector({ formats: ["qr_code"] }), picture);
}

async function read(detector, picture) {
  const [code] = await detector.detect(picture);
  return code?.rawValue ?? "";
}

/** The ticket that a card's QR code holds: the address of its page, number and code behind the #. */
export function ticketIn(text) {
  const parts = /\/r\/([0-9a-f-]{36})\/ticket\/#([1-9]\d{0,7})\.([0-9A-Z-]{20,24})$/i.exec(text);
  return parts && { raffle: parts[1].toLowerCase(), number: parts[2], code: parts[3] };
}
