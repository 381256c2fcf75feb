package ledger

import (
	"bytes"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas"
	"mcp-partner/schemas/problems"
)

func invocation(id, name string, uses int) guard.Token {
	return guard.Token{
		ID: id, Hash: sha256.Sum256([]byte(id)), Caller: guard.TokenCaller(name), IssuedBy: "alice", IssuedAt: noon(), ExpiresAt: noon().Add(time.Hour), Uses: uses,
		Grant: access.Grant{Scopes: []access.Scope{access.ScopeRead, access.ScopeWrite}, Tools: []string{schemas.ToolCheckPartnerLink}, Tenants: []string{"contoso", "fabrikam"}, PartnerIDs: []string{"1234567"}},
	}
}

func aboutToken() guard.Event { return guard.Event{Time: noon(), Kind: guard.KindToken} }

func (h *house) issue(id, name string, uses int) {
	h.t.Helper()
	h.must(h.PutToken(ctx(), invocation(id, name, uses), 100, aboutToken()))
}

func (h *house) holds(id string) bool {
	h.t.Helper()
	t, ok, err := h.Token(ctx(), id)
	h.must(err)
	return ok && t.Live(h.clock.Now())
}

func TestTokensAreStored(t *testing.T) {
	onStore(t, func(t *testing.T, s guard.Store, clock *testkit.Clock) {
		want := invocation("tk_1", "nightly", 2)
		for _, token := range []guard.Token{want, invocation("tk_2", "nightly", 0), invocation("tk_3", "other", 0)} {
			if err := s.PutToken(ctx(), token, 3, aboutToken()); err != nil {
				t.Fatal(err)
			}
		}
		problemOf(t, s.PutToken(ctx(), invocation("tk_4", "x", 0), 3, aboutToken()), problems.CodeInvalidArgument, "3 valid invocation tokens")
		got, ok, err := s.Token(ctx(), "tk_1")
		if diff := cmp.Diff(want, got, cmpopts.EquateApproxTime(0)); err != nil || !ok || diff != "" {
			t.Error(ok, err, diff)
		}
		if _, ok, err := s.Token(ctx(), "tk_9"); ok || err != nil {
			t.Error("a token that was never issued", ok, err)
		}
		for n, want := range []bool{true, true, false} {
			if used, err := s.UseToken(ctx(), "tk_1", aboutToken()); used != want || err != nil {
				t.Error("use", n+1, used, err)
			}
		}
		if n, err := revoke(s, guard.TokenSelection{For: guard.TokenCaller("nightly")}, clock.Now); n != 2 || err != nil {
			t.Error("revoked", n, err)
		}
		if used, err := s.UseToken(ctx(), "tk_2", aboutToken()); used || err != nil {
			t.Error("a revoked one was used", err)
		}
		if used, err := s.UseToken(ctx(), "tk_3", aboutToken()); !used || err != nil {
			t.Error("one without a bound", used, err)
		}
		clock.Advance(time.Hour)
		if used, err := s.UseToken(ctx(), "tk_3", aboutToken()); used || err != nil {
			t.Error("an expired one was used", err)
		}
		for n, want := range []int{1, 0} { // what it opened or approved may be left
			if revoked, err := revoke(s, guard.TokenSelection{ID: "tk_3"}, clock.Now); revoked != want || err != nil {
				t.Error("an expired one, time", n+1, revoked, err)
			}
		}
		if all, err := s.Tokens(ctx()); len(all) != 3 || err != nil {
			t.Error(len(all), err)
		}
		clock.Advance(-time.Hour)
	})
}

func TestTokensSurviveRestart(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.issue("tk_1", "nightly", 2)
		h.reopen()
		if used, err := h.UseToken(ctx(), "tk_1", aboutToken()); !used || err != nil {
			t.Fatal(used, err)
		}
		h.reopen()
		got, ok, err := h.Token(ctx(), "tk_1")
		if err != nil || !ok || got.Used != 1 || !h.holds("tk_1") {
			t.Errorf("%+v %v %v", got, ok, err)
		}
		h.whole()
	})
}

// An older file would give back uses and undo revocations.
func TestRestoredOlderFileVoidsTokens(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.issue("tk_1", "nightly", 1)
		h.issue("tk_2", "nightly", 0)
		putBack := h.copyFile()
		if used, err := h.UseToken(ctx(), "tk_1", aboutToken()); !used || err != nil {
			t.Fatal(used, err)
		}
		_, err := revoke(h, guard.TokenSelection{All: true}, h.clock.Now)
		h.must(err)
		putBack()
		for _, id := range []string{"tk_1", "tk_2"} {
			if used, err := h.UseToken(ctx(), id, aboutToken()); used || err != nil || h.holds(id) {
				t.Errorf("%s holds in the older file: used %v, %v", id, used, err)
			}
		}
		events := h.events()
		if last := events[len(events)-1]; last.Kind != KindRollback || !strings.Contains(last.Detail, "and 2 invocation tokens.") {
			t.Errorf("%+v", last)
		}
		h.hasGap(Gap{From: 3, To: 5, NoticedAt: 6})
	})
}

