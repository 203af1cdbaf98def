-- +goose Up
CREATE TABLE audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    project_id bigint REFERENCES projects,
    actor_id   bigint REFERENCES users,
    actor      text NOT NULL,
    action     text NOT NULL CHECK (action ~ '^[a-z]+\.[a-z]+$'),
    subject    text NOT NULL,
    detail     text NOT NULL DEFAULT ''
);
CREATE INDEX audit_project ON audit (project_id, id DESC);
COMMENT ON TABLE audit IS 'Who did what to what. Lines are only added.';
COMMENT ON COLUMN audit.actor_id IS 'Null for commands run on the server itself.';

-- +goose StatementBegin
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only added to'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'audit_append_only';
END $$;
-- +goose StatementEnd
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_append_only();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only();

-- +goose Down
DROP TABLE audit;
DROP FUNCTION audit_append_only;
