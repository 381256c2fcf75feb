//go:build unix

package ledger

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mcp-partner/guard"
)

const (
	roleVariable = "LEDGER_TEST_ROLE"
	dirVariable  = "LEDGER_TEST_DIR"
	keysVariable = "LEDGER_TEST_KEYS"
)

// TestMain lets the test program play a second process.
func TestMain(m *testing.M) {
	l := Open(Options{Dir: os.Getenv(dirVariable), Keys: keysAt(os.Getenv(keysVariable)), Now: noon, Patience: 30 * time.Second})
	switch os.Getenv(roleVariable) {
	case "":
		os.Exit(m.Run())
	case "spender":
		os.Exit(playSpender(l))
	case "appender":
		os.Exit(playAppender(l))
	case "endless":
		os.Exit(playEndless(l))
	}
	os.Exit(3)
}

// playSpender tries to spend one ticket 32 times at once, and prints how often
// it could.
func playSpender(l *Ledger) int {
	if _, err := l.Freeze(context.Background()); err != nil {
		return fail(err)
	}
	fmt.Println("ready")
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	var group sync.WaitGroup
	var mu sync.Mutex
	won, failed := 0, error(nil)
	for range 32 {
		group.Go(func() {
			spent, _, err := l.SpendTicket(context.Background(), "ap_1", event(guard.KindIntent, intent("stdio", "contoso", "1234567")))
			mu.Lock()
			defer mu.Unlock()
			if spent {
				won++
			}
			if err != nil {
				failed = err
			}
		})
	}
	group.Wait()
	if failed != nil {
		return fail(failed)
	}
	fmt.Println("won", won)
	return closed(l)
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
	program, err := os.Executable()
	h.must(err)
	command := exec.Command(program)
	command.Env = append(os.Environ(), roleVariable+"="+role, dirVariable+"="+h.dir, keysVariable+"="+filepath.Dir(h.keys.path))
	return command
}

// TestTwoProcessesRaceForOneTicket starts two processes on one new state
// directory, lets each try 32 times at once, and wants one winner.
func TestTwoProcessesRaceForOneTicket(t *testing.T) {
	t.Parallel()
	h := build(t)
	h.put("ap_1")
	var outputs [2]strings.Builder
	var group sync.WaitGroup
	start := make(chan struct{})
	for n := range outputs {
		command := h.child("spender")
		input, err := command.StdinPipe()
		h.must(err)
		output, err := command.StdoutPipe()
		h.must(err)
		h.must(command.Start())
		lines := bufio.NewScanner(output)
		if !lines.Scan() || lines.Text() != "ready" {
			t.Fatal("not ready:", lines.Text())
		}
		group.Go(func() {
			<-start
			_, _ = input.Write([]byte("go\n"))
			for lines.Scan() {
				outputs[n].WriteString(lines.Text())
			}
			if err := command.Wait(); err != nil {
				t.Error(err, outputs[n].String())
			}
		})
	}
	close(start)
	group.Wait()
	got := outputs[0].String() + " " + outputs[1].String()
	if got != "won 1 won 0" && got != "won 0 won 1" {
		t.Error(got)
	}
	if open, err := h.Unfinished(ctx()); err != nil || len(open) != 1 {
		t.Error(open, err)
	}
	h.whole()
}

func TestTwoProcessesMakeOneChain(t *testing.T) {
	t.Parallel()
	h := build(t) // both processes open and make the file at the same time
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if output, err := h.child("appender").CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, output)
			}
		})
	}
	group.Wait()
	if report := h.whole(); report.Entries != 160 || report.Last != 160 {
		t.Errorf("%+v", report)
	}
}

// A process is killed in the middle of its writes, again and again. What it
// said was written is there, the chain is whole, no ticket is unspent.
func TestAKilledProcessLeavesAWholeChain(t *testing.T) {
	t.Parallel()
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
