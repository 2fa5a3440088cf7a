/**
 * A ticket where people keep things: a page that opens anywhere, a picture, the share sheet, JSON. All
 * of it is made by the device itself, from what is on the page already.
 */
import { modulesOf, svgOf } from "./qr.js";

const PICTURE = { width: 1080, height: 1620, margin: 90 };

/** Makes the acts of that section (see _saving.html) save that ticket; `address` is its whole one. */
export function offerToSave(section, ticket, address) {
  const name = `ticket-${ticket.number}`;
  const json = jsonOf(ticket);
  const page = pageOf(section.dataset.file, ticket, json, address);
  const links = { page: ["text/html;charset=utf-8", page, "html"], json: ["application/json", json, "json"] };
  for (const [kind, [type, text, ending]] of Object.entries(links)) {
    const link = section.querySelector(`[data-save=${kind}]`);
    link.href = `data:${type},${encodeURIComponent(text)}`;
    link.download = `${name}.${ending}`;
  }
  const picture = async () => new File([await pictureOf(section, ticket, address)], `${name}.png`, { type: "image/png" });
  section.querySelector("[data-act=picture]").onclick = async () => saveAs(await picture());
  const share = section.querySelector("[data-act=share]");
  share.hidden = !navigator.share;
  share.onclick = () => shareIt(ticket, address, picture);
}

/** The saved JSON, in the words of the API. */
function jsonOf({ raffle, number, code, receipt = null }) {
  return JSON.stringify({ raffle_id: raffle, ticket_number: number, verification_code: code, receipt }, null, 2);
}

function pageOf(template, { number, code }, json, address) {
  const parts = { number, code, qr: svgOf(address), json: json.replaceAll("<", "\\u003c") };
  return template.replace(/@@([a-z]+)@@/g, (whole, part) => parts[part] ?? whole);
}

async function shareIt({ name }, address, picture) {
  const said = { title: name, url: address };
  const files = [await picture()];
  try {
    await navigator.share(navigator.canShare?.({ ...said, files }) ? { ...said, files } : said);
  } catch (error) {
    if (error.name !== "AbortError") throw error; // they changed their mind
  }
}

function saveAs(file) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = file.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// --- The picture ---------------------------------------------------------------------------

/** A PNG of the ticket: ink on paper in either theme, with a QR code that a telephone reads off it. */
function pictureOf(section, { name, number, code }, address) {
  const { width, height, margin } = PICTURE;
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const paper = canvas.getContext("2d");
  const styles = getComputedStyle(document.documentElement);
  const [serif, mono] = ["--serif", "--mono"].map((family) => styles.getPropertyValue(family));
  const words = (selector) => section.querySelector(selector)?.textContent.trim().replace(/\s+/g, " ") ?? "";
  let y = margin;

  function write(text, size, family, { color = "#1c1b1f", weight = 400, lines = 1 } = {}) {
    if (!text) return;
    paper.font = `${weight} ${size}px ${family}`;
    paper.fillStyle = color;
    for (const line of wrapped(paper, text, width - 2 * margin, lines)) {
      paper.fillText(line, margin, (y += size));
      y += size / 4;
    }
  }

  paper.fillStyle = "#fbf8f1";
  paper.fillRect(0, 0, width, height);
  write(name, 64, serif, { weight: 600, lines: 3 });
  y += 30;
  write(words(".ticket-number span"), 32, "system-ui, sans-serif", { color: "#5f5b66" });
  write(String(number), 160, "system-ui, sans-serif", { weight: 700 });
  y += 10;
  write(words(".code > span"), 32, "system-ui, sans-serif", { color: "#5f5b66" });
  write(code, 48, mono, { weight: 600 });
  write(words("[data-due]"), 32, "system-ui, sans-serif", { color: "#5f5b66", lines: 2 });

  const rows = modulesOf(address);
  const side = Math.floor(Math.min(width - 2 * margin, height - y - margin) / (rows.length + 8));
  const all = side * (rows.length + 8);
  const [left, top] = [(width - all) / 2, height - margin - all];
  paper.fillStyle = "#fff";
  paper.fillRect(left, top, all, all);
  paper.fillStyle = "#1c1b1f";
  rows.forEach((row, at) => row.forEach((isDark, column) => {
    if (isDark) paper.fillRect(left + side * (column + 4), top + side * (at + 4), side, side);
  }));
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

/** The text in lines of at most that width; what is beyond the last one is cut. */
function wrapped(paper, text, width, most) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (!lines.at(-1) || paper.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  const shown = lines.slice(0, most);
  const isCut = lines.length > most;
  return shown.map((line, at) => {
    let fitting = Array.from(isCut && at === most - 1 ? `${line} …` : line);
    while (fitting.length > 2 && paper.measureText(fitting.join("")).width > width) {
      fitting = [...fitting.slice(0, -2), "…"];
    }
    return fitting.join("");
  });
}
