// Passkeys: <form data-passkey="get|create" data-refused="words">. Asks the form's address for a challenge, lets the
// browser answer it, and sends the answer as the form's field `credential`.
"use strict";

const ceremonies = {
  create: (publicKey) => navigator.credentials.create({
    publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey),
  }),
  get: (publicKey) => navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
  }),
};
const able = Boolean(window.PublicKeyCredential && PublicKeyCredential.parseRequestOptionsFromJSON);

async function begin(form) {
  const body = new URLSearchParams({ begin: "1", csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value });
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(String(answer.status));
  return (await answer.json()).publicKey;
}

async function perform(form) {
  const status = form.querySelector("[data-passkey-status]");
  status.textContent = "";
  try {
    const credential = await ceremonies[form.dataset.passkey](await begin(form));
    form.elements.credential.value = JSON.stringify(credential.toJSON());
    form.submit();
  } catch {
    status.textContent = form.dataset.refused;
  }
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.hidden = !able;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    perform(form);
  });
}
