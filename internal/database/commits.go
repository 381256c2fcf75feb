package database

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// Revision tells one state of the database from every other one that this
// process sees.
type Revision struct {
	// Connection counts the connections that were asked. A new one may lead to another
	// server.
	Connection int64
	version    string
}

// Revision asks whether anything was committed. What came before the call is in
// the answer.
func (d *Database) Revision(ctx context.Context) (Revision, error) {
	if d.said.bounded {
		ctx = context.WithoutCancel(ctx) // one that can end would cost more than the question
	}
	return d.commits.now(ctx, d.said.revision)
}

// commits tells whether something was committed. SQLite counts for each
// connection what the others commit, and not what it commits itself; so this one
// is kept for the question, and writes nothing.
type commits struct {
	from *sql.DB

	// mu is held by one look at a time.
	mu         sync.Mutex
	conn       *sql.Conn
	version    *sql.Stmt
	connection int64
}

func (c *commits) now(ctx context.Context, question string) (r Revision, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		if err := c.connect(ctx, question); err != nil {
			return Revision{}, err
		}
	}
	r.Connection = c.connection
	if err := c.version.QueryRowContext(ctx).Scan(&r.version); err != nil {
		return Revision{}, errors.Join(err, c.disconnect())
	}
	return r, nil
}

// connect begins a count that is comparable with none before it.
func (c *commits) connect(ctx context.Context, question string) (err error) {
	if c.conn, err = c.from.Conn(ctx); err != nil {
		return err
	}
	c.connection++
	if c.version, err = c.conn.PrepareContext(ctx, question); err != nil {
		return errors.Join(err, c.disconnect())
	}
	return nil
}

func (c *commits) disconnect() error {
	var err error
	if c.version != nil {
		err = c.version.Close()
	}
	err = errors.Join(err, c.conn.Close())
	c.conn, c.version = nil, nil
	return err
}

func (c *commits) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == nil {
		return nil
	}
	return c.disconnect()
}
