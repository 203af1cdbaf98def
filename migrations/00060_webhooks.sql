-- Webhooks: lines of the trail that are sent on to an address outside. A line and what is to be sent of it are written in one transaction.

-- +goose Up
CREATE TABLE webhooks (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint REFERENCES projects ON DELETE CASCADE,
    url        text NOT NULL,
    secret     text NOT NULL,
    kinds      text[] NOT NULL,
    held_by    bigint NOT NULL REFERENCES users,
    created_at timestamptz NOT NULL,
    off_at     timestamptz,
    off_why    text NOT NULL DEFAULT '',
    CONSTRAINT webhooks_off_says_why CHECK ((off_at IS NULL) = (off_why = ''))
);
CREATE INDEX webhooks_project ON webhooks (project_id) WHERE project_id IS NOT NULL;
CREATE INDEX webhooks_held_by ON webhooks (held_by);
COMMENT ON TABLE webhooks IS 'Addresses that lines of the trail are sent to: of one project, or of the whole studio (project_id is null).';
COMMENT ON COLUMN webhooks.secret IS 'Signs what is sent, so it is kept as it is.';
COMMENT ON COLUMN webhooks.kinds IS 'Kinds of actions (annotator.TrailKinds); empty: all.';
COMMENT ON COLUMN webhooks.held_by IS 'Whose right to the lines it rests on.';

CREATE TABLE webhook_deliveries (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id   bigint NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    audit_id     bigint NOT NULL REFERENCES audit,
    created_at   timestamptz NOT NULL,
    attempts     int NOT NULL DEFAULT 0,
    attempted_at timestamptz,
    status       int NOT NULL DEFAULT 0,
    problem      text NOT NULL DEFAULT '',
    delivered_at timestamptz,
    failed_at    timestamptz,
    CONSTRAINT webhook_deliveries_end_once CHECK (delivered_at IS NULL OR failed_at IS NULL)
);
CREATE INDEX webhook_deliveries_webhook ON webhook_deliveries (webhook_id, id DESC);
CREATE INDEX webhook_deliveries_audit ON webhook_deliveries (audit_id);
CREATE INDEX webhook_deliveries_created ON webhook_deliveries (created_at);
COMMENT ON TABLE webhook_deliveries IS 'Lines that were sent, or are to be; a line of its own for each webhook that takes one. Those that ended are forgotten after a month.';
COMMENT ON COLUMN webhook_deliveries.status IS 'HTTP status of the last answer; 0: none came.';

-- +goose Down
DROP TABLE webhook_deliveries;
DROP TABLE webhooks;
