// Judges answers by the schemas that the server itself publishes.
import assert from "node:assert/strict";

import { Ajv2020 } from "ajv/dist/2020.js";

// judgeOf reads all schemas of a server once. The judge it returns checks one
// call's result: the shallow schema of tools/list, the full one of the
// resource, and that the text is the same JSON.
export async function judgeOf(client) {
  const ajv = new Ajv2020({ strict: true, strictTypes: false, allErrors: true });
  const { tools } = await client.listTools();
  const checks = new Map();
  for (const tool of tools) {
    assert.ok(tool.outputSchema, `${tool.name} publishes no outputSchema`);
    const full = JSON.parse((await client.readResource({ uri: `partner://schemas/${tool.name}` })).contents[0].text);
    assert.ok(ajv.validateSchema(full.input), `${tool.name}: the input schema is none`);
    checks.set(tool.name, { published: ajv.compile(tool.outputSchema), full: ajv.compile(full.answer), input: ajv.compile(tool.inputSchema) });
  }
  const valid = (check, value, what) => assert.ok(check(value), `${what}: ${ajv.errorsText(check.errors)}\n${JSON.stringify(value)}`);
  return {
    tools,
    envelope(name, envelope) {
      valid(checks.get(name).full, envelope, `${name} against its full schema`);
    },
    result(name, result) {
      const envelope = result.structuredContent;
      assert.ok(envelope, `${name} answered without structuredContent: ${JSON.stringify(result)}`);
      valid(checks.get(name).published, envelope, `${name} against its outputSchema`);
      this.envelope(name, envelope);
      assert.equal(result.content.length, 1);
      assert.deepEqual(JSON.parse(result.content[0].text), envelope);
      assert.equal(result.isError ?? false, ["refused", "failed"].includes(envelope.status));
      return envelope;
    },
    accepts: (name, args) => checks.get(name).input(args),
  };
}
