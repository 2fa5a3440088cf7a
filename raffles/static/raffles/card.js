/** The card of a ticket, with its number, its code and the QR code of its address. */
import { svgOf } from "./qr.js";

export const plain = (code) => code.replaceAll("-", "").toUpperCase();

/** Writes a ticket onto a card of `_card.html`. */
export function fillCard(card, { number, code }, address) {
  card.querySelector("[data-number]").textContent = number;
  const groups = plain(code).match(/.{1,4}/g).map((group, at, all) => {
    const part = document.createElement("span");
    part.textContent = group;
    if (at < all.length - 1) part.append(Object.assign(document.createElement("span"), { className: "hyphen", textContent: "-" }));
    return part;
  });
  card.querySelector("[data-code]").replaceChildren(...groups);
  card.querySelector("[data-qr]").innerHTML = svgOf(address);
}
