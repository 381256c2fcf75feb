package armclient

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// key is a tenant and a credential.
type key struct{ tenant, credential string }

func TestPoolBuildsClientOnceForConcurrentCallers(t *testing.T) {
	t.Parallel()
	var built atomic.Int32
	started, release := make(chan struct{}), make(chan struct{})
	pool := NewPool(func(key) (*Client, error) {
		built.Add(1)
		close(started)
		<-release
		return &Client{}, nil
	})
	var all sync.WaitGroup
	clients := make([]*Client, 32)
	for i := range clients {
		all.Go(func() { clients[i], _ = pool.Get(key{"contoso", "default"}) })
	}
	<-started
	close(release)
	all.Wait()
	for _, c := range clients {
		if c == nil || c != clients[0] {
			t.Fatal("different clients for one key")
		}
	}
	if built.Load() != 1 || pool.clients.Len() != 1 {
		t.Errorf("built %d, kept %d", built.Load(), pool.clients.Len())
	}
}

func TestPoolKeysAreTenantAndCredential(t *testing.T) {
	t.Parallel()
	pool := NewPool(func(key) (*Client, error) { return &Client{}, nil })
	a, _ := pool.Get(key{"contoso", "default"})
	b, _ := pool.Get(key{"contoso", "other"})
	c, _ := pool.Get(key{"fabrikam", "default"})
	again, _ := pool.Get(key{"contoso", "default"})
	if a == b || a == c || b == c || a != again {
		t.Error("keys are mixed up")
	}
}

func TestPoolDoesNotKeepFailures(t *testing.T) {
	t.Parallel()
	calls := 0
	pool := NewPool(func(key) (*Client, error) {
		if calls++; calls == 1 {
			return nil, errors.New("not yet")
		}
		return &Client{}, nil
	})
	if c, err := pool.Get(key{}); c != nil || err == nil || pool.clients.Len() != 0 {
		t.Errorf("%v, %v, kept %d", c, err, pool.clients.Len())
	}
	if c, err := pool.Get(key{}); c == nil || err != nil {
		t.Errorf("%v, %v", c, err)
	}
}

func TestPoolEvictsOldest(t *testing.T) {
	t.Parallel()
	built := map[key]int{}
	pool := NewPool(func(k key) (*Client, error) { built[k]++; return &Client{}, nil })
	get := func(i int) { _, _ = pool.Get(key{tenant: strconv.Itoa(i)}) }
	for i := range poolSize {
		get(i)
	}
	get(0) // 1 is the oldest now
	get(poolSize)
	get(0)
	get(1)
	if pool.clients.Len() != poolSize || built[key{tenant: "0"}] != 1 || built[key{tenant: "1"}] != 2 {
		t.Errorf("kept %d, built 0 %d times and 1 %d times", pool.clients.Len(), built[key{tenant: "0"}], built[key{tenant: "1"}])
	}
}

func TestPoolSurvivesAPanic(t *testing.T) {
	t.Parallel()
	calls := 0
	pool := NewPool(func(key) (*Client, error) {
		if calls++; calls == 1 {
			panic("build")
		}
		return &Client{}, nil
	})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_, _ = pool.Get(key{})
	}()
	if c, err := pool.Get(key{}); c == nil || err != nil {
		t.Errorf("%v, %v", c, err)
	}
}

func TestPoolIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	pool := NewPool(func(k key) (*Client, error) {
		if k.tenant == "7" {
			return nil, errors.New("never")
		}
		return &Client{}, nil
	})
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 2000 {
				key := key{tenant: strconv.Itoa((i * (worker + 1)) % (poolSize + 50))}
				if c, err := pool.Get(key); (c == nil) != (err != nil) {
					t.Errorf("%v, %v", c, err)
				}
			}
		})
	}
	all.Wait()
}
