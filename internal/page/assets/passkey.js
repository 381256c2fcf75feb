"use strict";
// Signs in or decides with a passkey, or makes one: asks the server for a challenge, the
// browser for an answer, and sends it back. The form says where, and what was pressed
// goes along with its fields.
document.querySelectorAll("form[data-begin]").forEach((form) => {
  const buttons = form.querySelectorAll("[data-passkey]");
  const status = form.querySelector("[role=status]");
  const say = (text) => { status.textContent = text; };
  const more = [];

  if (form.hasAttribute("data-invitation")) {
    more.push(["invitation", location.hash.slice(1)]);
    history.replaceState(null, "", location.pathname); // so that the link is not kept
  }
  if (!window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) {
    say("This browser is too old for passkeys.");
    return;
  }
  say("");
  for (const button of buttons) button.hidden = false;

  const post = async (path, fields) => {
    const response = await fetch(path, { method: "POST", body: new URLSearchParams(fields), headers: { Accept: "application/json" } });
    const answer = await response.json().catch(() => null);
    if (!response.ok || !answer) throw new Error((answer && answer.error) || "The server did not take that. Reload the page and try again.");
    return answer;
  };
  const answerTo = (challenge) => challenge.create
    ? navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(challenge.create) })
    : navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(challenge.get) });

  const use = async (button) => {
    for (const each of buttons) each.disabled = true;
    say("Waiting for the passkey ...");
    try {
      const fields = [...new FormData(form), ...more, [button.name, button.value]];
      const challenge = await post(form.dataset.begin, fields);
      const credential = await answerTo(challenge);
      const done = await post(form.getAttribute("action"), [...fields, ["flow", challenge.flow], ["credential", JSON.stringify(credential.toJSON())]]);
      if (done.next) location.assign(done.next);
      else say(done.shown);
    } catch (error) {
      say(error.name === "NotAllowedError" ? "No passkey was used." : error.message);
      for (const each of buttons) each.disabled = false;
    }
  };
  for (const button of buttons) button.addEventListener("click", () => use(button));
});
