// Small things on every page: the menu on narrow screens, copy buttons, questions before deleting, pausing updates.
"use strict";

function announce(text) {
  const region = document.getElementById("announce");
  if (!region) return;
  region.textContent = "";
  requestAnimationFrame(() => { region.textContent = text; });
}

async function copyFrom(button) {
  const source = document.querySelector(button.dataset.copy);
  const words = document.body.dataset;
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    say(button, words.copied);
  } catch {
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    // The clipboard API is closed on plain http; the old command still works there.
    say(button, document.execCommand("copy") ? words.copied : words.copyFailed);
  }
}

function say(button, text) {
  announce(text);
  const label = button.lastChild;
  if (!button.dataset.label) button.dataset.label = label.textContent;
  label.textContent = text;
  clearTimeout(Number(button.dataset.timer));
  button.dataset.timer = String(setTimeout(() => { label.textContent = button.dataset.label; }, 2000));
}

function toggleMenu(button, open) {
  button.setAttribute("aria-expanded", String(open));
  document.body.classList.toggle("menu-open", open);
}

function togglePause(button) {
  const paused = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(paused));
  const other = button.dataset.pausedLabel;
  button.dataset.pausedLabel = button.textContent;
  button.textContent = other;
}

// The minutes of an operator's visit, and the page that says it is over once they are gone.
function countDown(banner) {
  const left = Date.parse(banner.dataset.visitEnds) - Date.now();
  if (left <= 0) { setTimeout(() => location.reload(), 5000); return; }
  const words = banner.querySelector("[data-visit-left]");
  const minutes = Math.floor(left / 60000);
  words.textContent = words.textContent.replace(/\d+/, String(minutes || 1));
  setTimeout(countDown, 15000, banner);
}

document.querySelectorAll("[data-visit-ends]").forEach(countDown);

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.copy) copyFrom(button);
  if ("menu" in button.dataset) toggleMenu(button, button.getAttribute("aria-expanded") !== "true");
  if ("pause" in button.dataset) togglePause(button);
});

document.addEventListener("keydown", (event) => {
  const button = document.querySelector("[data-menu]");
  if (event.key === "Escape" && button && button.getAttribute("aria-expanded") === "true") {
    toggleMenu(button, false);
    button.focus();
  }
});

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

// Regular updates rest while nobody looks or while they are paused.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.detail.elt.matches("[data-poll]")) return;
  const paused = document.querySelector("[data-pause][aria-pressed='true']");
  if (document.hidden || paused) event.preventDefault();
});
