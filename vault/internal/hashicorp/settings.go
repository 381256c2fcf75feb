// Package hashicorp keeps secrets in HashiCorp Vault or OpenBao: version 2 of
// the key/value engine.
package hashicorp

import (
	"cmp"
	"io/fs"
	"net/url"
	"path/filepath"
	"strings"

	"mcp-partner/internal/httpclient"
	"mcp-partner/schemas/problems"
)

// The ways to sign in to the server.
const (
	MethodToken      = "token"
	MethodAppRole    = "approle"
	MethodKubernetes = "kubernetes"
	MethodJWT        = "jwt"

	// kubernetesJWT is where Kubernetes puts the token of a pod's service account.
	kubernetesJWT = "/var/run/secrets/kubernetes.io/serviceaccount/token"
)

// Settings say where the server is and how to sign in. They hold no secret.
type Settings struct {
	// Address is an https URL; plain http is for loopback alone.
	Address   string `json:"address"`
	Namespace string `json:"namespace,omitempty"`
	// Mount is the path of the key/value engine; Path is the folder in it.
	Mount string `json:"mount"`
	Path  string `json:"path"`
	// CAPEM are the only certificate authorities to trust, in PEM; empty means
	// those of the system.
	CAPEM string `json:"ca_pem,omitempty"`
	Auth  Auth   `json:"auth"`
}

// Auth says how to sign in.
type Auth struct {
	Method string `json:"method"`
	// Mount is the path of the auth method.
	Mount string `json:"mount,omitempty"`
	// Role is the role of kubernetes and jwt, or the role ID of approle.
	Role string `json:"role,omitempty"`
	// File holds the token, the secret ID or the JWT. It is read at each sign-in.
	File string `json:"file"`
	// Wrapped means that File holds a wrapping token in place of the secret ID.
	Wrapped bool `json:"wrapped,omitempty"`
}

// Normal checks settings and fills in what is usual. It returns a
// CodeInvalidArgument problem.
func (s Settings) Normal() (Settings, error) {
	s.Address = strings.TrimSuffix(s.Address, "/")
	if err := checkAddress(s.Address); err != nil {
		return s, err
	}
	for _, part := range []struct {
		value *string
		usual string
		what  string
	}{
		{&s.Mount, "secret", "path of the key/value engine"}, {&s.Path, "mcp-partner", "folder of the secrets"},
		{&s.Namespace, "", "namespace"}, {&s.Auth.Mount, s.Auth.Method, "path of the auth method"},
	} {
		*part.value = cmp.Or(strings.Trim(*part.value, "/"), part.usual)
		if !isPath(*part.value) {
			return s, problems.InvalidArgument("The %s is not a path of letters, digits, - and _.", part.what)
		}
	}
	auth, err := s.Auth.normal()
	s.Auth = auth
	return s, err
}

func (a Auth) normal() (Auth, error) {
	switch a.Method {
	case MethodToken:
		a.Mount, a.Role = "", ""
	case MethodAppRole, MethodJWT, MethodKubernetes:
		if a.Role == "" {
			return a, problems.InvalidArgument("The sign-in to the vault server lacks its role: a role ID for approle, else the name of a role.")
		}
	default:
		return a, problems.InvalidArgument("The sign-in to the vault server must be token, approle, kubernetes or jwt.")
	}
	if a.Method == MethodKubernetes && a.File == "" {
		a.File = kubernetesJWT
	}
	if a.Wrapped && a.Method != MethodAppRole {
		return a, problems.InvalidArgument("Only a secret ID of approle can be wrapped.")
	}
	if !filepath.IsAbs(a.File) {
		return a, problems.InvalidArgument("The sign-in to the vault server needs the absolute path of a file with the token, the secret ID or the JWT.")
	}
	a.File = filepath.Clean(a.File)
	return a, nil
}

func checkAddress(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return problems.InvalidArgument("The address of the vault server is not a URL such as https://vault.example.com:8200.")
	}
	if u.Scheme == "https" || u.Scheme == "http" && httpclient.IsLoopback(u.Hostname()) {
		return nil
	}
	return problems.InvalidArgument("The address of the vault server must begin with https://, because the token and the secrets are sent there.")
}

// isPath accepts what needs no escaping in a URL and does not climb.
func isPath(path string) bool {
	odd := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./", r)
	}
	return path == "" || path != "." && fs.ValidPath(path) && !strings.ContainsFunc(path, odd)
}
