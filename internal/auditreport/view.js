"use strict";
// Shows the answer of a tool that the client sends, and asks the client for further pages
// of it and for opening the console. All text is data: nothing of it becomes markup.
(() => {
  const at = (id) => document.getElementById(id);
  const where = at("where"), lead = document.querySelector(".lead"), table = at("table"), more = at("more"), open = at("open");
  const titles = Object.fromEntries(JSON.parse(where.dataset.titles)); // of states, those that need attention first
  const columns = [
    ["State", (r) => (titles[r.state] || r.state) + (r.stale ? ", stale" : "")], ["Company", (r) => r.company], ["Tenant", (r) => r.tenant], ["Partner ID", (r) => r.partner_id],
    ["Partner", (r) => r.partner_name], ["Expected", (r) => r.expected_partner_id], ["Last written", (r) => (r.updated_time || "").split("T")[0]],
    ["Eligible role in", (r) => r.pec_roles && eligible(r.pec_roles)],
    ["Why unknown", (r) => r.problem ? r.problem.message : r.reason],
  ];
  // eligible counts the subscriptions, and says what is not known of them.
  function eligible({ verdicts: v, reason }) {
    const asked = (v.eligible_role || 0) + (v.no_eligible_role || 0) + (v.unlisted_role || 0) + (v.unknown || 0);
    if (reason && asked === 0) return `unknown (${reason})`;
    return `${v.eligible_role || 0} of ${v.subscriptions || 0}` + (v.unknown ? ` (${v.unknown} unknown: ${reason || "see the roles of the tenant"})` : "");
  }
  const verdicts = { eligible_role: "Eligible role", no_eligible_role: "No eligible role", unlisted_role: "A role that is not listed", unknown: "Unknown" };
  const subscriptionColumns = [
    ["Subscription", (s) => s.name || s.subscription_id], ["State", (s) => s.state], ["Verdict", (s) => verdicts[s.verdict] || s.verdict], ["Roles", (s) => (s.roles || []).map((r) => r.role).join(", ")], ["Why", (s) => s.why],
  ];

  // --- messages ---------------------------------------------------------------
  const waiting = new Map();
  let last = 0, host = {}, tool = "", shown = null, rows = [];
  const send = (message) => parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const ask = (method, params) => new Promise((resolve, reject) => {
    waiting.set(++last, { resolve, reject });
    send({ id: last, method, params });
  });
  const known = {
    "ui/notifications/tool-result": (result) => take(result),
    "ui/notifications/tool-cancelled": () => { lead.textContent = "The call was cancelled."; },
    "ui/notifications/host-context-changed": (context) => fit(context),
  };
  addEventListener("message", (event) => {
    const message = event.data;
    if (event.source !== parent || !message || message.jsonrpc !== "2.0") return;
    if (!message.method) {
      const asked = waiting.get(message.id);
      waiting.delete(message.id);
      if (asked && message.error) asked.reject(new Error(String(message.error.message)));
      else if (asked) asked.resolve(message.result);
    } else if (message.id !== undefined) {
      send(message.method === "ping" || message.method === "ui/resource-teardown" ? { id: message.id, result: {} } : { id: message.id, error: { code: -32601, message: "There is no such method." } });
    } else if (Object.hasOwn(known, message.method)) known[message.method](message.params || {});
  });

  // fit follows the client's theme, and learns which tool this is about.
  function fit(context) {
    if (context.theme === "light" || context.theme === "dark") document.documentElement.style.colorScheme = context.theme;
    if (context.toolInfo) tool = context.toolInfo.tool.name;
  }

  // --- what is shown ------------------------------------------------------------
  function element(name, text, attributes = {}) {
    const made = document.createElement(name);
    for (const key of Object.keys(attributes)) made.setAttribute(key, attributes[key]);
    if (text) made.textContent = text;
    return made;
  }

  function take(result) {
    const answer = result.structuredContent;
    if (!answer) return;
    shown = answer;
    lead.textContent = answer.summary || "";
    where.textContent = answer.problem ? [answer.problem.hint, answer.problem.command].filter(Boolean).join(" ") : "";
    if (answer.pec_roles) return subscriptions(answer);
    rows = [];
    totals(answer.totals || {});
    causes(answer.causes || []);
    add(answer);
  }

  function subscriptions(answer) {
    const list = answer.pec_roles.rows || [];
    at("rows-title").textContent = "Subscriptions";
    at("rows").hidden = list.length === 0;
    fill(subscriptionColumns.filter(([, text]) => list.some(text)), list);
    offer(answer);
  }

  function totals(counts) {
    const states = Object.keys(titles).filter((state) => counts[state] > 0), whole = states.reduce((sum, state) => sum + counts[state], 0);
    at("totals").hidden = whole === 0;
    const name = "http://www.w3.org/2000/svg", bar = document.createElementNS(name, "svg");
    bar.setAttribute("class", "bar");
    bar.setAttribute("viewBox", `0 0 ${whole || 1} 1`);
    bar.setAttribute("preserveAspectRatio", "none");
    bar.setAttribute("role", "img");
    bar.setAttribute("aria-label", states.map((state) => `${counts[state]} ${titles[state]}`).join(", "));
    let from = 0;
    for (const state of states) {
      const part = document.createElementNS(name, "rect");
      for (const [key, value] of [["class", `s-${state}`], ["x", from], ["width", counts[state]], ["height", 1]]) part.setAttribute(key, value);
      bar.append(part);
      from += counts[state];
    }
    at("bar").replaceChildren(bar);
    at("chips").replaceChildren(...states.map((state) => {
      const chip = element("button", "", { type: "button", class: `chip s-${state}`, "data-state": state, "aria-pressed": "true" });
      chip.append(element("span", "", { class: "dot", "aria-hidden": "true" }), element("b", String(counts[state])), ` ${titles[state]}`);
      chip.addEventListener("click", () => { chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true")); show(); });
      const item = element("li");
      item.append(chip);
      return item;
    }));
  }

  function causes(list) {
    at("causes").hidden = list.length === 0;
    at("cause-list").replaceChildren(...list.map((cause) => {
      const item = element("li");
      item.append(element("p", `${cause.rows} such as ${cause.example || "-"}: ${cause.message}`), element("p", cause.hint, { class: "note" }));
      if (cause.command) item.append(element("code", cause.command));
      return item;
    }));
  }

  // add takes a page of rows; what all of them have in common is said beside them.
  function add(answer) {
    rows = rows.concat((answer.rows || []).map((row) => ({ ...answer.common, ...row })));
    at("rows").hidden = rows.length === 0;
    fill(columns.filter(([, text]) => rows.some(text)), rows);
    offer(answer);
  }

  function fill(shownColumns, list) {
    const head = element("tr");
    head.append(...shownColumns.map(([title]) => element("th", title, { scope: "col" })));
    table.tHead.replaceChildren(head);
    table.tBodies[0].replaceChildren(...list.map((one) => {
      const line = element("tr", "", one.tenant ? { "data-state": one.state } : {});
      line.append(...shownColumns.map(([title, text]) => {
        const cell = element(title === "Tenant" || title === "Subscription" ? "th" : "td", "", title === "Tenant" || title === "Subscription" ? { scope: "row" } : {});
        if (title === "State" && one.tenant) {
          const tag = element("span", "", { class: `tag s-${one.state}` });
          tag.append(element("span", "", { class: "dot", "aria-hidden": "true" }), text(one));
          cell.append(tag);
        } else cell.textContent = text(one) || "";
        return cell;
      }));
      return line;
    }));
    show();
  }

  function show() {
    const words = at("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const off = new Set([...document.querySelectorAll(".chip[aria-pressed=false]")].map((chip) => chip.dataset.state));
    let count = 0;
    for (const line of table.tBodies[0].rows) {
      const text = line.textContent.toLowerCase();
      line.hidden = off.has(line.dataset.state) || !words.every((word) => text.includes(word));
      if (!line.hidden) count++;
    }
    const all = table.tBodies[0].rows.length;
    at("shown").textContent = (count === all ? `${all} rows` : `${count} of ${all} rows`) + (shown && shown.next_cursor ? ", more are there" : "");
  }

  // offer shows the buttons for what the client can do.
  function offer(answer) {
    more.hidden = !(answer.next_cursor && answer.run_id && host.serverTools);
    open.hidden = !(where.dataset.console && host.openLinks && (answer.run_id || answer.identity));
  }

  more.addEventListener("click", async () => {
    more.disabled = true;
    try {
      const next = await ask("tools/call", { name: tool || "audit_partner_links", arguments: { run_id: shown.run_id, cursor: shown.next_cursor } });
      const answer = next.structuredContent;
      if (next.isError || !answer || !answer.rows) throw new Error(answer && answer.summary || "The client gave no further rows.");
      shown = { ...shown, next_cursor: answer.next_cursor };
      add({ ...answer, run_id: shown.run_id });
    } catch (error) {
      where.textContent = `The next rows did not come: ${error.message}`;
    }
    more.disabled = false;
  });
  open.addEventListener("click", async () => {
    const path = shown.run_id ? `audits/${encodeURIComponent(shown.run_id)}` : `customers/${encodeURIComponent(shown.identity.tenant)}`;
    const done = await ask("ui/open-link", { url: where.dataset.console + path }).catch(() => ({ isError: true }));
    if (done && done.isError) where.textContent = `The client did not open ${where.dataset.console}${path}`;
  });
  at("filter").addEventListener("input", show);

  new ResizeObserver(() => {
    const { width, height } = document.documentElement.getBoundingClientRect();
    send({ method: "ui/notifications/size-changed", params: { width: Math.ceil(width), height: Math.ceil(height) } });
  }).observe(document.documentElement);

  ask("ui/initialize", { protocolVersion: "2026-01-26", appInfo: { name: "mcp-partner", version: where.dataset.program }, appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] } }).then((answered) => {
    host = answered.hostCapabilities || {};
    fit(answered.hostContext || {});
    send({ method: "ui/notifications/initialized" });
  }).catch(() => { lead.textContent = "The client did not accept this view. Its answer as text says the same."; });
})();
