// Copy buttons of the operators' pages: <button data-copy="#id">, with a label that says when it is done.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const text = document.querySelector(button.dataset.copy).textContent.trim();
  const label = button.querySelector("[data-copy-label]") || button;
  const select = () => getSelection().selectAllChildren(document.querySelector(button.dataset.copy));
  const done = () => { label.textContent = label.dataset.done || "✓"; };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, select);
  else select();
});

// How old the live figures are: counts up each second, warns when the server has not answered for a while.
(() => {
  const line = document.querySelector("[data-age-of]");
  if (!line) return;
  const source = document.querySelector(line.dataset.ageOf);
  const STALE = 30;
  let heard = Date.now();
  source.addEventListener("htmx:afterSwap", () => { heard = Date.now(); });
  const tell = () => {
    const seconds = Math.round((Date.now() - heard) / 1000);
    const stale = seconds >= STALE && !window.lumosPaused && !document.hidden;
    line.textContent = (stale ? line.dataset.stale : line.dataset.template).replace("%s", seconds);
    line.classList.toggle("lumos-warn", stale);
  };
  tell();
  setInterval(tell, 1000);
})();
