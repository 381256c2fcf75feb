-- +goose Up

-- How many questions of a caller in the client came to nothing is asked before
-- each further one.
CREATE INDEX states_asked ON states (caller, created) WHERE kind = 'ticket' AND in_band = 1;
