package fleet_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mcp-partner/fleet"
	"mcp-partner/guard"
	"mcp-partner/internal/ledgertest"
	"mcp-partner/schemas"
	"mcp-partner/schemas/answers"
	"mcp-partner/schemas/problems"
	"mcp-partner/simulator"
)

// diff compares two audits.
func (h *fixture) diff(before, after fleet.Report) (found []fleet.Change) {
	h.t.Helper()
	comparison, err := h.Diff(h.t.Context(), before.Run, after.Run)
	if err != nil {
		h.t.Fatal(err)
	}
	for change, err := range comparison.Changes(h.t.Context()) {
		if err != nil {
			h.t.Fatal(err)
		}
		found = append(found, change)
	}
	return found
}

// kinds are the changes in one text, by tenant.
func kinds(changes []fleet.Change) string {
	var all []string
	for _, change := range changes {
		all = append(all, change.Row().Tenant+" "+string(change.Kind))
	}
	return strings.Join(all, ", ")
}

// fault makes a tenant fail until the returned function is called.
func (h *fixture) fault(tenant string) (end func()) {
	return h.sim.Inject(simulator.Rule{TenantID: tenant, Kind: simulator.FaultForbidden})
}

// What an identity answered last counts, however long it did not answer in between:
// a link that was removed meanwhile has vanished, and one that is as it was is known
// again. The third audit without an answer is a change of its own, and no other.
func TestLinkThatWasUnknownIsComparedWithItsLastAnswer(t *testing.T) {
	t.Parallel()
	for _, removed := range []bool{true, false} {
		h := build(t, simulator.Config{Tenants: 1}, nil)
		must(t, h.sim.SetLink("contoso", ours))
		last, _ := h.audited(expecting(ours))
		end := h.fault("contoso")
		for _, want := range []string{"contoso newly_unknown", "", "contoso unknown_repeatedly", ""} {
			now, _ := h.audited(expecting(ours))
			if got := kinds(h.diff(last, now)); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			last = now
		}
		end()
		want := "contoso known_again"
		if removed {
			must(t, h.sim.ClearLink("contoso"))
			want = "contoso link_vanished"
		}
		now, _ := h.audited(expecting(ours))
		changes := h.diff(last, now)
		if got := kinds(changes); got != want || changes[0].Before.State != answers.RowLinkedExpected {
			t.Errorf("%q, want %q: %+v", got, want, changes)
		}
	}
}

// Another identity behind the same credential says nothing about the link of the one
// before.
func TestReplacedIdentityIsNoVanishedLink(t *testing.T) {
	t.Parallel()
	replaced := false
	store := &rewriting{replaced: &replaced}
	h := build(t, simulator.Config{Tenants: 2}, func(o *fleet.Options) {
		store.Store = o.Store
		o.Store = store
	})
	must(t, h.sim.SetLink("contoso", ours))
	before, _ := h.audited(expecting(ours))
	replaced = true
	must(t, h.sim.ClearLink("contoso"))
	after, _ := h.audited(expecting(ours))
	if got := kinds(h.diff(before, after)); strings.Count(got, "identity_replaced") != 2 || strings.Count(got, ",") != 1 {
		t.Error(got)
	}
}

// rewriting stores rows of another identity once it was replaced.
type rewriting struct {
	fleet.Store
	replaced *bool
}

func (r rewriting) SaveRows(ctx context.Context, id, owner string, lease time.Duration, rows []fleet.Row) (bool, error) {
	for i := range rows {
		if *r.replaced {
			_, rest, _ := strings.Cut(string(rows[i].Body), `"object_id":"`)
			oid, _, _ := strings.Cut(rest, `"`)
			rows[i].Body = []byte(strings.Replace(string(rows[i].Body), oid, "99999999-9999-4999-8999-999999999999", 1))
		}
	}
	return r.Store.SaveRows(ctx, id, owner, lease, rows)
}

// Only audits that ask the same are compared, whatever else they differ in.
func TestOnlyAuditsOfEqualSelectionsAreCompared(t *testing.T) {
	t.Parallel()
	h := build(t, simulator.Config{Tenants: 2}, nil)
	before, _ := h.audited(fleet.Audit{OwnIDs: []string{ours, "7654321"}})
	for name, test := range map[string]struct {
		audit fleet.Audit
		equal bool
	}{
		"order of own IDs":  {fleet.Audit{OwnIDs: []string{"7654321", ours}}, true},
		"age of links":      {fleet.Audit{OwnIDs: []string{ours, "7654321"}, StaleAfterDays: 3}, true},
		"own IDs":           {fleet.Audit{OwnIDs: []string{ours}}, false},
		"selection":         {fleet.Audit{OwnIDs: []string{ours, "7654321"}, Selection: fleet.Selection{Tenants: []string{"contoso"}}}, false},
		"roles":             {fleet.Audit{OwnIDs: []string{ours, "7654321"}, Roles: true}, false},
		"expected IDs":      {fleet.Audit{OwnIDs: []string{ours, "7654321"}, ExpectedIDs: []string{ours}}, false},
		"the same question": {fleet.Audit{OwnIDs: []string{ours, "7654321"}}, true},
	} {
		after, _ := h.audited(test.audit)
		_, err := h.Diff(t.Context(), before.Run, after.Run)
		previous, ok, failure := h.Previous(t.Context(), after.Run)
		if failure != nil || (err == nil) != test.equal || !test.equal && problemCode(err) != problems.CodeInvalidArgument || ok != test.equal || ok && !fleet.SameQuestion(previous, after.Run) {
			t.Errorf("%s: %v, %v before it, %v", name, err, ok, failure)
		}
	}
}

