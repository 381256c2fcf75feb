// The tests themselves: each variant of client and transport runs all of them
// against a server of its own.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";

import { accept, cancel, connect, decline, variants } from "./connect.mjs";
import { judgeOf } from "./schemas.mjs";
import { binary, serveHTTP } from "./server.mjs";

assert.ok(binary, "CLIENTS_BINARY is not set; start this with: node run.mjs path/to/mcp-partner");

const toolNames = JSON.parse(execFileSync(binary, ["tools", "--json"], { encoding: "utf8" })).tools.map((tool) => tool.name).sort();
const tenant = "contoso";
const ours = "1234567";
const other = "7654321";

for (const variant of variants) {
  describe(variant.name, { timeout: 120_000 }, () => {
    let c;
    let judge;

    // ask calls a tool, answering forms in order, and judges what came back.
    async function ask(name, args, ...answers) {
      c.person.answers = answers;
      c.person.asked = [];
      const envelope = judge.result(name, await c.call(name, args));
      assert.equal(c.person.answers.length, 0, `${c.person.answers.length} forms were not shown`);
      return envelope;
    }

    async function linked() {
      const { status, link } = await ask("check_partner_link", { tenant });
      assert.equal(status, "done");
      return link.partner_id ?? null;
    }

    before(async () => {
      c = await connect(variant);
      judge = await judgeOf(c.client);
    });

    after(async () => {
      assert.equal(await c.end(), 0);
    });

    test("negotiates its era, and is told what this is", () => {
      if (c.client.getProtocolEra) assert.equal(c.client.getProtocolEra(), variant.era);
      assert.match(c.client.getInstructions(), /belongs to one identity in one tenant/);
      assert.equal(c.client.getServerVersion().name, "mcp-partner");
    });

    test("lists all tools, with every hint", () => {
      assert.deepEqual(judge.tools.map((tool) => tool.name).sort(), toolNames);
      for (const { name, title, description, annotations, inputSchema } of judge.tools) {
        assert.ok(title && description && inputSchema, name);
        for (const hint of ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"]) {
          assert.equal(typeof annotations[hint], "boolean", `${name} ${hint}`);
        }
      }
    });

    test("calls every reading tool", async () => {
      const tenants = await ask("list_tenants", {});
      assert.deepEqual(tenants.tenants.map((row) => row.name).sort(), ["adventure-works", "contoso", "fabrikam"]);
      assert.ok((await ask("list_tenants", { discover: true, tenant })).tenants.some((row) => row.category === "Home"));
      const page = await ask("list_tenants", { limit: 2 });
      assert.equal(page.tenants.length, 2);
      assert.equal((await ask("list_tenants", { limit: 2, cursor: page.next_cursor })).tenants.length, 1);
      assert.ok((await ask("list_provider_operations", { tenant })).operations.length > 0);
      const audit = await ask("audit_partner_links", { expected_partner_id: ours });
      assert.equal(audit.rows.length, 3);
      for (const { name } of tenants.tenants) {
        const { status, link, identity } = await ask("check_partner_link", { tenant: name });
        assert.equal(status, "done");
        assert.equal(identity.tenant, name);
        const asked = await ask("check_partner_link", { tenant: name, partner_id: link.partner_id ?? ours });
        assert.equal(asked.link.matches, link.state === "linked");
      }
      const found = await ask("find_partner_tool", { query: "register 1234567 at Fabrikam" });
      assert.equal(found.matches[0].tool, "register_partner");
      assert.ok(judge.accepts("register_partner", found.matches[0].arguments), JSON.stringify(found.matches[0].arguments));
      assert.equal(found.out_of_scope, null);
      const elsewhere = await ask("find_partner_tool", { query: "what did contoso spend last month?" });
      assert.ok(elsewhere.matches.every(({ confidence }) => confidence === "low"), JSON.stringify(elsewhere.matches));
      assert.ok(elsewhere.out_of_scope.use_instead.length > 0, JSON.stringify(elsewhere));
    });

    test("says where roles are eligible, subscription by subscription", async () => {
      const { status, summary, pec_roles: roles, next_cursor: next } = await ask("check_pec_roles", { tenant, limit: 1 });
      assert.equal(status, "done", summary);
      assert.equal(roles.rows.length, 1);
      assert.equal(roles.list_date, "2020-12");
      assert.equal(Boolean(next), roles.verdicts.subscriptions > 1);
      for (const row of roles.rows) {
        assert.match(row.verdict, /^(eligible_role|no_eligible_role|unlisted_role|unknown)$/);
        assert.ok(row.why);
      }
      assert.doesNotMatch(JSON.stringify(roles) + summary, /\bearns|paid/);
      const id = roles.rows[0].subscription_id;
      assert.equal((await ask("check_pec_roles", { tenant, subscriptions: [id] })).pec_roles.rows[0].subscription_id, id);
      assert.equal((await ask("check_pec_roles", { tenant, subscriptions: ["Sandbox"] })).problem.code, "invalid_argument");
    });

    test("mistakes are refused with a code, and nobody is asked", async () => {
      const mistakes = [
        ["check_partner_link", { tennant: tenant }, "unknown_argument"],
        ["check_partner_link", { tenant: "nobody" }, "unknown_tenant"],
        ["check_partner_link", {}, "tenant_required"],
        ["register_partner", { tenant, partner_id: "12" }, "invalid_partner_id"],
        ["register_partner", { tenant, partner_id: 1234567 }, "invalid_partner_id"],
        ["register_partner", { tenant }, "invalid_argument"],
        ["list_tenants", { limit: 0 }, "invalid_argument"],
        ["register_partner", { tenant, partner_id: ours, approval_id: "none-such" }, null],
      ];
      for (const [name, args, code] of mistakes) {
        const { status, problem } = await ask(name, args);
        assert.equal(status, "refused", `${name} ${JSON.stringify(args)}`);
        if (code) assert.equal(problem.code, code, `${name} ${JSON.stringify(args)}: ${problem.message}`);
      }
    });

    test("resources and templates", async () => {
      const { resources } = await c.client.listResources();
      assert.deepEqual(resources.map((resource) => resource.uri).sort(), ["partner://docs/pal", "partner://openapi", "partner://pec/reconcile", "partner://tenants"]);
      const { resourceTemplates: templates } = await c.client.listResourceTemplates();
      assert.deepEqual(templates.map((template) => template.uriTemplate).sort(), ["partner://schemas/{tool}", "partner://tenants/{tenant}/link"]);
      const read = async (uri) => {
        const { contents } = await c.client.readResource({ uri });
        assert.equal(contents.length, 1);
        assert.equal(contents[0].uri, uri);
        return contents[0];
      };
      assert.match((await read("partner://docs/pal")).text, /Partner Admin Link/);
      assert.equal(JSON.parse((await read("partner://openapi")).text).openapi, "3.1.0");
      judge.envelope("list_tenants", JSON.parse((await read("partner://tenants")).text));
      const link = JSON.parse((await read(`partner://tenants/${tenant}/link`)).text);
      judge.envelope("check_partner_link", link);
      assert.equal(link.identity.tenant, tenant);
      await assert.rejects(c.client.readResource({ uri: "partner://nothing" }));
      await assert.rejects(c.client.readResource({ uri: "partner://schemas/no_such_tool" }));
    });

    test("prompts, with completion of tenants", async () => {
      const { prompts } = await c.client.listPrompts();
      assert.deepEqual(prompts.map((prompt) => prompt.name).sort(), ["audit_links", "claim_tenant", "compliance_check", "reseller_transition"]);
      const values = { tenant, partner_id: ours, from: other, to: ours };
      for (const prompt of prompts) {
        const args = Object.fromEntries(prompt.arguments.map(({ name }) => [name, values[name]]));
        const { messages } = await c.client.getPrompt({ name: prompt.name, arguments: args });
        for (const value of Object.values(args)) assert.ok(messages[0].content.text.includes(value), `${prompt.name}: ${value}`);
        for (const { name, required } of prompt.arguments) {
          const without = { ...args };
          delete without[name];
          if (required) await assert.rejects(c.client.getPrompt({ name: prompt.name, arguments: without }), new RegExp(name));
        }
      }
      const complete = async (ref, name, value) => (await c.client.complete({ ref, argument: { name, value } })).completion.values;
      assert.deepEqual(await complete({ type: "ref/prompt", name: "claim_tenant" }, "tenant", "con"), ["contoso"]);
      assert.deepEqual(await complete({ type: "ref/prompt", name: "claim_tenant" }, "tenant", "zz"), []);
      assert.deepEqual(await complete({ type: "ref/resource", uri: "partner://tenants/{tenant}/link" }, "tenant", "FAB"), ["fabrikam"]);
      assert.deepEqual(await complete({ type: "ref/resource", uri: "partner://schemas/{tool}" }, "tool", "check"), ["check_partner_link", "check_pec_roles"]);
    });

    test("an unknown tool and an unknown prompt are errors", async () => {
      await assert.rejects(c.client.getPrompt({ name: "no_such_prompt", arguments: {} }));
      await c.call("no_such_tool", {}).then((result) => assert.equal(result.isError, true), (err) => assert.ok(err.code < 0, String(err)));
    });

    if (variant.asks) {
      test("a write happens only after the right answer to the question", async () => {
        const start = await linked();
        if (start) assert.equal((await ask("remove_partner", { tenant, partner_id: start }, accept(tenant))).status, "done");

        for (const no of [decline, cancel, accept("yes"), accept(""), accept(other), accept(`${ours} `)]) {
          const { status, problem } = await ask("register_partner", { tenant, partner_id: ours }, no);
          assert.deepEqual([status, problem.code], ["refused", "approval_declined"], JSON.stringify(no));
        }
        assert.equal(await linked(), null);

        const registered = await ask("register_partner", { tenant, partner_id: ours, reason: "test" }, accept(ours));
        assert.equal(registered.status, "done", registered.summary);
        assert.equal(registered.after.partner_id, ours);
        assert.equal(await linked(), ours);
        assert.equal((await ask("register_partner", { tenant, partner_id: ours })).status, "unchanged");
        const over = await ask("register_partner", { tenant, partner_id: other });
        assert.deepEqual([over.status, over.problem.code, over.problem.next_tool], ["refused", "already_linked", "update_partner"]);

        const stale = await ask("update_partner", { tenant, partner_id: other, expected_current_partner_id: "999999" });
        assert.deepEqual([stale.status, stale.problem.code], ["refused", "current_partner_mismatch"]);
        assert.equal((await ask("update_partner", { tenant, partner_id: other }, accept(ours))).status, "refused");
        const updated = await ask("update_partner", { tenant, partner_id: other, expected_current_partner_id: ours }, accept(other));
        assert.deepEqual([updated.status, updated.before.partner_id, updated.after.partner_id], ["done", ours, other]);

        assert.equal((await ask("remove_partner", { tenant, partner_id: other }, accept(other))).status, "refused");
        assert.equal(await linked(), other);
        const removed = await ask("remove_partner", { tenant, partner_id: other }, accept(tenant));
        assert.equal(removed.status, "done", removed.summary);
        assert.equal((await ask("remove_partner", { tenant, partner_id: other })).status, "unchanged");
        assert.equal(await linked(), null);
      });

      test("the question names what would happen and where", async () => {
        await ask("register_partner", { tenant, partner_id: ours }, decline);
        const [form] = c.person.asked;
        assert.ok(form.message.includes(ours) && form.message.includes(tenant), form.message);
        assert.deepEqual(Object.keys(form.requestedSchema.properties), ["confirmation"]);
        assert.equal(form.requestedSchema.properties.confirmation.type, "string");
      });

      test("progress of a write arrives in order, up to its end", async () => {
        c.person.answers = [accept(ours)];
        c.progress.length = 0;
        const heard = [];
        const result = await c.call("register_partner", { tenant, partner_id: ours }, { onprogress: ({ progress }) => heard.push(progress) });
        assert.equal(judge.result("register_partner", result).status, "done");
        // The rounds of a 2026-07-28 call each have progress of their own.
        const lastRound = c.progress.slice(c.progress.findLastIndex(({ progress }) => progress === 1));
        assert.deepEqual(lastRound.map(({ progress }) => progress), [1, 2, 3, 4], JSON.stringify(c.progress));
        assert.ok(c.progress.every(({ total, message }) => total === 4 && message));
        assert.equal(heard[0], 1);
        assert.equal((await ask("remove_partner", { tenant, partner_id: ours }, accept(tenant))).status, "done");
      });
    } else {
      test("a write waits for a person elsewhere", async () => {
        const before = await linked();
        const id = before === other ? ours : other;
        const name = before ? "update_partner" : "register_partner";
        const waiting = await ask(name, { tenant, partner_id: id });
        assert.equal(waiting.status, "approval_required");
        assert.match(waiting.approval.how, /This simulation runs in one process/); // nobody elsewhere can approve there
        const again = await ask(name, { tenant, partner_id: id, approval_id: waiting.approval.id });
        assert.deepEqual([again.status, again.approval.id], ["approval_required", waiting.approval.id]);
        const { status, approval } = await ask("get_approval", { approval_id: waiting.approval.id });
        assert.deepEqual([status, approval.id, approval.state], ["done", waiting.approval.id, "pending"]);
        assert.equal(await linked(), before);
      });

      test("progress arrives on the call's own stream", async () => {
        const id = (await linked()) === other ? ours : other;
        c.progress.length = 0;
        await c.call("update_partner", { tenant, partner_id: id }, { onprogress: () => {} });
        assert.deepEqual(c.progress.map(({ progress }) => progress), [1, 2]);
      });
    }

    test("forty calls at once each get their own answer", async () => {
      const names = ["contoso", "fabrikam", "adventure-works"];
      const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => c.call("check_partner_link", { tenant: names[i % 3] })));
      answers.forEach((answer, i) => assert.equal(judge.result("check_partner_link", answer).identity.tenant, names[i % 3]));
    });
  });

  describe(`${variant.name}, without elicitation`, { timeout: 60_000 }, () => {
    test("approval_required, and nothing is written", async () => {
      const c = await connect(variant, { elicits: false });
      try {
        const judge = await judgeOf(c.client);
        const state = async () => judge.result("check_partner_link", await c.call("check_partner_link", { tenant })).link;
        const before = await state();
        const [name, id] = before.partner_id ? ["remove_partner", before.partner_id] : ["register_partner", ours];
        const waiting = judge.result(name, await c.call(name, { tenant, partner_id: id }));
        assert.equal(waiting.status, "approval_required");
        assert.match(waiting.approval.how, /This simulation runs in one process/);
        assert.deepEqual(await state(), before);
      } finally {
        await c.end();
      }
    });
  });
}

describe("HTTP", { timeout: 60_000 }, () => {
  const initialize = JSON.stringify({
    jsonrpc: "2.0", id: 1, method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } },
  });
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };

  test("the bearer is needed, and foreign origins are refused", async () => {
    const server = await serveHTTP();
    try {
      const left = Date.parse(server.expiresAt) - Date.now();
      assert.ok(left > 23 * 3_600_000 && left <= 24 * 3_600_000, server.expiresAt);
      const post = (more) => fetch(server.url, { method: "POST", headers: { ...headers, ...more }, body: initialize });
      const authorization = `Bearer ${server.token}`;
      const none = await post({});
      assert.equal(none.status, 401);
      assert.match(none.headers.get("www-authenticate"), /^Bearer/);
      assert.equal((await post({ authorization: `Bearer ${server.token}x` })).status, 401);
      assert.equal((await post({ authorization, origin: "https://evil.example" })).status, 403);
      const served = await post({ authorization });
      assert.equal(served.status, 200);
      assert.equal(served.headers.get("mcp-session-id"), null);
      await served.text();
    } finally {
      assert.equal(await server.end(), 0);
    }
  });
});
