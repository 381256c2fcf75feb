-- +goose Up

-- What a state directory holds in files otherwise. A part is what one write added,
-- so that adding to a file does not write it again.
CREATE TABLE files (
    name    text COLLATE "C" PRIMARY KEY,
    version text COLLATE "C" NOT NULL,
    size    bigint NOT NULL
);

CREATE TABLE file_parts (
    name  text COLLATE "C" NOT NULL REFERENCES files (name) ON UPDATE CASCADE ON DELETE CASCADE,
    at    bigint NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (name, at)
);
