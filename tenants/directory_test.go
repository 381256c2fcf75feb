package tenants

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"mcp-partner/internal/disk"
	"mcp-partner/internal/roomtest"
	"mcp-partner/schemas/problems"
)

func secretCredential(name string) CredentialConfig {
	return CredentialConfig{Name: name, Kind: KindClientSecret, ClientID: roomtest.ClientID}
}

func testEntry(n int, name string, domains ...string) Entry {
	return Entry{Name: name, TenantID: roomtest.TenantID(n), Domains: domains, Cloud: Cloud{Name: CloudPublic},
		Credentials: []CredentialRef{{Name: "partner"}}}
}

func newDirectoryAt(tb testing.TB) (string, *Directory) {
	tb.Helper()
	dir := roomtest.StateDir(tb)
	d, err := OpenDirectory(disk.New(dir))
	if err != nil {
		tb.Fatal(err)
	}
	if err := d.AddCredential(context.Background(), secretCredential("partner")); err != nil {
		tb.Fatal(err)
	}
	return dir, d
}

func add(tb testing.TB, d *Directory, entries ...Entry) {
	tb.Helper()
	for _, e := range entries {
		if err := d.Add(context.Background(), e); err != nil {
			tb.Fatal(err)
		}
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	_, d := newDirectoryAt(t)
	_, err := d.Resolve("")
	roomtest.WantCode(t, err, problems.CodeDirectoryEmpty)
	_, err = d.Resolve("contoso")
	roomtest.WantCode(t, err, problems.CodeDirectoryEmpty)
	add(t, d, testEntry(1, "Contoso", "contoso.example", "Contoso.OnMicrosoft.example"))
	if e, err := d.Resolve(""); err != nil || e.Name != "Contoso" {
		t.Errorf("the only tenant: %v, %v", e.Name, err)
	}
	add(t, d, testEntry(2, "straße", "bücher.example"), testEntry(3, "fabrikam"))
	_, err = d.Resolve("")
	roomtest.WantCode(t, err, problems.CodeTenantRequired)
	for ref, want := range map[string]string{
		"contoso": "Contoso", "CONTOSO": "Contoso", "ｃｏｎｔｏｓｏ": "Contoso", "contoso.onmicrosoft.EXAMPLE": "Contoso",
		strings.ToUpper(roomtest.TenantID(1)): "Contoso", "STRASSE": "straße", "BÜCHER.example": "straße", roomtest.TenantID(3): "fabrikam",
	} {
		if e, err := d.Resolve(ref); err != nil || e.Name != want {
			t.Errorf("%q is %q (%v), want %q", ref, e.Name, err, want)
		}
	}
	_, err = d.Resolve("contosso")
	problem := roomtest.WantCode(t, err, problems.CodeUnknownTenant)
	if !strings.Contains(problem.Hint, "Did you mean Contoso") || problem.NextTool != "list_tenants" {
		t.Errorf("hint %q, next %q", problem.Hint, problem.NextTool)
	}
	_, err = d.Resolve(roomtest.TenantID(99))
	problem = roomtest.WantCode(t, err, problems.CodeUnknownTenant)
	if !strings.Contains(problem.Message, "subscription") {
		t.Errorf("message %q", problem.Message)
	}
	_, err = d.Resolve("\x1b[31mevil\u202e" + strings.Repeat("x", 1000))
	problem = roomtest.WantCode(t, err, problems.CodeUnknownTenant)
	if strings.ContainsAny(problem.Message, "\x1b\u202e") || len(problem.Message) > 300 {
		t.Errorf("message %q", problem.Message)
	}
}

// TestDomainIsFoundInEveryForm gives each domain in one form and looks it up in the
// others: as it is written, decomposed, and in ASCII.
func TestDomainIsFoundInEveryForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, stored, listed string }{
		{name: "written", stored: "müller.example", listed: "müller.example"},
		{name: "decomposed", stored: "mu\u0308ller.example", listed: "müller.example"},
		{name: "ASCII", stored: "XN--mller-kva.Example", listed: "xn--mller-kva.example"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, d := newDirectoryAt(t)
			add(t, d, testEntry(1, "mueller", c.stored), testEntry(2, "contoso", "contoso.example"))
			for _, ref := range []string{"müller.example", "mu\u0308ller.example", "xn--mller-kva.example", "Xn--Mller-kva.EXAMPLE", "MÜLLER.example"} {
				for name, resolve := range map[string]func() (Entry, error){
					"resolve": func() (Entry, error) { return d.Resolve(ref) },
					"among":   func() (Entry, error) { return d.ResolveAmong(ref, func(name string) bool { return name == "mueller" }) },
				} {
					if e, err := resolve(); err != nil || e.Name != "mueller" || e.Domains[0] != c.listed {
						t.Errorf("%s of %q is %q with %v (%v)", name, ref, e.Name, e.Domains, err)
					}
				}
			}
			err := d.Add(t.Context(), testEntry(3, "twin", "xn--mller-kva.example"))
			roomtest.WantCode(t, err, problems.CodeInvalidArgument)
		})
	}
}

