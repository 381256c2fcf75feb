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
		provider, err := d.provider(d.Read)
		if err != nil {
			return err
		}
		has, wants, err := provider.GetVersions(ctx)
		switch {
		case err != nil:
			return err
		case has > wants:
			return newer(has, wants)
		}
		whole = has == wants
	}
	if !whole && !creates {
		return reportedTrouble("42501")
	}
	return nil
}
