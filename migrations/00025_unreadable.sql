-- +goose Up
ALTER TABLE rounds ADD COLUMN unreadable jsonb;
COMMENT ON COLUMN rounds.unreadable IS 'How many images the round left out since their files could not be read, and the first of them with the reasons; null for none.';
ALTER TABLE jobs
    ADD COLUMN unreadable       integer NOT NULL DEFAULT 0 CHECK (unreadable >= 0),
    ADD COLUMN first_unreadable bigint REFERENCES images ON DELETE SET NULL;
COMMENT ON COLUMN jobs.unreadable IS 'How many images of a scan or an import could not be read.';

-- +goose Down
ALTER TABLE jobs DROP COLUMN unreadable, DROP COLUMN first_unreadable;
ALTER TABLE rounds DROP COLUMN unreadable;