func TestTamperedTokenIsIgnored(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		for name, statement := range map[string]string{
			"lives longer":    `UPDATE states SET body = json_set(body, '$.expires', '2036-03-04T12:00:00.000000000Z') WHERE name = 'tk_1'`,
			"may do more":     `UPDATE states SET body = json_set(body, '$.scopes', json('["partner.change"]')) WHERE name = 'tk_1'`,
			"another tenant":  `UPDATE states SET body = json_set(body, '$.tenants', json('["*"]')) WHERE name = 'tk_1'`,
			"another's hash":  `UPDATE states SET body = json_set(body, '$.hash', 'AAAA') WHERE name = 'tk_1'`,
			"made by copying": `UPDATE states SET name = 'tk_1' || 'x' WHERE name = 'tk_1'`,
		} {
			t.Run(name, func(t *testing.T) {
				h := build(t)
				h.issue("tk_1", "nightly", 5)
				h.sql(statement)
				if used, err := h.UseToken(ctx(), "tk_1", aboutToken()); used || err != nil || h.holds("tk_1") || h.holds("tk_1x") {
					t.Errorf("it counts: used %v, %v", used, err)
				}
				if report := h.verify(nil); report.Whole() || !strings.HasPrefix(report.Findings[0].Row, "token/") {
					t.Errorf("%+v", report.Findings)
				}
			})
		}
	})
}

// A row from before a use carries a good MAC. It is not there while the entry
// about the use is, and where that one was removed as well, nothing is used.
func TestRestoredTokenRowGivesNoUseBack(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.issue("tk_1", "nightly", 1)
		old := h.rows()
		if used, err := h.UseToken(ctx(), "tk_1", aboutToken()); !used || err != nil {
			t.Fatal(used, err)
		}
		h.fill(2)
		h.sql(old...)
		if used, err := h.UseToken(ctx(), "tk_1", aboutToken()); used || err != nil || h.holds("tk_1") {
			t.Error("the older row counts", used, err)
		}
		h.sql(append(old, `DELETE FROM events WHERE seq = 2`)...)
		used, err := h.UseToken(ctx(), "tk_1", aboutToken())
		problemOf(t, err, problems.CodeVaultCorrupt, "entry 2 was changed")
		if used {
			t.Error("used twice")
		}
	})
}

func TestExpiredTokensArePruned(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.issue("tk_1", "nightly", 0)
		h.clock.Advance(2 * time.Hour)
		live := invocation("tk_2", "nightly", 0)
		live.IssuedAt, live.ExpiresAt = h.clock.Now(), h.clock.Now().Add(time.Hour)
		h.must(h.PutToken(ctx(), live, 100, aboutToken()))
		_, err := h.Prune(ctx(), noon().Add(90*time.Minute))
		h.must(err)
		if all, err := h.Tokens(ctx()); err != nil || len(all) != 1 || all[0].ID != "tk_2" || !h.holds("tk_2") {
			t.Errorf("%+v, %v", all, err)
		}
		h.whole()
	})
}

// No file of the state directory holds a token.
func TestTokenIsInNoFile(t *testing.T) {
	t.Parallel()
	h := build(t)
	decider, err := guard.New(guard.Options{Store: h.Ledger, Now: h.clock.Now, Account: "ops"})
	h.must(err)
	var secrets []string
	for range 3 {
		secret, _, err := decider.IssueToken(ctx(), guard.TokenRequest{For: "nightly", Uses: 9, Grant: access.Grant{Scopes: []access.Scope{access.ScopeRead}, Tenants: []string{"contoso"}}})
		h.must(err)
		p, err := decider.AuthenticateToken(ctx(), secret)
		h.must(err)
		h.must(decider.Use(ctx(), p))
		secrets = append(secrets, strings.TrimPrefix(secret, guard.TokenPrefix))
	}
	files, err := filepath.Glob(filepath.Join(h.dir, "*")) // the ledger is open: the write-ahead log is among them
	h.must(err)
	if len(files) < 2 {
		t.Fatal(files)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		h.must(err)
		for _, secret := range secrets {
			if bytes.Contains(text, []byte(secret)) || bytes.Contains(text, []byte(secret[:20])) {
				t.Errorf("a token stands in %s", filepath.Base(name))
			}
		}
	}
}

// revoke revokes as the guard does, at a time of the store's.
func revoke(s guard.Store, which guard.TokenSelection, now func() time.Time) (int, error) {
	g, err := guard.New(guard.Options{Store: s, Now: now})
	if err != nil {
		return 0, err
	}
	return g.RevokeTokens(ctx(), which)
}
