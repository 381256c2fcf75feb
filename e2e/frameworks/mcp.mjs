// For a framework with tools of its own that are described by JSON Schema: the
// list of MCP, as the server gives it, with annotations and output schemas.
import { execFileSync, spawnSync } from "node:child_process";

const { tools } = JSON.parse(execFileSync("mcp-partner", ["tools", "--format", "mcp"], { encoding: "utf8" }));
const readers = tools.filter((tool) => tool.annotations.readOnlyHint); // an agent that may only look

export const registry = Object.fromEntries(
  readers.map(({ name, description, inputSchema, outputSchema }) => [
    name,
    {
      description,
      inputSchema,
      outputSchema,
      async run(args) {
        const { stdout } = spawnSync("mcp-partner", ["call", name, "--args", "-", "--json", "--simulate"], { input: JSON.stringify(args), encoding: "utf8" });
        return JSON.parse(stdout);
      },
    },
  ]),
);

const { status, tenants } = await registry.list_tenants.run({ limit: 3 });
console.log(status, tenants.map((tenant) => tenant.name).join(" "));
