//go:build unix

package ledger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"mcp-partner/access"
	"mcp-partner/guard"
	"mcp-partner/internal/disk"
	"mcp-partner/internal/pgtest"
	"mcp-partner/internal/testkit"
	"mcp-partner/schemas/problems"
)

const (
	roleVariable = "LEDGER_TEST_ROLE"
	dirVariable  = "LEDGER_TEST_DIR"
	keysVariable = "LEDGER_TEST_KEYS"
	urlVariable  = "LEDGER_TEST_URL"
)

// TestMain lets the test program play a second process.
func TestMain(m *testing.M) {
	l := Open(Options{Dir: disk.New(os.Getenv(dirVariable)), Server: serverAt(os.Getenv(urlVariable)), Keys: keysAt(os.Getenv(keysVariable)), Now: noon, Patience: 30 * time.Second})
	switch os.Getenv(roleVariable) {
	case "":
		code := m.Run()
		pgtest.Stop()
		os.Exit(code)
	case "spender":
		os.Exit(playRacer(l, spends(l)))
	case "user":
		os.Exit(playRacer(l, uses(l)))
	case "rated":
		os.Exit(playRacer(l, writesAtMost5(l)))
	case "appender":
		os.Exit(playAppender(l))
	case "commander":
		os.Exit(playCommander(l))
	case "endless":
		os.Exit(playEndless(l))
	}
	os.Exit(3)
}

// playRacer tries something 32 times at once when signalled, and prints how
// often it succeeded.
func playRacer(l *Ledger, try func() (bool, error)) int {
	if _, err := l.Freeze(context.Background()); err != nil {
		return fail(err)
	}
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	won, err := race(32, try)
	if err != nil {
		return fail(err)
	}
	fmt.Println("won", won)
	return closed(l)
}

// race tries something so many times at once.
func race(times int, try func() (bool, error)) (won int, failed error) {
	var group sync.WaitGroup
	var mu sync.Mutex
	for range times {
		group.Go(func() {
			ok, err := try()
			mu.Lock()
			defer mu.Unlock()
			if ok {
				won++
			}
			if err != nil {
				failed = err
			}
		})
	}
	group.Wait()
	return won, failed
}

// spends, uses and writesAtMost5 are what is raced for.
func spends(l *Ledger) func() (bool, error) {
	return func() (bool, error) {
		spent, _, err := l.SpendTicket(context.Background(), "ap_1", event(guard.KindIntent, intent("stdio", "contoso", "1234567")))
		return spent, err
	}
}

func uses(l *Ledger) func() (bool, error) {
	return func() (bool, error) { return l.UseToken(context.Background(), "tk_1", aboutToken()) }
}

func writesAtMost5(l *Ledger) func() (bool, error) {
	intended := event(guard.KindIntent, intent("stdio", "contoso", "1234567"))
	intended.Rule, intended.AtMost = "nightly", &access.Rate{Count: 5, Per: time.Hour}
	return func() (bool, error) {
		_, err := l.Append(context.Background(), intended)
		if problem := problems.As(err); problem != nil && problem.Code == problems.CodeRateExceeded {
			return false, nil
		}
		return err == nil, err
	}
}

func fail(err error) int {
	fmt.Println("failed:", err)
	return 1
}

func closed(l *Ledger) int {
	if err := l.Close(); err != nil {
		return fail(err)
	}
	return 0
}

func playAppender(l *Ledger) int {
	for range 40 {
		if _, err := l.Append(context.Background(), event(guard.KindRefusal, guard.Intent{}), event(guard.KindRefusal, guard.Intent{})); err != nil {
			return fail(err)
		}
	}
	return closed(l)
}

// playEndless writes until it is killed, and says so after each write.
func playEndless(l *Ledger) int {
	for n := 0; ; n++ {
		id := fmt.Sprintf("ap_%d_%d", os.Getpid(), n)
		i := intent("stdio", id, "1234567")
		if _, err := l.PutTicket(context.Background(), ticket(id, i), 1000, event(guard.KindAsked, i)); err != nil {
			return fail(err)
		}
		spent, last, err := l.SpendTicket(context.Background(), id, event(guard.KindConfirmed, i), event(guard.KindIntent, i))
		if err != nil || !spent {
			return fail(err)
		}
		fmt.Println(last, id)
	}
}

func (h *house) child(role string) *exec.Cmd {
	h.t.Helper()
	testkit.SkipShort(h.t, testkit.Processes)
	program, err := os.Executable()
	h.must(err)
	command := exec.Command(program)
	command.Env = append(os.Environ(), roleVariable+"="+role, dirVariable+"="+h.dir, keysVariable+"="+filepath.Dir(h.keys.path), urlVariable+"="+h.url)
	return command
}

// TestTwoProcessesRaceForOneTicket starts two processes on one new state
// directory, lets each try 32 times at once, and wants one winner.
func TestTwoProcessesRaceForOneTicket(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.put("ap_1")
		if won := h.raced("spender"); won != 1 {
			t.Errorf("%d winners", won)
		}
		if open, err := h.Unfinished(ctx()); err != nil || len(open) != 1 {
			t.Error(open, err)
		}
		h.whole()
	})
}

