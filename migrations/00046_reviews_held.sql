-- What waits for review is held by one reviewer at a time, as a task by its painter: two do not judge the same map.

-- +goose Up
ALTER TABLE tasks
    ADD COLUMN reviewer_id bigint REFERENCES users,
    DROP CONSTRAINT tasks_lease_of_leased,
    ADD CONSTRAINT tasks_lease_of_holder CHECK ((state = 'leased' OR reviewer_id IS NOT NULL) = (lease_expires_at IS NOT NULL)),
    ADD CONSTRAINT tasks_reviewer_of_submitted CHECK (reviewer_id IS NULL OR state = 'submitted');
CREATE INDEX tasks_reviewer ON tasks (reviewer_id) WHERE reviewer_id IS NOT NULL;
COMMENT ON COLUMN tasks.reviewer_id IS 'Who has it to judge, until lease_expires_at, while it is in review.';

-- +goose Down
UPDATE tasks SET reviewer_id = NULL, lease_expires_at = NULL WHERE reviewer_id IS NOT NULL;
DROP INDEX tasks_reviewer;
ALTER TABLE tasks
    DROP CONSTRAINT tasks_reviewer_of_submitted,
    DROP CONSTRAINT tasks_lease_of_holder,
    ADD CONSTRAINT tasks_lease_of_leased CHECK ((state = 'leased') = (lease_expires_at IS NOT NULL)),
    DROP COLUMN reviewer_id;
