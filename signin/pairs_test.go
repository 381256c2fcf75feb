package signin

import (
	"net/http"
	"runtime"
	"sync"
	"testing"
	"weak"

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
	<-arrived
	first := w.pairs.held()
	for range 2 {
		<-arrived
	}
	runtime.GC()
	if first.Value() == nil || w.pairs.held() != first {
		t.Error("three sign-ins with one certificate read its key more than once")
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
	one, err := p.take(sealed.Seal(pemOf(t, rsaKey(t, 0), certificate(t, rsaKey(t, 0), year()))))
	if err != nil {
		t.Fatal(err)
	}
	two, err := p.take(sealed.Seal(pemOf(t, rsaKey(t, 1), certificate(t, rsaKey(t, 1), year()))))
	if err != nil {
		t.Fatal(err)
	}
	if !one.key.Equal(rsaKey(t, 0)) || !two.key.Equal(rsaKey(t, 1)) {
		t.Error("a secret gave the key of another one")
	}
}

// held is the pair that was read last, for as long as a sign-in holds it.
func (p *pairs) held() weak.Pointer[openPair] {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

func (w *world) wantNoKey() {
	w.tb.Helper()
	w.signIns.Running.Wait()
	runtime.GC()
	if w.pairs.held().Value() != nil {
		w.tb.Error("after its sign-ins a key is still held")
	}
}
