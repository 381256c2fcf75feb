-- +goose Up

-- Whether another write to the same link is open is asked before each tenant of
-- a run begins.
CREATE INDEX events_tenants ON events (tenant_id, seq) WHERE kind = 'intent';
