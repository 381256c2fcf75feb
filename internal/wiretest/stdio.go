package wiretest

import (
	"bufio"
	"context"
	"io"
	"testing"
	"time"

	"mcp-partner/server"
)

// Patience is how long a test waits for something that must happen.
const Patience = 30 * time.Second

// Stdio is a client on the other end of a stdio connection.
type Stdio struct {
	tb      testing.TB
	in      *io.PipeWriter
	replies chan []byte
	ended   chan error
	stop    context.CancelFunc
}

// StartStdio serves s on pipes until the test ends.
func StartStdio(tb testing.TB, s *server.Server, o server.StdioOptions) *Stdio {
	tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	c := &Stdio{tb: tb, in: toServer, replies: make(chan []byte, 4096), ended: make(chan error, 1), stop: stop}
	go func() {
		c.ended <- s.ServeStdio(ctx, fromClient, toClient, o)
		_ = toClient.Close()
	}()
	go c.collect(fromServer)
	tb.Cleanup(func() {
		stop()
		_ = toServer.Close()
		_ = fromServer.Close()
	})
	return c
}

func (c *Stdio) collect(from io.Reader) {
	defer close(c.replies)
	lines := bufio.NewReader(from)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		c.replies <- line
	}
}

// Send writes a line; the line end is added.
func (c *Stdio) Send(line string) { c.SendRaw([]byte(line + "\n")) }

// SendRaw writes bytes as they are.
func (c *Stdio) SendRaw(raw []byte) {
	c.tb.Helper()
	if _, err := c.in.Write(raw); err != nil {
		c.tb.Fatalf("write to the server: %v", err)
	}
}

// Next returns the next message. It fails the test if there is none.
func (c *Stdio) Next() Reply {
	c.tb.Helper()
	select {
	case line, ok := <-c.replies:
		if !ok {
			c.tb.Fatal("the server closed its output")
		}
		return Parse(c.tb, line)
	case <-time.After(Patience):
		c.tb.Fatal("the server said nothing")
	}
	return Reply{}
}

// Ask sends a line and returns the next message.
func (c *Stdio) Ask(line string) Reply {
	c.tb.Helper()
	c.Send(line)
	return c.Next()
}

// Handshake initializes the connection and returns the answer.
func (c *Stdio) Handshake(capabilities Object) Reply {
	c.tb.Helper()
	reply := c.Ask(Initialize(string(Legacy), capabilities))
	c.Send(Legacy.Notification("notifications/initialized", nil))
	return reply
}

// CloseInput ends the server's input.
func (c *Stdio) CloseInput() { _ = c.in.Close() }

// Stop cancels the server's context, as a signal would.
func (c *Stdio) Stop() { c.stop() }

// Rest returns all messages up to the end of the output, and how the server
// ended.
func (c *Stdio) Rest() ([]Reply, error) {
	c.tb.Helper()
	var all []Reply
	timeout := time.After(Patience)
	for {
		select {
		case line, ok := <-c.replies:
			if !ok {
				return all, <-c.ended
			}
			all = append(all, Parse(c.tb, line))
		case <-timeout:
			c.tb.Fatalf("the server did not end; %d messages so far", len(all))
		}
	}
}