func TestUnknownTenantIsSuggestedByItsCompany(t *testing.T) {
	t.Parallel()
	_, d := newDirectoryAt(t)
	for i, company := range []string{"Northwind Traders, Inc.", "Same Ltd", "Same Ltd"} {
		e := testEntry(i+1, fmt.Sprintf("t%d", i+1))
		e.Company = company
		add(t, d, e)
	}
	for ref, want := range map[string]string{"northwind traders, INC.": "Did you mean t1?", "Same Ltd": "", "Northwind": ""} {
		_, err := d.Resolve(ref)
		if problem := roomtest.WantCode(t, err, problems.CodeUnknownTenant); want != "" && !strings.Contains(problem.Hint, want) || want == "" && strings.Contains(problem.Hint, "Did you mean") {
			t.Errorf("%q: hint %q, want %q", ref, problem.Hint, want)
		}
	}
}

func TestBadEntriesAreRefused(t *testing.T) {
	t.Parallel()
	good := testEntry(1, "contoso", "contoso.example")
	for name, test := range map[string]struct {
		change func(*Entry)
		says   string
	}{
		"empty name":        {func(e *Entry) { e.Name = "" }, "empty"},
		"GUID as name":      {func(e *Entry) { e.Name = roomtest.TenantID(7) }, "GUID"},
		"domain as name":    {func(e *Entry) { e.Name = "contoso.com" }, "dot"},
		"wide dot":          {func(e *Entry) { e.Name = "contoso．com" }, ""},
		"one dot leader":    {func(e *Entry) { e.Name = "contoso․com" }, ""},
		"space":             {func(e *Entry) { e.Name = "contoso ltd" }, "space"},
		"no-break space":    {func(e *Entry) { e.Name = "contoso\u00a0ltd" }, "space"},
		"newline":           {func(e *Entry) { e.Name = "contoso\n" }, "space"},
		"control":           {func(e *Entry) { e.Name = "con\x07toso" }, "control"},
		"zero width":        {func(e *Entry) { e.Name = "con\u200btoso" }, "invisible"},
		"right to left":     {func(e *Entry) { e.Name = "con\u202etoso" }, "invisible"},
		"slash":             {func(e *Entry) { e.Name = "a/b" }, "path"},
		"backslash":         {func(e *Entry) { e.Name = `a\b` }, "path"},
		"parent":            {func(e *Entry) { e.Name = ".." }, "dot"},
		"flag":              {func(e *Entry) { e.Name = "-rf" }, "begin"},
		"shell":             {func(e *Entry) { e.Name = "a$b" }, "character"},
		"fraction slash":    {func(e *Entry) { e.Name = "½" }, ""},
		"too long":          {func(e *Entry) { e.Name = strings.Repeat("a", 65) }, "64"},
		"not UTF-8":         {func(e *Entry) { e.Name = "a\xff" }, "UTF-8"},
		"tenant ID":         {func(e *Entry) { e.TenantID = "contoso" }, "GUID"},
		"domain":            {func(e *Entry) { e.Domains = []string{"nodot"} }, "domain"},
		"domain with path":  {func(e *Entry) { e.Domains = []string{"a.b/c"} }, "domain"},
		"same domain twice": {func(e *Entry) { e.Domains = []string{"a.example", "A.example"} }, "collides"},
		"no credential":     {func(e *Entry) { e.Credentials = nil }, "credentials"},
		"credential twice":  {func(e *Entry) { e.Credentials = []CredentialRef{{Name: "partner"}, {Name: "Partner"}} }, "twice"},
		"pin":               {func(e *Entry) { e.Credentials[0].PinnedObjectID = "x" }, "object ID"},
		"label":             {func(e *Entry) { e.Labels = []string{"a\x1b[0m"} }, "control"},
		"empty label":       {func(e *Entry) { e.Labels = []string{""} }, "empty"},
		"long company":      {func(e *Entry) { e.Company = strings.Repeat("é", 121) }, "120"},
		"note":              {func(e *Entry) { e.Note = "two\nlines" }, "one line"},
		"cloud":             {func(e *Entry) { e.Cloud.Name = "mars" }, "cloud"},
		"redirected cloud":  {func(e *Entry) { e.Cloud.Authority = "https://evil.example" }, "fixed endpoints"},
		"plain http":        {func(e *Entry) { e.Cloud = Cloud{Name: CloudCustom, Authority: "http://a.example"} }, "https"},
		"authority path":    {func(e *Entry) { e.Cloud = Cloud{Name: CloudCustom, Authority: "https://a.example/x"} }, "path"},
		"user in a URL":     {func(e *Entry) { e.Cloud = Cloud{Name: CloudCustom, Authority: "https://u:p@a.example"} }, "user"},
		"custom, no ARM":    {func(e *Entry) { e.Cloud = Cloud{Name: CloudCustom, Authority: "https://a.example"} }, "ARM endpoint"},
		"scope for audience": {func(e *Entry) {
			e.Cloud = Cloud{CloudCustom, "https://a.example", "https://b.example", "https://b.example/.default", "", false, false}
		}, "scope"},
		"CA": {func(e *Entry) { e.Cloud.CAPEM = "no certificate" }, "CA"},
	} {
		_, d := newDirectoryAt(t)
		e := good.clone()
		test.change(&e)
		problem := roomtest.WantCode(t, d.Add(context.Background(), e), problems.CodeInvalidArgument)
		if !strings.Contains(problem.Message, test.says) {
			t.Errorf("%s: message %q does not say %q", name, problem.Message, test.says)
		}
		if n, _ := d.Len(); n != 0 {
			t.Errorf("%s was added", name)
		}
	}
	_, d := newDirectoryAt(t)
	e := good.clone()
	e.ExpectedPartnerID = "12"
	roomtest.WantCode(t, d.Add(context.Background(), e), problems.CodeInvalidPartnerID)
	e = good.clone()
	e.Credentials[0].Name = "nobody"
	roomtest.WantCode(t, d.Add(context.Background(), e), problems.CodeUnknownCredential)
}

