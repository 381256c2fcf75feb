package config

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"mcp-partner/access"
)

func env(pairs ...string) Env {
	values := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, text string, known ...string) (File, error) {
	t.Helper()
	return Load(write(t, text), known)
}

func TestFlagOverridesVariableAndFile(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, flag, env, file, want string }{
		{name: "default", want: "none"},
		{name: "file over default", file: "file", want: "file"},
		{name: "variable over file", env: "env", file: "file", want: "env"},
		{name: "variable over default", env: "env", want: "env"},
		{name: "flag over all", flag: "flag", env: "env", file: "file", want: "flag"},
		{name: "flag over file", flag: "flag", file: "file", want: "flag"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
			got := flags.String("log-level", "none", "")
			Standing(flags, "log-level")
			var args []string
			if c.flag != "" {
				args = []string{"--log-level", c.flag}
			}
			if err := flags.Parse(args); err != nil {
				t.Fatal(err)
			}
			file := File{}
			if c.file != "" {
				file.values = map[string]string{"log-level": c.file}
			}
			if err := Apply(flags, env("MCP_PARTNER_LOG_LEVEL", c.env), file); err != nil {
				t.Fatal(err)
			}
			if *got != c.want {
				t.Errorf("value %q, want %q", *got, c.want)
			}
			if typed := WasTyped(flags, "log-level"); typed != (c.flag != "") {
				t.Errorf("typed is %v", typed)
			}
		})
	}
}

func TestFileSetsOnlyStandingFlags(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	got := flags.String("tenants", "all", "")
	if err := Apply(flags, env(), File{values: map[string]string{"tenants": "5"}}); err != nil || *got != "all" {
		t.Errorf("value %q (%v), want the default", *got, err)
	}
}

func TestTypedFlagsIgnoreVariables(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	got := flags.String("authority", "", "")
	Typed(flags, "authority")
	if err := Apply(flags, env("MCP_PARTNER_AUTHORITY", "https://elsewhere.example"), File{}); err != nil || *got != "" || flags.Changed("authority") {
		t.Errorf("value %q (%v), want none", *got, err)
	}
}

func TestValuesOfEveryKind(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	writes := flags.Bool("allow-writes", false, "")
	count := flags.Int("limit", 0, "")
	wait := flags.Duration("latency", 0, "")
	variables := env("MCP_PARTNER_ALLOW_WRITES", "true", "MCP_PARTNER_LIMIT", "7", "MCP_PARTNER_LATENCY", "50ms")
	if err := Apply(flags, variables, File{}); err != nil {
		t.Fatal(err)
	}
	if !*writes || *count != 7 || *wait != 50*time.Millisecond {
		t.Errorf("got %v, %v, %v", *writes, *count, *wait)
	}
}

