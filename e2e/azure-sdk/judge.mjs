// The tests themselves. Every test takes tenants that no other test uses.
import assert from "node:assert/strict";
import { test } from "node:test";

import { AuthorizationManagementClient } from "@azure/arm-authorization";
import { ACEProvisioningManagementPartnerAPI } from "@azure/arm-managementpartner";
import { SubscriptionClient } from "@azure/arm-resources-subscriptions";

const ready = JSON.parse(process.env.SIMULATOR_READY);
const unused = [...ready.tenants];
const contract = "2018-02-01";
const partnersURL = `${ready.arm_endpoint}/providers/Microsoft.ManagementPartner/partners`;

function takeTenant() {
  const tenant = unused.shift();
  assert.ok(tenant, "the simulator has too few tenants for these tests");
  return tenant;
}

async function requestToken(tenant, change = {}) {
  const form = {
    grant_type: "client_credentials", client_id: ready.client_id, client_secret: ready.client_secret,
    scope: `${ready.audience}/.default`, ...change,
  };
  const authority = ready.authority.replace(/\/$/, "");
  return fetch(`${authority}/${tenant}/oauth2/v2.0/token`, { method: "POST", body: new URLSearchParams(form) });
}

async function signIn(tenant) {
  const res = await requestToken(tenant.tenant_id);
  const body = await res.json();
  assert.equal(res.status, 200, JSON.stringify(body));
  return body;
}

// credentialFor signs in for real each time; the SDK keeps the token.
function credentialFor(tenant) {
  return {
    async getToken(scopes) {
      assert.deepEqual([scopes].flat(), [`${ready.audience}/.default`]);
      const body = await signIn(tenant);
      return { token: body.access_token, expiresOnTimestamp: Date.now() + body.expires_in * 1000 };
    },
  };
}

function clientFor(credential, options = {}) {
  return new ACEProvisioningManagementPartnerAPI(credential, {
    endpoint: ready.arm_endpoint, $host: ready.arm_endpoint, credentialScopes: `${ready.audience}/.default`,
    retryOptions: { maxRetries: 0 }, ...options,
  });
}

// unlinked gives a client for a tenant that has no link now.
async function unlinked() {
  const tenant = takeTenant();
  const client = clientFor(credentialFor(tenant));
  if (tenant.partner_id) await client.partner.delete(tenant.partner_id);
  return { tenant, client };
}

// fails expects a RestError of a status, with one of the provider's shapes and
// the IDs that support asks for. It returns the error's code.
async function fails(promise, status) {
  let body;
  await assert.rejects(promise, (err) => {
    assert.equal(err.name, "RestError", String(err));
    assert.equal(err.statusCode, status, `${err.statusCode} ${err.response?.bodyAsText}`);
    assert.match(err.response.headers.get("x-ms-request-id"), /^[0-9a-f-]{36}$/);
    body = JSON.parse(err.response.bodyAsText);
    return true;
  });
  const { code, message } = body.error ?? body;
  assert.equal(typeof message, "string");
  return code;
}

// raw keeps what the deserialiser leaves out.
async function raw(call) {
  let response;
  const value = await call({ onResponse: (r) => { response = r; } });
  return { value, status: response.status, body: response.bodyAsText, headers: response.headers };
}

