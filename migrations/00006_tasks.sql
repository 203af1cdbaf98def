-- +goose Up
CREATE TABLE tasks (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id       bigint NOT NULL REFERENCES projects,
    image_id         bigint NOT NULL REFERENCES images,
    version_id       bigint NOT NULL REFERENCES versions,
    state            text NOT NULL DEFAULT 'open'
                     CHECK (state IN ('open', 'leased', 'submitted', 'approved', 'changes-requested', 'skipped')),
    author_id        bigint REFERENCES users,
    lease_expires_at timestamptz,
    returned         boolean NOT NULL DEFAULT false,
    skip_reason      text,
    label            integer NOT NULL,
    predicted        integer NOT NULL,
    confidence       real NOT NULL,
    submitted_at     timestamptz,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT tasks_one_per_version UNIQUE (version_id, image_id),
    FOREIGN KEY (version_id, image_id) REFERENCES predictions (version_id, image_id),
    CONSTRAINT tasks_lease_of_leased CHECK ((state = 'leased') = (lease_expires_at IS NOT NULL)),
    CONSTRAINT tasks_author_known CHECK (state IN ('open', 'skipped') OR author_id IS NOT NULL),
    CONSTRAINT tasks_open_is_nobodys CHECK (state <> 'open' OR author_id IS NULL),
    CONSTRAINT tasks_skipped_why CHECK ((state = 'skipped') = (skip_reason IS NOT NULL)),
    CONSTRAINT tasks_returned CHECK (NOT returned OR state IN ('leased', 'changes-requested')),
    CONSTRAINT tasks_changes_due CHECK (state <> 'changes-requested' OR returned),
    CONSTRAINT tasks_submitted_when CHECK (state NOT IN ('submitted', 'approved', 'changes-requested') OR submitted_at IS NOT NULL)
);
CREATE INDEX tasks_queue ON tasks (project_id, state, confidence DESC, id);
CREATE INDEX tasks_all ON tasks (project_id, confidence DESC, id);
CREATE INDEX tasks_author ON tasks (author_id, state) WHERE author_id IS NOT NULL;
CREATE INDEX tasks_image ON tasks (image_id);
CREATE INDEX tasks_leases ON tasks (project_id, lease_expires_at) WHERE state = 'leased';
CREATE INDEX tasks_review ON tasks (project_id, submitted_at, id) WHERE state = 'submitted';
COMMENT ON TABLE tasks IS 'Images a version gets wrong, whose attention map a person is asked to repaint.';
COMMENT ON COLUMN tasks.author_id IS 'Who paints it; while leased, the holder of the lease.';
COMMENT ON COLUMN tasks.returned IS 'A reviewer asked for changes: when its lease ends it goes back to its author.';
COMMENT ON COLUMN tasks.label IS 'With predicted and confidence a copy of what made the task, so that the queue is one index scan.';

-- +goose Down
DROP TABLE tasks;