func TestWrongValuesAreNotRepeated(t *testing.T) {
	t.Parallel()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.Bool("passphrase", false, "")
	err := Apply(flags, env("MCP_PARTNER_PASSPHRASE", "hunter2"), File{})
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "MCP_PARTNER_PASSPHRASE") || !strings.Contains(err.Error(), "true or false") {
		t.Errorf("error %v has to name the variable and what it wants, and not the value", err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	file, err := load(t, "\ufeff# a comment\nlog-level: debug\nallow-writes: true\npartner-ids: [1234567, \"7654321\"]\ntenants:\n  - contoso\n  - fab-*\n",
		"log-level", "allow-writes", "partner-ids", "tenants")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"log-level": "debug", "allow-writes": "true", "partner-ids": "1234567,7654321", "tenants": "contoso,fab-*"}
	if diff := cmp.Diff(want, file.values); diff != "" {
		t.Errorf("values differ (-want +got):\n%s", diff)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, text, want string }{
		{name: "unknown key", text: "log-levle: debug", want: "line 1: key log-levle is not known: did you mean log-level?"},
		{name: "a key other than", text: "xyzzy-plugh-frotz: 1", want: "line 1: key xyzzy-plugh-frotz is not known"},
		{name: "secret", text: "client-secret: hunter2", want: "secrets are read only from standard input"},
		{name: "twice", text: "log-level: a\nlog-level: b", want: "line 2: key log-level appears twice"},
		{name: "no value", text: "log-level:", want: "key log-level has no value"},
		{name: "mapping", text: "log-level: {a: b}", want: "is neither a value nor a list"},
		{name: "nested list", text: "log-level: [[a]]", want: "an item that is not a value"},
		{name: "comma", text: "log-level: [\"a,b\"]", want: "a comma in it"},
		{name: "no mapping", text: "- log-level", want: "is not a mapping"},
		{name: "scalar", text: "hello", want: "is not a mapping"},
		{name: "broken", text: "log-level: [", want: "is not YAML"},
		{name: "two documents", text: "log-level: a\n---\nlog-level: b\n", want: "more than one YAML document"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := load(t, c.text, "log-level")
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestEmptyAndMissingFiles(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		if _, err := load(t, text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "none.yaml")
	if _, err := Load(missing, nil); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a file that is missing: %v", err)
	}
	if _, err := Load(t.TempDir(), nil); err == nil {
		t.Error("a directory was read as a config file")
	}
	if _, err := load(t, strings.Repeat("#", maxFile+1)); err == nil || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("a huge file: %v", err)
	}
}

func TestCheckEnv(t *testing.T) {
	t.Parallel()
	flags := []string{"tenants", "state-dir", "allow-writes", "passphrase", "secret-stdin", "passphrase-file"}
	cases := []struct {
		name, variable, wrong string
		strangers             []string
	}{
		{name: "known", variable: "MCP_PARTNER_TENANTS=contoso"},
		{name: "others'", variable: "PATH=/bin"},
		{name: "misspelt", variable: "MCP_PARTNER_TENNANTS=contoso", wrong: "did you mean MCP_PARTNER_TENANTS?"},
		{name: "secret", variable: "MCP_PARTNER_CLIENT_SECRET=hunter2", wrong: "secrets are read only from"},
		{name: "secret in the middle", variable: "MCP_PARTNER_SECRET_OF_CONTOSO=hunter2", wrong: "secrets are read only from"},
		{name: "secret in a switch", variable: "MCP_PARTNER_PASSPHRASE=hunter2", wrong: "must be true or false"},
		{name: "secret in another", variable: "MCP_PARTNER_SECRET_STDIN=hunter2", wrong: "must be true or false"},
		{name: "switch", variable: "MCP_PARTNER_SECRET_STDIN=true"},
		{name: "empty switch", variable: "MCP_PARTNER_PASSPHRASE="},
		{name: "file", variable: "MCP_PARTNER_PASSPHRASE_FILE=/run/secrets/vault"},
		{name: "stranger", variable: "MCP_PARTNER_SOMETHING_ELSE_ENTIRELY=1", strangers: []string{"MCP_PARTNER_SOMETHING_ELSE_ENTIRELY"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			strangers, err := CheckEnv([]string{c.variable}, flags)
			if (err != nil) != (c.wrong != "") || err != nil && (!strings.Contains(err.Error(), c.wrong) || strings.Contains(err.Error(), "hunter2")) {
				t.Errorf("error %v, want %q", err, c.wrong)
			}
			if diff := cmp.Diff(c.strangers, strangers); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestStateDir(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, goos string
		env        Env
		want       string
	}{
		{name: "linux", goos: "linux", env: env("HOME", "/home/a"), want: "/home/a/.local/state/mcp-partner"},
		{name: "xdg", goos: "linux", env: env("HOME", "/home/a", "XDG_STATE_HOME", "/state"), want: "/state/mcp-partner"},
		{name: "relative xdg", goos: "linux", env: env("HOME", "/home/a", "XDG_STATE_HOME", "state"), want: "/home/a/.local/state/mcp-partner"},
		{name: "freebsd", goos: "freebsd", env: env("HOME", "/home/ü b"), want: "/home/ü b/.local/state/mcp-partner"},
		{name: "macos", goos: "darwin", env: env("HOME", "/Users/a"), want: "/Users/a/Library/Application Support/mcp-partner"},
		{name: "windows", goos: "windows", env: env("AppData", "/appdata"), want: "/appdata/mcp-partner"},
		{name: "no home", goos: "linux", env: env()},
		{name: "relative home", goos: "darwin", env: env("HOME", ".")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := StateDir(c.goos, c.env)
			if filepath.ToSlash(got) != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
			if err != nil && !strings.Contains(err.Error(), "HOME") {
				t.Errorf("error %v does not name the variable", err)
			}
		})
	}
}

func FuzzConfigFile(f *testing.F) {
	f.Add("log-level: debug")
	f.Add("partner-ids: [1, 2]")
	f.Add("&a [*a]")
	f.Add("policy:\n- {name: a, operations: write, answer: {ask: approver}}\n- {rate: 1 per 1h, answer: deny}")
	f.Add("approvals: {webhook: {url: https://a, key_file: b}}")
	f.Add("alerts:\n- {name: a, changes: [moved], to: {url: https://a, key_file: b}}\nheads: {file: a}\nruns: {keep: 9d}")
	f.Add("oauth: {client_id: a, redirects: [b], registration: false}\nallow-private: [10.0.0.0/8]")
	f.Add("callers:\n  scopes: {a: [partner.read]}\n  grants:\n  - {name: a, tenants: '*'}")
	known := []string{"log-level", "partner-ids", "oauth"} // a section oauth sets the flag as well
	f.Fuzz(func(t *testing.T, text string) {
		file := File{values: map[string]string{}}
		err := file.parse([]byte(text), known)
		for key := range file.values {
			if !slices.Contains(known, key) {
				t.Fatalf("key %q with error %v", key, err)
			}
		}
		if _, ruleErr := access.NewPolicy(access.Settings{Rules: file.Policy}); ruleErr != nil {
			t.Fatalf("a rule that means nothing was taken: %v", ruleErr)
		}
	})
}

func TestConfigFileThatOthersCanChangeIsRefused(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := errors.Join(os.WriteFile(path, []byte("log-level: info\n"), 0o600), os.Chmod(path, 0o666)); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, []string{"log-level"})
	if err == nil || !strings.Contains(err.Error(), "can be changed by other users. Run: chmod go-w "+path) {
		t.Error(err)
	}
}
