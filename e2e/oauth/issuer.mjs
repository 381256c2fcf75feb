// A certified OpenID Connect provider as the issuer where people sign in. In front of
// it stands what Entra ID is known for: it refuses a resource that does not fit a scope
// (AADSTS9010010) and scopes without the application's name before them.
import { createServer } from "node:http";
import { once } from "node:events";
import { Provider } from "oidc-provider";

export const clientID = "11111111-aaaa-4bbb-8ccc-000000000001";
export const clientSecret = "a secret of forty-odd letters for one application";

// start serves until close is called. asked collects each query and body that came in;
// disabled are names of people that may not sign in, or refresh, any more.
export async function start(redirect) {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${server.address().port}`;
  const asked = [], disabled = new Set();
  const provider = new Provider(url, configuration(redirect, disabled));
  provider.use(async (context, next) => {
    asked.push({ path: context.path, query: { ...context.query } });
    const refusal = context.path.endsWith("/auth") ? refused(context.query) : undefined;
    if (refusal) {
      context.status = 400;
      context.body = refusal;
      return;
    }
    await next();
  });
  server.on("request", provider.callback());
  return { url, asked, disabled, close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

const known = new Set(["openid", "profile", "email", "offline_access"]);

function refused({ resource, scope = "" }) {
  if (resource !== undefined) return "AADSTS9010010: The resource parameter provided in the request doesn't match with the requested scopes.";
  const bare = scope.split(" ").find((name) => !known.has(name) && !name.includes("/"));
  return bare && `AADSTS650053: The application asked for scope '${bare}' that doesn't exist.`;
}

function configuration(redirect, disabled) {
  return {
    clients: [{
      client_id: clientID, client_secret: clientSecret, redirect_uris: [redirect], response_types: ["code"],
      grant_types: ["authorization_code", "refresh_token"], token_endpoint_auth_method: "client_secret_basic",
    }],
    // Anybody may sign in under any name; the pages of the provider itself ask for it.
    findAccount: (_context, id) => disabled.has(id) ? undefined : { accountId: id, claims: () => ({ sub: id, name: `${id} of Contoso`, roles: ["Partner.Everything"] }) },
    claims: { openid: ["sub"], profile: ["name", "roles"] },
    scopes: ["openid", "profile", "offline_access"],
    // Entra ID gives one without a page of its own, which this provider would want for offline_access.
    issueRefreshToken: async (_context, client) => client.grantTypeAllowed("refresh_token"),
    pkce: { required: () => true },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: true } },
    cookies: { keys: ["one key of a test"] },
    ttl: { Session: 3600, Grant: 3600, Interaction: 600, IdToken: 600, AccessToken: 600, RefreshToken: 3600, AuthorizationCode: 60 },
  };
}
