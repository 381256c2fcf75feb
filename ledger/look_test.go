//go:build unix

package ledger

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mcp-partner/guard"
)

func (h *house) frozen() bool {
	h.t.Helper()
	f, err := h.Freeze(ctx())
	h.must(err)
	return f.Writes
}

// kept are the keys under which a row is kept in memory.
func (h *house) kept(row string) []recent {
	return slices.DeleteFunc(h.recent.Keys(), func(key recent) bool { return ref(key.kind, key.name) != row })
}

// Without a commit the freeze is not read again; a change of it by this process
// or another is seen at the next call.
func TestFreezeIsReadAgainAfterEachCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.fill(2)
		other := h.second()
		for round, who := range []*Ledger{other, h.Ledger, other} {
			for _, want := range []bool{true, false} {
				if h.frozen() == want {
					t.Fatalf("round %d: frozen is %v already", round, want)
				}
				kept := h.kept("freeze/all")
				if len(kept) == 0 {
					t.Fatal("the freeze is not kept")
				}
				for _, key := range kept {
					h.recent.Add(key, guard.Freeze{Writes: !want, Reason: "kept"})
				}
				if f, err := h.Freeze(ctx()); err != nil || f.Reason != "kept" && h.url == "" { // others commit on the same server
					t.Fatal("the freeze was read twice", err)
				}
				h.must(who.SetFreeze(ctx(), guard.Freeze{Writes: want, Reason: "round"}, guard.Event{Time: noon(), Kind: guard.KindFreeze}))
				if h.frozen() != want {
					t.Fatalf("round %d: the change to %v is not seen", round, want)
				}
			}
		}
	})
}

// A token is read once while nothing is committed, and a use or a revocation by
// another process is seen at the next call.
func TestTokenIsReadAgainAfterEachCommit(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		other := h.second()
		h.issue("tk_1", "nightly", 1)
		h.issue("tk_2", "other", 0)
		for id, end := range map[string]func() error{
			"tk_1": func() error { _, err := other.UseToken(ctx(), "tk_1", aboutToken()); return err },
			"tk_2": func() error {
				_, err := revoke(other, guard.TokenSelection{ID: "tk_2"}, h.clock.Now)
				return err
			},
		} {
			if !h.holds(id) || len(h.kept("token/"+id)) == 0 || !h.holds(id) {
				t.Errorf("%s does not hold, or is not kept", id)
			}
			h.must(end())
			if h.holds(id) {
				t.Errorf("%s holds after its end", id)
			}
		}
		if h.holds("tk_9") || len(h.kept("token/tk_9")) > 0 {
			t.Error("a token that is not there is kept")
		}
	})
}

// An older file that is put in the place of the open one is another file, whatever
// was kept.
func TestReplacedFileIsNoticedAtNextRead(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.fill(2)
	h.frozen()
	h.must(os.Rename(h.name, h.name+".aside"))
	h.must(os.WriteFile(h.name, nil, 0o600))
	if _, err := h.Freeze(ctx()); err == nil {
		t.Error("a file in the place of the open one is taken for it")
	}
}

// playCommander executes the commands on its input, one a line, and reports
// when each is done.
func playCommander(l *Ledger) int {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		what, name, _ := strings.Cut(lines.Text(), " ")
		var err error
		switch what {
		case "freeze", "unfreeze":
			err = l.SetFreeze(ctx(), guard.Freeze{Writes: what == "freeze", Reason: name}, guard.Event{Time: noon(), Kind: guard.KindFreeze})
		case "issue":
			err = l.PutToken(ctx(), invocation(name, name, 0), 1000, aboutToken())
		case "revoke":
			_, err = revoke(l, guard.TokenSelection{ID: name}, noon)
		}
		if err != nil {
			return fail(err)
		}
		fmt.Println("done")
	}
	return closed(l)
}

// commander returns a function that has another process do something and returns
// when it is done.
func (h *house) commander() func(string) {
	h.t.Helper()
	command := h.child("commander")
	input, err := command.StdinPipe()
	h.must(err)
	output, err := command.StdoutPipe()
	h.must(err)
	h.must(command.Start())
	h.t.Cleanup(func() {
		_ = input.Close()
		if err := command.Wait(); err != nil {
			h.t.Error(err)
		}
	})
	lines := bufio.NewScanner(output)
	return func(what string) {
		h.t.Helper()
		_, _ = io.WriteString(input, what+"\n")
		if !lines.Scan() || lines.Text() != "done" {
			h.t.Fatal("the other process says ", lines.Text())
		}
	}
}

// No answer is older than its call: what another process has done before a call is
// seen by it, with many calls at once that share their looks.
func TestTwoProcessesSeeEachChangeAtTheNextCall(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.fill(2)
		tell := h.commander()
		var done atomic.Int64 // the last change that was done
		var readers sync.WaitGroup
		stop := make(chan struct{})
		for range 16 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					before := done.Load()
					freeze, err := h.Freeze(ctx())
					var seen int64
					_, _ = fmt.Sscan(freeze.Reason, &seen)
					if err != nil || seen < before {
						t.Errorf("change %d was done, and the call sees %d, %v", before, seen, err)
						return
					}
					if _, live, err := h.Token(ctx(), fmt.Sprintf("tk_%d", before)); err != nil || before > 0 && !live {
						t.Errorf("token %d is not seen: %v", before, err)
						return
					}
				}
			})
		}
		for n := int64(1); n <= 100 && !t.Failed(); n++ {
			tell(fmt.Sprintf("issue tk_%d", n))
			tell(fmt.Sprintf("%s %d", []string{"unfreeze", "freeze"}[n%2], n))
			done.Store(n)
			if f, err := h.Freeze(ctx()); err != nil || f.Writes != (n%2 == 1) {
				t.Errorf("change %d: %+v, %v", n, f, err)
			}
			tell(fmt.Sprintf("revoke tk_%d", n))
			if h.holds(fmt.Sprintf("tk_%d", n)) {
				t.Errorf("token %d was revoked and holds", n)
			}
		}
		close(stop)
		readers.Wait()
	})
}
