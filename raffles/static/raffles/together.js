/** Several forms on one page: what is typed into the others is sent along, and so comes back. */
"use strict";

const together = document.querySelectorAll("form[data-together]");
for (const sent of together) {
  sent.addEventListener("formdata", ({ formData }) => {
    for (const other of together) {
      for (const { name, type, value } of other === sent ? [] : other.elements) {
        if (name && type !== "submit" && !formData.has(name)) formData.append(name, value);
      }
    }
  });
}
