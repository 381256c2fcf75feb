package database

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/stdlib"
)

// Look lets do read a database on a server as it is, through connections that cannot
// write: no table is made. It fails where Open would.
func (s Source) Look(ctx context.Context, do func(Querier) error) (err error) {
	server, ok := s.dialect.(*Server)
	if !ok {
		return errors.ErrUnsupported
	}
	config := server.config.Copy()
	config.RuntimeParams["default_transaction_read_only"] = "on"
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	looking := &Database{Source: s, Read: db, Write: db, said: s.statements()}
	if err := looking.usable(ctx); err != nil {
		return err
	}
	if err := looking.onlyOwn(ctx); err != nil {
		return err
	}
	return do(db)
}

// usable reports why the tables could not be brought to this program's schema.
func (d *Database) usable(ctx context.Context) error {
	var homeless, standby, made, creates bool
	err := d.Read.QueryRowContext(ctx, `SELECT current_schema() IS NULL, pg_is_in_recovery(), to_regclass('schema_versions') IS NOT NULL,
		coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)`).Scan(&homeless, &standby, &made, &creates)
	switch {
	case err != nil:
		return err
	case homeless:
		return reportedTrouble("3F000")
	case standby:
		return reportedTrouble("25006")
	}
	whole := false
	if made {
		if _, _, whole, err = d.versions(ctx); err != nil {
			return err
		}
	}
	if !whole && !creates {
		return reportedTrouble("42501")
	}
	return nil
}

// queueRights is whether the role may use the tables of the queue, or make them where
// they are missing. Rights in one string would be alternatives.
const queueRights = `SELECT CASE WHEN to_regclass('river_job') IS NULL THEN coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)
	ELSE coalesce((SELECT bool_and(coalesce(has_table_privilege(to_regclass(name), privilege), false))
		FROM unnest(ARRAY['river_job', 'river_leader', 'river_queue']) AS name, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege)
		AND has_table_privilege(to_regclass('river_migration'), 'SELECT')
		AND has_sequence_privilege(to_regclass('river_job_id_seq'), 'USAGE'), false) END`

// CheckQueue reports why Queue could not be used. It makes nothing.
func (s *Server) CheckQueue(ctx context.Context) error {
	db := stdlib.OpenDB(*s.config)
	var allowed bool
	err := db.QueryRowContext(ctx, queueRights).Scan(&allowed)
	if err == nil && !allowed {
		err = &Trouble{Class: Unsafe, What: "cannot be opened: its role lacks privileges on the tables river_*, or may not make them",
			Next: "Start a server once as the owner of the tables, then grant what docs/deploy.md lists."}
	}
	return errors.Join(err, db.Close())
}
