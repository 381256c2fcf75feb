package signin

import (
	"net/http"
	"sync"
	"testing"

	"mcp-partner/internal/sealed"
	"mcp-partner/schemas/problems"
	"mcp-partner/tenants"
)

func TestSignInsThatOverlapShareAKey(t *testing.T) {
	t.Parallel()
	w := ready(t, tenants.KindClientCertificate, 4)
	if _, err := w.token(w.sim.Tenants()[0].Name); err != nil { // opens the gate
		t.Fatal(err)
	}
	arrived, leave := make(chan struct{}), make(chan struct{})
	w.answer(func(rw http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-leave
		w.sim.Handler().ServeHTTP(rw, r)
	})
	var signIns sync.WaitGroup
	for _, tenant := range w.sim.Tenants()[1:] {
		signIns.Go(func() {
			if _, err := w.token(tenant.Name); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		<-arrived
	}
	if open := w.pairs.held(); len(open) != 1 || open[0] != 3 {
		t.Errorf("three sign-ins with one certificate hold keys %v, want one with 3 users", open)
	}
	close(leave)
	signIns.Wait()
	w.wantNoKey()
}

func TestNoKeyIsKeptAfterASignIn(t *testing.T) {
	t.Parallel()
	w := ready(t, tenants.KindClientCertificate, 1)
	name := w.sim.Tenants()[0].Name
	w.answer(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusBadRequest) })
	if _, err := w.token(name); err == nil {
		t.Fatal("signed in at an Entra ID that refuses")
	}
	w.wantNoKey()
	ended := certificate(t, rsaKey(t, 0), w.clock.Now().Add(-1))
	w.put(sealed.Seal(pemOf(t, rsaKey(t, 0), ended)))
	if _, err := w.token(name); problems.As(err).Code != problems.CodeCredentialExpired {
		t.Fatalf("a certificate that has ended gave %v", err)
	}
	w.wantNoKey()
	w.put(sealed.Seal([]byte("no certificate")))
	if _, err := w.token(name); problems.As(err).Code != problems.CodeVaultCorrupt {
		t.Fatalf("a secret that is no certificate gave %v", err)
	}
	w.wantNoKey()
}

func TestCertificatesHaveSeparateKeys(t *testing.T) {
	t.Parallel()
	var p pairs
	one, dropOne, err := p.take(sealed.Seal(pemOf(t, rsaKey(t, 0), certificate(t, rsaKey(t, 0), year()))))
	if err != nil {
		t.Fatal(err)
	}
	two, dropTwo, err := p.take(sealed.Seal(pemOf(t, rsaKey(t, 1), certificate(t, rsaKey(t, 1), year()))))
	if err != nil {
		t.Fatal(err)
	}
	if !one.key.Equal(rsaKey(t, 0)) || !two.key.Equal(rsaKey(t, 1)) {
		t.Error("a secret gave the key of another one")
	}
	dropOne()
	if len(p.held()) != 1 || !p.open[0].key.Equal(rsaKey(t, 1)) {
		t.Error("dropping one key did not leave the other alone")
	}
	dropTwo()
}

// held tells how many users each key has that is in memory.
func (p *pairs) held() []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	var users []int
	for _, o := range p.open {
		users = append(users, o.users)
	}
	return users
}

func (w *world) wantNoKey() {
	w.tb.Helper()
	w.signIns.Running.Wait()
	if open := w.pairs.held(); len(open) != 0 {
		w.tb.Errorf("after its sign-ins a key is still held: %v", open)
	}
}
