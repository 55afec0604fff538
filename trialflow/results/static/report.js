// The report: unpacks its data and plotly, and draws. Nothing is fetched.

async function unpacked(id) {
  const bytes = Uint8Array.from(atob(document.getElementById(id).textContent.trim()), (one) => one.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function save(name, text, type) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function show() {
  const data = JSON.parse(await unpacked("data"));
  const script = document.createElement("script");
  script.textContent = await unpacked("plotly");
  document.head.append(script);
  const byGroup = (group, choice) => data.pictures.find((one) => one.group === group && one.choice === choice);
  const gallery = new Gallery(document.querySelector("[data-pictures]"), data.themes, {
    choose: (group, choice) => gallery.show([byGroup(group, choice)], data.choices),
  });
  const groups = [...new Set(data.pictures.map((one) => one.group))];
  gallery.show(groups.map((group) => data.pictures.find((one) => one.group === group)), data.choices);
  const name = `experiment-${data.experiment.id}`;
  const csv = () => `${data.table.map((row) => row.map(cell).join(",")).join("\n")}\n`;
  document.getElementById("save-csv").addEventListener("click", () => save(`${name}.csv`, csv(), "text/csv"));
  document.getElementById("save-json").addEventListener("click", () => save(`${name}.json`, JSON.stringify(data.experiment, null, 2), "application/json"));
  document.getElementById("buttons").hidden = false;
  window.report = data.experiment;
}

show().catch((error) => {
  const place = document.querySelector("[data-pictures]");
  place.textContent = `The pictures cannot be drawn in this browser (${error.message}); one from 2023 or later can.`;
  place.className = "card";
});
