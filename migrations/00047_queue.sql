-- A project's queue gives images out in several orders, mixed as its admin says; images that the network gets right become tasks when an
-- order gives them out. A task says by which order somebody got it, and can be assigned to a person.

-- +goose Up
ALTER TABLE projects ADD COLUMN mix jsonb NOT NULL DEFAULT '{"confident": 100}' CONSTRAINT projects_mix CHECK (jsonb_typeof(mix) = 'object');
COMMENT ON COLUMN projects.mix IS 'The share of each order in what is given out, in per cent (internal/orders).';
DROP TRIGGER projects_changed ON projects;
CREATE TRIGGER projects_changed BEFORE UPDATE ON projects FOR EACH ROW
    WHEN ((OLD.closed_at IS NOT NULL OR OLD.deleted_at IS NOT NULL)
        AND (OLD.name, OLD.description, OLD.feedback, OLD.second_reviewer, OLD.start_method, OLD.start_radius, OLD.mix)
            IS DISTINCT FROM (NEW.name, NEW.description, NEW.feedback, NEW.second_reviewer, NEW.start_method, NEW.start_radius, NEW.mix))
    EXECUTE FUNCTION projects_stay();

CREATE TABLE queues (
    project_id bigint PRIMARY KEY REFERENCES projects,
    drawn      jsonb NOT NULL DEFAULT '{}',
    due_at     timestamptz NOT NULL DEFAULT now(),
    ranked_at  timestamptz
);
COMMENT ON TABLE queues IS 'How a project''s queue was drawn from, and how far its orders are worked out. A row that is missing is one with nothing in it.';
COMMENT ON COLUMN queues.drawn IS 'How often each order had its turn since the mix was set.';
COMMENT ON COLUMN queues.due_at IS 'Since when the places of images in the orders are to be worked out anew; done where ranked_at is later.';

ALTER TABLE tasks
    ADD COLUMN made_right      boolean NOT NULL DEFAULT false,
    ADD COLUMN handed_by       text NOT NULL DEFAULT '' CONSTRAINT tasks_handed_by CHECK (handed_by IN ('', 'confident', 'uncertain', 'confusion', 'diverse', 'wrong-reason', 'random', 'chosen', 'assigned')),
    ADD COLUMN chance          real NOT NULL DEFAULT random(),
    ADD COLUMN confusion_place integer,
    ADD COLUMN diverse_place   integer,
    ADD COLUMN reason_place    integer,
    ADD COLUMN inside          real,
    ADD COLUMN assigned_to     bigint REFERENCES users,
    ADD COLUMN assigned_at     timestamptz,
    ADD COLUMN assigned_before bigint REFERENCES users,
    ADD COLUMN assignment      bigint,
    ADD CONSTRAINT tasks_assigned_when CHECK ((assigned_to IS NULL) = (assigned_at IS NULL));
SET LOCAL studio.purging = 'on'; -- closed projects too
UPDATE tasks SET made_right = true WHERE label = predicted AND NOT (state = 'skipped' AND skip_reason = 'its label was corrected, and the model is right about it');
COMMENT ON COLUMN tasks.made_right IS 'The version was right about the image when the task was made: that it is right is no reason to withdraw it.';
COMMENT ON COLUMN tasks.handed_by IS 'The order by which somebody got it last, or chosen (opened by hand), or assigned; empty before.';
COMMENT ON COLUMN tasks.chance IS 'Its place in the random order, drawn when the row was made.';
COMMENT ON COLUMN tasks.inside IS 'Of an image with a mask that the version gets right: the share of its attention inside the mask.';
COMMENT ON COLUMN tasks.assigned_before IS 'Whose it was before the assignment that assignment names, which can be taken back.';
CREATE INDEX tasks_offered ON tasks (project_id, confidence DESC, id) WHERE state = 'open' AND assigned_to IS NULL;
CREATE INDEX tasks_offered_chance ON tasks (project_id, chance, id) WHERE state = 'open' AND assigned_to IS NULL;
CREATE INDEX tasks_offered_confusion ON tasks (project_id, confusion_place, id) WHERE state = 'open' AND assigned_to IS NULL AND confusion_place IS NOT NULL;
CREATE INDEX tasks_offered_diverse ON tasks (project_id, diverse_place, id) WHERE state = 'open' AND assigned_to IS NULL AND diverse_place IS NOT NULL;
CREATE INDEX tasks_offered_reason ON tasks (project_id, reason_place, id) WHERE state = 'open' AND assigned_to IS NULL AND reason_place IS NOT NULL;
CREATE INDEX tasks_assigned ON tasks (assigned_to, project_id, state, confidence DESC, id) WHERE assigned_to IS NOT NULL;
CREATE INDEX tasks_assignment ON tasks (assignment) WHERE assignment IS NOT NULL;
CREATE INDEX tasks_submitted_by ON tasks (author_id, submitted_at DESC) WHERE submitted_at IS NOT NULL;
CREATE SEQUENCE assignments;