func TestCollisionsAreRefused(t *testing.T) {
	t.Parallel()
	_, d := newDirectoryAt(t)
	add(t, d, testEntry(1, "Straße", "contoso.example"))
	for name, e := range map[string]Entry{
		"same name":       testEntry(2, "Straße"),
		"case folding":    testEntry(2, "STRASSE"),
		"compatible form": testEntry(2, "ｓｔｒａｓｓｅ"),
		"tenant ID":       {Name: "other", TenantID: strings.ToUpper(roomtest.TenantID(1)), Cloud: Cloud{Name: CloudPublic}, Credentials: []CredentialRef{{Name: "partner"}}},
		"domain":          testEntry(2, "other", "CONTOSO.example"),
	} {
		problem := roomtest.WantCode(t, d.Add(context.Background(), e), problems.CodeInvalidArgument)
		if !strings.Contains(problem.Message, "collides") {
			t.Errorf("%s: message %q", name, problem.Message)
		}
	}
	err := d.AddCredential(context.Background(), secretCredential("PARTNER"))
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
}

func TestBadCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	_, d := newDirectoryAt(t)
	for name, config := range map[string]CredentialConfig{
		"kind":           {Name: "a", Kind: "password"},
		"client ID":      {Name: "a", Kind: KindClientSecret, ClientID: "app"},
		"secret name":    {Name: "a", Kind: KindClientSecret, ClientID: roomtest.ClientID, SecretName: "../x"},
		"az with client": {Name: "a", Kind: KindAzureCLI, ClientID: roomtest.ClientID, AzPath: "/usr/bin/az"},
		"relative az":    {Name: "a", Kind: KindAzureCLI, AzPath: "az"},
		"name":           {Name: "a b", Kind: KindAzureCLI, AzPath: "/usr/bin/az"},
		"secret with az": {Name: "a", Kind: KindClientSecret, ClientID: roomtest.ClientID, AzPath: "/usr/bin/az"},
	} {
		err := d.AddCredential(context.Background(), config)
		if err == nil {
			t.Errorf("%s was taken", name)
			continue
		}
		roomtest.WantCode(t, err, problems.CodeInvalidArgument)
	}
}

