-- +goose Up
CREATE TABLE uploads (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id       bigint NOT NULL REFERENCES projects,
    name             text NOT NULL,
    state            text NOT NULL DEFAULT 'inspected' CHECK (state IN ('inspected', 'adding', 'added', 'refused')),
    model_hash       text NOT NULL CHECK (model_hash ~ '^[0-9a-f]{64}$'),
    bytes            bigint NOT NULL CHECK (bytes > 0),
    report           jsonb NOT NULL,
    manifest         jsonb,
    activate         boolean NOT NULL DEFAULT false,
    problem          text NOT NULL DEFAULT '',
    version_id       bigint REFERENCES versions,
    uploaded_by      bigint REFERENCES users,
    uploaded_by_name text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT uploads_adding_has_manifest CHECK (state NOT IN ('adding', 'added') OR manifest IS NOT NULL),
    CONSTRAINT uploads_added_is_version CHECK ((state = 'added') = (version_id IS NOT NULL)),
    CONSTRAINT uploads_refused_why CHECK ((state = 'refused') = (problem <> ''))
);
CREATE INDEX uploads_project ON uploads (project_id, id DESC);
COMMENT ON TABLE uploads IS 'Model files somebody sent, inspected but not run, until a worker has made versions of them. Those nobody adds are removed after a day, and their files with them.';
COMMENT ON COLUMN uploads.manifest IS 'As it is to be added; null while it is not known.';

ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check,
    ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('import', 'scan', 'round', 'evaluate', 'add'));

-- +goose Down
DELETE FROM jobs WHERE kind = 'add';
ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check,
    ADD CONSTRAINT jobs_kind_check CHECK (kind IN ('import', 'scan', 'round', 'evaluate'));
DROP TABLE uploads;
