// What changes something is asked for in a dialog first, and sent as JSON: no other site can make a browser send that.

/** The service's answer to a request that changes something. Raises an error with its refusal. */
export async function confirmed(address, fields) {
  const response = await fetch(address, { method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify(fields) });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.message ?? `The service answered ${response.status}`);
  return answer.message;
}

async function submit(form) {
  const answer = form.querySelector(".answer");
  const button = form.querySelector("[type=submit]");
  if (form.isDone) return form.closest("dialog").close();
  button.disabled = true;
  answer.className = "answer";
  answer.textContent = "…";
  try {
    answer.textContent = await confirmed(form.dataset.action, Object.fromEntries(new FormData(form)));
    form.isDone = true;
    button.textContent = "Close";
    document.dispatchEvent(new Event("trialflow-changed"));
  } catch (error) {
    answer.classList.add("problem");
    answer.textContent = error.message;
  } finally {
    button.disabled = false;
  }
}

for (const form of document.querySelectorAll("form[data-action]")) {
  const button = form.querySelector("[type=submit]");
  const first = button.textContent;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(form);
  });
  form.closest("dialog").addEventListener("close", () => {
    form.isDone = false;
    button.textContent = first;
    form.querySelector(".answer").textContent = "";
  });
}
document.addEventListener("click", (event) => {
  const name = event.target.closest("[data-dialog]")?.dataset.dialog;
  if (name) document.getElementById(`dialog-${name}`).showModal();
  if (event.target.closest("[data-close]")) event.target.closest("dialog").close();
});
// They are there from the beginning, and work from now on.
for (const button of document.querySelectorAll("[data-dialog]")) button.disabled = false;