// The uses of a token are counted once across processes.
func TestTwoProcessesRaceForTheUsesOfAToken(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		h.issue("tk_1", "nightly", 5)
		if won := h.raced("user"); won != 5 {
			t.Errorf("%d uses of 5", won)
		}
		if got, ok, err := h.Token(ctx(), "tk_1"); err != nil || !ok || got.Used != 5 || h.holds("tk_1") {
			t.Errorf("%+v %v %v", got, ok, err)
		}
		h.whole()
	})
}

// A rule's rate holds over all processes.
func TestTwoProcessesShareRate(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		if won := h.raced("rated"); won != 5 {
			t.Errorf("%d writes of 5", won)
		}
		if open, err := h.Unfinished(ctx()); err != nil || len(open) != 5 {
			t.Error(len(open), err)
		}
		h.whole()
	})
}

// So it does over 64 calls of one, with a ticket for each.
func TestConcurrentCallsShareRate(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		if won, err := race(64, writesAtMost5(h.Ledger)); won != 5 || err != nil {
			t.Errorf("%d writes of 5, %v", won, err)
		}
		h.put("ap_1")
		intended := event(guard.KindIntent, intent("stdio", "contoso", "1234567"))
		intended.Rule, intended.AtMost = "nightly", &access.Rate{Count: 5, Per: time.Hour}
		_, _, err := h.SpendTicket(ctx(), "ap_1", event(guard.KindConfirmed, intended.Intent), intended)
		problemOf(t, err, problems.CodeRateExceeded, "nightly", "5 writes")
		if ticket, ok, err := h.Ticket(ctx(), "ap_1"); !ok || ticket.Spent || err != nil {
			t.Error("a ticket was spent for a write that the rate refused", ticket, err)
		}
		intended.AtMost = &access.Rate{Count: 6, Per: time.Hour}
		if spent, _, err := h.SpendTicket(ctx(), "ap_1", event(guard.KindConfirmed, intended.Intent), intended); !spent || err != nil {
			t.Error(spent, err)
		}
		h.whole()
	})
}

// raced starts two processes that race, and returns how often they won together.
func (h *house) raced(role string) (won int) {
	h.t.Helper()
	var group sync.WaitGroup
	var mu sync.Mutex
	start := make(chan struct{})
	for range 2 {
		command := h.child(role)
		input, err := command.StdinPipe()
		h.must(err)
		output, err := command.StdoutPipe()
		h.must(err)
		h.must(command.Start())
		lines := bufio.NewScanner(output)
		if !lines.Scan() || lines.Text() != "ready" {
			h.t.Fatal("not ready:", lines.Text())
		}
		group.Go(func() {
			<-start
			_, _ = input.Write([]byte("go\n"))
			lines.Scan()
			said := lines.Text()
			var n int
			if _, err := fmt.Sscanf(said, "won %d", &n); err != nil || command.Wait() != nil {
				h.t.Error(said)
			}
			mu.Lock()
			defer mu.Unlock()
			won += n
		})
	}
	close(start)
	group.Wait()
	return won
}

func TestTwoProcessesAppendToOneChain(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t) // both processes open and make the file at the same time
		var group sync.WaitGroup
		for range 2 {
			command := h.child("appender")
			group.Go(func() {
				if output, err := command.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, output)
				}
			})
		}
		group.Wait()
		if report := h.whole(); report.Entries != 160 || report.Last != 160 {
			t.Errorf("%+v", report)
		}
	})
}

// A process is killed in the middle of its writes, again and again. What it
// said was written is there, the chain is whole, no ticket is unspent.
func TestKilledProcessLeavesValidChain(t *testing.T) {
	onBoth(t, func(t *testing.T, build builder) {
		h := build(t)
		for round := range 8 {
			last, id := h.killed(1+round, time.Duration(round*433)*time.Microsecond)
			h.reopen()
			if report := h.whole(); report.Last < last || len(report.Gaps) > 0 {
				t.Fatalf("round %d: entry %d was written: %+v", round, last, report)
			}
			if spent, _, err := h.SpendTicket(ctx(), id); err != nil || spent {
				t.Fatalf("round %d: ticket %q is spent again (%v)", round, id, err)
			}
		}
	})
}

// killed starts an endless writer, kills it some time after it has said that
// many writes are done, and returns the last that it said.
func (h *house) killed(writes int, after time.Duration) (last int64, id string) {
	h.t.Helper()
	command := h.child("endless")
	output, err := command.StdoutPipe()
	h.must(err)
	h.must(command.Start())
	lines := bufio.NewScanner(output)
	for n := 1; lines.Scan(); n++ {
		if _, err := fmt.Sscan(lines.Text(), &last, &id); err != nil {
			h.t.Fatal(lines.Text(), err)
		}
		if n == writes {
			time.AfterFunc(after, func() { _ = command.Process.Kill() })
		}
	}
	if err := command.Wait(); command.ProcessState.ExitCode() != -1 {
		h.t.Fatalf("the writer ended by itself: %v", err)
	}
	return last, id
}
