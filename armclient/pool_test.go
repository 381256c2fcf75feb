package armclient

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"mcp-partner/schemas"
)

func TestPoolBuildsOnceForAllWhoAsk(t *testing.T) {
	t.Parallel()
	var built atomic.Int32
	started, release := make(chan struct{}), make(chan struct{})
	pool := NewPool(func(Key) (*Client, error) {
		built.Add(1)
		close(started)
		<-release
		return &Client{}, nil
	})
	var all sync.WaitGroup
	clients := make([]*Client, 32)
	for i := range clients {
		all.Go(func() { clients[i], _ = pool.Get(Key{"contoso", "default"}) })
	}
	<-started
	close(release)
	all.Wait()
	for _, c := range clients {
		if c == nil || c != clients[0] {
			t.Fatal("different clients for one key")
		}
	}
	if built.Load() != 1 || pool.Len() != 1 {
		t.Errorf("built %d, kept %d", built.Load(), pool.Len())
	}
}

func TestPoolKeysAreTenantAndCredential(t *testing.T) {
	t.Parallel()
	pool := NewPool(func(Key) (*Client, error) { return &Client{}, nil })
	a, _ := pool.Get(Key{"contoso", "default"})
	b, _ := pool.Get(Key{"contoso", "other"})
	c, _ := pool.Get(Key{"fabrikam", "default"})
	again, _ := pool.Get(Key{"contoso", "default"})
	if a == b || a == c || b == c || a != again {
		t.Error("keys are mixed up")
	}
	pool.Drop(Key{"contoso", "default"})
	if anew, _ := pool.Get(Key{"contoso", "default"}); anew == a {
		t.Error("a dropped client came back")
	}
}

func TestPoolDoesNotKeepFailures(t *testing.T) {
	t.Parallel()
	calls := 0
	pool := NewPool(func(Key) (*Client, error) {
		if calls++; calls == 1 {
			return nil, errors.New("not yet")
		}
		return &Client{}, nil
	})
	if c, err := pool.Get(Key{}); c != nil || err == nil || pool.Len() != 0 {
		t.Errorf("%v, %v, kept %d", c, err, pool.Len())
	}
	if c, err := pool.Get(Key{}); c == nil || err != nil {
		t.Errorf("%v, %v", c, err)
	}
}

// A caller that comes late with a failure must not throw out what somebody has
// built meanwhile.
func TestPoolSparesTheSuccessor(t *testing.T) {
	t.Parallel()
	pool := NewPool(func(Key) (*Client, error) { return &Client{}, nil })
	built, _ := pool.Get(Key{})
	pool.remove(Key{}, &pooled{})
	if again, _ := pool.Get(Key{}); again != built {
		t.Error("thrown out")
	}
}

func TestPoolForgetsTheOldest(t *testing.T) {
	t.Parallel()
	built := map[Key]int{}
	pool := NewPool(func(k Key) (*Client, error) { built[k]++; return &Client{}, nil })
	get := func(i int) { _, _ = pool.Get(Key{Tenant: strconv.Itoa(i)}) }
	for i := range PoolSize {
		get(i)
	}
	get(0) // 1 is the oldest now
	get(PoolSize)
	get(0)
	get(1)
	if pool.Len() != PoolSize || built[Key{Tenant: "0"}] != 1 || built[Key{Tenant: "1"}] != 2 {
		t.Errorf("kept %d, built 0 %d times and 1 %d times", pool.Len(), built[Key{Tenant: "0"}], built[Key{Tenant: "1"}])
	}
}

func TestPoolSurvivesAPanic(t *testing.T) {
	t.Parallel()
	calls := 0
	pool := NewPool(func(Key) (*Client, error) {
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
		_, _ = pool.Get(Key{})
	}()
	if c, err := pool.Get(Key{}); c != nil || codeOfErr(err) != schemas.CodeInternal {
		t.Errorf("%v, %v", c, err)
	}
	if c, err := pool.Get(Key{}); c == nil || err != nil {
		t.Errorf("%v, %v", c, err)
	}
}

func TestPoolConcurrently(t *testing.T) {
	t.Parallel()
	pool := NewPool(func(k Key) (*Client, error) {
		if k.Tenant == "7" {
			return nil, errors.New("never")
		}
		return &Client{}, nil
	})
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 2000 {
				key := Key{Tenant: strconv.Itoa((i * (worker + 1)) % (PoolSize + 50))}
				if c, err := pool.Get(key); (c == nil) != (err != nil) {
					t.Errorf("%v, %v", c, err)
				}
				if i%97 == 0 {
					pool.Drop(key)
				}
			}
		})
	}
	all.Wait()
}
