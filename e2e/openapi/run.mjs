// A strict validator and a linter judge the OpenAPI document that the binary
// prints.
//
//   npm ci
//   node run.mjs path/to/mcp-partner    needs Node 22.19 or later
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { Validator } from "@seriousme/openapi-schema-validator";

const linter = fileURLToPath(new URL("node_modules/@redocly/cli/bin/cli.js", import.meta.url));
const rules = fileURLToPath(new URL("redocly.yaml", import.meta.url));
const operations = [
  "Operation_List", "Partner_Create", "Partner_Delete", "Partner_Get", "Partner_Update", "Partners_Get",
  "RoleAssignmentScheduleInstances_ListForScope", "RoleAssignments_ListForScope", "RoleDefinitions_Get", "Subscriptions_List",
];

const binary = process.argv[2] && resolve(process.argv[2]);
if (!binary) {
  console.error("usage: node run.mjs path/to/mcp-partner");
  process.exit(2);
}

const folder = await mkdtemp(join(tmpdir(), "openapi-lane-"));
try {
  const printed = execFileSync(binary, ["openapi"], { encoding: "utf8" });
  const file = join(folder, "managementpartner.json");
  execFileSync(binary, ["openapi", "--output", file]);
  assert.equal(await readFile(file, "utf8"), printed);
  await validate(file, JSON.parse(printed));
  lint(file);
  console.log("ok  valid OpenAPI 3.1, no finding of the linter");
} finally {
  await rm(folder, { recursive: true });
}

async function validate(file, expected) {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(file);
  assert.ok(valid, JSON.stringify(errors, null, 2));
  assert.equal(validator.version, "3.1");
  assert.deepEqual(validator.specification, expected);
  const found = Object.values(expected.paths).flatMap((item) => Object.values(item).map((operation) => operation.operationId));
  assert.deepEqual(found.sort(), operations);
}

function lint(file) {
  const env = { ...process.env, HOME: folder, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
  execFileSync(process.execPath, [linter, "lint", file, "--config", rules], { env, stdio: ["ignore", "inherit", "inherit"] });
}
