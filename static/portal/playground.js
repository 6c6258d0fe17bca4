// The playground's page: picks a model, asks, shows the answer as it is written, keeps the conversation.
import { codeFor } from "./code.js";
import { GatewayError, streamCompletion } from "./stream.js";

const root = document.getElementById("playground");
const words = root.dataset;
const byId = (id) => document.getElementById(id);
const [log, ask, question, send, stop, model] = ["log", "ask", "question", "send", "stop", "model"].map(byId);
const spoken = JSON.parse(byId("spoken").textContent);
let conversation = words.conversation;
let running = null;
let credential = { token: "", until: 0 };

const LAST_MODEL = "lumos.playground.model";
const announce = (text) => { byId("announce").textContent = text; };
const post = (address, body) => fetch(address, {
  method: "POST",
  headers: { "content-type": "application/json", "x-csrftoken": words.csrf },
  body: JSON.stringify(body ?? {}),
});

async function browserToken() {
  if (Date.now() < credential.until) return credential.token;
  const response = await post(words.tokenUrl);
  if (!response.ok || response.redirected) throw new GatewayError(words.wordReload, response.status);
  const { token, expires_in: seconds } = await response.json();
  credential = { token, until: Date.now() + (seconds - 30) * 1000 };
  return token;
}

// A reopened conversation keeps its model; otherwise the one used last is taken.
function chooseModel() {
  const last = localStorage.getItem(LAST_MODEL);
  if (!words.model && [...model.options].some((option) => option.value === last)) model.value = last;
}

function requestNow(extra = []) {
  const system = byId("system").value.trim();
  const messages = [...(system ? [{ role: "system", content: system }] : []), ...spoken, ...extra];
  const request = { model: model.value, messages };
  if (byId("temperature").value !== "") request.temperature = Number(byId("temperature").value);
  if (byId("max-tokens").value !== "") request.max_tokens = Number(byId("max-tokens").value);
  return request;
}

function addMessage(role, title) {
  byId("log-empty")?.remove();
  const article = document.createElement("article");
  const heading = document.createElement("h3");
  const text = document.createElement("div");
  article.className = `said said-${role}`;
  heading.textContent = title;
  text.className = "said-text";
  article.append(heading, text);
  log.append(article);
  log.scrollTop = log.scrollHeight;
  return text;
}

function complain(message) {
  const note = document.createElement("p");
  note.className = "said-problem";
  note.setAttribute("role", "alert");
  note.textContent = message;
  log.append(note);
  log.scrollTop = log.scrollHeight;
}

function counter(name, value) {
  root.querySelector(`[data-counter="${name}"]`).textContent = value;
}

const seconds = (milliseconds) => milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;

function isRunning(now) {
  running = now;
  stop.hidden = !now;
  send.disabled = Boolean(now);
  log.setAttribute("aria-busy", String(Boolean(now)));
}

async function submit() {
  const said = question.value.trim();
  if (!said || running || !model.value) return;
  const request = requestNow([{ role: "user", content: said }]);
  addMessage("user", words.wordYou).textContent = said;
  const answer = addMessage("assistant", request.model);
  question.value = "";
  localStorage.setItem(LAST_MODEL, request.model);
  for (const name of ["input", "output", "first", "total", "cost"]) counter(name, "–");
  isRunning(new AbortController());
  const usage = await run(request, answer, running.signal);
  isRunning(null);
  question.focus();
  await finish(request, said, answer.textContent, usage);
}

// Streams into `answer`; returns the usage when the gateway told it. Never throws.
async function run(request, answer, signal) {
  const began = performance.now();
  let first = null;
  const onDelta = (text) => {
    if (first === null) { first = performance.now() - began; counter("first", seconds(first)); }
    const near = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    answer.append(document.createTextNode(text));
    if (near) log.scrollTop = log.scrollHeight;
  };
  let usage = null;
  try {
    const state = await streamCompletion(words.completions, await browserToken(), request, { signal, onDelta });
    usage = state.usage;
    if (!state.finished) complain(words.wordCut);
    else if (!answer.textContent) complain(words.wordEmpty);
    announce(words.wordDone);
  } catch (error) {
    if (error.status === 401) credential = { token: "", until: 0 };
    complain(signal.aborted ? words.wordStopped : error instanceof GatewayError ? error.message : words.wordUnreachable);
  }
  counter("total", seconds(performance.now() - began));
  if (usage) { counter("input", usage.prompt_tokens.toLocaleString()); counter("output", usage.completion_tokens.toLocaleString()); }
  return usage;
}

async function finish(request, said, answered, usage) {
  if (!answered) return;
  const turns = [{ role: "user", content: said }, { role: "assistant", content: answered }];
  spoken.push(...turns);
  showCode();
  const system = request.messages[0].role === "system" ? [request.messages[0]] : [];
  const kept = conversation ? turns : [...system, ...turns];
  try {
    const response = await post(words.keepUrl, { conversation, model: request.model, turns: kept, usage });
    if (!response.ok) throw new Error(String(response.status));
    const facts = await response.json();
    if (facts.cost) counter("cost", facts.cost);
    conversation = facts.id;
    history.replaceState(null, "", `${words.pageUrl}${facts.id}/`);
    const list = await fetch(`${words.historyUrl}?open=${facts.id}`);
    if (list.ok && !list.redirected) byId("history").innerHTML = await list.text();
  } catch {
    complain(words.wordNotKept);
  }
}

function showCode() {
  const chosen = root.querySelector("[data-code][aria-selected='true']").dataset.code;
  const said = question.value.trim();
  const extra = said || !spoken.length ? [{ role: "user", content: said || "Hello" }] : [];
  byId("code-text").firstChild.textContent = codeFor[chosen](words.baseUrl, requestNow(extra));
}

function chooseCode(tab) {
  for (const each of root.querySelectorAll("[data-code]")) {
    each.setAttribute("aria-selected", String(each === tab));
    each.tabIndex = each === tab ? 0 : -1;
  }
  byId("code-box").setAttribute("aria-labelledby", tab.id);
  tab.focus();
  showCode();
}

ask.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
stop.addEventListener("click", () => running?.abort());
question.addEventListener("keydown", (event) => {
  // While an input method composes a character, Enter belongs to it.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); ask.requestSubmit(); }
});
root.addEventListener("input", showCode);
for (const tab of root.querySelectorAll("[data-code]")) {
  tab.addEventListener("click", () => chooseCode(tab));
  tab.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") chooseCode(tab.nextElementSibling ?? tab.previousElementSibling);
  });
}
addEventListener("pagehide", () => running?.abort());
log.scrollTop = log.scrollHeight;
chooseModel();
showCode();