func TestDirectoryRoundTrip(t *testing.T) {
	t.Parallel()
	dir, d := newDirectoryAt(t)
	cloud := customCloud(t)
	full := Entry{Name: "contoso", Company: "Contoso\u202e Ltd\n(North)", TenantID: strings.ToUpper(roomtest.TenantID(1)), Domains: []string{"contoso.example"}, Cloud: cloud,
		Credentials:       []CredentialRef{{Name: "partner", PinnedObjectID: roomtest.TenantID(9)}, {Name: "person"}},
		ExpectedPartnerID: "1234567", Labels: []string{"gold", "eu"}, Owner: "Ann", ExternalID: "CRM-1", Note: "x"}
	person := CredentialConfig{Name: "person", Kind: KindAzureCLI, AzPath: "/usr/bin/az"}
	if err := d.Add(context.Background(), full, person); err != nil {
		t.Fatal(err)
	}
	add(t, d, testEntry(2, "fabrikam"))
	again, err := OpenDirectory(disk.New(dir))
	if err != nil {
		t.Fatal(err)
	}
	got, err := again.Get("CONTOSO")
	if err != nil {
		t.Fatal(err)
	}
	want, _ := d.Get("contoso")
	if !reflect.DeepEqual(got, want) || got.TenantID != roomtest.TenantID(1) || got.AddedAt.IsZero() || got.Cloud != withUnverified(cloud) {
		t.Errorf("read back %+v, want %+v", got, want)
	}
	public, _ := again.Get("fabrikam")
	if named, _ := CloudNamed(CloudPublic); public.Cloud != named {
		t.Errorf("cloud %+v, want %+v", public.Cloud, named)
	}
	if config, err := again.Credential("Person"); err != nil || config != person {
		t.Errorf("credential %+v (%v)", config, err)
	}
	tenant := got.Tenant()
	if fmt.Sprint(tenant.Credentials) != "[partner person]" || tenant.ObjectIDs["partner"] != roomtest.TenantID(9) || tenant.ARMEndpoint != "https://arm.example.com" || tenant.Company != "Contoso Ltd (North)" {
		t.Errorf("tenant %+v", tenant)
	}
	if got.Cloud.Scope() != "https://management.core.windows.net//.default" {
		t.Errorf("scope %q", got.Cloud.Scope())
	}
}

// customCloud has a certificate authority of its own.
func customCloud(tb testing.TB) Cloud {
	tb.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	tb.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return Cloud{Name: CloudCustom, Authority: server.URL, ARMEndpoint: "https://arm.example.com", ARMAudience: "https://management.core.windows.net/", CAPEM: string(ca), SkipInstanceDiscovery: true}
}

func withUnverified(c Cloud) Cloud { c.Unverified = true; return c }

func TestRunningServerSeesChanges(t *testing.T) {
	t.Parallel()
	dir, server := newDirectoryAt(t)
	cli, err := OpenDirectory(disk.New(dir))
	if err != nil {
		t.Fatal(err)
	}
	for n := range 20 {
		add(t, cli, testEntry(n, fmt.Sprintf("t-%d", n)))
		if _, err := server.Resolve(fmt.Sprintf("t-%d", n)); err != nil {
			t.Fatalf("change %d is not seen: %v", n, err)
		}
	}
	if _, err := cli.Remove(context.Background(), "t-3", "left us"); err != nil {
		t.Fatal(err)
	}
	_, err = server.Resolve("t-3")
	roomtest.WantCode(t, err, problems.CodeUnknownTenant)
	archived, err := server.Archived()
	if err != nil || len(archived) != 1 || archived[0].Entry.Name != "t-3" || archived[0].Reason != "left us" || archived[0].RemovedAt.IsZero() {
		t.Errorf("archive %+v (%v)", archived, err)
	}
}