test("a link's whole life: create, list, get, update, delete, create again", async () => {
  const { tenant, client } = await unlinked();
  const created = await raw((o) => client.partner.create("1234567", o));
  assert.equal(created.status, 200);
  const first = created.value;
  assert.equal(first.partnerId, "1234567");
  assert.equal(first.tenantId, tenant.tenant_id);
  assert.equal(first.objectId, tenant.object_id);
  assert.equal(first.state, "Active");
  assert.equal(first.name, "1234567");
  assert.equal(first.id, "/providers/microsoft.managementpartner/partners/1234567");
  assert.equal(first.type, "Microsoft.ManagementPartner/partners");
  assert.ok(first.partnerName.length > 0);
  assert.ok(Number.isInteger(first.version));
  assert.equal(first.etag, first.version);
  assert.ok(first.createdTime instanceof Date && !Number.isNaN(first.createdTime.valueOf()));
  assert.match(JSON.parse(created.body).properties.updatedTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/);

  assert.deepEqual(await client.partners.get(), first);
  assert.deepEqual(await client.partner.get("1234567"), first);

  const moved = await client.partner.update("7654321");
  assert.equal(moved.partnerId, "7654321");
  assert.equal(moved.version, first.version + 1);
  assert.deepEqual(moved.createdTime, first.createdTime);

  const deleted = await raw((o) => client.partner.delete("7654321", o));
  assert.equal(deleted.status, 200);
  assert.ok(!deleted.body);
  assert.equal(deleted.headers.get("content-type"), undefined);
  assert.equal(await fails(client.partners.get(), 404), "NotFound");
  assert.equal(await fails(client.partner.get("7654321"), 404), "NotFound");

  const again = await client.partner.create("1234567");
  assert.equal(again.version, first.version + 3, "a DELETE takes a version too");
  assert.deepEqual(again.createdTime, first.createdTime, "createdTime survives a DELETE");
});

test("create over a link is a conflict, whatever the ID", async () => {
  const { client } = await unlinked();
  const before = await client.partner.create("1234567");
  for (const id of ["7654321", "1234567"]) {
    assert.match(await fails(client.partner.create(id), 409), /^(Conflict|PartnerIdAlreadyLinked)$/);
  }
  assert.deepEqual(await client.partners.get(), before);
});

test("update and delete without a link, or with another ID, are 404", async () => {
  const { client } = await unlinked();
  assert.equal(await fails(client.partner.update("1234567"), 404), "NotFound");
  assert.equal(await fails(client.partner.delete("1234567"), 404), "NotFound");
  const before = await client.partner.create("1234567");
  assert.equal(await fails(client.partner.delete("7654321"), 404), "NotFound");
  assert.equal(await fails(client.partner.get("7654321"), 404), "NotFound");
  assert.deepEqual(await client.partners.get(), before);
});

