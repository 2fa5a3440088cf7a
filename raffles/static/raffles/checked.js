/** A table that was checked: what is done is what was checked, so a change has to be checked too. */
"use strict";

const checked = document.getElementById("checked");
if (checked) {
  document.getElementById("change").addEventListener("input", () => {
    checked.querySelector("[role=status]").hidden = false;
    for (const button of checked.querySelectorAll("[type=submit]")) button.disabled = true;
  });
}