CREATE TABLE reserve (
    version_id   bigint NOT NULL,
    image_id     bigint NOT NULL,
    project_id   bigint NOT NULL REFERENCES projects,
    label        integer NOT NULL,
    confidence   real NOT NULL,
    chance       real NOT NULL DEFAULT random(),
    inside       real,
    distance     real,
    reason_place integer,
    PRIMARY KEY (image_id),
    FOREIGN KEY (version_id, image_id) REFERENCES predictions (version_id, image_id) ON DELETE CASCADE
);
COMMENT ON TABLE reserve IS 'Images that the active version gets right and that have no task: an order that gives one out makes its task.';
COMMENT ON COLUMN reserve.distance IS 'Of an image without a mask: root mean square of its map''s difference to the mean of the approved maps of its class.';
CREATE INDEX reserve_confidence ON reserve (project_id, confidence, image_id);
CREATE INDEX reserve_chance ON reserve (project_id, chance, image_id);
CREATE INDEX reserve_reason ON reserve (project_id, reason_place, image_id) WHERE reason_place IS NOT NULL;
CREATE INDEX reserve_version ON reserve (version_id);
INSERT INTO reserve (version_id, image_id, project_id, label, confidence)
    SELECT p.version_id, i.id, i.project_id, i.label, p.confidence
    FROM versions v JOIN predictions p ON p.version_id = v.id JOIN images i ON i.id = p.image_id
    WHERE v.state = 'active' AND p.correct AND i.label IS NOT NULL AND i.split IN ('train', 'pool') AND i.broken = '' AND i.retired_at IS NULL
        AND NOT i.left_out && '{none-of-these,ambiguous}' AND NOT EXISTS (SELECT FROM tasks t WHERE t.image_id = i.id);

CREATE INDEX edits_made ON edits (created_at);
CREATE INDEX edits_submitted ON edits (submitted_at) WHERE submitted_at IS NOT NULL;
CREATE INDEX reviews_at ON reviews (created_at);

-- +goose Down
DROP INDEX reviews_at, edits_submitted, edits_made;
DROP TABLE reserve;
DROP INDEX tasks_submitted_by, tasks_assignment, tasks_assigned, tasks_offered_reason, tasks_offered_diverse, tasks_offered_confusion, tasks_offered_chance, tasks_offered;
DROP SEQUENCE assignments;
ALTER TABLE tasks
    DROP COLUMN made_right, DROP COLUMN handed_by, DROP COLUMN chance, DROP COLUMN confusion_place, DROP COLUMN diverse_place, DROP COLUMN reason_place,
    DROP COLUMN inside, DROP COLUMN assigned_to, DROP COLUMN assigned_at, DROP COLUMN assigned_before, DROP COLUMN assignment;
DROP TABLE queues;
DROP TRIGGER projects_changed ON projects;
CREATE TRIGGER projects_changed BEFORE UPDATE ON projects FOR EACH ROW
    WHEN ((OLD.closed_at IS NOT NULL OR OLD.deleted_at IS NOT NULL)
        AND (OLD.name, OLD.description, OLD.feedback, OLD.second_reviewer, OLD.start_method, OLD.start_radius)
            IS DISTINCT FROM (NEW.name, NEW.description, NEW.feedback, NEW.second_reviewer, NEW.start_method, NEW.start_radius))
    EXECUTE FUNCTION projects_stay();
ALTER TABLE projects DROP COLUMN mix;