// record answers with what a test says.
type record struct {
	written map[string]guard.Intent
	known   map[string]fleet.Acknowledgement
}

func (r record) LastWrite(_ context.Context, tenantID, objectID string, since, until time.Time) (guard.Intent, bool, error) {
	if objectID == "" || !since.Before(until) {
		return guard.Intent{}, false, fmt.Errorf("asked for identity %q between %s and %s", objectID, since, until)
	}
	intent, ok := r.written[tenantID]
	return intent, ok, nil
}

func (r record) Acknowledged(context.Context) (map[string]fleet.Acknowledgement, error) {
	return r.known, nil
}

// A change is this program's own where its last write explains what is found, and
// nobody else's: a removal does not explain another partner ID.
func TestOwnWriteExplainsOnlyWhatItDid(t *testing.T) {
	t.Parallel()
	asked := record{map[string]guard.Intent{}, map[string]fleet.Acknowledgement{}}
	h := build(t, simulator.Config{Tenants: 5}, func(o *fleet.Options) { o.Record = asked })
	all := h.sim.Tenants()
	for _, tenant := range all {
		must(t, h.sim.SetLink(tenant.TenantID, ours))
	}
	before, _ := h.audited(expecting(ours))
	remove, update := guard.Intent{Tool: schemas.ToolRemovePartner, PartnerID: ours}, guard.Intent{Tool: schemas.ToolUpdatePartner, PartnerID: "7654321"}
	for i, test := range []struct {
		intent guard.Intent
		now    string
		own    bool
	}{{remove, "", true}, {update, "", false}, {remove, "7654321", false}, {update, "7654321", true}, {update, "2345678", false}} {
		asked.written[all[i].TenantID] = test.intent
		must(t, h.sim.ClearLink(all[i].TenantID))
		if test.now != "" {
			must(t, h.sim.SetLink(all[i].TenantID, test.now))
		}
	}
	asked.known[all[1].TenantID] = fleet.Acknowledgement{Until: time.Now().Add(time.Hour)}
	asked.known[all[2].TenantID] = fleet.Acknowledgement{Until: time.Now().Add(-time.Hour)}
	after, _ := h.audited(expecting(ours))
	quiet := map[string]bool{}
	for _, change := range h.diff(before, after) {
		quiet[change.Row().TenantID] = change.Quiet()
	}
	for i, want := range []bool{true, true, false, true, false} {
		if got, there := quiet[all[i].TenantID]; got != want || !there {
			t.Errorf("%s: quiet %v (%v), want %v", all[i].Name, got, there, want)
		}
	}
}

// The end of a credential is told once for all its tenants, each time that it has come
// nearer.
func TestEndOfCredentialIsToldOnceAStep(t *testing.T) {
	t.Parallel()
	now, end := time.Now(), ""
	h := build(t, simulator.Config{Tenants: 3}, func(o *fleet.Options) {
		o.Now = func() time.Time { return now }
		o.Directory = ending{o.Directory, &end}
	})
	last, _ := h.audited(expecting(ours))
	end = now.AddDate(0, 0, 60).UTC().Format(time.RFC3339)
	for _, test := range []struct {
		days int
		told bool
	}{{20, false}, {15, true}, {10, false}, {10, true}, {4, true}, {3, true}, {30, false}} {
		now = now.AddDate(0, 0, test.days)
		next, _ := h.audited(expecting(ours))
		if got := h.diff(last, next); len(got) > 1 || (len(got) == 1) != test.told || test.told && got[0].Kind != answers.KindCredentialExpires {
			t.Errorf("on %s: %s", now, kinds(got))
		}
		last = next
	}
}

// ending is a directory whose credentials have an end.
type ending struct {
	fleet.Directory
	end *string
}

func (e ending) Resolve(ref string, sees func(string) bool) (schemas.Tenant, error) {
	tenant, err := e.Directory.Resolve(ref, sees)
	tenant.NearEnds = map[string]string{"app": *e.end}
	return tenant, err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Somebody may know of all rows of a tenant, or of one credential's alone, until a date.
func TestAcknowledgementIsOfATenantOrOneOfItsRows(t *testing.T) {
	t.Parallel()
	record := ledgertest.New(t, time.Now)
	f := fleet.New(fleet.Options{Store: record, Record: record})
	t.Cleanup(f.Close)
	for _, one := range []fleet.Acknowledgement{
		{TenantID: "1", Note: "all", Until: time.Now().Add(time.Hour)},
		{TenantID: "2", Credential: "app", Note: "one", Until: time.Now().Add(time.Hour)},
		{TenantID: "3", Note: "over", Until: time.Now().Add(-time.Hour)},
	} {
		if ok, err := record.Acknowledge(t.Context(), one, guard.Event{Time: time.Now(), Kind: guard.KindAcknowledged}); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	known, err := f.Known(t.Context())
	must(t, err)
	for row, want := range map[[2]string]string{{"1", "app"}: "all", {"1", "web"}: "all", {"2", "app"}: "one", {"2", "web"}: "", {"3", "app"}: ""} {
		got := ""
		if a := known(&answers.AuditRow{TenantID: row[0], Credential: row[1]}); a != nil {
			got = a.Note
		}
		if got != want {
			t.Errorf("%v: %q, want %q", row, got, want)
		}
	}
}