test("a malformed ID and an unknown api-version are 400", async () => {
  const { tenant, client } = await unlinked();
  for (const call of ["get", "create", "update", "delete"]) {
    assert.equal(await fails(client.partner[call]("12x"), 400), "BadRequest");
  }
  const old = clientFor(credentialFor(tenant), { apiVersion: "2017-01-01" });
  assert.equal(await fails(old.partners.get(), 400), "NoRegisteredProviderFound");
  const { access_token: token } = await signIn(tenant);
  const none = await fetch(partnersURL, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(none.status, 400);
  assert.equal((await none.json()).error.code, "MissingApiVersionParameter");
});

test("a bad token is 401, and writes nothing", async () => {
  const { tenant, client } = await unlinked();
  const bad = clientFor({ getToken: async () => ({ token: "not.a.token", expiresOnTimestamp: Date.now() + 3_600_000 }) });
  assert.equal(await fails(bad.partner.create("1234567"), 401), "InvalidAuthenticationToken");
  assert.equal(await fails(client.partners.get(), 404), "NotFound");

  const foreign = await (await requestToken(tenant.tenant_id, { scope: "https://graph.microsoft.com/.default" })).json();
  const graph = clientFor({ getToken: async () => ({ token: foreign.access_token, expiresOnTimestamp: Date.now() + 3_600_000 }) });
  assert.equal(await fails(graph.partners.get(), 401), "InvalidAuthenticationTokenAudience");
});

test("429 carries Retry-After, and the SDK's own retry gets through", async () => {
  const tenant = takeTenant();
  const client = clientFor(credentialFor(tenant));
  const read = () => client.operation.list().byPage().next().then(() => null, (err) => err);
  const errors = (await Promise.all(Array.from({ length: 90 }, read))).filter(Boolean);
  assert.ok(errors.length > 0, "90 reads at once did not empty a bucket of 30");
  for (const err of errors) {
    assert.equal(err.statusCode, 429);
    assert.ok(Number.parseInt(err.response.headers.get("retry-after"), 10) >= 1);
    assert.equal(err.response.headers.get("x-ms-ratelimit-remaining-tenant-reads"), "0");
  }
  const patient = clientFor(credentialFor(tenant), { retryOptions: { maxRetries: 3 } });
  const before = Date.now();
  await Promise.all(Array.from({ length: 40 }, () => patient.operation.list().byPage().next()));
  assert.ok(Date.now() - before >= 900, "nobody waited");
});

test("operations come in pages", async () => {
  const client = clientFor(credentialFor(takeTenant()));
  let pages = 0;
  const paged = [];
  for await (const page of client.operation.list().byPage()) {
    pages++;
    paged.push(...page);
  }
  const all = [];
  for await (const operation of client.operation.list()) all.push(operation);
  assert.ok(pages > 1);
  assert.deepEqual(all, paged);
  for (const verb of ["read", "write", "delete"]) {
    assert.ok(all.some((o) => o.name === `Microsoft.ManagementPartner/partners/${verb}` && o.display.provider), verb);
  }
});

test("a link belongs to the tenant of the token", async () => {
  const [a, b] = [await unlinked(), await unlinked()];
  await a.client.partner.create("1234567");
  assert.equal(await fails(b.client.partners.get(), 404), "NotFound");
  const { access_token: token } = await signIn(b.tenant);
  const own = await fetch(`${ready.arm_endpoint}/tenants?api-version=2022-12-01`, { headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual((await own.json()).value.map((t) => t.tenantId), [b.tenant.tenant_id]);
  const slash = await fetch(`${partnersURL}/?api-version=${contract}`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(slash.status, 404);
});

test("the token endpoint refuses as documented", async () => {
  const { tenant_id: id } = takeTenant();
  const cases = [
    [id, { client_secret: "wrong" }, 401, "invalid_client", 7000215],
    [id, { client_id: "00000000-0000-4000-8000-000000000000" }, 400, "unauthorized_client", 700016],
    ["00000000-0000-4000-8000-000000000000", {}, 400, "invalid_request", 90002],
  ];
  for (const [tenant, change, status, error, code] of cases) {
    const res = await requestToken(tenant, change);
    const body = await res.json();
    assert.deepEqual([res.status, body.error, body.error_codes], [status, error, [code]]);
    assert.match(body.error_description, new RegExp(`^AADSTS${code}: .*Trace ID: ${body.trace_id} Correlation ID: ${body.correlation_id}`));
  }
});

// listed collects all rows of a list of Microsoft's clients.
async function listed(list) {
  const rows = [];
  for await (const row of list) rows.push(row);
  return rows;
}

test("subscriptions and roles, as Microsoft's clients for them read them", async () => {
  const tenant = takeTenant();
  const options = { endpoint: ready.arm_endpoint, $host: ready.arm_endpoint, credentialScopes: `${ready.audience}/.default`, retryOptions: { maxRetries: 0 } };
  const credential = credentialFor(tenant);
  const subscriptions = await listed(new SubscriptionClient(credential, options).subscriptions.list());
  assert.ok(subscriptions.length > 0);
  for (const { subscriptionId, displayName, state, tenantId } of subscriptions) {
    assert.deepEqual([state, tenantId], ["Enabled", tenant.tenant_id]);
    assert.ok(displayName);
    const client = new AuthorizationManagementClient(credential, subscriptionId, options);
    const definitions = await listed(client.roleDefinitions.list(`subscriptions/${subscriptionId}`));
    assert.ok(definitions.some((role) => role.roleName === "Owner" && role.roleType === "BuiltInRole"));
    const filter = `assignedTo('${tenant.object_id}')`;
    const assignments = await listed(client.roleAssignments.listForSubscription({ filter })).catch((error) => {
      assert.deepEqual([error.statusCode, error.code], [403, "AuthorizationFailed"]);
      return [];
    });
    for (const { roleDefinitionId, principalId, scope, createdOn } of assignments) {
      assert.ok(roleDefinitionId && principalId && scope.startsWith("/"));
      assert.ok(createdOn instanceof Date);
    }
  }
  const instances = new AuthorizationManagementClient(credential, subscriptions[0].subscriptionId, options).roleAssignmentScheduleInstances;
  await listed(instances.listForScope("", { filter: "asTarget()" })).catch((error) => {
    assert.deepEqual([error.statusCode, error.code], [400, "AadPremiumLicenseRequired"]);
  });
});
