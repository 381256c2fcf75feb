"use strict";
// Signs in with a passkey, or makes one: asks the server for a challenge, the browser for
// an answer, and sends it back. The form says where.
(() => {
  const form = document.querySelector("form[data-begin]");
  const button = document.getElementById("passkey");
  const status = document.getElementById("passkey-status");
  const say = (text) => { status.textContent = text; };
  const fields = new FormData(form);

  if (form.hasAttribute("data-invitation")) {
    fields.set("invitation", location.hash.slice(1));
    history.replaceState(null, "", location.pathname); // so that the link is not kept
  }
  if (!window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) {
    say("This browser is too old for passkeys.");
    return;
  }
  say("");
  button.hidden = false;

  const post = async (path, more) => {
    const body = new URLSearchParams([...fields, ...Object.entries(more)]);
    const response = await fetch(path, { method: "POST", body, headers: { Accept: "application/json" } });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.error || "The server did not take that. Reload the page and try again.");
    return answer;
  };
  const answerTo = (challenge) => challenge.create
    ? navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(challenge.create) })
    : navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(challenge.get) });

  button.addEventListener("click", async () => {
    button.disabled = true;
    say("Waiting for the passkey ...");
    try {
      const challenge = await post(form.dataset.begin, {});
      const credential = await answerTo(challenge);
      const done = await post(form.getAttribute("action"), { flow: challenge.flow, credential: JSON.stringify(credential.toJSON()) });
      location.assign(done.next);
    } catch (error) {
      say(error.name === "NotAllowedError" ? "No passkey was used." : error.message);
      button.disabled = false;
    }
  });
})();
