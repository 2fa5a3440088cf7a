/**
 * Files that are chosen or dropped on an element, as {file, name, text}; `take` gets all at once. Of a
 * ticket that was saved as a page the text is the JSON in it.
 */
export function onFiles(area, take) {
  const input = area.querySelector("input[type=file]");
  const read = async (list) => {
    const files = await Promise.all(Array.from(list, async (file) => ({ file, name: file.name, text: ticketIn(await file.text()) })));
    if (files.length) take(files);
  };
  input.addEventListener("change", async () => {
    await read(input.files);
    input.value = ""; // so that the same file can be chosen again
  });
  for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
    area.addEventListener(kind, (event) => {
      event.preventDefault();
      area.classList.toggle("over", kind === "dragenter" || kind === "dragover");
      if (kind === "drop") read(event.dataTransfer.files);
    });
  }
}

function ticketIn(text) {
  return /<script type="application\/json" id="ticket">([^<]+)</.exec(text)?.[1] ?? text;
}
