-- +goose Up

-- Invocation tokens are rows of states, of the kind token. Those of one name
-- are revoked together, and live ones are counted.
CREATE INDEX states_tokens ON states (caller, expires) WHERE kind = 'token';