func TestCorruptDirectoryIsLeftAlone(t *testing.T) {
	t.Parallel()
	dir, d := newDirectoryAt(t)
	add(t, d, testEntry(1, "contoso"), testEntry(2, "fabrikam"))
	path := filepath.Join(dir, DirectoryFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"empty": "", "cut": string(whole[:len(whole)/2]), "no JSON": "hello", "appended": string(whole) + "{}",
		"newer":         strings.Replace(string(whole), `"version":1`, `"version":2`, 1),
		"no version":    strings.Replace(string(whole), `"version":1`, `"version":0`, 1),
		"unknown field": strings.Replace(string(whole), `"name"`, `"nmae"`, 1),
		"collision":     strings.Replace(string(whole), roomtest.TenantID(2), roomtest.TenantID(1), 1),
		"cloud":         strings.Replace(string(whole), `"cloud":"public"`, `"cloud":"mars"`, 1),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := OpenDirectory(disk.New(dir))
		problem := roomtest.WantCode(t, err, problems.CodeVaultCorrupt)
		if !strings.Contains(problem.Message, DirectoryFile) || !strings.Contains(problem.Command, DirectoryFile+disk.PreviousMark) {
			t.Errorf("%s: message %q, command %q", name, problem.Message, problem.Command)
		}
		_, err = d.Resolve("contoso")
		roomtest.WantCode(t, err, problems.CodeVaultCorrupt)
		roomtest.WantCode(t, d.Add(context.Background(), testEntry(3, "x")), problems.CodeVaultCorrupt)
		if now, _ := os.ReadFile(path); string(now) != text {
			t.Errorf("%s: the corrupt file was overwritten", name)
		}
	}
}

func TestMemoryDirectoryNeedsNoDisk(t *testing.T) {
	t.Parallel()
	d, err := NewMemoryDirectory([]Entry{testEntry(1, "contoso")}, []CredentialConfig{secretCredential("partner")})
	if err != nil {
		t.Fatal(err)
	}
	add(t, d, testEntry(2, "fabrikam"))
	if _, err := d.Remove(context.Background(), "contoso", ""); err != nil {
		t.Fatal(err)
	}
	entries, err := d.List()
	if err != nil || len(entries) != 1 || entries[0].Name != "fabrikam" {
		t.Errorf("entries %v (%v)", entries, err)
	}
	_, err = NewMemoryDirectory([]Entry{testEntry(1, "a.b")}, nil)
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
}

// What List and Get return is the caller's own.
func TestEntriesAreCopies(t *testing.T) {
	t.Parallel()
	d, err := NewMemoryDirectory([]Entry{testEntry(1, "contoso", "contoso.example")}, []CredentialConfig{secretCredential("partner")})
	if err != nil {
		t.Fatal(err)
	}
	for _, get := range []func() Entry{
		func() Entry { e, _ := d.Get("contoso"); return e },
		func() Entry { l, _ := d.List(); return l[0] },
		func() Entry { e, _ := d.Resolve(""); return e },
	} {
		e := get()
		e.Domains[0], e.Credentials[0].Name = "evil.example", "evil"
		if now := get(); now.Domains[0] != "contoso.example" || now.Credentials[0].Name != "partner" {
			t.Error("a caller changed the directory")
		}
	}
}

// The bound is far above what it takes (see BenchmarkDirectoryLoad5000), so that
// it fails for work that grows with the square of the entries, not for a busy
// machine.
func TestFiveThousandEntriesLoadQuickly(t *testing.T) {
	t.Parallel()
	dir, _ := manyEntries(t, 5000)
	begun := time.Now()
	if _, err := OpenDirectory(disk.New(dir)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("loading 5000 entries takes %v", took)
	}
}

// manyEntries makes a directory of entries that share a cloud with a CA.
func manyEntries(tb testing.TB, n int) (string, *Directory) {
	tb.Helper()
	dir, d := newDirectoryAt(tb)
	cloud := customCloud(tb)
	var entries []Entry
	for i := range n {
		e := testEntry(i, fmt.Sprintf("tenant-%05d", i), fmt.Sprintf("tenant-%05d.example", i))
		e.Cloud, e.Owner, e.Labels, e.ExpectedPartnerID = cloud, "Ann", []string{"gold"}, "1234567"
		entries = append(entries, e)
	}
	diff, err := d.Plan(entries)
	if err == nil {
		err = d.Apply(context.Background(), diff)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return dir, d
}

func TestMicrosoftCloudEndpoints(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		host       string
		unverified bool
	}{
		CloudPublic:       {"https://management.azure.com", false},
		CloudUSGovernment: {"https://management.usgovcloudapi.net", true},
		CloudChina:        {"https://management.chinacloudapi.cn", true},
	} {
		c, err := CloudNamed(name)
		if err != nil || c.ARMEndpoint != want.host || c.Unverified != want.unverified || !strings.HasSuffix(c.Scope(), "//.default") {
			t.Errorf("%s is %+v (%v)", name, c, err)
		}
		if normal, err := c.Normal(); err != nil || normal != c {
			t.Errorf("%s is changed or refused by its own check: %+v (%v)", name, normal, err)
		}
	}
	_, err := CloudNamed("mars")
	roomtest.WantCode(t, err, problems.CodeInvalidArgument)
}
