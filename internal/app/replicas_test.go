package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/pgtest"
	"mcp-partner/ledger"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
	"mcp-partner/vault"
)

func TestMain(m *testing.M) {
	code := m.Run()
	pgtest.Stop()
	os.Exit(code)
}

// replicas are the settings of servers on several machines that share a database:
// each has a state directory of its own, with nothing in it.
func replicas(t *testing.T, n int) []*Settings {
	t.Helper()
	dir := t.TempDir()
	url, identity := filepath.Join(dir, "url"), filepath.Join(dir, "identity")
	key, err := age.GenerateX25519Identity()
	must(t, err)
	must(t, os.WriteFile(url, []byte(pgtest.URL(t)), 0o600))
	must(t, os.WriteFile(identity, []byte(key.String()+"\n"), 0o600))
	all := make([]*Settings, n)
	for i := range all {
		all[i] = NewSettings(noEnv, nil)
		all[i].SetStateDir(filepath.Join(t.TempDir(), "state"))
		all[i].DatabaseURLFile, all[i].Keys.IdentityFile = url, identity
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, s *Settings) *App {
	t.Helper()
	a, err := s.Open(nil)
	must(t, err)
	t.Cleanup(a.Close)
	return a
}

func makeVault(t *testing.T, s *Settings) {
	t.Helper()
	files, err := s.Files()
	must(t, err)
	must(t, vault.Init(t.Context(), files, vault.InitOptions{Key: s.Keys, OwnKeys: OwnKeys()}))
}

func TestReplicasShareSecretsKeysAndTenants(t *testing.T) {
	t.Parallel()
	settings := replicas(t, 2)
	makeVault(t, settings[0])
	one, two := open(t, settings[0]), open(t, settings[1])
	secret, err := vault.NewSecret([]byte("canary of a secret"))
	must(t, err)
	must(t, one.Store.Put(t.Context(), "partner", secret))
	if got, err := two.Store.Get(t.Context(), "partner"); err != nil || !got.Secret.Equal(secret) {
		t.Error("the secret is another one", err)
	}
	for name, size := range OwnKeys() {
		first, err := one.Keyring.Key(t.Context(), name, size, true)
		must(t, err)
		if second, err := two.Keyring.Key(t.Context(), name, size, false); err != nil || string(first) != string(second) {
			t.Errorf("the key %s is another one: %v", name, err)
		}
	}
	cloud, err := tenants.CloudNamed(tenants.CloudPublic)
	must(t, err)
	entry := tenants.Entry{Name: "contoso", TenantID: "11111111-0000-0000-0000-000000000001", Cloud: cloud, Credentials: []tenants.CredentialRef{{Name: "partner"}}}
	must(t, one.Directory.Add(t.Context(), entry, tenants.CredentialConfig{Name: "partner", Kind: tenants.KindClientSecret, ClientID: "33333333-0000-0000-0000-000000000001"}))
	if _, err := two.Directory.Get("contoso"); err != nil {
		t.Error(err)
	}
	const objectID = "22222222-0000-0000-0000-000000000001"
	must(t, two.Directory.PinObjectID(t.Context(), "contoso", "partner", objectID))
	if got, err := one.Directory.Get("contoso"); err != nil || got.Credentials[0].PinnedObjectID != objectID {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = one.Directory.Remove(t.Context(), "contoso", "gone")
	must(t, err)
	if n, err := two.Directory.Len(); n != 0 || err != nil {
		t.Error(n, err)
	}
	if archived, err := two.Directory.Archived(); len(archived) != 1 || err != nil {
		t.Error(archived, err)
	}
	must(t, two.Keyring.SetCounter(t.Context(), 7))
	if n, err := one.Keyring.Counter(t.Context()); n != 7 || err != nil {
		t.Error(n, err)
	}
	for _, s := range settings {
		if left, err := os.ReadDir(s.StateDir); len(left) > 0 {
			t.Errorf("a replica wrote to its disk: %v, %v", left, err)
		}
	}
}

// A question that one replica sealed is answered at another one.
func TestSealedQuestionOpensAtAnotherReplica(t *testing.T) {
	t.Parallel()
	settings := replicas(t, 2)
	makeVault(t, settings[0])
	var deciders [2]*guard.Guard
	for i, s := range settings {
		decider, err := open(t, s).Guard(guard.Options{AllowWrites: true})
		must(t, err)
		deciders[i] = decider
	}
	intent := guard.Intent{Caller: "stdio", Tool: schemas.ToolRegisterPartner, PartnerID: "1234567",
		Identity: answers.Identity{Tenant: "contoso", TenantID: "t", ObjectID: "o"}, Before: guard.LinkSnapshot{State: answers.LinkNotLinked, Version: -1}}
	asked, ok := deciders[0].Authorize(t.Context(), Trusted(intent.Caller), intent, true).(guard.Asked)
	if !ok {
		t.Fatal("nobody was asked")
	}
	admission := deciders[1].Answer(t.Context(), Trusted(intent.Caller), intent, asked.Seal, guard.Answer{Action: guard.ActionAccept, Typed: "1234567"})
	if granted, ok := admission.(guard.Granted); !ok || granted.Record == 0 {
		t.Errorf("%+v", admission)
	}
	for _, caller := range []*guard.Guard{deciders[0], deciders[1]} {
		if _, again := caller.Answer(t.Context(), Trusted(intent.Caller), intent, asked.Seal, guard.Answer{Action: guard.ActionAccept, Typed: "1234567"}).(guard.Granted); again {
			t.Error("it was spent twice")
		}
	}
}

// The key of the vault never gets into the database, whatever is in it.
func TestDatabaseHoldsNoKeyOfTheVault(t *testing.T) {
	t.Parallel()
	settings := replicas(t, 2)
	settings[0].Keys.IdentityFile, settings[1].Keys.IdentityFile = "", ""
	makeVault(t, settings[0])
	one := open(t, settings[0])
	must(t, one.Open(t.Context()))
	key, err := os.ReadFile(filepath.Join(settings[0].StateDir, "vault.key"))
	must(t, err)
	versions, err := one.Files.Shared.Versions()
	must(t, err)
	for name := range versions {
		data, _, err := one.Files.Read(name)
		if err != nil || strings.Contains(string(data), "AGE-SECRET-KEY") || strings.Contains(string(key), string(data)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p := problems.As(open(t, settings[1]).Open(t.Context())); p.Code != problems.CodeVaultMissing || !strings.Contains(p.Hint, "--identity-file") {
		t.Errorf("%+v", p)
	}
}

func TestStateDirectoryThatWasNotMovedIsRefused(t *testing.T) {
	t.Parallel()
	s := replicas(t, 1)[0]
	url := s.DatabaseURLFile
	s.DatabaseURLFile = ""
	makeVault(t, s)
	s.DatabaseURLFile = url
	if _, err := s.Open(nil); err == nil || !strings.Contains(err.Error(), "vault.age is not in the database") {
		t.Error(err)
	}
}

// What is restored is what the ledger here does not depend on yet.
func TestRestoreTakesKeysThatNothingUses(t *testing.T) {
	t.Parallel()
	for name, used := range map[string]bool{"unused": false, "used": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := replicas(t, 1)[0], replicas(t, 1)[0]
			makeVault(t, from)
			makeVault(t, to)
			source, target := open(t, from), open(t, to)
			theirs, err := source.Keyring.Key(t.Context(), ledger.KeyMAC, 32, true)
			must(t, err)
			ours, err := target.Keyring.Key(t.Context(), ledger.KeyMAC, 32, used)
			must(t, err)
			identity, err := os.ReadFile(from.Keys.IdentityFile)
			must(t, err)
			parsed, err := age.ParseX25519Identity(strings.TrimSpace(string(identity)))
			must(t, err)
			recipients, key := []string{parsed.Recipient().String()}, vault.KeySource{IdentityFile: from.Keys.IdentityFile}
			backup, _, err := source.Vault.Backup(t.Context(), recipients, key, tenants.Files{Dir: source.Files})
			must(t, err)
			done, err := target.Vault.Restore(t.Context(), backup, vault.RestoreOptions{Key: key, Tenants: tenants.Files{Dir: target.Files}})
			must(t, err)
			now, err := target.Keyring.Key(t.Context(), ledger.KeyMAC, 32, false)
			must(t, err)
			expected := theirs
			if used {
				expected = ours
			}
			if string(now) != string(expected) || done.OwnKeys == used {
				t.Errorf("own keys restored: %t", done.OwnKeys)
			}
		})
	}
}

// The queue makes its tables by itself. Its migrations do not wait for each other, so
// two that make one table at once would fail.
func TestReplicasThatStartAtOnceOpenTheQueue(t *testing.T) {
	t.Parallel()
	settings := replicas(t, 3)
	makeVault(t, settings[0])
	starts := make(chan error, len(settings))
	for _, s := range settings {
		a := open(t, s)
		must(t, a.Open(t.Context()))
		decider, err := a.Guard(guard.Options{})
		must(t, err)
		work := a.work(decider, a.Service(decider))
		go func() {
			stop, err := a.startQueue(t.Context(), work)
			if err == nil {
				stop()
			}
			starts <- err
		}()
	}
	for range settings {
		if err := <-starts; err != nil {
			t.Error(err)
		}
	}
}

// The server that started last has the policy in force; one with another policy is
// not ready until it is started with the same.
func TestReplicaWithAnotherPolicyIsNotReady(t *testing.T) {
	t.Parallel()
	settings := replicas(t, 3)
	makeVault(t, settings[0])
	var log lockedBuffer
	ready := make([]func(t *testing.T, want problems.Code), len(settings))
	for i, options := range []guard.Options{{AllowWrites: true}, {}, {AllowWrites: true}} {
		settings[i].Log = slog.New(slog.NewTextHandler(&log, nil))
		a := open(t, settings[i])
		decider, err := a.Guard(options)
		must(t, err)
		ready[i] = func(t *testing.T, want problems.Code) {
			t.Helper()
			err := a.PolicyCheck(decider)[0].Run(t.Context())
			if err == nil && want != "" || err != nil && problems.As(err).Code != want {
				t.Errorf("server %d: %v, want %q", i, err, want)
			}
		}
	}
	ready[0](t, "")
	ready[0](t, "")
	ready[1](t, "") // starts later, with another policy
	ready[0](t, problems.CodeStateMoved)
	ready[1](t, "")
	if !strings.Contains(log.String(), "another policy") {
		t.Error("the log does not tell why")
	}
	ready[2](t, "") // the first one is started again
	ready[0](t, "")
	ready[1](t, problems.CodeStateMoved)
}

func TestServerWithoutDatabaseComparesNoPolicy(t *testing.T) {
	t.Parallel()
	s := NewSettings(noEnv, nil)
	s.SetStateDir(filepath.Join(t.TempDir(), "state"))
	a := open(t, s)
	decider, err := a.Guard(guard.Options{})
	must(t, err)
	if checks := a.PolicyCheck(decider); len(checks) != 0 {
		t.Error(checks)
	}
}

// What was revoked at one replica is refused by the next call at another one, however
// many calls are under way there.
func TestRevocationHoldsAtEveryReplicaInAStormOfCalls(t *testing.T) {
	t.Parallel()
	settings := replicas(t, 2)
	makeVault(t, settings[0])
	deciders := make([]*guard.Guard, len(settings))
	for i, s := range settings {
		var err error
		deciders[i], err = open(t, s).Guard(guard.Options{})
		must(t, err)
	}
	for round := range 5 {
		secret, token, err := deciders[0].IssueToken(t.Context(), guard.TokenRequest{For: "agent", Grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{access.AllTenants}}})
		must(t, err)
		ctx, stop := context.WithCancel(t.Context())
		var storm sync.WaitGroup
		admitted := make(chan struct{}, 1)
		var late atomic.Int64
		var revoked atomic.Bool
		for range 64 {
			storm.Go(func() {
				for ctx.Err() == nil {
					after := revoked.Load()
					_, err := InvocationTokens{deciders[1]}.Authenticate(t.Context(), secret)
					switch {
					case err == nil && after:
						late.Add(1)
					case err == nil:
						select {
						case admitted <- struct{}{}:
						default:
						}
					case after && problems.As(err).Code == problems.CodeTokenRefused:
						return
					}
				}
			})
		}
		<-admitted // the control: it was good there
		n, err := deciders[0].RevokeTokens(t.Context(), guard.TokenSelection{ID: token.ID})
		revoked.Store(true)
		must(t, err)
		if _, err := (InvocationTokens{deciders[1]}).Authenticate(t.Context(), secret); err == nil || n != 1 {
			t.Errorf("round %d: %d revoked, and the token is good at the other replica", round, n)
		}
		time.AfterFunc(10*time.Second, stop)
		storm.Wait()
		stop()
		if got := late.Load(); got > 0 {
			t.Errorf("round %d: %d calls were let in after the revocation", round, got)
		}
	}
}
