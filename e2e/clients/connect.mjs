// The two client libraries behind one face, in every era and over both
// transports.
import { Client as NewClient, StreamableHTTPClientTransport as NewHTTP } from "@modelcontextprotocol/client";
import { StdioClientTransport as NewStdio } from "@modelcontextprotocol/client/stdio";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as OldStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as OldHTTP } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";

import { binary, serveArguments, serveHTTP } from "./server.mjs";

const me = { name: "clients-lane", version: "1" };
const modern = "2026-07-28";

// old is @modelcontextprotocol/sdk, which knows nothing after 2025-11-25.
const old = {
  make: (capabilities, elicit) => {
    const client = new OldClient(me, { capabilities });
    if (capabilities.elicitation) client.setRequestHandler(ElicitRequestSchema, (request) => elicit(request.params));
    return client;
  },
  stdio: OldStdio,
  http: OldHTTP,
  call: (client, params, options) => client.callTool(params, undefined, options),
};

// recent is @modelcontextprotocol/client in one mode of negotiation.
const recent = (mode) => ({
  make: (capabilities, elicit) => {
    const client = new NewClient(me, { capabilities, versionNegotiation: { mode } });
    if (capabilities.elicitation) client.setRequestHandler("elicitation/create", (request) => elicit(request.params));
    return client;
  },
  stdio: NewStdio,
  http: NewHTTP,
  call: (client, params, options) => client.callTool(params, options),
});

// variants are all combinations. asks says whether a person can be asked: an
// older client over stateless HTTP cannot be.
export const variants = [
  { name: "sdk 1.x, stdio", library: old, transport: "stdio", era: "legacy", asks: true },
  { name: "sdk 1.x, HTTP", library: old, transport: "http", era: "legacy", asks: false },
  { name: "client 2.x legacy, stdio", library: recent("legacy"), transport: "stdio", era: "legacy", asks: true },
  { name: "client 2.x legacy, HTTP", library: recent("legacy"), transport: "http", era: "legacy", asks: false },
  { name: "client 2.x pinned to 2026-07-28, stdio", library: recent({ pin: modern }), transport: "stdio", era: "modern", asks: true },
  { name: "client 2.x pinned to 2026-07-28, HTTP", library: recent({ pin: modern }), transport: "http", era: "modern", asks: true },
  { name: "client 2.x auto, stdio", library: recent("auto"), transport: "stdio", era: "modern", asks: true },
  { name: "client 2.x auto, HTTP", library: recent("auto"), transport: "http", era: "modern", asks: true },
];

// connect starts a server and connects a client. With elicits false the client
// declares that it can show no form.
export async function connect({ library, transport, era }, { elicits = true } = {}) {
  const person = { answers: [], asked: [] };
  const elicit = async (params) => {
    person.asked.push(params);
    const answer = person.answers.shift();
    if (!answer) throw new Error(`nobody was to be asked, and was: ${params.message}`);
    return answer;
  };
  const capabilities = elicits ? { elicitation: era === "modern" ? { form: {} } : {} } : {};
  const client = library.make(capabilities, elicit);
  const link = transport === "http" ? await overHTTP(library) : overStdio(library);
  await client.connect(link.transport);
  return {
    client, person,
    progress: progressOf(link.transport),
    call: (name, args = {}, options) => library.call(client, { name, arguments: args }, options),
    async end() {
      await client.close();
      return link.end();
    },
  };
}

// progressOf collects progress as it comes off the wire. Where a notification
// and the answer after it arrive in one piece, both libraries handle the answer
// first and then no longer know the notification's token.
function progressOf(transport) {
  const seen = [];
  const deliver = transport.onmessage;
  transport.onmessage = (message, extra) => {
    if (message.method === "notifications/progress") seen.push(message.params);
    deliver(message, extra);
  };
  return seen;
}

function overStdio(library) {
  return { transport: new library.stdio({ command: binary, args: serveArguments, stderr: "inherit" }), end: async () => 0 };
}

async function overHTTP(library) {
  const server = await serveHTTP();
  const transport = new library.http(new URL(server.url), { requestInit: { headers: { Authorization: `Bearer ${server.token}` } } });
  return { transport, end: server.end };
}

// The ways in which a person ends a form.
export const accept = (confirmation) => ({ action: "accept", content: { confirmation } });
export const decline = { action: "decline" };
export const cancel = { action: "cancel" };
